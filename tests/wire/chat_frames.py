"""Builds OpenAI chunks, and reads them."""

from __future__ import annotations

from typing import Any

import orjson

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.events import Event
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.openai_chat.dialect import OpenAIChat
from tests.wire import dialect_io

CHAT = OpenAIChat()
REQUEST = ChatRequest("openai_chat", "gpt-x", include_usage=True)
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    """One chunk with one choice, or with none where `delta` is None."""
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    head = {"id": "chatcmpl-abc12345", "object": "chat.completion.chunk", "created": 7, "model": "gpt-x"}
    return sse.write(orjson.dumps({**head, "choices": choices, **more}))


def call(**fields: Any) -> bytes:
    """One chunk with one tool-call delta."""
    return chunk({"tool_calls": [fields]})


def read(data: bytes, split: int = 0) -> list[Event]:
    """All events of a stream, fed in pieces of `split` bytes (0: at once)."""
    return dialect_io.read(CHAT, data, split)


def answer_of(*frames: bytes) -> Answer:
    """The answer that a finished stream of these frames makes, whatever its split."""
    data = b"".join([*frames, DONE])
    return dialect_io.answer_of(CHAT, data)


def stream_of(answer: Answer, request: ChatRequest = REQUEST) -> bytes:
    """The answer as a stream."""
    writer = CHAT.writer(request)
    return b"".join(writer.write(event) for event in answer.events()) + writer.end()


def payloads(data: bytes) -> list[dict[str, Any]]:
    """The chunks of a written stream."""
    return [orjson.loads(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: {")]
