"""Tool calls in OpenAI-compatible deltas: which delta belongs to which call.

OpenAI sends id and name once and then arguments by `index`. Vendors leave out the index, repeat the id or the name, send
no id at all, or send several whole calls under one index. Two calls are never merged; a call without an id of its own
gets one made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from conduit_desktop.core.chat import Json, ToolKind
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Event, ToolCallDelta, ToolCallStarted

_KNOWN = frozenset({"index", "id", "type", "function", "custom"})


@dataclass(slots=True)
class _Call:
    """One call under way. `given` is the id the vendor gave, if it did; `said` are its arguments so far."""

    id: str
    given: str
    name: str
    kind: ToolKind
    started: bool = False
    said: list[str] = field(default_factory=list)
    signature: str | None = None
    extra: dict[str, Json] = field(default_factory=dict)

    def complete(self) -> bool:
        """The arguments are whole: more of them would be another call's."""
        begin, end = (self.said[0].lstrip()[:1], self.said[-1].rstrip()[-1:]) if self.said else ("", "")
        if begin == "{" and end not in ("", "}"):  # known without parsing it all anew at each piece
            return False
        try:
            orjson.loads("".join(self.said))
        except orjson.JSONDecodeError:
            return False
        return True


def thought_signature(unknown: dict[str, Json]) -> tuple[str | None, dict[str, Json]]:
    """Gemini's thought signature among a call's unknown fields, and the others.

    https://ai.google.dev/gemini-api/docs/thought-signatures#openai
    """
    extra = dict(unknown)
    match extra.get("extra_content"):
        case {"google": {"thought_signature": str(signature), **more_google}, **more} if not more_google and not more:
            del extra["extra_content"]
            return signature, extra
    return None, extra


def signature_field(signature: str) -> dict[str, Json]:
    """A call's thought signature, as the field of the call that carries it."""
    return {"extra_content": {"google": {"thought_signature": signature}}}


class CallReader:
    """Reads the tool-call deltas of one choice. `answer_id` makes made-up ids differ from one answer to the next."""

    __slots__ = ("_answer_id", "_by_id", "_by_index", "_calls", "_choice", "_last", "_made")

    def __init__(self, choice: int, answer_id: str = "") -> None:
        self._choice = choice
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._calls: list[_Call] = []
        self._last: _Call | None = None
        self._made = 0
        self._answer_id = answer_id

    @property
    def any(self) -> bool:
        """A call was begun."""
        return self._last is not None

    def read(self, delta: Json, events: list[Event]) -> None:
        """One entry of `tool_calls`; raises MalformedStream for one that belongs to no call."""
        if not isinstance(delta, dict):
            raise MalformedStream("a tool call that is no object")
        # Snowflake sends an empty `custom` beside every `function`.
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
        """A `function_call`, which has no id and is the only one; beside `tool_calls` it says one of them again."""
        if self._last is not None and not self._last.extra.get("function_call"):
            return
        name = delta.get("name")
        text = _arguments(delta, "arguments")
        if name or text or self._last:
            call = self._last or self._open(None, "", str(name or ""), "function", {"function_call": True})
            self._say(call, str(name or ""), text, events)

    def end(self, events: list[Event]) -> None:
        """Begin the calls that were never named, so that none is lost."""
        for call in self._calls:
            if not call.started and call.said:
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
        self._say(call, name, text, events)

    def _find(self, index: int | None, given: str, name: str, text: str) -> _Call | None:
        """The call under way that this delta goes on with; None begins another."""
        unnumbered = self._by_id.get(given) if given else self._last
        call = unnumbered if index is None else self._by_index.get(index)
        if call is None or (given and call.given and given != call.given):
            return None
        if not name or not call.name:
            return call
        if name != call.name or (given and not call.given):
            return None
        # The name again: a vendor that repeats it on each delta, or a second call of the same tool.
        return None if text.strip() and call.complete() else call

    def _open(self, index: int | None, given: str, name: str, kind: ToolKind, extra: dict[str, Json]) -> _Call:
        call_id = given
        while not call_id or call_id in self._by_id:
            tail = "".join(letter for letter in self._answer_id if letter.isalnum())[-8:]
            call_id = f"call_{self._made}_{tail}" if tail else f"call_{self._made}"
            self._made += 1
        call = _Call(call_id, given, name, kind, extra=extra)
        self._by_id[call_id] = self._last = call
        if given:
            self._by_id[given] = call
        if index is not None:
            self._by_index[index] = call
        self._calls.append(call)
        return call

    def _say(self, call: _Call, name: str, text: str, events: list[Event]) -> None:
        self._last = call
        call.name = call.name or name
        if text:
            call.said.append(text)
        if not call.started:
            if call.name:
                self._begin(call, events)
        elif text:
            events.append(ToolCallDelta(call.id, text, self._choice))

    def _begin(self, call: _Call, events: list[Event]) -> None:
        call.started = True
        events.append(ToolCallStarted(call.id, call.name, call.kind, call.signature, self._choice, call.extra))
        if call.said:
            events.append(ToolCallDelta(call.id, "".join(call.said), self._choice))


def _arguments(body: dict[str, Json], name: str) -> str:
    """Arguments as text; some vendors send the parsed object."""
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()
