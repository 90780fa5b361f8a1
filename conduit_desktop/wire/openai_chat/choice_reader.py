"""Reads one choice of an answer, from deltas or from a whole message: both have the same fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conduit_desktop.core.chat import Citation, Json, Opaque
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    FinishReason,
    OpaqueBlock,
    Refused,
    TextDelta,
    ThinkingDelta,
)
from conduit_desktop.wire.event_validation import text_or_none
from conduit_desktop.wire.openai_chat.citations import read_span
from conduit_desktop.wire.openai_chat.fields import NAME
from conduit_desktop.wire.openai_chat.messages_reader import thinking_text
from conduit_desktop.wire.openai_chat.reasoning import FIELDS, ThinkingReader
from conduit_desktop.wire.openai_chat.tool_calls import CallReader

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "refusal": "refusal",
}
_SAID = frozenset({"role", "content", "refusal", "annotations", "tool_calls", "function_call", *FIELDS})
_CHOICE = frozenset({"index", "delta", "message", "finish_reason", "logprobs"})


class ChoiceReader:
    """The state of one choice: its calls, what is held back until its end, and how it ended (`finish`)."""

    __slots__ = ("_annotated", "_calls", "_cited", "_extra", "_refused", "_spoken", "_thinking", "finish", "index")

    def __init__(self, index: int, answer_id: str) -> None:
        self.index = index
        self.finish: str | None = None
        self._calls = CallReader(index, answer_id)
        self._thinking = ThinkingReader(index)
        self._extra: dict[str, Json] = {}
        self._cited: list[Event] = []
        self._annotated = False
        self._spoken = False
        self._refused = False

    def read(self, raw: dict[str, Json], events: list[Event]) -> None:
        """One entry of `choices`, as it comes in a chunk."""
        delta = raw.get("delta")
        if delta is None and not self._spoken:
            delta = raw.get("message")  # whole messages in a stream: some vendors do that when they do not stream
        if isinstance(delta, dict):
            content = delta.get("content")
            if type(content) is str and len(delta) == 1 and not self._cited:
                if content:
                    self._spoken = True
                    events.append(TextDelta(content, self.index))
            else:
                self.say(delta, events)
        finish = raw.get("finish_reason")
        if finish and self.finish is None:
            self.finish = str(finish)
        if not _CHOICE.issuperset(raw) or raw.get("logprobs"):
            self.keep(raw)

    def say(self, said: dict[str, Any], events: list[Event]) -> None:
        """A delta or a message: thinking, words, sources, refusal and calls, in this order."""
        if not said.keys().isdisjoint(FIELDS):
            events += self._thinking.read(said)
        content = said.get("content")
        if content:
            self._content(content, events)
        for annotation in _list(said.get("annotations")):
            self._annotate(annotation, events)
        refusal = said.get("refusal")
        if refusal and isinstance(refusal, str):
            self._refused = True
            events.append(Refused(refusal, self.index))
        for call in _list(said.get("tool_calls")):
            self._calls.read(call, events)
        legacy = said.get("function_call")
        if isinstance(legacy, dict):
            self._calls.read_legacy(legacy, events)
        if not _SAID.issuperset(said):
            self._keep_message(said)

    def keep(self, raw: dict[str, Json]) -> None:
        """What else the choice says (log probabilities, a filter's verdict): given back with its end."""
        for name, value in raw.items():
            if value is None or name in ("index", "delta", "message", "finish_reason"):
                continue
            before = self._extra.get(name)
            if name == "logprobs" and isinstance(before, dict) and isinstance(value, dict):
                self._extra[name] = {key: _joined(before.get(key), value.get(key)) for key in {**before, **value}}
            else:
                self._extra[name] = value

    def cite(self, sources: Iterable[Citation]) -> None:
        """Sources told beside the choices; the message's own annotations say the same better."""
        if not self._annotated:
            self._cited += [Cited(source, self.index) for source in sources]

    def end(self, events: list[Event]) -> None:
        """What was held back, and the finish."""
        self._calls.end(events)
        events += self._cited
        self._cited = []
        raw = self.finish or None
        reason = _REASONS.get(raw.lower(), "other") if raw else "stop"
        if reason == "stop":
            # Ollama, Gemini and OpenAI itself (with a named tool) say "stop" beside tool calls.
            reason = "tool_calls" if self._calls.any else "refusal" if self._refused else "stop"
        stopped_by = self._extra.get("stop_reason")
        sequence = stopped_by if isinstance(stopped_by, str) else None
        events.append(Finished(reason, raw, sequence, self.index, self._extra))

    def _content(self, content: Json, events: list[Event]) -> None:
        if isinstance(content, str):
            self._speak(content, events)
            return
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "text" and isinstance(part.get("text"), str):
                self._speak(part["text"], events)
            elif kind == "thinking":
                text = thinking_text(part.get("thinking"))
                if text:
                    events.append(ThinkingDelta(text, self.index))
            elif isinstance(part, dict):
                events.append(OpaqueBlock(Opaque(NAME, "content", part), self.index))

    def _speak(self, text: str, events: list[Event]) -> None:
        if not text:
            return
        self._spoken = True
        events.append(TextDelta(text, self.index))
        if self._cited:
            events += self._cited
            self._cited = []

    def _annotate(self, annotation: Json, events: list[Event]) -> None:
        """A source. Those that come before any word wait for the first, so that they do not open an empty block."""
        self._annotated = True
        body = annotation.get("url_citation") if isinstance(annotation, dict) else None
        body = body if isinstance(body, dict) else {}
        span = read_span(body)
        cited = Cited(
            Citation(
                url=text_or_none(body.get("url")),
                title=text_or_none(body.get("title")),
                quote=text_or_none(body.get("content")),
                start=span[0],
                end=span[1],
                dialect=NAME,
                raw=annotation,
            ),
            self.index,
        )
        (events if self._spoken else self._cited).append(cited)

    def _keep_message(self, said: dict[str, Any]) -> None:
        """Fields of the message that no neutral event has (sound, pictures): pieces are put together."""
        for name, value in said.items():
            if name in _SAID or value is None:
                continue
            kept = self._extra.setdefault("message", {})
            kept[name] = _joined(kept.get(name), value) if name in ("audio", "images") else value


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _joined(before: Json, value: Json) -> Json:
    """Two pieces of one value: lists and strings grow, objects field by field, anything else is replaced."""
    if before is None or value is None:
        return value if before is None else before
    if isinstance(before, list) and isinstance(value, list):
        return before + value
    if isinstance(before, dict) and isinstance(value, dict):
        return {**before, **{key: _piece(key, before.get(key), more) for key, more in value.items()}}
    return value


def _piece(key: str, before: Json, value: Json) -> Json:
    grows = key in ("data", "transcript") and isinstance(before, str) and isinstance(value, str)
    return before + value if grows else value if value is not None else before
