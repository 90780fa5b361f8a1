"""Writes Cohere's streams. https://docs.cohere.com/v2/docs/streaming"""

from __future__ import annotations

from typing import Literal, assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, ToolCall
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
from conduit_desktop.wire.cohere.errors import write_error
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.cohere.response import write_call, write_citation
from conduit_desktop.wire.cohere.usage import own_extra, write_finish, write_usage
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.single_choice_writer import BlockWriter


class CohereWriter(BlockWriter):
    """Writes one stream. Content blocks and tool calls are numbered apart."""

    dialect = NAME

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request)
        self._text: list[str] = []
        """The text of the open block, which a citation quotes."""
        self._citations = 0
        self._with_arguments: set[int] = set()
        """The calls whose arguments have begun."""

    def _write_content(self, event: BlockEvent) -> bytes:
        match event:
            case TextDelta() | Refused():
                return self._content_delta("text", event.text) if event.text else b""
            case ThinkingDelta():
                return self._content_delta("thinking", event.text) if event.text else b""
            case TextStarted():
                return self._close_block("text")
            case ThinkingStarted():
                return self._close_block("thinking")
            case ToolCallStarted():
                return self._start_call(event)
            case ToolCallDelta():
                return self._continue_call(event)
            case Cited():
                return self._cite(event)
            case OpaqueBlock() if event.block.media is not None and event.block.media.text:
                return self._content_delta("text", event.block.media.text)  # what was spoken
            case ThinkingSigned() | ThinkingRedacted() | OpaqueBlock():
                # Cohere's thoughts have neither signatures nor a hidden form.
                return b""
            case _:
                assert_never(event)

    def end(self) -> bytes:
        """The end of every open block and call, `message-end` with the finish reason and the usage, and `[DONE]`."""
        out = self._begin() + self._close_block() + self._end_calls()
        delta = {"finish_reason": write_finish(self._finish, self._own), **own_extra(self._finish, self._own)}
        if self._usage is not None:
            delta["usage"] = write_usage(self._usage, self._own)
        return out + _frame({"type": "message-end", "delta": delta}) + b"data: [DONE]\n\n"

    def fail(self, error: GatewayError) -> bytes:
        """A `message-end` with the reason `ERROR` and the error's text, without `[DONE]`.

        Cohere's SDKs skip every event without a type of theirs, and would show a broken answer as a short one.
        """
        delta = {"error": write_error(error)[1]["message"], "finish_reason": "ERROR"}
        return _frame({"type": "message-end", "delta": delta})

    def ping(self) -> bytes:
        """A comment."""
        return sse.comment("ping")

    def _message_start(self) -> bytes:
        message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        return _frame({"id": self._started.id, "type": "message-start", "delta": {"message": message}})

    def _content_delta(self, kind: Literal["text", "thinking"], text: str) -> bytes:
        opened = self._open_block(kind)
        self._text.append(text)
        return opened + self._content_frame("content-delta", {kind: text})

    def _block_start(self, kind: Literal["text", "thinking"]) -> bytes:
        # Positions of citations count from the start of the block, so only its own text is kept.
        self._text = []
        return self._content_frame("content-start", {"type": kind, kind: ""})

    def _content_frame(self, kind: str, content: dict[str, Json]) -> bytes:
        return _frame({"type": kind, "index": self._index, "delta": {"message": {"content": content}}})

    def _block_stop(self, index: int) -> bytes:
        return _frame({"type": "content-end", "index": index})

    def _next_call_index(self) -> int:
        return len(self._calls)

    def _call_start(self, index: int, event: ToolCallStarted) -> bytes:
        # Without arguments: they follow as deltas, and clients join both.
        call = write_call(ToolCall(event.id, event.name, "", extra=event.extra), self._own)
        call["function"]["arguments"] = ""
        return _frame({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": call}}})

    def _call_delta(self, index: int, arguments: str) -> bytes:
        self._with_arguments.add(index)
        message = {"tool_calls": {"function": {"arguments": arguments}}}
        return _frame({"type": "tool-call-delta", "index": index, "delta": {"message": message}})

    def _call_stop(self, index: int) -> bytes:
        # Cohere's calls have a JSON object as arguments, and clients parse it; other vendors send nothing for a tool without any.
        missing = b"" if self._own or index in self._with_arguments else self._call_delta(index, "{}")
        return missing + _frame({"type": "tool-call-end", "index": index})

    def _cite(self, event: Cited) -> bytes:
        index, self._citations = self._citations, self._citations + 1
        citation = write_citation(event.citation, "".join(self._text))
        start = {"type": "citation-start", "index": index, "delta": {"message": {"citations": citation}}}
        return self._begin() + _frame(start) + _frame({"type": "citation-end", "index": index})


def _frame(payload: dict[str, Json]) -> bytes:
    return sse.write(orjson.dumps(payload), payload["type"])
