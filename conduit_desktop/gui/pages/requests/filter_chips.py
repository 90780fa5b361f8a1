"""The active filters as buttons, each of which removes its own, and a button that removes all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QPushButton, QWidget

from conduit_desktop.core import shown_text
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.labels import plain_tooltip
from conduit_desktop.gui.widgets.layouts import FlowLayout

_LONGEST = 40
"""Characters of a filter that are shown; all of it is in the tooltip."""
Filter = tuple[str, str, Callable[[], None]]
"""The name of a filter, its value, and what removes it."""


class FilterChips(QWidget):
    """Hidden while no filter is active. `clear_all` removes all of them."""

    def __init__(self, clear_all: Callable[[], None]) -> None:
        super().__init__()
        self.chips: list[QPushButton] = []
        self._shown: list[tuple[str, str]] = []
        self._row = FlowLayout(self)
        self.clear_button = button("Clear all", "ghost", on_click=clear_all, tip="Remove all filters")
        self.hide()

    def show_filters(self, filters: Sequence[Filter]) -> None:
        """Show exactly these."""
        named = [(name, value) for name, value, _ in filters]
        if named == self._shown:
            return  # a new button would lose the focus at every refresh
        self._shown = named
        focused = any(chip.hasFocus() for chip in self.chips)
        while self._row.count():
            self._row.takeAt(0)
        for chip in self.chips:
            chip.hide()
            chip.deleteLater()
        self.chips = [_chip(*one) for one in filters]
        for made in (*self.chips, self.clear_button):
            self._row.addWidget(made)
            made.show()
        self.setVisible(bool(filters))
        if focused and self.chips:
            # With the keyboard, one filter is removed after the other.
            self.chips[0].setFocus()


def _chip(name: str, value: str, remove: Callable[[], None]) -> QPushButton:
    text = f"{name}: {shown_text.lines(value)}"
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    # An ampersand would mark a shortcut key.
    made = button(short.replace("&", "&&"), icon="x", on_click=remove)
    made.setAccessibleName(f"Remove the filter {text}")
    made.setToolTip(plain_tooltip(f"Remove the filter {text}"))
    return made
