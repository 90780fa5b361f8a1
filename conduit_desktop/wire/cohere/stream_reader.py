"""Reads and writes Cohere's streams. https://docs.cohere.com/v2/docs/streaming"""

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
from conduit_desktop.wire.cohere.errors import error_in_answer, write_error
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.cohere.response import (
    finish_word,
    own_extra,
    read_call,
    read_citation,
    read_finish,
    read_usage,
    write_call,
    write_citation,
    write_usage,
)
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader, json_object
from conduit_desktop.wire.framing.sse import SseSplitter


class CohereReader(FrameReader):
    """Reads one stream. It is over with `message-end`, and done with the `[DONE]` that follows."""

    terminal = "message-end"

    def __init__(self) -> None:
        super().__init__(SseSplitter())
        self._calls: dict[int, str] = {}
        self._last: Literal["", "text", "thinking", "plan", "call"] = ""
        self._said_done = False

    @property
    def done(self) -> bool:
        """`[DONE]` has been read."""
        return self._said_done

    def read(self, frame: Frame, events: list[Event]) -> None:
        """One event."""
        if frame.data.strip() == b"[DONE]":
            self._said_done = self._over
            return
        payload = json_object(frame)
        kind = payload.get("type") or frame.event
        if kind in ("error", None) and (payload.get("message") or payload.get("error")):
            raise error_in_answer(payload)
        self._event(kind, payload, events)

    def _event(self, kind: str | None, payload: dict[str, Json], events: list[Event]) -> None:
        if kind == "content-delta" or kind == "content-start":
            self._content(payload["delta"]["message"]["content"], kind == "content-start", events)
        elif kind == "message-start":
            events.append(Started(payload.get("id") or "", dialect=NAME))
        elif kind == "tool-plan-delta":
            if plan := payload["delta"]["message"]["tool_plan"]:
                if self._last == "thinking":
                    events.append(ThinkingStarted())
                self._say("plan", ThinkingDelta(plan), events)
        elif kind == "tool-call-start":
            self._start_call(payload["index"], read_call(payload["delta"]["message"]["tool_calls"]), events)
        elif kind == "tool-call-delta":
            if text := payload["delta"]["message"]["tool_calls"]["function"].get("arguments"):
                events.append(ToolCallDelta(self._calls[payload["index"]], text))
        elif kind == "citation-start":
            self._say("text", Cited(read_citation(payload["delta"]["message"]["citations"])), events)
        elif kind == "message-end":
            self._end(payload["delta"], events)

    def _content(self, content: dict[str, Json], starts: bool, events: list[Event]) -> None:
        if starts and content.get("type") == self._last:
            events.append(TextStarted() if self._last == "text" else ThinkingStarted())
        if thinking := content.get("thinking"):
            self._say("thinking", ThinkingDelta(thinking), events)
        if text := content.get("text"):
            self._say("text", TextDelta(text), events)

    def _say(self, kind: Literal["text", "thinking", "plan", "call"], event: Event, events: list[Event]) -> None:
        self._last = kind
        events.append(event)

    def _start_call(self, index: int, call: ToolCall, events: list[Event]) -> None:
        self._calls[index] = call.id = self.validator.new_id(call.id)
        self._say("call", ToolCallStarted(call.id, call.name, extra=call.extra), events)
        if call.arguments:
            events.append(ToolCallDelta(call.id, call.arguments))

    def _end(self, delta: dict[str, Json], events: list[Event]) -> None:
        extra = {name: value for name, value in delta.items() if name not in ("finish_reason", "usage", "error")}
        finish = read_finish(delta.get("finish_reason"), extra, delta.get("error"))
        if finish is not None:
            events.append(finish)
        if isinstance(delta.get("usage"), dict):
            events.append(UsageReported(read_usage(delta["usage"])))
        self._over = True


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
