"""Reads and writes the streams of Bedrock's ConverseStream. Text blocks begin unannounced; only tools have a start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Opaque
from conduit_desktop.core.errors import GatewayError, MalformedStream
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    OpaqueBlock,
    Refused,
    Started,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from conduit_desktop.wire.bedrock_answer import finish_word, read_finish, read_usage, write_citation, write_usage
from conduit_desktop.wire.bedrock_blocks import NAME, read_citation
from conduit_desktop.wire.bedrock_errors import error_in_answer, fault_of, write_error
from conduit_desktop.wire.eventstream import EventFrame, EventSplitter, write
from conduit_desktop.wire.frame_reader import FrameReader
from conduit_desktop.wire.sse import Frame

Kind = Literal["", "text", "thinking", "redacted", "tool", "opaque"]


@dataclass(slots=True)
class _Block:
    """A block that is open: `start` as it was announced, `pieces` of its input, `said` of its result."""

    kind: Kind
    start: dict[str, Json] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    said: list[Json] = field(default_factory=list)


class ConverseReader(FrameReader):
    """Reads one stream. It is over with `messageStop`, and done with the `metadata` that follows."""

    terminal = "messageStop"

    def __init__(self) -> None:
        super().__init__(EventSplitter())
        self._blocks: dict[int, _Block] = {}
        self._last: tuple[int, Kind] = (-1, "")
        self._finish: Finished | None = None
        self._counted = False

    @property
    def done(self) -> bool:
        """The counts have been read."""
        return self._counted

    def read(self, frame: Frame, events: list[Event]) -> None:
        """One event; raises UpstreamError for an exception."""
        try:
            payload = orjson.loads(frame.data)
        except orjson.JSONDecodeError as error:
            raise MalformedStream(f"a frame is not JSON: {error}") from error
        if isinstance(frame, EventFrame) and frame.fault is not None:
            raise error_in_answer(frame.fault, payload)
        if not isinstance(payload, dict):
            raise MalformedStream("a frame is no JSON object")
        if frame.event == "contentBlockDelta":
            self._delta(payload["contentBlockIndex"], payload["delta"], events)
        elif frame.event == "contentBlockStart":
            self._start(payload["contentBlockIndex"], payload["start"], events)
        elif frame.event == "contentBlockStop":
            self._stop(payload["contentBlockIndex"], events)
        elif frame.event == "messageStart":
            events.append(Started(dialect=NAME))
        elif frame.event == "messageStop":
            self._message_stop(payload, events)
        elif frame.event == "metadata":
            self._metadata(payload, events)

    def _start(self, index: int, start: dict[str, Json], events: list[Event]) -> None:
        call = start.get("toolUse")
        if isinstance(call, dict) and call.get("type") in (None, "tool_use"):
            self._blocks[index] = _Block("tool", call)
            extra = {name: value for name, value in call.items() if name not in ("toolUseId", "name")}
            self._say(index, "tool", ToolCallStarted(call["toolUseId"], call["name"], extra=extra), events)
        elif start:
            self._blocks[index] = _Block("opaque", start)

    def _delta(self, index: int, delta: dict[str, Json], events: list[Event]) -> None:
        block = self._blocks.get(index)
        if "text" in delta:
            if delta["text"]:
                self._begin(index, "text", events)
                self._say(index, "text", TextDelta(delta["text"]), events)
        elif "toolUse" in delta:
            if block is None:
                raise MalformedStream("arguments of a tool call that never began")
            if text := delta["toolUse"].get("input"):
                block.pieces.append(text)
                if block.kind == "tool":
                    events.append(ToolCallDelta(block.start["toolUseId"], text))
        elif "reasoningContent" in delta:
            self._thought(index, delta["reasoningContent"], events)
        elif "citation" in delta:
            self._begin(index, "text", events)
            self._say(index, "text", Cited(read_citation(delta["citation"])), events)
        elif block is not None and isinstance(delta.get("toolResult"), list):
            block.said += delta["toolResult"]

    def _thought(self, index: int, thought: dict[str, Json], events: list[Event]) -> None:
        if "redactedContent" in thought:
            self._say(index, "redacted", ThinkingRedacted(thought["redactedContent"]), events)
        elif thought.get("text"):
            self._begin(index, "thinking", events)
            self._say(index, "thinking", ThinkingDelta(thought["text"]), events)
        elif thought.get("signature"):
            self._begin(index, "thinking", events)
            self._say(index, "thinking", ThinkingSigned(thought["signature"]), events)

    def _begin(self, index: int, kind: Literal["text", "thinking"], events: list[Event]) -> None:
        """Say that a block of the same kind as the last is another."""
        last, same = self._last
        if same == kind and last != index:
            events.append(TextStarted() if kind == "text" else ThinkingStarted())

    def _say(self, index: int, kind: Kind, event: Event, events: list[Event]) -> None:
        self._last = (index, kind)
        events.append(event)

    def _stop(self, index: int, events: list[Event]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block.kind == "tool" and not block.pieces:
            events.append(ToolCallDelta(block.start["toolUseId"], "{}"))
        elif block.kind == "opaque":
            name, value = _whole(block)
            self._say(index, "opaque", OpaqueBlock(Opaque(NAME, name, {name: value})), events)

    def close(self) -> list[Event]:
        """The end, which waits for the counts that belong to it; raises StreamBroken if `messageStop` never came."""
        events = super().close()
        if self._finish is not None:
            events.append(self._finish)
        return events

    def _message_stop(self, payload: dict[str, Json], events: list[Event]) -> None:
        for index in list(self._blocks):  # real streams leave text blocks open; a tool's may be, too
            self._stop(index, events)
        extra = {name: value for name, value in payload.items() if name not in ("stopReason", "p")}
        self._finish = read_finish(payload["stopReason"], extra)
        self._over = True

    def _metadata(self, payload: dict[str, Json], events: list[Event]) -> None:
        self._counted = self._over
        if self._finish is not None:
            self._finish.extra.update({name: value for name, value in payload.items() if name not in ("usage", "p")})
            events.append(self._finish)
            self._finish = None
        if isinstance(payload.get("usage"), dict):
            events.append(UsageReported(read_usage(payload["usage"])))


def _whole(block: _Block) -> tuple[str, Json]:
    name, start = next(iter(block.start.items()))
    if name == "toolUse":
        try:
            return name, {**start, "input": orjson.loads("".join(block.pieces) or "{}")}
        except orjson.JSONDecodeError:  # cut short by the token limit
            return name, start
    return name, {**start, "content": block.said} if name == "toolResult" else start


class ConverseWriter:
    """Writes one stream. A tool's block stays open until its call is over; calls may come interleaved."""

    def __init__(self, request: ChatRequest) -> None:
        self._started = Started()
        self._begun = False
        self._index = -1
        self._open: Literal["", "text", "thinking"] = ""
        self._calls: dict[str, int] = {}
        self._free_text: dict[str, str] = {}
        self._finish: Finished | None = None
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:  # noqa: C901  # one line a kind of event
        """The frames that say `event`; empty for other choices, and for what cannot be said here."""
        match event:
            case Started():
                self._started = event
                return b""
            case UsageReported():
                self._usage = event.usage
                return b""
            case _ if event.choice != 0:
                return b""
            case TextDelta() | Refused():
                return self._delta("text", {"text": event.text}) if event.text else b""
            case ThinkingDelta():
                return self._delta("thinking", {"reasoningContent": {"text": event.text}}) if event.text else b""
            case ThinkingSigned():
                return self._delta("thinking", {"reasoningContent": {"signature": event.signature}})
            case ThinkingRedacted():
                return (
                    self._close() + self._delta("thinking", {"reasoningContent": {"redactedContent": event.data}}) + self._close()
                )
            case TextStarted() | ThinkingStarted():
                return self._close() if self._open == ("text" if isinstance(event, TextStarted) else "thinking") else b""
            case Cited():
                return self._delta("text", {"citation": write_citation(event.citation)})
            case ToolCallStarted():
                return self._call(event)
            case ToolCallDelta():
                return self._arguments(event)
            case Finished():
                self._finish = event
                return b""
            case OpaqueBlock():
                return b""
            case _:
                assert_never(event)

    def end(self) -> bytes:
        """Open blocks closed, why it stopped, and what it took."""
        own = self._started.dialect == NAME
        out = self._begin() + self._close()
        for call_id, text in self._free_text.items():
            out += self._input(self._calls[call_id], orjson.dumps({"input": text}).decode())
        out += b"".join(_frame("contentBlockStop", {"contentBlockIndex": index}) for index in self._calls.values())
        out += _frame("messageStop", {"stopReason": finish_word(self._finish, own, bool(self._calls))})
        extra = self._finish.extra if own and self._finish is not None else {"metrics": {"latencyMs": 0}}
        return out + _frame("metadata", {"usage": write_usage(self._usage, own), **extra})

    def fail(self, error: GatewayError) -> bytes:
        """The exception; no `messageStop` after it."""
        headers = {":exception-type": fault_of(error), ":content-type": "application/json", ":message-type": "exception"}
        return write(orjson.dumps(write_error(error)[1]), headers)

    def ping(self) -> bytes:
        """An event of a type no client knows, which clients pass over."""
        return _frame("ping", {})

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _frame("messageStart", {"role": "assistant"})

    def _delta(self, kind: Literal["text", "thinking"], delta: dict[str, Json]) -> bytes:
        out = b""
        if self._open != kind:
            out = self._begin() + self._close()
            self._index += 1
            self._open = kind
        return out + _frame("contentBlockDelta", {"contentBlockIndex": self._index, "delta": delta})

    def _close(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return _frame("contentBlockStop", {"contentBlockIndex": self._index})

    def _call(self, event: ToolCallStarted) -> bytes:
        if event.kind == "hosted" or event.id in self._calls:
            return b""
        out = self._begin() + self._close()
        self._index += 1
        self._calls[event.id] = self._index
        if event.kind == "custom":
            self._free_text[event.id] = ""
        extra = event.extra if self._started.dialect == NAME else {}
        start = {"toolUse": {"toolUseId": event.id, "name": event.name, **extra}}
        return out + _frame("contentBlockStart", {"contentBlockIndex": self._index, "start": start})

    def _arguments(self, event: ToolCallDelta) -> bytes:
        if event.id not in self._calls:
            return b""  # of a hosted call, which was not written either
        if event.id in self._free_text:
            self._free_text[event.id] += event.arguments
            return b""
        return self._input(self._calls[event.id], event.arguments)

    def _input(self, index: int, text: str) -> bytes:
        return _frame("contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": text}}})


def _frame(event: str, payload: dict[str, Json]) -> bytes:
    return write(orjson.dumps(payload), {":event-type": event, ":content-type": "application/json", ":message-type": "event"})
