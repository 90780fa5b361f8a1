"""What a streamed answer sent, and when: text, thinking and tool calls, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conduit_desktop.actions.schemas.reports import StreamPieceView
from conduit_desktop.core.errors import BadRequest, MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event, Finished, Refused, TextDelta, ThinkingDelta, ToolCallDelta, ToolCallStarted
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.store.interface import Payload
from conduit_desktop.wire import dialect

_UNREADABLE = (UpstreamError, MalformedStream, StreamBroken, BadRequest)


def timeline_of(record: RequestRecord, payload: Payload) -> list[StreamPieceView]:
    """The pieces of a kept stream in order; those behind a fault, and those of other endpoints than chat, are `other`."""
    reader = dialect(record.dialect).reader() if record.endpoint == "chat" and record.dialect else None
    pieces: list[StreamPieceView] = []
    at = 0
    for ms, size in payload.pieces:
        events: list[Event] = []
        if reader is not None:
            try:
                events = reader.feed(payload.response[at : at + size])
            except _UNREADABLE:
                reader = None
        at += size
        pieces.append(StreamPieceView(at_ms=ms, bytes=size, **_content(events)))
    return pieces


def _content(events: Iterable[Event]) -> dict[str, Any]:
    """The kind of a piece is that of what weighs most for who reads it: a tool call, text, thinking, the end."""
    kinds: set[str] = set()
    characters = 0
    tool = ""
    for event in events:
        match event:
            case ToolCallStarted():
                kinds.add("tool_call")
                tool = tool or event.name
            case ToolCallDelta():
                kinds.add("tool_call")
                characters += len(event.arguments)
            case TextDelta() | Refused():
                kinds.add("text")
                characters += len(event.text)
            case ThinkingDelta():
                kinds.add("thinking")
                characters += len(event.text)
            case Finished():
                kinds.add("end")
            case _:
                pass
    kind = next((each for each in ("tool_call", "text", "thinking", "end") if each in kinds), "other")
    return {"kind": kind, "characters": characters, "tool": tool}
