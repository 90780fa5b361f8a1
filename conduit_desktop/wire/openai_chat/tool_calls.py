"""Reads the tool calls in deltas of OpenAI-compatible vendors: which delta belongs to which call.

OpenAI sends id and name once and then arguments by `index`. Other vendors leave out the index, repeat the id or the name, send
no id at all, or send several whole calls under one index. Two calls are never merged; a call without an id gets a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from conduit_desktop.core.chat import Json, ToolKind
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Event, ToolCallDelta, ToolCallStarted
from conduit_desktop.wire import json_text

_KNOWN = frozenset({"index", "id", "type", "function", "custom"})


@dataclass(slots=True)
class _Call:
    """One call that is being read. `given` is the id from the vendor, or empty; `pieces` are its arguments so far."""

    id: str
    given: str
    name: str
    kind: ToolKind
    started: bool = False
    pieces: list[str] = field(default_factory=list)
    signature: str | None = None
    extra: dict[str, Json] = field(default_factory=dict)

    def complete(self) -> bool:
        """Whether the arguments are whole JSON: further ones belong to another call."""
        begin, end = (self.pieces[0].lstrip()[:1], self.pieces[-1].rstrip()[-1:]) if self.pieces else ("", "")
        if begin == "{" and end not in ("", "}"):  # saves parsing all pieces again for each one
            return False
        try:
            json_text.loads("".join(self.pieces))
        except orjson.JSONDecodeError:
            return False
        return True


def thought_signature(unknown: dict[str, Json]) -> tuple[str | None, dict[str, Json]]:
    """Gemini's thought signature in a call's unknown fields, and the other fields.

    https://ai.google.dev/gemini-api/docs/thought-signatures#openai
    """
    extra = dict(unknown)
    match extra.get("extra_content"):
        case {"google": {"thought_signature": str(signature), **more_google}, **more} if not more_google and not more:
            del extra["extra_content"]
            return signature, extra
    return None, extra


def signature_field(signature: str) -> dict[str, Json]:
    """The field of a call that holds its thought signature."""
    return {"extra_content": {"google": {"thought_signature": signature}}}


class CallReader:
    """Reads the tool-call deltas of one choice. New ids include `answer_id`, so that they differ between answers."""

    __slots__ = ("_answer_id", "_by_id", "_by_index", "_calls", "_choice", "_last", "_new_ids")

    def __init__(self, choice: int, answer_id: str = "") -> None:
        self._choice = choice
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._calls: list[_Call] = []
        self._last: _Call | None = None
        self._new_ids = 0
        self._answer_id = answer_id

    @property
    def any(self) -> bool:
        """Whether a call has begun."""
        return self._last is not None

    def read(self, delta: Json, events: list[Event]) -> None:
        """Read one entry of `tool_calls`; raises MalformedStream for one that belongs to no call."""
        if not isinstance(delta, dict):
            raise MalformedStream("a tool call that is not an object")
        # Snowflake sends an empty `custom` with every `function`.
        custom = isinstance(delta.get("custom"), dict) and not isinstance(delta.get("function"), dict)
        kind: ToolKind = "custom" if custom else "function"
        body = delta.get(kind)
        body = body if isinstance(body, dict) else {}
        name = body.get("name")
        self._feed(
            delta,
            kind,
            name if isinstance(name, str) else "",
            _arguments(body, "input" if kind == "custom" else "arguments"),
            events,
        )

    def read_legacy(self, delta: dict[str, Json], events: list[Event]) -> None:
        """Read a legacy `function_call`, which has no id. With `tool_calls` it repeats one of them and is ignored."""
        # Read after `tool_calls`, so that a repetition can be seen as one.
        if self._last is not None and not self._last.extra.get("function_call"):
            return
        name = delta.get("name")
        text = _arguments(delta, "arguments")
        if name or text or self._last:
            call = self._last or self._open(None, "", str(name or ""), "function", {"function_call": True})
            self._add(call, str(name or ""), text, events)

    def end(self, events: list[Event]) -> None:
        """Begin the calls that never got a name, so that none is lost."""
        for call in self._calls:
            if not call.started and call.pieces:
                self._begin(call, events)

    def _feed(self, delta: dict[str, Json], kind: ToolKind, name: str, text: str, events: list[Event]) -> None:
        given = delta.get("id")
        given = given if isinstance(given, str) else "" if given is None else str(given)
        index = delta.get("index")
        index = index if isinstance(index, int) else None
        call = self._find(index, given, name, text)
        if call is None:
            if not (given or name or index is not None):
                if not text:
                    return
                raise MalformedStream("arguments of a tool call that never began")
            signature, extra = thought_signature({name: value for name, value in delta.items() if name not in _KNOWN})
            call = self._open(index, given, name, kind, extra)
            call.signature = signature
        self._add(call, name, text, events)

    def _find(self, index: int | None, given: str, name: str, text: str) -> _Call | None:
        """The call that this delta continues; None for a new call."""
        unnumbered = self._by_id.get(given) if given else self._last
        call = unnumbered if index is None else self._by_index.get(index)
        # A new id under a known index is a new call: some vendors send every call under the same index.
        if call is None or (given and call.given and given != call.given):
            return None
        if not name or not call.name:
            return call
        # Another name, or an id where the call had none, cannot continue it: two calls are never merged.
        if name != call.name or (given and not call.given):
            return None
        # The same name again: a vendor that repeats it in each delta, or a second call of the same tool.
        return None if text.strip() and call.complete() else call

    def _open(self, index: int | None, given: str, name: str, kind: ToolKind, extra: dict[str, Json]) -> _Call:
        call_id = given
        # An id that another call has is replaced too: clients match results to calls by id alone.
        while not call_id or call_id in self._by_id:
            # Clients keep the calls of several answers in one conversation, so a number alone would repeat.
            tail = "".join(letter for letter in self._answer_id if letter.isalnum())[-8:]
            call_id = f"call_{self._new_ids}_{tail}" if tail else f"call_{self._new_ids}"
            self._new_ids += 1
        call = _Call(call_id, given, name, kind, extra=extra)
        self._by_id[call_id] = self._last = call
        if given:
            self._by_id[given] = call
        if index is not None:
            self._by_index[index] = call
        self._calls.append(call)
        return call

    def _add(self, call: _Call, name: str, text: str, events: list[Event]) -> None:
        self._last = call
        call.name = call.name or name
        if text:
            call.pieces.append(text)
        if not call.started:
            # A start carries the name, which some vendors send only after the first arguments.
            if call.name:
                self._begin(call, events)
        elif text:
            events.append(ToolCallDelta(call.id, text, self._choice))

    def _begin(self, call: _Call, events: list[Event]) -> None:
        call.started = True
        events.append(ToolCallStarted(call.id, call.name, call.kind, call.signature, self._choice, call.extra))
        if call.pieces:
            events.append(ToolCallDelta(call.id, "".join(call.pieces), self._choice))


def _arguments(body: dict[str, Json], name: str) -> str:
    """Arguments as text; some vendors send the parsed object."""
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()
