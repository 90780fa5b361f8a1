"""Writes the streams of Bedrock's ConverseStream.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from typing import Literal, assert_never

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.events import (
    BlockEvent,
    Cited,
    OpaqueBlock,
    Refused,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
)
from conduit_desktop.wire.bedrock.errors import exception_type, write_error
from conduit_desktop.wire.bedrock.messages_reader import NAME
from conduit_desktop.wire.bedrock.response import write_citation
from conduit_desktop.wire.bedrock.usage import write_finish, write_usage
from conduit_desktop.wire.framing.aws_eventstream import write
from conduit_desktop.wire.single_choice_writer import BlockWriter


class ConverseWriter(BlockWriter):
    """Writes one stream. Text, thinking and tool calls share one numbering of content blocks."""

    dialect = NAME

    def _write_content(self, event: BlockEvent) -> bytes:
        match event:
            case TextDelta() | Refused():
                # Converse has no part for a refusal; its stop reason shows that this text is one.
                return self._delta("text", {"text": event.text}) if event.text else b""
            case ThinkingDelta():
                return self._delta("thinking", {"reasoningContent": {"text": event.text}}) if event.text else b""
            case ThinkingSigned():
                return self._delta("thinking", {"reasoningContent": {"signature": event.signature}})
            case ThinkingRedacted():
                before = self._close_block()
                return before + self._delta("thinking", {"reasoningContent": {"redactedContent": event.data}}) + self._close_block()
            case TextStarted():
                return self._close_block("text")
            case ThinkingStarted():
                return self._close_block("thinking")
            case Cited():
                return self._delta("text", {"citation": write_citation(event.citation)})
            case ToolCallStarted():
                return self._start_call(event)
            case ToolCallDelta():
                return self._continue_call(event)
            case OpaqueBlock():
                # Of sound, what was spoken.
                media = event.block.media
                return self._delta("text", {"text": media.text}) if media is not None and media.text else b""
            case _:
                assert_never(event)

    def end(self) -> bytes:
        """The end of every open block, the stop reason, and the metadata with the usage."""
        out = self._begin() + self._close_block() + self._end_calls()
        out += _frame("messageStop", {"stopReason": write_finish(self._finish, self._own, bool(self._calls))})
        # Converse streams always hold `metrics`, and the neutral answer has no latency to report.
        extra = self._finish.extra if self._own and self._finish is not None else {"metrics": {"latencyMs": 0}}
        return out + _frame("metadata", {"usage": write_usage(self._usage, self._own), **extra})

    def fail(self, error: GatewayError) -> bytes:
        """An exception frame; no `messageStop` follows it."""
        headers = {":exception-type": exception_type(error), ":content-type": "application/json", ":message-type": "exception"}
        return write(orjson.dumps(write_error(error)[1]), headers)

    def ping(self) -> bytes:
        """An event of an unknown type, which clients ignore: the framing has no comments."""
        return _frame("ping", {})

    def _message_start(self) -> bytes:
        return _frame("messageStart", {"role": "assistant"})

    def _delta(self, kind: Literal["text", "thinking"], delta: dict[str, Json]) -> bytes:
        opened = self._open_block(kind)
        return opened + _frame("contentBlockDelta", {"contentBlockIndex": self._index, "delta": delta})

    def _block_stop(self, index: int) -> bytes:
        return _frame("contentBlockStop", {"contentBlockIndex": index})

    def _next_call_index(self) -> int:
        self._index += 1
        return self._index

    def _call_start(self, index: int, event: ToolCallStarted) -> bytes:
        start = {"toolUse": {"toolUseId": event.id, "name": event.name, **(event.extra if self._own else {})}}
        return _frame("contentBlockStart", {"contentBlockIndex": index, "start": start})

    def _call_delta(self, index: int, arguments: str) -> bytes:
        return _frame("contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": arguments}}})

    def _call_stop(self, index: int) -> bytes:
        return self._block_stop(index)


def _frame(event: str, payload: dict[str, Json]) -> bytes:
    return write(orjson.dumps(payload), {":event-type": event, ":content-type": "application/json", ":message-type": "event"})
