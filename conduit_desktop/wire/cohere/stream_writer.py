"""Writes Cohere's streams. https://docs.cohere.com/v2/docs/streaming"""

from __future__ import annotations

from typing import Literal, assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, ToolCall
from conduit_desktop.core.errors import GatewayError
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
from conduit_desktop.wire.cohere.errors import write_error
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.cohere.response import write_call, write_citation
from conduit_desktop.wire.cohere.usage import finish_word, own_extra, write_usage
from conduit_desktop.wire.framing import sse


class CohereWriter:
    """Writes one stream. Blocks stand one after the other; calls may come interleaved, by their index."""

    def __init__(self, request: ChatRequest) -> None:
        self._started = Started()
        self._begun = False
        self._index = -1
        self._open: Literal["", "text", "thinking"] = ""
        self._words: list[str] = []
        self._calls: dict[str, tuple[int, bool]] = {}
        self._free_text: dict[str, str] = {}
        self._citations = 0
        self._finish: Finished | None = None
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
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
                return self._content("text", event.text) if event.text else b""
            case ThinkingDelta():
                return self._content("thinking", event.text) if event.text else b""
            case TextStarted() | ThinkingStarted():
                return self._close() if self._open == ("text" if isinstance(event, TextStarted) else "thinking") else b""
            case ToolCallStarted():
                return self._call(event)
            case ToolCallDelta():
                return self._arguments(event)
            case Cited():
                return self._cite(event)
            case Finished():
                self._finish = event
                return b""
            case ThinkingSigned() | ThinkingRedacted() | OpaqueBlock():
                return b""
            case _:
                assert_never(event)

    def end(self) -> bytes:
        """Open blocks and calls closed, why it stopped and what it took, and `[DONE]`."""
        own = self._started.dialect == NAME
        out = self._begin() + self._close()
        for call_id, text in self._free_text.items():
            wrapped = orjson.dumps({"input": text}).decode()
            out += self._call_delta(self._calls[call_id][0], wrapped)
        for index, _ in self._calls.values():
            out += _frame({"type": "tool-call-end", "index": index})
        delta = {"finish_reason": finish_word(self._finish, own), **own_extra(self._finish, own)}
        if self._usage is not None:
            delta["usage"] = write_usage(self._usage, own)
        return out + _frame({"type": "message-end", "delta": delta}) + b"data: [DONE]\n\n"

    def fail(self, error: GatewayError) -> bytes:
        """The error; neither `message-end` nor `[DONE]` after it."""
        return sse.write(orjson.dumps(write_error(error)[1]), "error")

    def ping(self) -> bytes:
        """A comment."""
        return sse.comment("ping")

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        return _frame({"id": self._started.id, "type": "message-start", "delta": {"message": message}})

    def _content(self, kind: Literal["text", "thinking"], text: str) -> bytes:
        out = b""
        if self._open != kind:
            out = self._begin() + self._close()
            self._index += 1
            self._open, self._words = kind, []
            out += self._content_frame("content-start", {"type": kind, kind: ""})
        self._words.append(text)
        return out + self._content_frame("content-delta", {kind: text})

    def _content_frame(self, kind: str, content: dict[str, Json]) -> bytes:
        return _frame({"type": kind, "index": self._index, "delta": {"message": {"content": content}}})

    def _close(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return _frame({"type": "content-end", "index": self._index})

    def _call(self, event: ToolCallStarted) -> bytes:
        if event.kind == "hosted" or event.id in self._calls:
            return b""
        self._calls[event.id] = (len(self._calls), event.kind == "custom")
        if event.kind == "custom":
            self._free_text[event.id] = ""
        call = write_call(ToolCall(event.id, event.name, "", extra=event.extra), self._started.dialect == NAME)
        start = {"type": "tool-call-start", "index": self._calls[event.id][0], "delta": {"message": {"tool_calls": call}}}
        return self._begin() + self._close() + _frame(start)

    def _arguments(self, event: ToolCallDelta) -> bytes:
        if event.id not in self._calls:
            return b""  # of a hosted call, which was not written either
        index, free_text = self._calls[event.id]
        if free_text:
            self._free_text[event.id] += event.arguments
            return b""
        return self._call_delta(index, event.arguments)

    def _call_delta(self, index: int, arguments: str) -> bytes:
        message = {"tool_calls": {"function": {"arguments": arguments}}}
        return _frame({"type": "tool-call-delta", "index": index, "delta": {"message": message}})

    def _cite(self, event: Cited) -> bytes:
        index, self._citations = self._citations, self._citations + 1
        said = write_citation(event.citation, "".join(self._words))
        start = {"type": "citation-start", "index": index, "delta": {"message": {"citations": said}}}
        return self._begin() + _frame(start) + _frame({"type": "citation-end", "index": index})


def _frame(payload: dict[str, Json]) -> bytes:
    return sse.write(orjson.dumps(payload), payload["type"])
