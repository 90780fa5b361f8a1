"""The editors of a form: each has a value, says when the user changed it, and can show errors inside itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDoubleValidator, QWheelEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QPlainTextEdit, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import icon_button
from conduit_desktop.gui.widgets.forms.switch import Switch

WIDEST_LIST = 480
"""Pixels of a combo box's list, which may be wider than the box."""


class Editor(QWidget):
    """Something with a value. `edited` fires for the user's changes, never for `set_value`."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(theme.S)

    def value(self) -> Any:
        """What the user entered."""
        return None

    def set_value(self, value: Any) -> None:
        """Show `value`; None is empty."""

    def focus_target(self) -> QWidget:
        """The widget that takes the keyboard."""
        return self

    def show_error(self, inner: str, text: str) -> bool:
        """Show an error that belongs to a part of the value (`inner` is its path); False leaves it to the field."""
        return False

    def set_locked(self, locked: bool) -> None:
        """What the config file defines can be read here and not changed."""
        self.setEnabled(not locked)


class TextLine(Editor):
    """A line of text; the value has no white space at its ends."""

    def __init__(self, placeholder: str = "") -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setPlaceholderText(placeholder)
        self.line.textEdited.connect(self.edited)
        self.row.addWidget(self.line)

    def value(self) -> Any:
        return self.line.text().strip()

    def set_value(self, value: Any) -> None:
        self.line.setText("" if value is None else str(value))
        self.line.setCursorPosition(0)  # of a long text, the beginning tells more than the end

    def focus_target(self) -> QWidget:
        return self.line


class SecretText(TextLine):
    """A text shown as dots, with an eye."""

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
    """A number or nothing: `value()` is an int (no decimals), a float, or None; a text that is no number stays a text.

    Bounds are told by whoever checks the value, not enforced while typing.
    """

    def __init__(
        self, minimum: float | None = None, maximum: float | None = None, decimals: int = 0, unit: str = "", placeholder: str = ""
    ) -> None:
        super().__init__(placeholder)
        self._decimals = decimals
        check = QDoubleValidator(minimum if minimum is not None else -1e15, maximum if maximum is not None else 1e15, decimals)
        check.setNotation(QDoubleValidator.Notation.StandardNotation)
        self._check = check
        self.line.setMaximumWidth(180)
        if unit:
            label = QLabel(unit)
            label.setObjectName("muted")
            self.row.addWidget(label)
        self.row.addStretch(1)

    def value(self) -> Any:
        text = self.line.text().strip().replace(",", "").replace(" ", "")
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            return self.line.text().strip()
        return int(number) if number.is_integer() and not self._decimals else number

    def set_value(self, value: Any) -> None:
        if isinstance(value, float):
            value = f"{value:.9f}".rstrip("0").rstrip(".")
        super().set_value(value)


class TextArea(Editor):
    """Several lines."""

    def __init__(self, placeholder: str = "", mono: bool = False, height: int = 88) -> None:
        super().__init__()
        self.area = QPlainTextEdit()
        self.area.setPlaceholderText(placeholder)
        self.area.setFixedHeight(height)
        self.area.setTabChangesFocus(True)
        if mono:
            self.area.setFont(theme.font(12, mono=True))
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
    """A list of texts, one a line or with commas between."""

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(placeholder, height=72)

    def value(self) -> Any:
        return [part.strip() for part in re.split(r"[\n,]", self.area.toPlainText()) if part.strip()]

    def set_value(self, value: Any) -> None:
        super().set_value("\n".join(value or ()))


class ComboBox(QComboBox):
    """A combo box that does not change when the page is scrolled over it."""

    def __init__(self) -> None:
        super().__init__()
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
        self.combo.setMinimumContentsLength(8)  # the form gives it room; one long choice must not take it all
        self.combo.setEditable(editable)
        self.set_choices(choices)
        self.combo.activated.connect(lambda _: self.edited.emit())
        if (line := self.combo.lineEdit()) is not None:
            line.textEdited.connect(self.edited)
        self.row.addWidget(self.combo, 1)

    def set_choices(self, choices: Sequence[str | tuple[str, Any]]) -> None:
        """Offer other choices, keeping the value where it is still one."""
        before = self.value()
        self.combo.clear()
        for choice in choices:
            text, value = choice if isinstance(choice, tuple) else (choice, choice)
            self.combo.addItem(text, value)
        if before is not None:
            self.set_value(before)

    def value(self) -> Any:
        if self.combo.isEditable():
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
    """A switch with its label at its side."""

    def __init__(self) -> None:
        super().__init__()
        self.switch = Switch()
        self.label = QLabel()
        self.label.setObjectName("fieldLabel")
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
