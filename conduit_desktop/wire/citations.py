"""Where sources stand in all the words of an answer, for dialects that count from its first and not from a block's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conduit_desktop.core.answer import AnswerPart
from conduit_desktop.core.chat import Citation, Text
from conduit_desktop.core.events import Cited, Event, TextDelta, TextStarted


def sources(parts: Iterable[AnswerPart]) -> Iterator[Citation]:
    """The sources of all texts among `parts`, each with its place in the words of them all."""
    at = 0
    for part in parts:
        if isinstance(part, Text):
            yield from (citation.moved(at) for citation in part.citations)
            at += len(part.text)


@dataclass(slots=True)
class TextPosition:
    """Where the open text of a stream begins in all the words of its choice."""

    begin: int = 0
    end: int = 0
    is_open: bool = False

    def see(self, event: Event) -> None:
        """Take in an event of the choice, as `collect` would."""
        if type(event) is TextDelta:
            if not self.is_open:
                self.begin, self.is_open = self.end, True
            self.end += len(event.text)
        elif isinstance(event, TextStarted) or (isinstance(event, Cited) and not self.is_open):
            self.begin, self.is_open = self.end, True
        elif not isinstance(event, Cited):
            self.is_open = False
