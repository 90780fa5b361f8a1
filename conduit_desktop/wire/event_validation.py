"""What a reader gives is sound whatever a vendor sent: texts are text, and no two calls share an id."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import wraps

from conduit_desktop.core.chat import Citation, Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import (
    Cited,
    Event,
    Refused,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
)

FAULTS = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, StopIteration)
"""What code that reads an answer runs into where the answer is not what it should be."""

MOST_CHOICES = 1024
"""Choices an answer may have; a higher index is a fault, not a reason to make room."""

_TEXTS: dict[type, tuple[str, ...]] = {
    TextDelta: ("text",),
    ThinkingDelta: ("text",),
    Refused: ("text",),
    ThinkingSigned: ("signature",),
    ThinkingRedacted: ("data",),
    ToolCallStarted: ("id", "name"),
    ToolCallDelta: ("id", "arguments"),
}
_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, up to which clients know dates."""


class EventValidator:
    """Looks at the events of one answer, in order."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[tuple[int, str], str] = {}

    def check(self, event: Event) -> None:
        """Put right what an answer can do without; raises MalformedStream for the rest."""
        if isinstance(event, TextDelta) and type(event.text) is str:
            return  # nearly always
        for name in _TEXTS.get(type(event), ()):
            if type(getattr(event, name)) is not str:
                raise MalformedStream(f"the {name} of an event is no text")
        if isinstance(event, ToolCallStarted):
            self._begin(event)
        elif isinstance(event, ToolCallDelta):
            if (event.choice, event.id) not in self._ids:
                raise MalformedStream("arguments of a tool call that never began")
            event.id = self._ids[event.choice, event.id]
        elif isinstance(event, Cited):
            event.citation = _sound_citation(event.citation)
        elif isinstance(event, Started):
            event.id, event.model, event.created = word(event.id) or "", word(event.model) or "", moment(event.created)

    def _begin(self, event: ToolCallStarted) -> None:
        given, event.id = event.id, self.new_id(event.id, event.choice)
        event.signature = word(event.signature)
        self._ids[event.choice, given] = self._ids[event.choice, event.id] = event.id

    def new_id(self, given: str, choice: int = 0) -> str:
        """`given`, where no call has it: some vendors number calls anew in each frame, and callers know them by their ids."""
        made, number = given, len(self._ids)
        while (choice, made) in self._ids:
            made, number = f"{given}_{number}", number + 1
        return made


def whole(read: Callable[[dict[str, Json]], Iterable[Event]]) -> Callable[[dict[str, Json]], list[Event]]:
    """`read`, which reads a whole answer, with the same promise; raises MalformedStream for what cannot be read."""

    @wraps(read)
    def soundly(body: dict[str, Json]) -> list[Event]:
        soundness = EventValidator()
        try:
            events = list(read(body))
            for event in events:
                soundness.check(event)
        except FAULTS as error:
            raise MalformedStream(f"the answer cannot be read: {error!r}") from error
        return events

    return soundly


def word(value: Json) -> str | None:
    """Text; None for anything else."""
    return value if type(value) is str else None


def moment(value: Json) -> int | None:
    """Seconds since 1970; None for what is no time that clients know."""
    return int(value) if type(value) in (int, float) and 0 <= value <= _LAST_SECOND else None


def _sound_citation(said: Citation) -> Citation:
    """A source with words for words, and a place that is one."""
    start, end = said.start, said.end
    placed = type(start) is int and type(end) is int and 0 <= start <= end
    if placed and (word(said.url), word(said.title), word(said.quote)) == (said.url, said.title, said.quote):
        return said
    start, end = (start, end) if placed else (None, None)
    return replace(said, url=word(said.url), title=word(said.title), quote=word(said.quote), start=start, end=end)
