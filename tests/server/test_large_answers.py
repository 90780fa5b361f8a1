"""Large answers are written to their client in pieces, and large events of a WebSocket are read in slices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from conduit_desktop.core.paths import Home
from conduit_desktop.server.chat import LARGE
from tests.fakes.counted_json import CountedJson
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.raw_upstream import http_answer, raw_upstream
from tests.wire.chat_frames import DONE, chunk

TEXT = "x" * 3 * LARGE
WHOLE = orjson.dumps({
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}],
})  # fmt: skip


@pytest.fixture
async def address(home: Home) -> AsyncIterator[str]:
    frames = b"".join([chunk({"content": TEXT}), chunk({}, "stop"), DONE])
    brief = b"".join([chunk({"content": "x"}), chunk({}, "stop"), DONE])
    async with (
        raw_upstream(http_answer(WHOLE, "application/json", "length")) as whole,
        raw_upstream(http_answer(frames, "text/event-stream", "length")) as streamed,
        raw_upstream(http_answer(brief, "text/event-stream", "length")) as short,
        open_gateway(home, port=0) as gateway,
        listening(home, gateway) as context,
    ):
        await gateway.add_provider("whole", whole)
        await gateway.add_provider("streamed", streamed)
        await gateway.add_provider("short", short)
        await gateway.add_key()
        assert context.server.address is not None
        yield context.server.address


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each piece that was written, and of each answer that was written at once."""
    sizes: list[int] = []
    write = web.StreamResponse.write

    async def counted(self: web.StreamResponse, data: Any) -> None:
        sizes.append(len(data))
        await write(self, data)

    monkeypatch.setattr(web.StreamResponse, "write", counted)
    monkeypatch.setattr(web, "Response", _refuse_large)
    return sizes


class _refuse_large(web.Response):
    def __init__(self, *, body: Any = None, **options: Any) -> None:
        assert body is None or len(body) <= LARGE
        super().__init__(body=body, **options)


@pytest.mark.parametrize("model", ["whole/m", "streamed/m"])
async def test_a_large_answer_is_written_in_pieces(address: str, written: list[int], model: str) -> None:
    body = {"model": model, "stream": model == "streamed/m", "messages": [{"role": "user", "content": "x"}]}
    headers = {"authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/v1/chat/completions", json=body, headers=headers) as answer,
    ):
        assert TEXT in await answer.text()
    assert sum(written) > len(TEXT)
    assert max(written) <= LARGE


async def test_a_large_event_of_a_websocket_is_read_in_slices(
    address: str, gateway_calls: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = orjson.dumps({"type": "response.create", "model": "short/m", "input": "word " * 1_000_000}).decode()
    counted = CountedJson(monkeypatch)
    key = {"authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{address}/v1/responses", headers=key, max_msg_size=0) as socket,
    ):
        await socket.send_str(text)
        while b'"response.completed"' not in (await socket.receive()).data.encode():
            pass
    assert max(counted.on_loop) <= LARGE
    assert gateway_calls == [True]


@pytest.fixture
def gateway_calls(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each call, whether it is heavy."""
    heavy: list[bool] = []
    answer = GatewayFixture.answer

    async def noted(self: GatewayFixture, call: Any) -> Any:
        heavy.append(call.is_heavy)
        return await answer(self, call)

    monkeypatch.setattr(GatewayFixture, "answer", noted)
    return heavy
