"""The placeholder of an empty page or table: an icon, a sentence, and buttons for the next step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import Kind, button
from conduit_desktop.gui.widgets.icons import IconLabel
from conduit_desktop.gui.widgets.labels import PlainLabel, label


class EmptyState(QWidget):
    """A centred title and explanation, with buttons added by `add_button`."""

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
        theme.scaled(self.text, lambda it: it.setMaximumWidth(theme.px(440)))
        self.text.setMinimumWidth(theme.px(min(220, 8 * len(text))))
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
        """Add a button; returns the widget itself, so that calls can be chained."""
        self._buttons.insertWidget(self._buttons.count() - 1, button(text, kind, icon, on_click))
        return self


def _centred(text: str, name: str) -> PlainLabel:
    made = label(text, name)
    made.setAlignment(Qt.AlignmentFlag.AlignCenter)
    made.setWordWrap(True)
    return made
