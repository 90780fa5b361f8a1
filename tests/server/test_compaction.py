"""Compaction of Codex's conversations: relayed where the provider has it, else a summary that the model reads again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.gateway import KEY, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

COMPACTED = {
    "id": "resp_1", "object": "response.compaction", "created_at": 1,
    "output": [{"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAA"}],
    "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
}  # fmt: skip
HISTORY: list[Any] = [
    {"role": "user", "content": "mend the build"},
    {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "error 7"},
]
TOOLS = [{"type": "function", "name": "shell", "parameters": {"type": "object", "properties": {}}}]


class Codex:
    """A client of the Responses API, and the vendor behind the gateway."""

    def __init__(self, vendor: Vendor, session: aiohttp.ClientSession, url: str) -> None:
        self.vendor, self._session, self._url = vendor, session, url

    async def post(self, path: str, body: Any) -> tuple[int, bytes]:
        async with self._session.post(self._url + path, json=body, headers={"Authorization": f"Bearer {KEY}"}) as answer:
            return answer.status, await answer.read()

    async def ask(self, path: str = "/v1/responses", **body: Any) -> dict[str, Any]:
        status, raw = await self.post(path, body)
        assert status == 200, raw
        answer: dict[str, Any] = orjson.loads(raw)
        return answer

    @property
    def sent(self) -> Any:
        return self.vendor.requests[-1].body


@pytest.fixture
async def codex(home: Home) -> AsyncIterator[Codex]:
    async with (
        Vendor() as vendor,
        open_gateway(home, port=0) as gateway,
        listening(home, gateway) as context,
        aiohttp.ClientSession() as session,
    ):
        await gateway.add_provider("chat", vendor.openai_url)
        await gateway.add_provider("claude", vendor.anthropic_url, kind="anthropic-compatible")
        await gateway.add_provider("openai", vendor.openai_url, kind="openai")
        await gateway.add_provider("xai", vendor.openai_url, kind="xai")
        await gateway.add_key()
        yield Codex(vendor, session, str(context.server.address))


def texts(sent: Any) -> str:
    return orjson.dumps(sent["messages"]).decode()


@pytest.mark.parametrize("model", ["chat/m", "claude/m", "xai/grok-4.5"])
async def test_a_trigger_gives_exactly_one_compaction_item(codex: Codex, model: str) -> None:
    answer = await codex.ask(model=model, input=[*HISTORY, {"type": "compaction_trigger"}], tools=TOOLS)
    assert [item["type"] for item in answer["output"]] == ["compaction"]
    assert answer["output"][0]["encrypted_content"]
    assert "compaction_trigger" not in texts(codex.sent)
    assert "error 7" in texts(codex.sent), "the conversation is what is summarized"


async def test_a_streamed_trigger_ends_with_one_compaction_item(codex: Codex) -> None:
    _, raw = await codex.post(
        "/v1/responses", {"model": "chat/m", "input": [*HISTORY, {"type": "compaction_trigger"}], "stream": True}
    )
    events = [orjson.loads(line[6:]) for line in raw.split(b"\n") if line.startswith(b"data: ")]
    done = [event["item"]["type"] for event in events if event["type"] == "response.output_item.done"]
    assert done == ["compaction"]
    assert events[-1]["type"] == "response.completed"
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["compaction"]


@pytest.mark.parametrize("model", ["chat/m", "claude/m"])
async def test_the_summary_reaches_the_model_again(codex: Codex, model: str) -> None:
    codex.vendor.script(Step(text="they want the build mended; error 7 is open"))
    [item] = (await codex.ask(model="chat/m", input=[*HISTORY, {"type": "compaction_trigger"}]))["output"]
    await codex.ask(model=model, input=[item, {"role": "user", "content": "go on"}])
    assert "error 7 is open" in texts(codex.sent)


async def test_a_summary_reaches_openai_as_a_message(codex: Codex) -> None:
    codex.vendor.script(Step(text="error 7 is open"))
    [item] = (await codex.ask(model="chat/m", input=[*HISTORY, {"type": "compaction_trigger"}]))["output"]
    await codex.post("/v1/responses", {"model": "openai/gpt-4o", "input": [item, {"role": "user", "content": "go on"}]})
    first = codex.sent["input"][0]
    assert (first["type"], first["role"]) == ("message", "user")
    assert "error 7 is open" in first["content"][0]["text"]


async def test_a_model_that_writes_no_summary_is_an_error(codex: Codex) -> None:
    codex.vendor.script(Step(text=" "))
    status, raw = await codex.post("/v1/responses", {"model": "chat/m", "input": [*HISTORY, {"type": "compaction_trigger"}]})
    assert status == 502
    assert b"no summary" in raw


async def test_the_path_is_relayed_to_a_provider_that_has_it(codex: Codex) -> None:
    codex.vendor.script(Step(body=COMPACTED))
    answer = await codex.ask("/v1/responses/compact", model="openai/gpt-5", input=HISTORY)
    assert answer == COMPACTED
    assert codex.vendor.requests[-1].path.endswith("/responses/compact")
    assert codex.sent == {"model": "gpt-5", "input": HISTORY}


async def test_the_path_gives_a_summary_where_the_provider_has_none(codex: Codex) -> None:
    answer = await codex.ask("/v1/responses/compact", model="chat/m", input=HISTORY)
    assert answer["object"] == "response.compaction"
    assert [item.get("type", item.get("role")) for item in answer["output"]] == ["user", "compaction"]
    assert answer["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAA"}, "input[0]"),
        ({"type": "item_reference", "id": "msg_1"}, "input[0]"),
        ({"id": f"msg_{'0' * 34}"}, "input[0]"),
    ],
)
async def test_what_only_openai_can_read_is_refused_by_name_elsewhere(codex: Codex, item: Any, field: str) -> None:
    status, raw = await codex.post("/v1/responses", {"model": "chat/m", "input": [item, {"role": "user", "content": "go on"}]})
    assert status == 400
    assert orjson.loads(raw)["error"]["param"] == field
    assert codex.vendor.requests == []


async def test_openais_own_compaction_goes_to_openai_unchanged(codex: Codex) -> None:
    items = [COMPACTED["output"][0], {"role": "user", "content": "go on"}]  # type: ignore[index]
    await codex.post("/v1/responses", {"model": "openai/gpt-4o", "input": items})
    assert codex.sent["input"] == items
