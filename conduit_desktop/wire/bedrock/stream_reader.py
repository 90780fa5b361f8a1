"""Reads the streams of Bedrock's ConverseStream. Text blocks begin unannounced; only tools have a start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import orjson

from conduit_desktop.core.chat import Citation, Json, Opaque
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    OpaqueBlock,
    Started,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from conduit_desktop.wire.bedrock.errors import error_in_answer
from conduit_desktop.wire.bedrock.messages_reader import NAME, read_citation
from conduit_desktop.wire.bedrock.usage import read_finish, read_usage
from conduit_desktop.wire.framing.aws_eventstream import EventFrame, EventSplitter
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader

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
        self._cited: list[Citation] = []
        self._length = 0
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
            call = {**call, "toolUseId": self.validator.new_id(call["toolUseId"])}
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
                self._length += len(delta["text"])
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
            self._last = (index, "text")
            self._cited.append(read_citation(delta["citation"]))
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
        if last != index:
            self._cite(events)
        if same == kind and last != index:
            events.append(TextStarted() if kind == "text" else ThinkingStarted())

    def _cite(self, events: list[Event]) -> None:
        """Give the sources of the text that is over: they are those of all its words, which may come after them."""
        events += [Cited(citation.over(self._length)) for citation in self._cited]
        self._cited, self._length = [], 0

    def _say(self, index: int, kind: Kind, event: Event, events: list[Event]) -> None:
        if index != self._last[0]:
            self._cite(events)
        self._last = (index, kind)
        events.append(event)

    def _stop(self, index: int, events: list[Event]) -> None:
        if index == self._last[0]:
            self._cite(events)
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
        self._cite(events)
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
