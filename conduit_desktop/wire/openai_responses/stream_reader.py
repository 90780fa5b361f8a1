"""Reads a streamed response: frames to the API's events to neutral ones."""

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
    ended,
    further,
    item_events,
    open_text,
    open_thinking,
    part_events,
    proof_events,
    started,
    thought_events,
)

_BEGINNINGS = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDS = frozenset({"response.completed", "response.incomplete", "response.cancelled"})
_TEXTS: dict[str, type[TextDelta | Refused]] = {"output_text": TextDelta, "refusal": Refused}
_ARGUMENTS = frozenset({"function_call_arguments", "custom_tool_call_input"})
_THOUGHTS = {"reasoning_text": "content", "reasoning_summary_text": "summary"}
_IN_PIECES = frozenset({*_TEXTS, *_ARGUMENTS, *_THOUGHTS})
"""Whose deltas are read; others' need not even be text."""


@dataclass(slots=True)
class _Item:
    """An item under way: what it is, its call's id, and what has been said of its parts by (kind, index)."""

    kind: str
    call_id: str = ""
    thoughts: str = ""
    """Whether the thoughts come as `summary` or as `content`; the other would say the same again."""
    said: dict[tuple[str, int], int] = field(default_factory=dict)
    cited: dict[int, int] = field(default_factory=dict)


