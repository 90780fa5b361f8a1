"""Reads the streams of Anthropic's Messages API. https://platform.claude.com/docs/en/build-with-claude/streaming"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import orjson

from conduit_desktop.core.chat import Json, Opaque
from conduit_desktop.core.events import (
    Cited,
    Event,
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
from conduit_desktop.wire.anthropic.errors import error_in_answer
from conduit_desktop.wire.anthropic.messages_reader import NAME, TOOL_USE, Fields, read_citation
from conduit_desktop.wire.anthropic.usage import merge_usage, read_finish, read_usage
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader, json_object
from conduit_desktop.wire.values import count

_BLOCK_KINDS = {"text": "text", "thinking": "thinking", "redacted_thinking": "redacted", "tool_use": "tool"}
_KIND_OF_DELTA = {"text_delta": "text", "citations_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking"}


@dataclass(slots=True)
class _Block:
    """An open content block: `raw` is its start, `silent` until its first event, `pieces` of its JSON input, text `length`.

    Citations are held until the block ends: they belong to its whole text, which comes after them.
    """

    kind: Literal["text", "thinking", "redacted", "tool", "opaque"]
    raw: Fields
    silent: bool = True
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    citations: list[Json] = field(default_factory=list)


class AnthropicReader(FrameReader):
    """Reads one streamed message."""

    terminal = "message_stop"

    def __init__(self) -> None:
        super().__init__(sse.SseSplitter())
        self._blocks: dict[int, _Block] = {}
        self._last_kind = ""
        self._usage: Fields = {}
        self._has_output = False
        self._stopped = self._has_stop = False

    @property
    def _finished(self) -> bool:
        return self._stopped

    def close(self, clean: bool = False) -> list[Event]:
        """The end of the answer; some compatible servers send no `message_stop`. Raises as `StreamReader.close`."""
        events = super().close(clean)
        if not self._has_stop:
            self.missing_end = sse.write(b'{"type":"message_stop"}', "message_stop")
        return events

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Read one event; raises UpstreamError for an error."""
        if frame.data[:6] == b"[DONE]":  # some compatible servers end as OpenAI does
            return
        payload = json_object(frame)
        # Some compatible servers send a bare `error` without the envelope and without an event name.
        if frame.event == "error" or ("error" in payload and "type" not in payload):
            raise error_in_answer(payload)
        self._event(payload.get("type") or frame.event, payload, events)

    def _event(self, kind: str | None, payload: Fields, events: list[Event]) -> None:
        # First, because nearly every event of a stream is a delta.
        if kind == "content_block_delta":
            self._delta(payload, events)
        elif kind == "content_block_start":
            self._start_block(payload["index"], payload["content_block"], events)
        elif kind == "content_block_stop":
            self._stop_block(payload["index"], events)
        elif kind == "message_start":
            self._start(payload["message"], events)
        elif kind == "message_delta":
            self._message_delta(payload, events)
        elif kind == "message_stop":
            self._stop_all(events)
            self._over = self._has_stop = True
        elif kind == "error":
            raise error_in_answer(payload)

    def _start(self, message: Fields, events: list[Event]) -> None:
        known = ("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage")
        extra = {key: value for key, value in message.items() if key not in known and value is not None}
        events.append(Started(message.get("id") or "", message.get("model") or "", extra=extra, dialect=NAME))
        self._report(message.get("usage"), events)

    def _message_delta(self, payload: Fields, events: list[Event]) -> None:
        delta = payload.get("delta") or {}
        if delta.get("stop_reason") is not None:
            self._stop_all(events)
            extra = {key: value for key, value in delta.items() if key not in ("stop_reason", "stop_sequence")}
            extra.update({key: value for key, value in payload.items() if key not in ("type", "delta", "usage")})
            events.append(read_finish(delta["stop_reason"], delta, extra))
            self._stopped = True
        usage = payload.get("usage")
        # Without the output it is no last report: what `message_start` had of the output is one token or so.
        if isinstance(usage, dict) and "output_tokens" in usage:
            if count(usage["output_tokens"]):
                self._has_output = True
            elif not self._has_output:
                self._usage.pop("output_tokens", None)
            self._report(usage, events)

    def _report(self, usage: Fields | None, events: list[Event]) -> None:
        if usage:
            # `message_start` has the input and `message_delta` the output: neither report is complete on its own.
            merge_usage(self._usage, usage)
            events.append(UsageReported(read_usage(self._usage)))

    def _start_block(self, index: int, raw: Fields, events: list[Event]) -> None:
        kind = _BLOCK_KINDS.get(raw["type"], "opaque")
        if kind == "tool":
            # Clients match results to calls by id alone, and some vendors give two calls the same one.
            raw = {**raw, "id": self.validator.new_id(raw["id"])}
        block = self._blocks[index] = _Block(kind, raw)  # type: ignore[arg-type]  # the table's values are the kinds
        if kind == "text":
            # Neutral deltas carry no index: without a start event two blocks of text in succession would become one.
            if self._last_kind == "text":
                self._add(block, TextStarted(), events)
            self._delta_of(block, {"type": "text_delta", "text": raw.get("text") or ""}, events)
            block.citations += raw.get("citations") or ()
        elif kind == "thinking":
            if self._last_kind == "thinking":
                self._add(block, ThinkingStarted(), events)
            self._delta_of(block, {"type": "thinking_delta", "thinking": raw.get("thinking") or ""}, events)
            self._delta_of(block, {"type": "signature_delta", "signature": raw.get("signature") or ""}, events)
        elif kind == "tool":
            extra = {key: value for key, value in raw.items() if key not in TOOL_USE}
            self._add(block, ToolCallStarted(raw["id"], raw["name"], extra=extra), events)
        elif kind == "redacted":
            self._add(block, ThinkingRedacted(raw["data"]), events)

    def _add(self, block: _Block, event: Event, events: list[Event]) -> None:
        block.silent = False
        self._last_kind = block.kind
        events.append(event)

    def _delta(self, payload: Fields, events: list[Event]) -> None:
        delta = payload["delta"]
        block = self._blocks.get(payload["index"])
        if block is None:  # some compatible servers send no content_block_start
            self._start_block(payload["index"], {"type": _KIND_OF_DELTA.get(delta["type"], "unknown")}, events)
            block = self._blocks[payload["index"]]
        self._delta_of(block, delta, events)

    def _delta_of(self, block: _Block, delta: Fields, events: list[Event]) -> None:
        kind = delta["type"]
        if block.kind == "opaque":
            _grow(block, delta)
        elif kind == "text_delta":
            if delta["text"]:
                block.length += len(delta["text"])
                self._add(block, TextDelta(delta["text"]), events)
        elif kind == "thinking_delta":
            if delta["thinking"]:
                self._add(block, ThinkingDelta(delta["thinking"]), events)
        elif kind == "input_json_delta":
            if delta["partial_json"]:
                block.pieces.append("")  # only whether there was any: the text is not needed again
                events.append(ToolCallDelta(block.raw["id"], delta["partial_json"]))
        elif kind == "signature_delta":
            if delta["signature"]:
                self._add(block, ThinkingSigned(delta["signature"]), events)
        elif kind == "citations_delta":
            block.citations.append(delta["citation"])

    def _stop_all(self, events: list[Event]) -> None:
        """End the blocks that a server left open: no content may come after the finish."""
        for index in list(self._blocks):
            self._stop_block(index, events)

    def _stop_block(self, index: int, events: list[Event]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        for raw in block.citations:
            self._add(block, Cited(read_citation(raw, block.length)), events)
        if block.kind == "tool":
            if not block.pieces:  # no arguments, or all of them at the start
                events.append(ToolCallDelta(block.raw["id"], orjson.dumps(block.raw.get("input") or {}).decode()))
        elif block.kind == "opaque":
            self._add(block, OpaqueBlock(Opaque(NAME, block.raw["type"], _complete_block(block))), events)
        elif block.silent:
            # An empty block has no delta, and without an event it would be missing from the answer.
            self._add(block, TextStarted() if block.kind == "text" else ThinkingStarted(), events)


def _grow(block: _Block, delta: Fields) -> None:
    """Add a delta to an opaque block: pieces of its JSON input, else each field of the delta to the field of the block."""
    if delta["type"] == "input_json_delta":
        block.pieces.append(delta["partial_json"])
        return
    for key, value in delta.items():
        known = block.raw.get(key)
        if key == "type" or value is None:
            continue
        block.raw[key] = known + value if isinstance(known, str) and isinstance(value, str) else value


def _complete_block(block: _Block) -> Fields:
    text = "".join(block.pieces)
    if not text:
        return block.raw
    try:
        return {**block.raw, "input": orjson.loads(text)}
    except orjson.JSONDecodeError:  # cut short by the token limit
        return block.raw
