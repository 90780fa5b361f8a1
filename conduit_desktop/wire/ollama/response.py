"""Ollama's whole answers, read and written: a whole answer is the lines of its stream put together."""

from __future__ import annotations

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Event
from conduit_desktop.wire import json_text
from conduit_desktop.wire.event_validation import validated
from conduit_desktop.wire.ollama.stream_reader import LineReader
from conduit_desktop.wire.ollama.stream_writer import OllamaWriter

_IN_PIECES = frozenset({"content", "response", "thinking", "tool_calls", "images"})
"""The fields whose values in several lines are joined."""


@validated
def read_response(body: dict[str, Json]) -> list[Event]:
    """The events of a whole answer; raises UpstreamError for an error body, MalformedStream for anything but an answer."""
    if not body.get("error") and not isinstance(body.get("message"), dict) and not isinstance(body.get("response"), str):
        raise MalformedStream("the answer has neither a message nor a response")
    events: list[Event] = []
    LineReader().read(body, events)
    return events


def write_response(answer: Answer, request: ChatRequest, chat: bool) -> dict[str, Json]:
    """The first choice as the body of `/api/chat` (`chat`) or `/api/generate`."""
    writer = OllamaWriter(request, chat)
    # Written through the stream's writer, so that a whole answer cannot differ from a streamed one.
    stream = b"".join(map(writer.write, answer.events())) + writer.end()
    body: dict[str, Json] = {}
    for line in stream.splitlines():
        _add(body, json_text.loads_exact(line))
    return body


def _add(body: dict[str, Json], line: dict[str, Json]) -> None:
    for name, value in line.items():
        known = body.get(name)
        if name == "message" and known is not None:
            _add(known, value)
        elif name in _IN_PIECES and known is not None:
            body[name] = known + value
        else:
            body[name] = value
