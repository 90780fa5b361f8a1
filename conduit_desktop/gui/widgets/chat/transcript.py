"""The conversation as a column of cards that stays scrolled to the end until the user scrolls up."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button

WIDEST = 820
"""Pixels: longer lines are hard to read."""
_NEAR = 32
"""Pixels from the end that still count as the end."""


class Transcript(QScrollArea):
    """A scroll area of cards, newest last."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transcript")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.following = True
        page = QWidget()
        page.setObjectName("transcriptPage")
        across = QHBoxLayout(page)
        across.setContentsMargins(2, 16, 2, 16)
        middle = QWidget()
        theme.scaled(middle, lambda it: it.setMaximumWidth(theme.px(WIDEST)))
        across.addWidget(middle)
        self._column = QVBoxLayout(middle)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(22)
        self._column.addStretch(1)
        self.setWidget(page)
        self.latest = button("Jump to latest", icon="arrow-down", on_click=self.follow)
        # In no layout: it floats over the end of the conversation.
        self.latest.setParent(self)
        self.latest.hide()
        self.verticalScrollBar().valueChanged.connect(self.on_scrolled)
        self.verticalScrollBar().rangeChanged.connect(self.on_range_changed)

    def cards(self) -> list[QWidget]:
        """All cards, oldest first."""
        items = (self._column.itemAt(index) for index in range(self._column.count()))
        return [widget for item in items if item is not None and (widget := item.widget()) is not None]

    def add(self, card: QWidget) -> None:
        """Append a card."""
        # Before the stretch, which keeps a short conversation at the top.
        self._column.insertWidget(self._column.count() - 1, card)

    def drop_from(self, card: QWidget) -> None:
        """Remove `card` and all cards after it."""
        cards = self.cards()
        for gone in cards[cards.index(card) :]:
            self._column.removeWidget(gone)
            gone.hide()
            gone.deleteLater()

    def clear(self) -> None:
        """Remove all cards."""
        if cards := self.cards():
            self.drop_from(cards[0])
        self.following = True

    def follow(self) -> None:
        """Scroll to the end and stay there."""
        self.following = True
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self._show_latest()

    def on_scrolled(self, value: int) -> None:
        """The position changed: within _NEAR pixels of the end, follow the end."""
        # A few pixels are tolerated: a scroll by wheel or touchpad rarely ends exactly at the end.
        self.following = value >= self.verticalScrollBar().maximum() - _NEAR
        self._show_latest()

    def on_range_changed(self, _low: int, high: int) -> None:
        """The content grew: stay at the end while following."""
        if self.following:
            self.verticalScrollBar().setValue(high)
        self._show_latest()

    def _show_latest(self) -> None:
        self.latest.setVisible(not self.following)
        self.latest.adjustSize()
        self.latest.move((self.width() - self.latest.width()) // 2, self.height() - self.latest.height() - 12)
        self.latest.raise_()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_latest()
