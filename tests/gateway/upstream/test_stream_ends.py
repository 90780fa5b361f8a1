"""Where a stream is whole: the terminal event, or every finish reason and a clean end of the body; a cut one never is."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.events import Event, Finished, Started, TextDelta, Usage, UsageReported
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.call import Call, StreamReply
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing.aws_eventstream import write as aws_frame
from tests.fakes.gateway import KEY, open_gateway
from tests.fakes.raw_upstream import Ending, http_answer, raw_upstream
from tests.wire.dialect_io import read, write_stream

EVENTS: list[Event] = [
    Started("id-1", "model-1"), TextDelta("one "), TextDelta("two"), Finished("stop"), UsageReported(Usage(input=3, output=2)),
]  # fmt: skip
CLEAN: tuple[Ending, ...] = ("chunked", "length")
CUT: tuple[Ending, ...] = ("chunked-cut", "length-cut", "close")

PERPLEXITY = b"".join(
    b"data: " + orjson.dumps({"id": "p1", "object": kind, "created": 1, "choices": [choice], **more}) + b"\r\n\r\n"
    for kind, choice, more in (
        ("chat.completion.chunk", {"index": 0, "delta": {"role": "assistant", "content": "one "}, "finish_reason": None}, {}),
        ("chat.completion.chunk", {"index": 0, "delta": {"content": "two"}, "finish_reason": None}, {}),
        ("chat.completion.done", {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "stop"},
         {"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}),
    )
)  # fmt: skip
"""Perplexity sends no `[DONE]`."""
GEMINI_ARRAY = b"[" + b",\n".join(
    orjson.dumps({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **more}]})
    for text, more in (("one ", {}), ("two", {"finishReason": "STOP"}))
) + b"]"  # fmt: skip
CONVERSE = [
    aws_frame(orjson.dumps(payload), {":event-type": event, ":message-type": "event"})
    for event, payload in (
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "one two"}}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}),
    )
]


def stream_of(name: str) -> bytes:
    return write_stream(dialect(name), EVENTS)


def without(name: str, end: bytes) -> bytes:
    """The dialect's stream without its terminal frame, which begins with `end`."""
    data = stream_of(name)
    assert end in data
    return data[: data.rindex(end)]


# The kind of provider, its content type, the body, and the terminal frame that a caller of the same dialect still gets.
NO_TERMINAL: dict[str, tuple[str, str, bytes]] = {
    "chat": ("openai-compatible", "text/event-stream", without("openai_chat", b"data: [DONE]")),
    "perplexity": ("perplexity", "text/event-stream", PERPLEXITY),
    "anthropic": ("anthropic", "text/event-stream", without("anthropic_messages", b"event: message_stop")),
    "gemini": ("gemini", "text/event-stream", stream_of("gemini")),
    "gemini-array": ("gemini", "application/json", GEMINI_ARRAY),
}
TERMINAL: dict[str, tuple[str, str, bytes]] = {
    "chat": ("openai-compatible", "text/event-stream", stream_of("openai_chat")),
    "perplexity": NO_TERMINAL["perplexity"],  # its last chunk has a name of its own
    "anthropic": ("anthropic", "text/event-stream", stream_of("anthropic_messages")),
    "responses": ("openai", "text/event-stream", stream_of("openai_responses")),
    "ollama": ("ollama", "application/x-ndjson", stream_of("ollama")),
    "cohere": ("cohere", "text/event-stream", stream_of("cohere")),
    "cohere-without-done": ("cohere", "text/event-stream", without("cohere", b"data: [DONE]")),
    "bedrock": ("bedrock", "application/vnd.amazon.eventstream", b"".join(CONVERSE)),
    "bedrock-without-metadata": ("bedrock", "application/vnd.amazon.eventstream", b"".join(CONVERSE[:3])),
}
UNFINISHED: dict[str, tuple[str, str, bytes]] = {
    "chat": ("openai-compatible", "text/event-stream", re.split(rb'data: [^\n]*"stop"', stream_of("openai_chat"))[0]),
    "anthropic": ("anthropic", "text/event-stream", without("anthropic_messages", b"event: message_delta")),
    "responses": ("openai", "text/event-stream", without("openai_responses", b"event: response.completed")),
    "gemini": ("gemini", "text/event-stream", stream_of("gemini").split(b"\n\n")[0] + b"\n\n"),
    "gemini-array": ("gemini", "text/event-stream", GEMINI_ARRAY[: GEMINI_ARRAY.index(b",\n")]),
    "ollama": ("ollama", "application/x-ndjson", without("ollama", b'{"model"')),
    "cohere": ("cohere", "text/event-stream", without("cohere", b"event: message-end")),
    "bedrock": ("bedrock", "application/vnd.amazon.eventstream", b"".join(CONVERSE[:2])),
}  # fmt: skip
ERRORS = {"openai_chat": b'"error"', "anthropic_messages": b"event: error", "gemini": b'"error"'}


