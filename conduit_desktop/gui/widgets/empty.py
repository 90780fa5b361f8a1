"""What stands where nothing is yet: an icon, a sentence, and the way on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import Kind, button


class IconLabel(QWidget):
    """One icon of a fixed size that follows the theme, on an optional tinted ground."""

    def __init__(self, name: str, size: int = 16, tone: str = "text_muted", ground: str = "") -> None:
        super().__init__()
        self._size, self._ground, self._radius = size, ground, 12
        self.set_icon(name, tone)
        self.setFixedSize(*(2 * (size + (24 if ground else 0),)))

    def set_icon(self, name: str, tone: str) -> None:
        """Show another icon, or the same in another colour."""
        self._icon = theme.icon(name, tone, tone)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._ground:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour(self._ground))
            painter.drawRoundedRect(self.rect(), self._radius, self._radius)
        inset = (self.width() - self._size) // 2
        self._icon.paint(painter, self.rect().adjusted(inset, inset, -inset, -inset))


class EmptyState(QWidget):
    """A calm explanation in the middle, with buttons added by `add_button`."""

    def __init__(self, icon: str, title: str, text: str) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.XXL, theme.XXL, theme.XXL, theme.XXL)
        column.setSpacing(theme.S)
        column.addStretch(1)
        column.addWidget(IconLabel(icon, 24, "text_muted", "sunken"), 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(theme.XS)
        self.title = _centred(title, "emptyTitle")
        self.text = _centred(text, "muted")
        if not text:
            self.text.hide()
        self.text.setMaximumWidth(440)
        self.text.setMinimumWidth(min(220, 8 * len(text)))
        column.addWidget(self.title)
        # Between stretches, not aligned: an aligned label gets the height of its unwrapped hint, and loses its last line.
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(self.text)
        middle.addStretch(1)
        column.addLayout(middle)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(theme.S)
        self._buttons.addStretch(1)
        self._buttons.addStretch(1)
        column.addSpacing(theme.XS)
        column.addLayout(self._buttons)
        column.addStretch(1)

    def add_button(self, text: str, on_click: Callable[[], Any], kind: Kind = "primary", icon: str = "") -> EmptyState:
        """One more way on; returns itself, to be written in one expression."""
        self._buttons.insertWidget(self._buttons.count() - 1, button(text, kind, icon, on_click))
        return self


def _centred(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setWordWrap(True)
    return label
