"""The editors of a form: each has a value and emits `edited` when the user changes it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QPlainTextEdit, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import icon_button
from conduit_desktop.gui.widgets.forms.switch import Switch
from conduit_desktop.gui.widgets.labels import PlainLabel

_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_EXACT = 2**53
"""From there on a float would change the digits that were typed, and JSON has neither NaN nor infinity."""
WIDEST_LIST = 480
"""Pixels of a combo box's list, which may be wider than the box."""


class Editor(QWidget):
    """A widget with a value. `edited` is emitted for changes by the user, never for `set_value`."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(theme.S)

    def value(self) -> Any:
        """The entered value."""
        return None

    def set_value(self, value: Any) -> None:
        """Show `value`; None is empty."""

    def focus_target(self) -> QWidget:
        """The widget that receives the keyboard focus."""
        return self

    def show_error(self, inner: str, text: str) -> bool:
        """Show an error of a part of the value (`inner` is its path); False if the field has to show it."""
        return False

    def set_locked(self, locked: bool) -> None:
        """Make the editor read-only: the config file defines the value."""
        self.setEnabled(not locked)


class TextLine(Editor):
    """A line of text; the value is stripped."""

    def __init__(self, placeholder: str = "") -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setPlaceholderText(placeholder)
        # Not `textChanged`, which is emitted for `set_value` as well.
        self.line.textEdited.connect(self.edited)
        self.row.addWidget(self.line)

    def value(self) -> Any:
        return self.line.text().strip()

    def set_value(self, value: Any) -> None:
        self.line.setText("" if value is None else str(value))
        self.line.setCursorPosition(0)  # show the beginning of a long text

    def focus_target(self) -> QWidget:
        return self.line


class SecretText(TextLine):
    """A masked text with a button that reveals it."""

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(placeholder)
        self.line.setEchoMode(QLineEdit.EchoMode.Password)
        self.eye = icon_button("eye", "Show", checkable=True)
        self.eye.toggled.connect(self._on_toggled)
        self.row.addWidget(self.eye)

    def _on_toggled(self, shown: bool) -> None:
        self.line.setEchoMode(QLineEdit.EchoMode.Normal if shown else QLineEdit.EchoMode.Password)
        self.eye.setToolTip("Hide" if shown else "Show")


class Number(TextLine):
    """A number or nothing: `value()` is an int (no decimals), a float, or None; a text that is not a number is returned as it is.

    The bounds are checked by the action that saves the value.
    """

    def __init__(self, decimals: int = 0, unit: str = "", placeholder: str = "") -> None:
        super().__init__(placeholder)
        self._decimals = decimals
        theme.scaled(self.line, lambda it: it.setMaximumWidth(theme.px(180)))
        if unit:
            self.row.addWidget(PlainLabel(unit, "muted"))
        self.row.addStretch(1)

    def value(self) -> Any:
        # Pasted numbers have spaces, and this window writes thousands with commas itself. Any other comma may be a decimal one.
        text = self.line.text().strip().replace(" ", "")
        if _THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not abs(number) < _EXACT:
            # Not None, which would be saved as empty: the action rejects the text and names the field.
            return self.line.text().strip()
        return int(number) if number.is_integer() and not self._decimals else number

    def set_value(self, value: Any) -> None:
        if isinstance(value, float):
            # Python writes small prices with an exponent (1e-07); nine decimals are a nano-dollar.
            value = f"{value:.9f}".rstrip("0").rstrip(".")
        super().set_value(value)


class TextArea(Editor):
    """Several lines."""

    def __init__(self, placeholder: str = "", mono: bool = False, height: int = 88) -> None:
        super().__init__()
        self.area = QPlainTextEdit()
        self.area.setPlaceholderText(placeholder)
        theme.scaled(self.area, lambda it: it.setFixedHeight(theme.px(height)))
        self.area.setTabChangesFocus(True)
        if mono:
            theme.scaled(self.area, lambda it: it.setFont(theme.font(12, mono=True)))
        # QPlainTextEdit has no signal for the user's edits alone.
        self._quiet = False
        self.area.textChanged.connect(lambda: None if self._quiet else self.edited.emit())
        self.row.addWidget(self.area)

    def value(self) -> Any:
        return self.area.toPlainText()

    def set_value(self, value: Any) -> None:
        self._quiet = True
        self.area.setPlainText("" if value is None else str(value))
        self._quiet = False

    def focus_target(self) -> QWidget:
        return self.area


class TextList(TextArea):
    """A list of texts, one per line or separated by commas."""

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(placeholder, height=72)

    def value(self) -> Any:
        return [part.strip() for part in re.split(r"[\n,]", self.area.toPlainText()) if part.strip()]

    def set_value(self, value: Any) -> None:
        super().set_value("\n".join(value or ()))


class ComboBox(QComboBox):
    """A combo box that ignores the wheel unless it has the focus, so that scrolling a page does not change it."""

    def __init__(self) -> None:
        super().__init__()
        # With Qt's default for combo boxes, the wheel itself would give the focus.
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMaxVisibleItems(14)
        self.view().setTextElideMode(Qt.TextElideMode.ElideRight)

    def showPopup(self) -> None:
        self.view().setMinimumWidth(min(WIDEST_LIST, self.view().sizeHintForColumn(0) + 32))
        super().showPopup()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Combo(Editor):
    """One of several; `choices` are texts or pairs of text and value."""

    def __init__(self, choices: Sequence[str | tuple[str, Any]] = (), editable: bool = False) -> None:
        super().__init__()
        self.combo = ComboBox()
        self.combo.setSizeAdjustPolicy(ComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(8)  # the layout sets the width, not the longest choice
        self.combo.setEditable(editable)
        self.set_choices(choices)
        # Not `currentIndexChanged`, which is emitted for `set_value` and `set_choices` as well.
        self.combo.activated.connect(lambda _: self.edited.emit())
        if (line := self.combo.lineEdit()) is not None:
            line.textEdited.connect(self.edited)
        self.row.addWidget(self.combo, 1)

    def set_choices(self, choices: Sequence[str | tuple[str, Any]]) -> None:
        """Replace the choices; the value is kept if it is still one of them."""
        before = self.value()
        self.combo.clear()
        for choice in choices:
            text, value = choice if isinstance(choice, tuple) else (choice, choice)
            self.combo.addItem(text, value)
        if before is not None:
            self.set_value(before)

    def value(self) -> Any:
        if self.combo.isEditable():
            # A typed text that equals a choice means that choice, whose value may differ from its text.
            at = self.combo.findText(self.combo.currentText())
            return self.combo.itemData(at) if at >= 0 else self.combo.currentText().strip()
        return self.combo.currentData()

    def set_value(self, value: Any) -> None:
        at = next((at for at in range(self.combo.count()) if self.combo.itemData(at) == value), -1)
        if at >= 0 or not self.combo.isEditable():
            self.combo.setCurrentIndex(max(at, 0))
        else:
            self.combo.setEditText("" if value is None else str(value))
        if (line := self.combo.lineEdit()) is not None:
            line.setCursorPosition(0)

    def focus_target(self) -> QWidget:
        return self.combo


class Toggle(Editor):
    """A switch with its label to its right."""

    def __init__(self) -> None:
        super().__init__()
        self.switch = Switch()
        self.label = PlainLabel("", "fieldLabel")
        self.label.hide()
        self.switch.clicked.connect(lambda: self.edited.emit())
        self.row.addWidget(self.switch)
        self.row.addWidget(self.label, 1)

    def setText(self, text: str) -> None:
        """The label."""
        self.label.setText(text)
        self.label.setVisible(bool(text))

    def value(self) -> Any:
        return self.switch.isChecked()

    def set_value(self, value: Any) -> None:
        self.switch.setChecked(bool(value))

    def focus_target(self) -> QWidget:
        return self.switch
