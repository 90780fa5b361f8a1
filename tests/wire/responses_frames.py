"""Builds events of the Responses API, and reads them."""

from __future__ import annotations

from typing import Any

import orjson

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.events import Event
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.openai_responses.dialect import OpenAIResponses
from tests.wire import dialect_io

RESPONSES = OpenAIResponses()
REQUEST = ChatRequest("openai_responses", "gpt-x")
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 14,
}


def event(kind: str, **fields: Any) -> bytes:
    """One frame."""
    return sse.write(orjson.dumps({"type": f"response.{kind}", **fields}), f"response.{kind}")


def response(status: str = "in_progress", **more: Any) -> dict[str, Any]:
    """The response that some events carry."""
    return {"id": "resp_1", "object": "response", "created_at": 7, "model": "gpt-x", "status": status, "output": [], **more}


CREATED = event("created", response=response())


def completed(**more: Any) -> bytes:
    """The terminal event."""
    return event("completed", response=response("completed", usage=USAGE, **more))


def added(index: int, kind: str, **fields: Any) -> bytes:
    """A new item."""
    return event("output_item.added", output_index=index, item={"id": f"i{index}", "type": kind, **fields})


def done(index: int, kind: str, **fields: Any) -> bytes:
    """A whole item."""
    return event("output_item.done", output_index=index, item={"id": f"i{index}", "type": kind, **fields})


def delta(family: str, text: str, index: int = 0, at: int = 0) -> bytes:
    """A piece of a part."""
    place = "summary_index" if family == "reasoning_summary_text" else "content_index"
    return event(f"{family}.delta", output_index=index, item_id=f"i{index}", delta=text, **{place: at})


def read(data: bytes, split: int = 0) -> list[Event]:
    """All events of a stream, fed in pieces of `split` bytes (0: at once)."""
    return dialect_io.read(RESPONSES, data, split)


def answer_of(*frames: bytes) -> Answer:
    """The answer that a finished stream of these frames makes, whatever its split."""
    data = b"".join([CREATED, *frames, completed()])
    return dialect_io.answer_of(RESPONSES, data)


def stream_of(answer: Answer, request: ChatRequest = REQUEST) -> bytes:
    """The answer as a stream."""
    writer = RESPONSES.writer(request)
    return b"".join([writer.write(one) for one in answer.events()]) + writer.end()


def payloads(data: bytes) -> list[dict[str, Any]]:
    """The events of a written stream."""
    return [orjson.loads(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: {")]
