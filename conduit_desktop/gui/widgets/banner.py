"""A strip above a page or in a dialog for a message that needs attention, with buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from PySide6.QtWidgets import QFrame, QHBoxLayout

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import Kind, button
from conduit_desktop.gui.widgets.icons import IconLabel
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.layouts import clear

Tone = Literal["info", "success", "warning", "danger"]
ICONS: dict[str, str] = {"info": "info", "success": "check-circle", "warning": "warning", "danger": "warning-circle"}


class Banner(QFrame):
    """Hidden until `show_text`; buttons are set with each text."""

    def __init__(self, tone: Tone = "info", text: str = "") -> None:
        super().__init__()
        self.setObjectName("banner")
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.M, theme.S, theme.M, theme.S)
        row.setSpacing(theme.S)
        self._icon = IconLabel("info", 18)
        self.text = label("", "", wrap=True)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(theme.S)
        row.addWidget(self._icon)
        row.addWidget(self.text, 1)
        row.addLayout(self._buttons)
        if text:
            self._fill(text, tone)
        else:
            self.hide()

    def show_text(self, text: str, tone: Tone = "info", *actions: tuple[str, Kind, Callable[[], Any]]) -> None:
        """Show a message with buttons, each `(text, kind, callback)`."""
        clear(self._buttons)
        for title, kind, callback in actions:
            self._buttons.addWidget(button(title, kind, on_click=callback))
        self._fill(text, tone)
        self.show()

    def _fill(self, text: str, tone: Tone) -> None:
        self.text.setText(text)
        self._icon.set_icon(ICONS[tone], tone)
        theme.set_style_property(self, "tone", tone)
