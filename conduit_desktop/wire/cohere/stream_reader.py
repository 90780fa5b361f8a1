"""Reads Cohere's streams. https://docs.cohere.com/v2/docs/streaming"""

from __future__ import annotations

from typing import Literal

from conduit_desktop.core.chat import Json, ToolCall
from conduit_desktop.core.events import (
    Cited,
    Event,
    Started,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from conduit_desktop.wire.cohere.errors import error_in_answer
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.cohere.response import read_call, read_citation
from conduit_desktop.wire.cohere.usage import read_finish, read_usage
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader, json_object
from conduit_desktop.wire.framing.sse import SseSplitter
from conduit_desktop.wire.token_logprobs import from_cohere


class CohereReader(FrameReader):
    """Reads one stream. It is complete with `message-end`, and done with the `[DONE]` that follows."""

    terminal = "message-end"

    def __init__(self) -> None:
        super().__init__(SseSplitter())
        self._calls: dict[int, str] = {}
        self._last: Literal["", "text", "thinking", "plan", "call"] = ""
        self._has_done = False
        self._logprobs: list[Json] = []

    @property
    def done(self) -> bool:
        """Whether `[DONE]` has been read."""
        return self._has_done

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Read one event; raises UpstreamError for an error."""
        if frame.data.strip() == b"[DONE]":
            # Only after `message-end`: a `[DONE]` alone does not make the answer complete.
            self._has_done = self._over
            return
        payload = json_object(frame)
        kind = payload.get("type") or frame.event
        if kind in ("error", None) and (payload.get("message") or payload.get("error")):
            raise error_in_answer(payload)
        self._event(kind, payload, events)

    def _event(self, kind: str | None, payload: dict[str, Json], events: list[Event]) -> None:
        if kind == "content-delta" or kind == "content-start":
            self._content(payload["delta"]["message"]["content"], kind == "content-start", events)
            self._logprobs += from_cohere([payload.get("logprobs")])
        elif kind == "message-start":
            events.append(Started(payload.get("id") or "", dialect=NAME))
        elif kind == "tool-plan-delta":
            if plan := payload["delta"]["message"]["tool_plan"]:
                # A plan and a thought are both thinking events: without a start they would become one block.
                if self._last == "thinking":
                    events.append(ThinkingStarted())
                self._add("plan", ThinkingDelta(plan), events)
        elif kind == "tool-call-start":
            self._start_call(payload["index"], read_call(payload["delta"]["message"]["tool_calls"]), events)
        elif kind == "tool-call-delta":
            if text := payload["delta"]["message"]["tool_calls"]["function"].get("arguments"):
                events.append(ToolCallDelta(self._calls[payload["index"]], text))
        elif kind == "citation-start":
            self._add("text", Cited(read_citation(payload["delta"]["message"]["citations"])), events)
        elif kind == "message-end":
            self._end(payload["delta"], events)

    def _content(self, content: dict[str, Json], starts: bool, events: list[Event]) -> None:
        if starts and content.get("type") == self._last:
            events.append(TextStarted() if self._last == "text" else ThinkingStarted())
        # A start event may hold the first piece already.
        if thinking := content.get("thinking"):
            self._add("thinking", ThinkingDelta(thinking), events)
        if text := content.get("text"):
            self._add("text", TextDelta(text), events)

    def _add(self, kind: Literal["text", "thinking", "plan", "call"], event: Event, events: list[Event]) -> None:
        self._last = kind
        events.append(event)

    def _start_call(self, index: int, call: ToolCall, events: list[Event]) -> None:
        self._calls[index] = call.id = self.validator.new_id(call.id)
        self._add("call", ToolCallStarted(call.id, call.name, extra=call.extra), events)
        if call.arguments:
            events.append(ToolCallDelta(call.id, call.arguments))

    def _end(self, delta: dict[str, Json], events: list[Event]) -> None:
        extra = {name: value for name, value in delta.items() if name not in ("finish_reason", "usage", "error")}
        finish = read_finish(delta.get("finish_reason"), extra, delta.get("error"))
        if finish is not None:
            finish.logprobs = self._logprobs or None
            events.append(finish)
        if isinstance(delta.get("usage"), dict):
            events.append(UsageReported(read_usage(delta["usage"])))
        self._over = True
