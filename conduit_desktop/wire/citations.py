"""Positions of citations in the whole text of an answer, for dialects that do not count within a block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conduit_desktop.core.answer import AnswerPart
from conduit_desktop.core.chat import Citation, Text
from conduit_desktop.core.events import Cited, Event, TextDelta, TextStarted


def sources(parts: Iterable[AnswerPart]) -> Iterator[Citation]:
    """The citations of all texts among `parts`, with positions in the texts joined together."""
    at = 0
    for part in parts:
        if isinstance(part, Text):
            yield from (citation.moved(at) for citation in part.citations)
            # Counted even without citations: other dialects count from the start of the whole text.
            at += len(part.text)


@dataclass(slots=True)
class TextPosition:
    """The position of a stream's current text block in the whole text of its choice, in characters."""

    begin: int = 0
    end: int = 0
    is_open: bool = False

    def see(self, event: Event) -> None:
        """Advance by one event of the choice, with the same blocks as `core.answer.collect`."""
        if type(event) is TextDelta:
            if not self.is_open:
                self.begin, self.is_open = self.end, True
            self.end += len(event.text)
        # A citation without an open text opens an empty block in `collect`, so it must do so here.
        elif isinstance(event, TextStarted) or (isinstance(event, Cited) and not self.is_open):
            self.begin, self.is_open = self.end, True
        elif not isinstance(event, Cited):
            self.is_open = False
