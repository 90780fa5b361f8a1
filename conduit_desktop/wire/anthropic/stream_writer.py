"""Writes the streams of Anthropic's Messages API. https://platform.claude.com/docs/en/build-with-claude/streaming"""

from __future__ import annotations

from typing import Literal, assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Citation, Opaque
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
from conduit_desktop.wire.answer_ids import answer_id
from conduit_desktop.wire.anthropic.errors import write_error
from conduit_desktop.wire.anthropic.messages_reader import NAME, Fields
from conduit_desktop.wire.anthropic.provenance import portable_signature, write_citation
from conduit_desktop.wire.anthropic.response import ID_PREFIX
from conduit_desktop.wire.anthropic.tool_calls import OpenTool
from conduit_desktop.wire.anthropic.usage import write_finish, write_usage
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.single_choice_writer import SingleChoiceWriter

_NOT_IN_DELTA = frozenset({"context_management", "input_transformations"})
"""Fields that `message_delta` carries next to its `delta`. https://platform.claude.com/docs/en/build-with-claude/context-editing"""

_Kind = Literal["", "text", "refusal", "thinking", "tool", "whole"]


class AnthropicWriter(SingleChoiceWriter):
    """Writes one message as content blocks, one after the other, in whatever order events of several blocks arrive.

    Tool calls may be interleaved in the events. While the open tool call may still grow, events of later blocks are held
    back in `_held`. `message_start` is written with the first content, so that it has the usage known by then.
    """

    dialect = NAME

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request)
        self._index = -1
        self._open: _Kind = ""
        self._signature = ""
        self._tool: OpenTool | None = None
        self._calls: set[str] = set()
        self._refused = False
        self._held: list[BlockEvent] = []

    def _write_content(self, event: BlockEvent) -> bytes:
        if self._must_wait(event):
            self._held.append(event)
            return b""
        return self._write_event(event) + (self._release() if self._held else b"")

    def _on_finished(self) -> bytes:
        return self._finish_blocks()

    def end(self) -> bytes:
        """The end of the open block, `message_delta` with the stop reason and the usage, and `message_stop`."""
        # An answer without any content still needs its start: the SDKs fail on a `message_delta` without one.
        blocks = self._begin() + self._finish_blocks()
        delta = write_finish(self._finish, bool(self._calls), self._refused)
        extra = self._finish.extra if self._own and self._finish is not None else {}
        delta.update({key: value for key, value in extra.items() if key not in _NOT_IN_DELTA})
        further = {key: value for key, value in extra.items() if key in _NOT_IN_DELTA}
        last = {"type": "message_delta", "delta": delta, "usage": write_usage(self._usage, self._own), **further}
        return blocks + _frame(last) + _frame({"type": "message_stop"})

    def fail(self, error: GatewayError) -> bytes:
        """The error event; neither `message_delta` nor `message_stop` follows it."""
        return _frame(write_error(error)[1])

    def ping(self) -> bytes:
        """The API's own `ping` event. https://platform.claude.com/docs/en/build-with-claude/streaming#ping-events"""
        return _frame({"type": "ping"})

    def _must_wait(self, event: BlockEvent) -> bool:
        """Whether `event` belongs to a block after the open tool call, and that call may still grow."""
        # Blocks are written one after the other, but the events of other dialects may mix the arguments of several calls.
        if self._tool is None or (isinstance(event, ToolCallDelta) and event.id == self._tool.id):
            return False
        # Once one event is held, all later ones are, or the answer would change its order.
        return bool(self._held) or not self._tool.complete

    def _release(self) -> bytes:
        """Write the held events; those that must wait for another tool call are held again."""
        held, self._held = self._held, []
        out = b""
        for event in held:
            if self._must_wait(event):
                self._held.append(event)
            else:
                out += self._write_event(event)
        return out

    def _finish_blocks(self) -> bytes:
        """Close the open block and write every held event: no tool call will grow any more."""
        out = self._close()
        while self._held:
            out += self._release() + self._close()
        return out

    def _write_event(self, event: BlockEvent) -> bytes:
        match event:
            case TextDelta():
                return self._text("text", event.text) if event.text else b""
            case ToolCallDelta():
                return self._arguments(event)
            case ThinkingDelta():
                return self._thinking(event.text) if event.text else b""
            case TextStarted():
                # The next block opens with its first text: an empty one would be refused when the client sends it back.
                return self._close() if self._open == "text" else b""
            case ThinkingStarted():
                return self._close() if self._open == "thinking" else b""
            case ThinkingSigned():
                opened = self._thinking("")
                # Kept until the block closes: a mark wraps the whole signature and cannot be applied to pieces of it.
                self._signature += event.signature
                return opened
            case ToolCallStarted():
                return self._start_tool(event)
            case Refused():
                self._refused = True
                return self._text("refusal", event.text) if event.text else b""
            case Cited():
                return self._cite(event.citation)
            case ThinkingRedacted():
                return self._block({"type": "redacted_thinking", "data": event.data}) + self._close()
            case OpaqueBlock():
                return self._opaque(event.block)
            case _:
                assert_never(event)

    def _text(self, kind: Literal["text", "refusal"], text: str) -> bytes:
        opened = b"" if self._open == kind else self._block({"type": "text", "text": ""}, kind)
        return opened + self._delta({"type": "text_delta", "text": text})

    def _thinking(self, text: str) -> bytes:
        opened = b"" if self._open == "thinking" else self._block({"type": "thinking", "thinking": "", "signature": ""}, "thinking")
        return opened + (self._delta({"type": "thinking_delta", "thinking": text}) if text else b"")

    def _sign(self) -> bytes:
        """The signature of the thinking block that ends; readers may have given it in pieces."""
        signature, self._signature = portable_signature(self._signature, self._started.dialect), ""
        return self._delta({"type": "signature_delta", "signature": signature}) if signature else b""

    def _cite(self, citation: Citation) -> bytes:
        written = write_citation(citation)
        if written is None:
            return b""
        opened = b"" if self._open == "text" else self._block({"type": "text", "text": "", "citations": []}, "text")
        return opened + self._delta({"type": "citations_delta", "citation": written})

    def _start_tool(self, event: ToolCallStarted) -> bytes:
        # A second start of the same call would be a second block with its id, which the API refuses in the next request.
        if event.id in self._calls:
            return b""
        self._calls.add(event.id)
        extra = event.extra if self._own else {}
        out = self._block({"type": "tool_use", "id": event.id, "name": event.name, "input": {}, **extra}, "tool")
        self._tool = OpenTool(event.id, event.kind == "custom")
        return out

    def _arguments(self, event: ToolCallDelta) -> bytes:
        if self._tool is None or self._tool.id != event.id:
            if event.id in self._calls and not event.arguments.strip():
                return b""  # whitespace after the end of the call
            raise ValueError(f"arguments for a tool call that is not open: {event.id!r}")
        return self._json(self._tool.write(event.arguments))

    def _opaque(self, block: Opaque) -> bytes:
        """A block of this dialect. Its `input` is sent as a delta: clients ignore the one in `content_block_start`."""
        if block.dialect != NAME:
            text = block.media.text if block.media is not None else None
            return self._text("text", text) if text else b""
        value = block.value
        if not isinstance(value.get("input"), dict):
            return self._block(value) + self._close()
        return self._block({**value, "input": {}}) + self._json(orjson.dumps(value["input"]).decode()) + self._close()

    def _json(self, text: str) -> bytes:
        return self._delta({"type": "input_json_delta", "partial_json": text}) if text else b""

    def _block(self, block: Fields, kind: _Kind = "whole") -> bytes:
        out = self._begin() + self._close()
        self._index += 1
        self._open = kind
        return out + _frame({"type": "content_block_start", "index": self._index, "content_block": block})

    def _delta(self, delta: Fields) -> bytes:
        return _frame({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _close(self) -> bytes:
        if not self._open:
            return b""
        # Anthropic sends the signature as the last delta of its block.
        rest = self._json(self._tool.rest()) if self._tool is not None else self._sign() if self._open == "thinking" else b""
        self._open, self._tool = "", None
        return rest + _frame({"type": "content_block_stop", "index": self._index})

    def _message_start(self) -> bytes:
        message: Fields = {
            "id": answer_id(ID_PREFIX, self._started.id, self._own),
            "type": "message",
            "role": "assistant",
            "model": self._started.model or self._request.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(self._usage, self._own),
            **(self._started.extra if self._own else {}),
        }
        return _frame({"type": "message_start", "message": message})


def _frame(payload: Fields) -> bytes:
    return sse.write(orjson.dumps(payload), payload["type"])
