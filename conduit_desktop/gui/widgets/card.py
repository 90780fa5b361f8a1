"""Cards and what is on them: single figures, lists of facts, and a column of cards by key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.labels import ElidedLabel, PlainLabel, label

T = TypeVar("T")
C = TypeVar("C", bound=QWidget)

SLICE_S = 0.006
"""Seconds of work after which CardColumn yields to the loop: the window and the server share it, and a long column built at
once would delay every stream."""


class Card(QFrame):
    """A rounded frame with a title; content goes to `self.body`, buttons next to the title to `add_action`."""

    def __init__(self, title: str = "", note: str = "") -> None:
        super().__init__()
        self.setObjectName("card")
        outer = self._outer = QVBoxLayout(self)
        outer.setContentsMargins(theme.L, theme.L - 2, theme.L, theme.L)
        outer.setSpacing(theme.M)
        self._head = QHBoxLayout()
        self._head.setSpacing(theme.S)
        self.title = label(title, "cardTitle")
        self.note = label(note, "muted")
        self._head.addWidget(self.title)
        self._head.addWidget(self.note)
        self._head.addStretch(1)
        if title:
            outer.addLayout(self._head)
        self.body = QVBoxLayout()
        self.body.setSpacing(theme.S)
        outer.addLayout(self.body, 1)

    def add_action(self, widget: QWidget) -> None:
        """Add a small widget at the right of the title."""
        self._head.addWidget(widget)

    def let_table_fill(self) -> None:
        """Remove the margins, so that a table fills the card up to its border."""
        self._outer.setContentsMargins(0, theme.S, 0, 0)
        self._head.setContentsMargins(theme.L, 0, theme.S, 0)


class Figure(QFrame):
    """One number with its name above and a note below."""

    def __init__(self, name: str, tip: str = "") -> None:
        super().__init__()
        self.setObjectName("card")
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.M + 2, theme.M, theme.M, theme.M)
        column.setSpacing(2)
        self._value = label("–", "figure")
        self._note = ElidedLabel("", "figureNote")
        column.addWidget(label(name, "figureName"))
        column.addWidget(self._value)
        column.addWidget(self._note)
        self.setToolTip(tip)

    def show_value(self, value: str, note: str = "", tone: str = "") -> None:
        """Show a number as text; `tone` (danger, warning, success) colours the note."""
        # Compared first: even the same text would lay the row out again, twice a second.
        if self._value.text() != value:
            self._value.setText(value)
        if self._note.text() != note:
            self._note.setText(note)
        if self._note.property("tone") != tone:
            theme.set_style_property(self._note, "tone", tone)

    @property
    def value(self) -> str:
        """The number as shown."""
        return self._value.text()


class FactList(QWidget):
    """Rows of name and value; values are selectable."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.L)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self._labels: list[PlainLabel] = []

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show these; a fact with an empty value is left out."""
        shown = [text for fact in facts if fact[1] for text in fact]
        # Labels are kept: new ones at each refresh would lose what the user has selected to copy.
        while len(self._labels) < len(shown):
            self._add_label()
        for at, made in enumerate(self._labels):
            made.setVisible(at < len(shown))
            if at < len(shown):
                made.setText(shown[at])

    def _add_label(self) -> None:
        at = len(self._labels)
        made = label("", "muted" if at % 2 == 0 else "", wrap=at % 2 == 1)
        if at % 2:
            made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._labels.append(made)
        self._grid.addWidget(made, at // 2, at % 2, Qt.AlignmentFlag.AlignTop)


class CardColumn(QWidget, Generic[T, C]):
    """A vertical list of cards, one per key, which keep their widgets across updates.

    `make` creates the card of a key, `fill` shows an item in a card.
    """

    def __init__(self, make: Callable[[str], C], fill: Callable[[C, T], None]) -> None:
        super().__init__()
        self.cards: dict[str, C] = {}
        self._make, self._fill = make, fill
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.S + 2)
        self._column.addStretch(1)

    async def show_items(self, items: Mapping[str, T]) -> None:
        """Show exactly these items, in this order, in slices of SLICE_S; not re-entrant."""
        started = time.perf_counter()
        for key in [key for key in self.cards if key not in items]:
            self._drop(key)
        for at, (key, item) in enumerate(items.items()):
            card = self.cards.get(key)
            new = card is None
            if card is None:
                card = self.cards[key] = self._make(key)
            if self._column.indexOf(card) != at:
                self._column.insertWidget(at, card)
            self._fill(card, item)
            # Qt applies the style sheet when a new card is first shown, which takes longer than creating it.
            if new or time.perf_counter() - started > SLICE_S:
                # Not 0: the loop would go on within its slice, without giving Qt the time to paint.
                await asyncio.sleep(0.001)
                started = time.perf_counter()

    def _drop(self, key: str) -> None:
        card = self.cards.pop(key)
        self._column.removeWidget(card)
        # `deleteLater` waits for the next pass of Qt; until then the card would still be drawn.
        card.hide()
        card.deleteLater()
