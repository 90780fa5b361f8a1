"""Ollama's whole answers, read and written: a whole answer is a stream of one line."""

from __future__ import annotations

from typing import assert_never

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json, Opaque, RedactedThinking, Refusal, Text, Thinking, ToolCall
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import (
    Event,
    Finished,
)
from conduit_desktop.wire.event_validation import whole
from conduit_desktop.wire.ollama.request_reader import NAME
from conduit_desktop.wire.ollama.stream_reader import LineReader
from conduit_desktop.wire.ollama.stream_writer import body_of, head, tail, write_call


@whole
def read_response(body: dict[str, Json]) -> list[Event]:
    """A whole answer; raises UpstreamError for an error in its place, MalformedStream for what is no answer."""
    if not body.get("error") and not isinstance(body.get("message"), dict) and not isinstance(body.get("response"), str):
        raise MalformedStream("the answer holds neither a message nor a response")
    events: list[Event] = []
    LineReader().take(body, events)
    return events


def write_response(answer: Answer, request: ChatRequest, chat: bool) -> dict[str, Json]:
    """The first choice; thinking and words run together, for there is one field for each."""
    own = answer.started.dialect == NAME
    message: dict[str, Json] = {"role": "assistant", "content": ""}
    calls: list[ToolCall] = []
    for part in answer.first.parts:
        match part:
            case Text() | Refusal():
                message["content"] += part.text
            case Thinking():
                message["thinking"] = message.get("thinking", "") + part.text
            case ToolCall():
                calls += [part] if part.kind != "hosted" else []  # which ran where the model runs
            case Opaque():
                message |= {part.name: part.value} if part.dialect == NAME else {}
            case RedactedThinking():
                continue
            case _:
                assert_never(part)
    if calls:
        message["tool_calls"] = [write_call(call, own) for call in calls]
    return {
        **head(answer.started, request),
        **body_of(message, chat),
        **tail(answer.first.finish or Finished("stop"), answer.usage, own),
    }
