"""One option as a row: title and description at the left, the editor at the right, the error below."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.views import SettingView
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.forms.editors import Combo, Editor, Number, TextLine, TextList, Toggle
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.pills import Pill

# Saved at each key stroke, the port 8080 would first be 8, 80 and 808.
PAUSE_MS = 700
"""Milliseconds from the last key stroke until a text is saved."""

SAVED_MS = 1600


class SettingRow(QWidget):
    """`changed` carries the new value: at once for switches and choices, after a pause for texts."""

    changed = Signal(object)

    def __init__(self, view: SettingView, choices: list[tuple[str, Any]] | None) -> None:
        super().__init__()
        self.view = view
        self.editor = editor_for(view, choices)
        self.editor.focus_target().setAccessibleName(view.title)
        self.pause = QTimer(self)
        self.pause.setSingleShot(True)
        self.pause.timeout.connect(lambda: self.changed.emit(self.value()))
        at_once = isinstance(self.editor, Combo | Toggle)
        self.pause.setInterval(0 if at_once else PAUSE_MS)
        self.editor.edited.connect(self._on_edited)
        self._lay_out()

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, theme.XS, 0, theme.XS)
        row.setSpacing(theme.XL)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        head = QHBoxLayout()
        head.setSpacing(theme.S)
        self.locked = Pill("Set by config file or command line", "info")
        self.locked.hide()
        self.saved = Pill("Saved", "success")
        self.saved.hide()
        head.addWidget(label(self.view.title, "fieldLabel"))
        head.addWidget(self.locked)
        head.addWidget(self.saved)
        head.addStretch(1)
        self.error = label("", "fieldError", wrap=True)
        self.error.hide()
        texts.addStretch(1)
        texts.addLayout(head)
        texts.addWidget(label(self.view.description, "fieldHelp", wrap=True))
        texts.addWidget(self.error)
        texts.addStretch(1)
        row.addLayout(texts, 1)
        width = 34 if isinstance(self.editor, Toggle) else 260
        theme.scaled(self.editor, lambda it: it.setFixedWidth(theme.px(width)))
        if isinstance(self.editor, Number):
            theme.scaled(self.editor.line, lambda it: it.setMaximumWidth(theme.px(260)))
            self.editor.row.setStretch(0, 100)
        row.addWidget(self.editor, 0, Qt.AlignmentFlag.AlignVCenter)

    def value(self) -> Any:
        """The editor's value in the type of the option; an empty text is None if None is the default."""
        value = self.editor.value()
        # An editor returns 30 for the stored 30.0.
        if self.view.type == "number" and isinstance(value, int):
            return float(value)
        return None if value == "" and self.view.default is None else value

    def show_setting(self, view: SettingView, choices: list[tuple[str, Any]] | None) -> None:
        """Show the current value, unless the user is editing it or it has an error."""
        self.view = view
        self.locked.setVisible(view.locked)
        self.editor.set_locked(view.locked)
        if isinstance(self.editor, Combo) and choices is not None:
            self.editor.set_choices(choices)
        # Each saved setting refreshes all rows: text that is being typed, or was rejected, must not be replaced.
        if not self.pause.isActive() and self.error.isHidden() and self.value() != view.value:
            self.editor.set_value(view.value)

    def show_error(self, text: str) -> None:
        """Show an error below the description; an empty text removes it."""
        self.error.setText(text)
        self.error.setVisible(bool(text))
        theme.set_style_property(self.editor.focus_target(), "invalid", bool(text))

    def show_saved(self) -> None:
        """Show for a moment that the value was saved."""
        self.show_error("")
        self.saved.show()
        # With the pill as context: the timer is dropped if the page is closed first.
        QTimer.singleShot(SAVED_MS, self.saved, self.saved.hide)

    def _on_edited(self) -> None:
        self.show_error("")
        self.pause.start()


def editor_for(view: SettingView, choices: list[tuple[str, Any]] | None) -> Editor:
    """The editor for the type of an option."""
    if choices is not None:
        return Combo(choices)
    if view.choices:
        return Combo([(choice.capitalize(), choice) for choice in view.choices])
    match view.type:
        case "boolean":
            return Toggle()
        case "integer":
            return Number(placeholder=str(view.default))
        case "number":
            return Number(decimals=3, placeholder=str(view.default))
        case "array":
            return TextList("One per line")
        case _:
            return TextLine(str(view.default or "Empty"))
