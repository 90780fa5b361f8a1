"""Large answers of providers: what reads and writes them never has the event loop, or the interpreter's lock, for long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from conduit_desktop.core.errors import ProviderFailed
from conduit_desktop.gateway.upstream.upstream_answer import LARGE_FRAME
from tests.fakes.counted_json import CountedJson
from tests.fakes.gateway import GatewayFixture
from tests.fakes.raw_upstream import http_answer, raw_upstream
from tests.wire.chat_frames import DONE, chunk

AT_ONCE = 512 * 1024
"""Bytes that one call of the parser may get."""
LONG = "word " * 1_200_000
DIALECTS = ("conduit_desktop.wire.openai_chat.stream_reader", "conduit_desktop.wire.anthropic.stream_writer")


@pytest.fixture
def json(monkeypatch: pytest.MonkeyPatch, gateway: GatewayFixture) -> CountedJson:
    return CountedJson(monkeypatch, *DIALECTS)


@asynccontextmanager
async def answering(gateway: GatewayFixture, body: bytes, content_type: str = "application/json") -> AsyncIterator[None]:
    async with raw_upstream(http_answer(body, content_type, "length")) as address:
        await gateway.add_provider("big", address)
        await gateway.add_key()
        yield


def whole(**more: Any) -> bytes:
    message = {"role": "assistant", "content": LONG}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    return orjson.dumps(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage, **more}
    )


@pytest.mark.parametrize("client_dialect", ["openai_chat", "anthropic_messages"])
async def test_a_large_whole_answer_is_read_and_written_in_slices(
    gateway: GatewayFixture, json: CountedJson, client_dialect: str
) -> None:
    async with answering(gateway, whole()):
        body = await gateway.ask("big/m", client_dialect=client_dialect)
    assert LONG in orjson.dumps(body).decode()
    assert max(json.on_loop) <= AT_ONCE
    assert max(json.elsewhere, default=0) <= AT_ONCE


async def test_a_large_stream_that_is_collected_is_written_in_slices(gateway: GatewayFixture, json: CountedJson) -> None:
    frames = [chunk({"content": "word " * 20_000}) for _ in range(60)]
    async with answering(gateway, b"".join([*frames, chunk({}, "stop"), DONE]), "text/event-stream"):
        body = await gateway.ask("big/m", client_dialect="anthropic_messages")
    assert body["content"][0]["text"] == LONG
    assert max(json.on_loop) <= AT_ONCE
    assert max(json.elsewhere, default=0) <= AT_ONCE


@pytest.mark.parametrize("client_dialect", ["openai_chat", "anthropic_messages"])
async def test_a_large_frame_is_read_in_a_thread(gateway: GatewayFixture, json: CountedJson, client_dialect: str) -> None:
    text = "x" * 2 * LARGE_FRAME
    frames = [chunk({"content": text}), chunk({"content": "end"}), chunk({}, "stop"), DONE]
    async with answering(gateway, b"".join(frames), "text/event-stream"):
        answer = await gateway.stream("big/m", client_dialect=client_dialect)
    assert text.encode() in answer
    assert len(text) < max(json.elsewhere)
    if client_dialect == "openai_chat":  # else the client's frame is written on the loop
        assert max(json.on_loop) <= AT_ONCE


@pytest.mark.parametrize("client_dialect", ["openai_chat", "anthropic_messages"])
@pytest.mark.parametrize("content", ["fields", "levels"])
async def test_a_frame_with_too_much_in_it_ends_the_stream_unread(
    gateway: GatewayFixture, json: CountedJson, client_dialect: str, content: str
) -> None:
    extra = b"{" + b",".join(b'"k%d":1' % at for at in range(300_000)) + b"}" if content == "fields" else b"[" * 6_000_000
    frames = [chunk({"content": "begun"}), chunk({"content": "|"}).replace(b'"|"', extra), chunk({}, "stop"), DONE]
    async with answering(gateway, b"".join(frames), "text/event-stream"):
        answer = await gateway.stream("big/m", client_dialect=client_dialect)
    assert b"begun" in answer
    assert b"the JSON" in answer.replace(b"\\u0020", b" ")
    assert max(json.on_loop + json.elsewhere) <= AT_ONCE
    assert gateway.records[-1].status == "broken"


async def test_an_answer_with_too_much_in_it_is_malformed(gateway: GatewayFixture, json: CountedJson) -> None:
    async with answering(gateway, whole(extra={f"k{at}": 1 for at in range(1_100_000)})):
        with pytest.raises(ProviderFailed, match="more than 1,000,000 objects, lists and fields"):
            await gateway.ask("big/m")
    assert max(json.on_loop + json.elsewhere) <= AT_ONCE