class ResponsesReader(FrameReader):
    """Reads one streamed response."""

    terminal = "response.completed"

    def __init__(self) -> None:
        super().__init__(SseSplitter())
        self._begun: dict[str, Json] | None = None
        self._items: dict[int, _Item] = {}
        self._told = AnswerState()
        self._open: tuple[int, str, int] | None = None

    def close(self) -> list[Event]:
        """As any; a whole body in the stream's place is told for what it is."""
        rest = self._splitter.rest.strip()
        if self._fault is None and not self._over and rest[:1] in (b"{", b"<", b"["):
            self._fault = _own(unexpected_body(rest))
        return super().close()

    def read(self, frame: Frame, events: list[Event]) -> None:
        """One event; raises UpstreamError for an error. What follows the end means nothing."""
        if self._over or frame.data[:6] == b"[DONE]":
            return
        payload = json_object(frame)
        kind = payload.get("type") or frame.event
        if kind == "error" or frame.event == "error" or (payload.get("error") and "type" not in payload):
            raise error_in_answer(payload)
        self._event(str(kind), payload, events)

    def _event(self, kind: str, payload: dict[str, Any], events: list[Event]) -> None:
        family, _, step = kind.removeprefix("response.").rpartition(".")
        if step == "delta" and family in _IN_PIECES and not isinstance(payload["delta"], str):
            raise MalformedStream("a delta that is no text")
        if kind in _BEGINNINGS:
            self._begin(payload["response"], events)
        elif kind in _ENDS:
            self._end(payload["response"], events)
        elif kind == "response.failed":
            raise failed_response(payload["response"])
        elif family == "output_item":
            self._output_item(step, payload, events)
        elif family in _TEXTS:
            self._text(family, step, payload, events)
        elif kind == "response.output_text.annotation.added":
            self._annotation(payload, events)
        elif family == "content_part" and step == "done":
            self._sources(payload, events)
        elif family in _ARGUMENTS:
            self._arguments(step, payload, events)
        elif family in _THOUGHTS:
            self._thought(_THOUGHTS[family], step, payload, events)

    def _begin(self, response: dict[str, Any], events: list[Event]) -> None:
        if self._begun is None:
            self._begun = further(response)
            events.append(started(response))

    def _end(self, response: dict[str, Any], events: list[Event]) -> None:
        self._begin(response, events)
        for index, item in enumerate(response.get("output") or ()):
            if index not in self._items:
                item_events(item, self._told, events)
        begun = self._begun or {}
        late = {name: value for name, value in further(response).items() if begun.get(name, ...) != value}
        ended(response, self._told, late, events)
        self._over = True

    def _output_item(self, step: str, payload: dict[str, Any], events: list[Event]) -> None:
        index, raw = payload["output_index"], payload["item"]
        if step == "added":
            item = self._items[index] = _Item(raw["type"])
            if raw["type"] in CALLS:
                self._start_call(item, raw, events)
        elif step == "done":
            known = self._items.get(index)
            if known is None:
                self._items[index] = _Item(raw["type"])
                item_events(raw, self._told, events)
            else:
                self._item_done(known, raw, events)

    def _start_call(self, item: _Item, raw: dict[str, Any], events: list[Event]) -> None:
        call = call_started(raw)
        item.call_id = call.id
        self._told.called, self._told.last, self._open = True, "call", None
        events.append(call)

    def _item_done(self, item: _Item, raw: dict[str, Any], events: list[Event]) -> None:
        """What the whole item says that its pieces did not."""
        if item.kind == "message":
            for place, part in enumerate(raw.get("content") or ()):
                if not any(at == place for _, at in item.said) and place not in item.cited:
                    self._open = None
                    part_events(part, self._told, events)
        elif item.kind in CALLS:
            self._rest_of_arguments(item, raw.get("input" if item.kind == "custom_tool_call" else "arguments"), events)
        elif item.kind == "reasoning":
            self._open = None
            (proof_events if item.said else thought_events)(raw, self._told, events)
        else:
            self._open = None
            item_events(raw, self._told, events)

    def _item(self, payload: dict[str, Any], kind: str) -> _Item:
        """The item a piece belongs to; some vendors leave out that it was added."""
        index = payload["output_index"]
        if index not in self._items:
            self._items[index] = _Item(kind)
        return self._items[index]

    def _text(self, family: str, step: str, payload: dict[str, Any], events: list[Event]) -> None:
        item, at = self._item(payload, "message"), payload.get("content_index") or 0
        text = payload["delta"] if step == "delta" else payload.get("refusal" if family == "refusal" else "text") or ""
        if step not in ("delta", "done") or not text or (step == "done" and item.said.get((family, at))):
            return
        self._open_block(payload, family, at, events)
        item.said[family, at] = item.said.get((family, at), 0) + len(text)
        events.append(_TEXTS[family](text))

    def _open_block(self, payload: dict[str, Any], family: str, at: int, events: list[Event]) -> None:
        place = (payload["output_index"], family, at)
        if self._open == place:
            return
        self._open = place
        if family == "output_text":
            open_text(self._told, events)
        elif family == "refusal":
            self._told.refused, self._told.last = True, "refusal"
        else:
            open_thinking(self._told, events)

    def _annotation(self, payload: dict[str, Any], events: list[Event]) -> None:
        item, at = self._item(payload, "message"), payload.get("content_index") or 0
        self._open_block(payload, "output_text", at, events)
        item.cited[at] = item.cited.get(at, 0) + 1
        events.append(Cited(read_citation(payload["annotation"])))

    def _sources(self, payload: dict[str, Any], events: list[Event]) -> None:
        """Sources that only the finished part names."""
        item, at = self._item(payload, "message"), payload.get("content_index") or 0
        found = payload["part"].get("annotations") or ()
        for raw in found[item.cited.get(at, 0) :]:
            self._annotation({**payload, "annotation": raw}, events)

    def _arguments(self, step: str, payload: dict[str, Any], events: list[Event]) -> None:
        item = self._items[payload["output_index"]]
        if not item.call_id:
            raise MalformedStream("arguments of what is no tool call")
        if step == "delta":
            if payload["delta"]:
                item.said["arguments", 0] = item.said.get(("arguments", 0), 0) + len(payload["delta"])
                events.append(ToolCallDelta(item.call_id, payload["delta"]))
        elif step == "done":
            self._rest_of_arguments(item, payload.get("arguments", payload.get("input")), events)

    def _rest_of_arguments(self, item: _Item, whole: Json, events: list[Event]) -> None:
        """Arguments that came without pieces (xAI)."""
        if isinstance(whole, str) and whole and not item.said:
            item.said["arguments", 0] = len(whole)
            events.append(ToolCallDelta(item.call_id, whole))

    def _thought(self, source: str, step: str, payload: dict[str, Any], events: list[Event]) -> None:
        item = self._item(payload, "reasoning")
        at = payload.get("summary_index" if source == "summary" else "content_index") or 0
        text = payload["delta"] if step == "delta" else payload.get("text") or ""
        item.thoughts = item.thoughts or source
        if step not in ("delta", "done") or not text or item.thoughts != source or (step == "done" and item.said.get((source, at))):
            return
        self._open_block(payload, "thinking", 0, events)
        if (source, at) not in item.said and item.said:
            text = f"\n\n{text}"
        item.said[source, at] = len(text)
        events.append(ThinkingDelta(text))


def _own(error: MalformedStream | UpstreamError) -> MalformedStream | UpstreamError:
    if isinstance(error, UpstreamError):
        error.dialect = NAME
    return error
