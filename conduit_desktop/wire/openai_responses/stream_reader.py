"""Reads the streams of OpenAI's Responses API. https://platform.openai.com/docs/api-reference/responses-streaming"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream, UpstreamError
from conduit_desktop.core.events import Cited, Event, Refused, TextDelta, ThinkingDelta, ToolCallDelta
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader, json_object
from conduit_desktop.wire.framing.sse import SseSplitter
from conduit_desktop.wire.openai_chat.errors import unexpected_body
from conduit_desktop.wire.openai_responses.content_parts import read_citation
from conduit_desktop.wire.openai_responses.errors import error_in_answer, failed_response
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.openai_responses.messages_reader import CALLS
from conduit_desktop.wire.openai_responses.response import (
    AnswerState,
    call_started,
    encrypted_events,
    ended,
    item_events,
    open_text,
    open_thinking,
    part_events,
    reasoning_events,
    started,
    unknown_fields,
)

_BEGINNINGS = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDS = frozenset({"response.completed", "response.incomplete", "response.cancelled"})
_TEXTS: dict[str, type[TextDelta | Refused]] = {"output_text": TextDelta, "refusal": Refused}
_ARGUMENTS = frozenset({"function_call_arguments", "custom_tool_call_input"})
_THINKING = {"reasoning_text": "content", "reasoning_summary_text": "summary"}
_READ_DELTAS = frozenset({*_TEXTS, *_ARGUMENTS, *_THINKING})
"""The event families whose deltas are read and must be strings; deltas of others may have any type."""


@dataclass(slots=True)
class _Item:
    """An output item that is being read."""

    kind: str
    call_id: str = ""
    thinking_in: str = ""
    """Whether thinking comes in `summary` or in `content`; the other one would repeat it."""
    lengths: dict[tuple[str, int], int] = field(default_factory=dict)
    """Characters read so far, by (kind, index) of the part."""
    citations: dict[int, int] = field(default_factory=dict)
    """Citations read so far, by index of the part."""


class ResponsesReader(FrameReader):
    """Reads one streamed response."""

    terminal = "response.completed"

    def __init__(self) -> None:
        super().__init__(SseSplitter())
        self._begun: dict[str, Json] | None = None
        self._items: dict[int, _Item] = {}
        self._state = AnswerState()
        self._open: tuple[int, str, int] | None = None

    def close(self, clean: bool = False) -> list[Event]:
        """End the stream; raises the error of a whole body (JSON or HTML) that was sent in place of a stream."""
        rest = self._splitter.rest.strip()
        # A body without a blank line is never a frame, so it is all still in the splitter.
        if self._fault is None and not self._over and rest[:1] in (b"{", b"<", b"["):
            self._fault = _in_this_dialect(unexpected_body(rest))
        return super().close(clean)

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Read one event; raises UpstreamError for an error. Events after the end are ignored."""
        if self._over or frame.data[:6] == b"[DONE]":
            return
        payload = json_object(frame)
        kind = payload.get("type") or frame.event
        if kind == "error" or frame.event == "error" or (payload.get("error") and "type" not in payload):
            raise error_in_answer(payload)
        self._event(str(kind), payload, events)

    def _event(self, kind: str, payload: dict[str, Any], events: list[Event]) -> None:
        family, _, step = kind.removeprefix("response.").rpartition(".")
        if step == "delta" and family in _READ_DELTAS and not isinstance(payload["delta"], str):
            raise MalformedStream("a delta that is not a string")
        if kind in _BEGINNINGS:
            self._begin(payload["response"], events)
        elif kind in _ENDS:
            response = payload["response"]
            # Some vendors put the reason next to the response.
            if not response.get("incomplete_details") and payload.get("incomplete_details"):
                response = {**response, "incomplete_details": payload["incomplete_details"]}
            self._end(response, events)
        elif kind == "response.failed":
            response = payload.get("response")
            raise failed_response(response if isinstance(response, dict) else {}, payload)
        elif family == "output_item":
            self._output_item(step, payload, events)
        elif family in _TEXTS:
            self._text(family, step, payload, events)
        elif kind == "response.output_text.annotation.added":
            self._annotation(payload, events)
        elif family == "content_part" and step == "done":
            self._part_citations(payload, events)
        elif family in _ARGUMENTS:
            self._arguments(step, payload, events)
        elif family in _THINKING:
            self._thinking(_THINKING[family], step, payload, events)

    def _begin(self, response: dict[str, Any], events: list[Event]) -> None:
        if self._begun is None:
            self._begun = unknown_fields(response)
            events.append(started(response))

    def _end(self, response: dict[str, Any], events: list[Event]) -> None:
        self._begin(response, events)
        # Some vendors send an item nowhere but in the last event.
        for index, item in enumerate(response.get("output") or ()):
            if index not in self._items:
                item_events(item, self._state, events)
        # Clients get the fields of the beginning with the start; only those that have changed since are sent again.
        begun = self._begun or {}
        late = {name: value for name, value in unknown_fields(response).items() if begun.get(name, ...) != value}
        ended(response, self._state, late, events)
        self._over = True

    def _output_item(self, step: str, payload: dict[str, Any], events: list[Event]) -> None:
        index, raw = payload["output_index"], payload["item"]
        if step == "added":
            item = self._items[index] = _Item(raw["type"])
            if raw["type"] in CALLS:
                self._start_call(item, raw, events)
        elif step == "done":
            known = self._items.get(index)
            # A vendor that does not stream an item sends it only when it is done.
            if known is None:
                self._items[index] = _Item(raw["type"])
                item_events(raw, self._state, events)
            else:
                self._item_done(known, raw, events)

    def _start_call(self, item: _Item, raw: dict[str, Any], events: list[Event]) -> None:
        call = call_started(raw)
        item.call_id = call.id
        self._state.called, self._state.last, self._open = True, "call", None
        events.append(call)

    def _item_done(self, item: _Item, raw: dict[str, Any], events: list[Event]) -> None:
        """Add what the finished item has and its deltas did not have."""
        if item.kind == "message":
            for index, part in enumerate(raw.get("content") or ()):
                # Some vendors send parts only with the finished item; one that came in deltas would be doubled.
                if not any(at == index for _, at in item.lengths) and index not in item.citations:
                    self._open = None
                    part_events(part, self._state, events)
        elif item.kind in CALLS:
            self._arguments_without_deltas(item, raw.get("input" if item.kind == "custom_tool_call" else "arguments"), events)
        elif item.kind == "reasoning":
            self._open = None
            # The encrypted content comes only with the finished item, where the text is repeated.
            (encrypted_events if item.lengths else reasoning_events)(raw, self._state, events)
        else:
            self._open = None
            item_events(raw, self._state, events)

    def _item(self, payload: dict[str, Any], kind: str) -> _Item:
        """The item that an event belongs to; some vendors do not send `output_item.added`."""
        index = payload["output_index"]
        if index not in self._items:
            self._items[index] = _Item(kind)
        return self._items[index]

    def _text(self, family: str, step: str, payload: dict[str, Any], events: list[Event]) -> None:
        item, at = self._item(payload, "message"), payload.get("content_index") or 0
        text = payload["delta"] if step == "delta" else payload.get("refusal" if family == "refusal" else "text") or ""
        # `done` repeats the text of the deltas; it is read only where none came.
        if step not in ("delta", "done") or not text or (step == "done" and item.lengths.get((family, at))):
            return
        self._open_block(payload, family, at, events)
        item.lengths[family, at] = item.lengths.get((family, at), 0) + len(text)
        events.append(_TEXTS[family](text))

    def _open_block(self, payload: dict[str, Any], family: str, at: int, events: list[Event]) -> None:
        block = (payload["output_index"], family, at)
        if self._open == block:
            return
        self._open = block
        if family == "output_text":
            open_text(self._state, events)
        elif family == "refusal":
            self._state.refused, self._state.last = True, "refusal"
        else:
            open_thinking(self._state, events)

    def _annotation(self, payload: dict[str, Any], events: list[Event]) -> None:
        item, at = self._item(payload, "message"), payload.get("content_index") or 0
        self._open_block(payload, "output_text", at, events)
        item.citations[at] = item.citations.get(at, 0) + 1
        events.append(Cited(read_citation(payload["annotation"])))

    def _part_citations(self, payload: dict[str, Any], events: list[Event]) -> None:
        """Add citations that are only in the finished part."""
        item, at = self._item(payload, "message"), payload.get("content_index") or 0
        found = payload["part"].get("annotations") or ()
        for raw in found[item.citations.get(at, 0) :]:
            self._annotation({**payload, "annotation": raw}, events)

    def _arguments(self, step: str, payload: dict[str, Any], events: list[Event]) -> None:
        item = self._items[payload["output_index"]]
        if not item.call_id:
            raise MalformedStream("arguments of an item that is not a tool call")
        if step == "delta":
            if payload["delta"]:
                item.lengths["arguments", 0] = item.lengths.get(("arguments", 0), 0) + len(payload["delta"])
                events.append(ToolCallDelta(item.call_id, payload["delta"]))
        elif step == "done":
            self._arguments_without_deltas(item, payload.get("arguments", payload.get("input")), events)

    def _arguments_without_deltas(self, item: _Item, whole: Json, events: list[Event]) -> None:
        """Add the arguments of a finished call if none came as deltas (xAI)."""
        if isinstance(whole, str) and whole and not item.lengths:
            item.lengths["arguments", 0] = len(whole)
            events.append(ToolCallDelta(item.call_id, whole))

    def _thinking(self, source: str, step: str, payload: dict[str, Any], events: list[Event]) -> None:
        item = self._item(payload, "reasoning")
        at = payload.get("summary_index" if source == "summary" else "content_index") or 0
        text = payload["delta"] if step == "delta" else payload.get("text") or ""
        item.thinking_in = item.thinking_in or source
        if step not in ("delta", "done") or not text or item.thinking_in != source:
            return
        if step == "done" and item.lengths.get((source, at)):
            return
        self._open_block(payload, "thinking", 0, events)
        # Summary parts are paragraphs, which nothing else would separate in one thought.
        if (source, at) not in item.lengths and item.lengths:
            text = f"\n\n{text}"
        item.lengths[source, at] = len(text)
        events.append(ThinkingDelta(text))


def _in_this_dialect(error: MalformedStream | UpstreamError) -> MalformedStream | UpstreamError:
    if isinstance(error, UpstreamError):
        error.dialect = NAME
    return error
