"""Reads the streams of Bedrock's ConverseStream. Only tool blocks have a start event; other blocks begin with a delta.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
"""

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
from conduit_desktop.wire import json_text
from conduit_desktop.wire.bedrock.errors import error_in_answer
from conduit_desktop.wire.bedrock.messages_reader import NAME, read_citation
from conduit_desktop.wire.bedrock.usage import read_finish, read_usage, take_answer
from conduit_desktop.wire.framing.aws_eventstream import EventFrame, EventSplitter
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_json import SMALL, read_large
from conduit_desktop.wire.framing.frame_reader import FrameReader

Kind = Literal["", "text", "thinking", "redacted", "tool", "opaque"]


@dataclass(slots=True)
class _Block:
    """An open block: its `start`, the `pieces` of its input, and the contents of its tool `result`."""

    kind: Kind
    start: dict[str, Json] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    result: list[Json] = field(default_factory=list)


class ConverseReader(FrameReader):
    """Reads one stream. It is complete with `messageStop`, and done with the `metadata` that follows."""

    terminal = "messageStop"

    def __init__(self) -> None:
        super().__init__(EventSplitter())
        self._blocks: dict[int, _Block] = {}
        self._last: tuple[int, Kind] = (-1, "")
        self._citations: list[Citation] = []
        self._length = 0
        self._finish: Finished | None = None
        self._has_metadata = False

    @property
    def done(self) -> bool:
        """Whether the metadata with the usage has been read."""
        # Not at `messageStop`: the usage comes after it, and a reader that stopped there would lose it.
        return self._has_metadata

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Read one event; raises UpstreamError for an exception frame."""
        try:
            payload = json_text.loads(frame.data) if len(frame.data) <= SMALL else read_large(frame.data, json_text.loads)
        except orjson.JSONDecodeError as error:
            raise MalformedStream(f"a frame is not JSON: {error}") from error
        if isinstance(frame, EventFrame) and frame.fault is not None:
            raise error_in_answer(frame.fault, payload)
        if not isinstance(payload, dict):
            raise MalformedStream("a frame is not a JSON object")
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
        # Another type is a tool that Bedrock runs itself, and the client must not run it again.
        if isinstance(call, dict) and call.get("type") in (None, "tool_use"):
            call = {**call, "toolUseId": self.validator.new_id(call["toolUseId"])}
            self._blocks[index] = _Block("tool", call)
            extra = {name: value for name, value in call.items() if name not in ("toolUseId", "name")}
            self._add(index, "tool", ToolCallStarted(call["toolUseId"], call["name"], extra=extra), events)
        elif start:
            self._blocks[index] = _Block("opaque", start)

    def _delta(self, index: int, delta: dict[str, Json], events: list[Event]) -> None:
        block = self._blocks.get(index)
        if "text" in delta:
            if delta["text"]:
                # Text has no start event in real streams, so its first delta opens the block.
                self._begin(index, "text", events)
                self._length += len(delta["text"])
                self._add(index, "text", TextDelta(delta["text"]), events)
        elif "toolUse" in delta:
            if block is None:
                raise MalformedStream("arguments of a tool call that never began")
            if text := delta["toolUse"].get("input"):
                block.pieces.append(text)
                if block.kind == "tool":
                    events.append(ToolCallDelta(block.start["toolUseId"], text))
        elif "reasoningContent" in delta:
            self._reasoning(index, delta["reasoningContent"], events)
        elif "citation" in delta:
            self._begin(index, "text", events)
            self._last = (index, "text")
            self._citations.append(read_citation(delta["citation"]))
        elif block is not None and isinstance(delta.get("toolResult"), list):
            block.result += delta["toolResult"]

    def _reasoning(self, index: int, content: dict[str, Json], events: list[Event]) -> None:
        if "redactedContent" in content:
            self._add(index, "redacted", ThinkingRedacted(content["redactedContent"]), events)
        elif content.get("text"):
            self._begin(index, "thinking", events)
            self._add(index, "thinking", ThinkingDelta(content["text"]), events)
        elif content.get("signature"):
            self._begin(index, "thinking", events)
            self._add(index, "thinking", ThinkingSigned(content["signature"]), events)

    def _begin(self, index: int, kind: Literal["text", "thinking"], events: list[Event]) -> None:
        """Mark a new block if it has the same kind as the last one."""
        last, same = self._last
        if last != index:
            self._cite(events)
        if same == kind and last != index:
            events.append(TextStarted() if kind == "text" else ThinkingStarted())

    def _cite(self, events: list[Event]) -> None:
        """Add the citations of the text that ends: they belong to the whole text, which may come after them."""
        events += [Cited(citation.over(self._length)) for citation in self._citations]
        self._citations, self._length = [], 0

    def _add(self, index: int, kind: Kind, event: Event, events: list[Event]) -> None:
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
        # A call without arguments has no delta at all, and clients parse an empty text as broken JSON.
        if block.kind == "tool" and not block.pieces:
            events.append(ToolCallDelta(block.start["toolUseId"], "{}"))
        elif block.kind == "opaque":
            name, value = _complete_block(block)
            self._add(index, "opaque", OpaqueBlock(Opaque(NAME, name, {name: value})), events)

    def close(self, clean: bool = False) -> list[Event]:
        """The finish, which is held for the metadata that belongs to it; raises StreamBroken without `messageStop`."""
        events = super().close(clean)
        if self._finish is not None:
            events.append(self._finish)
        return events

    def _message_stop(self, payload: dict[str, Json], events: list[Event]) -> None:
        for index in list(self._blocks):  # recorded streams have no contentBlockStop for text; tools may lack it too
            self._stop(index, events)
        self._cite(events)
        # `p` is AWS's padding, which hides the length of a frame.
        extra = {name: value for name, value in payload.items() if name not in ("stopReason", "p")}
        self._finish = read_finish(payload["stopReason"], extra)
        self._over = True

    def _metadata(self, payload: dict[str, Json], events: list[Event]) -> None:
        # Only after `messageStop`: metadata that comes before it does not end the stream.
        self._has_metadata = self._over
        if self._finish is not None:
            self._finish.extra.update({name: value for name, value in payload.items() if name not in ("usage", "p")})
            events.append(self._finish)
            self._finish = None
        if isinstance(payload.get("usage"), dict):
            events.append(UsageReported(take_answer(read_usage(payload["usage"]), payload)))


def _complete_block(block: _Block) -> tuple[str, Json]:
    name, start = next(iter(block.start.items()))
    if name == "toolUse":
        try:
            return name, {**start, "input": orjson.loads("".join(block.pieces) or "{}")}
        except orjson.JSONDecodeError:  # cut short by the token limit
            return name, start
    return name, {**start, "content": block.result} if name == "toolResult" else start
