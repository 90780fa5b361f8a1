"""Anthropic's message threads at targets that keep none: the SDK's helper and its tool runner, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import anthropic
import orjson
import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.vendor import Vendor

OTHER = "condt_" + "o" * 43


class Served:
    """The gateway's address, and the vendor behind it."""

    def __init__(self, gateway: GatewayFixture, vendor: Vendor, url: str) -> None:
        self.gateway, self.vendor, self.url = gateway, vendor, url

    def client(self, key: str = KEY) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(base_url=self.url, api_key=key, max_retries=0)

    async def post(self, key: str = KEY, **body: Any) -> tuple[int, Any]:
        body = {"max_tokens": 50, "model": "chat/m", **body}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/v1/messages", json=body, headers={"x-api-key": key}) as answer,
        ):
            return answer.status, orjson.loads(await answer.read())

    @property
    def sent(self) -> Any:
        return self.vendor.requests[-1].body


@pytest.fixture
async def served(home: Home) -> AsyncIterator[Served]:
    async with Vendor() as vendor, open_gateway(home, port=0) as gateway, listening(home, gateway) as context:
        await gateway.add_provider("chat", vendor.openai_url)
        await gateway.add_provider("compatible", vendor.anthropic_url, kind="anthropic-compatible")
        await gateway.add_provider("claude", vendor.anthropic_url, kind="anthropic")
        await gateway.add_key()
        await gateway.add_key("other", OTHER)
        yield Served(gateway, vendor, str(context.server.address))


def said(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


@pytest.mark.parametrize("model", ["chat/m", "compatible/m"])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_sdks_helper_sends_new_turns_only_and_the_model_sees_all(served: Served, model: str, stream: bool) -> None:
    async with served.client() as client:
        thread = client.beta.messages.thread(model=model, max_tokens=50, system="Be brief.")
        for text in ("my name is Ada", "and now?", "again"):
            if stream:
                async with thread.stream(said("user", text)) as events:
                    await events.get_final_message()
            else:
                await thread.send(said("user", text))
    roles = [message["role"] for message in served.sent["messages"] if message["role"] != "system"]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert "my name is Ada" in orjson.dumps(served.sent["messages"]).decode()
    assert "Be brief." in orjson.dumps(served.sent).decode()
    assert "thread" not in served.sent


async def test_a_thread_is_left_to_anthropic(served: Served) -> None:
    await served.post(model="claude/claude-x", thread={"type": "create"}, messages=[said("user", "hi")])
    assert served.sent["thread"] == {"type": "create"}
    body = {"type": "continue", "previous_message_id": "msg_1"}
    await served.post(model="claude/claude-x", thread=body, messages=[said("user", "on")])
    assert served.sent["thread"] == body
    assert len(served.sent["messages"]) == 1


async def test_an_unknown_thread_is_refused_so_that_the_client_replays_it(served: Served) -> None:
    thread = {"type": "continue", "previous_message_id": "msg_x"}
    status, answer = await served.post(thread=thread, messages=[said("user", "on")])
    assert status == 404
    assert answer["error"]["details"] == {"error_code": "thread_not_found"}
    assert served.vendor.requests == []


async def test_a_thread_belongs_to_its_key(served: Served) -> None:
    _, first = await served.post(thread={"type": "create"}, messages=[said("user", "secret")])
    thread = {"type": "continue", "previous_message_id": first["id"]}
    assert (await served.post(key=OTHER, thread=thread, messages=[said("user", "on")]))[0] == 404
    assert (await served.post(thread=thread, messages=[said("user", "on")]))[0] == 200


async def test_a_container_is_refused_by_name_where_no_target_can_hold_it(served: Served) -> None:
    status, answer = await served.post(container="container_1", messages=[said("user", "hi")])
    assert status == 400
    assert "container" in answer["error"]["message"]
    assert served.vendor.requests == []
