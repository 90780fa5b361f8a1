"""A segmented control: a choice among a few values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton


class Segments(QFrame):
    """One value is always chosen; `chosen` carries the value that the user picks."""

    chosen = Signal(object)

    def __init__(self, choices: Sequence[tuple[str, Any]], name: str = "") -> None:
        super().__init__()
        self.setObjectName("segments")
        self.setAccessibleName(name)
        self._values = [value for _, value in choices]
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(2)
        for place, (text, _) in enumerate(choices):
            button = QPushButton(text)
            button.setCheckable(True)
            button.setAutoDefault(False)
            self._group.addButton(button, place)
            row.addWidget(button)
        self._group.button(0).setChecked(True)
        # Not `idToggled`, which is emitted for `set_value` as well.
        self._group.idClicked.connect(lambda place: self.chosen.emit(self._values[place]))

    def value(self) -> Any:
        """The value of the choice."""
        return self._values[self._group.checkedId()]

    def set_value(self, value: Any) -> None:
        """Choose a value without emitting `chosen`."""
        self._group.button(self._values.index(value)).setChecked(True)

    def button(self, value: Any) -> QPushButton:
        """The button of a value, for tests."""
        found = self._group.button(self._values.index(value))
        assert isinstance(found, QPushButton)
        return found
