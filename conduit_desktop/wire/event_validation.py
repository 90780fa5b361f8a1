"""Checks the events that readers make of a provider's answer: texts are strings, and no two tool calls share an id."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
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
"""The exceptions that reading code raises for an answer of the wrong shape."""

MOST_CHOICES = 1024
"""Choices an answer may have. A higher index is a fault: choices are kept in lists, which would grow to that length."""

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
"""The end of the year 9999, the last that clients' date types can hold."""


class EventValidator:
    """Checks the events of one answer, in order."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[tuple[int, str], str] = {}
        """(choice, id from the provider) to the id in use."""

    def check(self, event: Event) -> None:
        """Correct optional fields of the wrong type in place; raises MalformedStream for required ones."""
        if isinstance(event, TextDelta) and type(event.text) is str:
            return  # nearly every event: one check instead of the table
        for name in _TEXTS.get(type(event), ()):
            # Checked here once, so that no writer meets a number or a null where it joins texts.
            if type(getattr(event, name)) is not str:
                raise MalformedStream(f"the {name} of an event is not a string")
        if isinstance(event, ToolCallStarted):
            self._start_call(event)
        elif isinstance(event, ToolCallDelta):
            # Ids are unique only within a choice, so both make the key.
            if (event.choice, event.id) not in self._ids:
                raise MalformedStream("arguments of a tool call that never began")
            event.id = self._ids[event.choice, event.id]
        elif isinstance(event, Cited):
            event.citation = _valid_citation(event.citation)
        elif isinstance(event, Started):
            event.id = text_or_none(event.id) or ""
            event.model = text_or_none(event.model) or ""
            event.created = epoch_or_none(event.created)

    def _start_call(self, event: ToolCallStarted) -> None:
        given, event.id = event.id, self.new_id(event.id, event.choice)
        event.signature = text_or_none(event.signature)
        self._ids[event.choice, given] = self._ids[event.choice, event.id] = event.id

    def new_id(self, given: str, choice: int = 0) -> str:
        """`given`, or that with a number if another call has it: clients match results to calls by id alone.

        Some vendors number the calls of each frame from 0 again.
        """
        # Numbers start at the count of calls, so that the search does not begin at 0 for each of many equal ids.
        unique, number = given, len(self._ids)
        while (choice, unique) in self._ids:
            unique, number = f"{given}_{number}", number + 1
        return unique


def validated(read: Callable[[dict[str, Json]], Iterable[Event]]) -> Callable[[dict[str, Json]], list[Event]]:
    """Decorator of a function that reads a whole answer: checks its events; raises MalformedStream for a wrong shape."""

    @wraps(read)
    def read_and_check(body: dict[str, Json]) -> list[Event]:
        validator = EventValidator()
        try:
            events = list(read(body))
            for event in events:
                validator.check(event)
        except FAULTS as error:
            raise MalformedStream(f"the answer cannot be read: {error!r}") from error
        return events

    return read_and_check


def text_or_none(value: Json) -> str | None:
    """`value` if it is a string, else None."""
    return value if type(value) is str else None


def epoch_or_none(value: Json) -> int | None:
    """Epoch seconds; None for anything but a number of seconds from 1970 to 9999."""
    return int(value) if type(value) in (int, float) and 0 <= value <= _LAST_SECOND else None


def rfc3339_or_none(value: Json) -> int | None:
    """Epoch seconds of an RFC 3339 time; None for anything else."""
    try:
        return int(datetime.fromisoformat(value).timestamp()) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _valid_citation(citation: Citation) -> Citation:
    """`citation` without the fields that have a wrong type, and without a span that is none."""
    start, end = citation.start, citation.end
    has_span = type(start) is int and type(end) is int and 0 <= start <= end
    # A citation is an extra: a wrong field of it is left out, where a wrong text fails the answer.
    texts = (text_or_none(citation.url), text_or_none(citation.title), text_or_none(citation.quote))
    if has_span and texts == (citation.url, citation.title, citation.quote):
        return citation
    start, end = (start, end) if has_span else (None, None)
    return replace(citation, url=texts[0], title=texts[1], quote=texts[2], start=start, end=end)
