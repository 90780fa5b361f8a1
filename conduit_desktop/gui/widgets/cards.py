"""Cards below each other, one a key, each the same widget across changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from PySide6.QtWidgets import QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme

T = TypeVar("T")
C = TypeVar("C", bound=QWidget)

AT_ONCE_S = 0.006
"""Work after which others have their turn: a long column of cards must cost no stream a frame."""


class Cards(QWidget, Generic[T, C]):
    """`make` gives a new card for a key, `fill` lets a card show a value."""

    def __init__(self, make: Callable[[str], C], fill: Callable[[C, T], None]) -> None:
        super().__init__()
        self.cards: dict[str, C] = {}
        self._make, self._fill = make, fill
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.S + 2)
        self._column.addStretch(1)

    async def show_items(self, items: Mapping[str, T]) -> None:
        """Show exactly these, in this order, a few at a time; never call it while it runs."""
        began = time.perf_counter()
        for key in [key for key in self.cards if key not in items]:
            self._drop(key)
        for at, (key, item) in enumerate(items.items()):
            card = self.cards.get(key)
            made = card is None
            if card is None:
                card = self.cards[key] = self._make(key)
            if self._column.indexOf(card) != at:
                self._column.insertWidget(at, card)
            self._fill(card, item)
            # Qt dresses a new card when it comes to show it: that takes longer than making it.
            if made or time.perf_counter() - began > AT_ONCE_S:
                await asyncio.sleep(0.001)
                began = time.perf_counter()

    def _drop(self, key: str) -> None:
        card = self.cards.pop(key)
        self._column.removeWidget(card)
        card.hide()
        card.deleteLater()