async def ask(home: Home, vendor: tuple[str, str, bytes], ending: Ending, caller: str) -> tuple[bytes, Any]:
    kind, content_type, body = vendor
    conversation: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 90}
    if caller == "gemini":
        conversation = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(raw_upstream(http_answer(body, content_type, ending)))
        gateway = await stack.enter_async_context(open_gateway(home))
        options = {"keys": ["AKIA" + "X" * 16 + ":" + "s" * 40], "options": {"region": "eu-west-1"}} if kind == "bedrock" else {}
        await gateway.add_provider("p", address, kind=kind, **options)
        await gateway.add_alias("m", "p/gpt-5-pro" if kind == "openai" else "p/model-1", retries=0)
        await gateway.add_key()
        exchange = await gateway.answer(
            Call(dialect(caller), {**conversation, "model": "m", "stream": True}, "m", stream=True, credential=KEY)
        )
        assert isinstance(exchange, StreamReply)
        data = b"".join([piece async for piece in exchange.frames])
        await exchange.close()
        record = gateway.records[-1]
        await gateway.state.upstream.close()
    return data, record


CALLERS = ("openai_chat", "anthropic_messages")


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("ending", CLEAN)
@pytest.mark.parametrize("vendor", NO_TERMINAL)
async def test_a_stream_with_its_finish_and_a_clean_end_is_whole_without_a_terminal_event(
    home: Home, vendor: str, ending: Ending, caller: str
) -> None:
    data, record = await ask(home, NO_TERMINAL[vendor], ending, caller)
    answer = collect(read(dialect(caller), data))
    assert (record.status, answer.first.text) == ("success", "one two")
    assert ERRORS[caller] not in data
    # The caller's dialect has an end of its own, whatever the vendor sent.
    assert data.endswith(b"data: [DONE]\n\n" if caller == "openai_chat" else b'data: {"type":"message_stop"}\n\n')
    assert data.count(b"[DONE]") + data.count(b'"message_stop"') == 1


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("ending", CUT)
@pytest.mark.parametrize("vendor", [name for name in NO_TERMINAL if name not in ("perplexity", "gemini-array")])
async def test_a_connection_that_is_cut_after_the_finish_is_never_whole(
    home: Home, vendor: str, ending: Ending, caller: str
) -> None:
    data, record = await ask(home, NO_TERMINAL[vendor], ending, caller)
    assert record.status == "broken"
    assert ERRORS[caller] in data
    assert b"[DONE]" not in data
    assert b"event: message_stop" not in data


@pytest.mark.parametrize("ending", CLEAN + CUT)
@pytest.mark.parametrize("vendor", TERMINAL)
async def test_a_stream_is_whole_with_its_terminal_event_however_the_connection_ends(
    home: Home, vendor: str, ending: Ending
) -> None:
    # Ollama speaks OpenAI's dialect too: only its own callers get its lines.
    caller = "ollama" if vendor == "ollama" else "openai_chat"
    data, record = await ask(home, TERMINAL[vendor], ending, caller)
    assert (record.status, collect(read(dialect(caller), data)).first.text) == ("success", "one two")
    assert data.endswith(b"data: [DONE]\n\n") or caller == "ollama"


@pytest.mark.parametrize("ending", [*CLEAN, *CUT])
@pytest.mark.parametrize("vendor", UNFINISHED)
async def test_a_stream_without_its_finish_is_broken_however_the_connection_ends(home: Home, vendor: str, ending: Ending) -> None:
    data, record = await ask(home, UNFINISHED[vendor], ending, "ollama" if vendor == "ollama" else "openai_chat")
    assert record.status == "broken"
    assert b'"error"' in data
    assert b"[DONE]" not in data
    assert b'"done":true' not in data


async def test_a_usage_frame_that_the_client_did_not_ask_for_is_hidden_without_done_too(home: Home) -> None:
    body = without("openai_chat", b"data: [DONE]").rstrip()
    data, record = await ask(home, ("openai-compatible", "text/event-stream", body), "chunked", "openai_chat")
    assert (record.input, record.output) == (3, 2)
    assert b'"usage"' not in data
    assert data.endswith(b"}\n\ndata: [DONE]\n\n")
