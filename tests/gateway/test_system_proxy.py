"""The setting for the system's proxy holds from the next request on."""

from __future__ import annotations

import orjson
import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.gateway import open_gateway
from tests.fakes.raw_upstream import http_answer, raw_upstream


def _answer(text: str) -> bytes:
    choices = [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body = {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
    return http_answer(orjson.dumps(body), "application/json", "length")


async def test_the_system_proxy_is_used_and_left_from_the_next_request_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        raw_upstream(_answer("direct")) as provider,
        raw_upstream(_answer("proxied")) as proxy,
        open_gateway(home) as gateway,
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
        await gateway.add_provider("up", f"{provider}/v1")
        await gateway.add_alias("m", "up/m")
        await gateway.add_key()

        async def asked(use: bool) -> str:
            await gateway.store.settings.put({"use_system_proxy": use})
            await gateway.refresh()
            content: str = (await gateway.ask("m"))["choices"][0]["message"]["content"]
            return content

        assert [await asked(use) for use in (False, True, True, False)] == ["direct", "proxied", "proxied", "direct"]
