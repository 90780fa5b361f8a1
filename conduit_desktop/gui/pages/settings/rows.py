"""One option as a row: what it is at the left, its editor at the right, its error below."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.views import SettingView
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.card import Pill, label
from conduit_desktop.gui.widgets.forms.editors import Combo, Editor, Number, TextLine, TextList, Toggle

PAUSE_MS = 700
"""After the last key stroke, before a text is taken as meant."""

SAVED_MS = 1600


class SettingRow(QWidget):
    """`changed` carries the new value: at once for choices, after a pause for texts."""

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
        words = QVBoxLayout()
        words.setSpacing(2)
        head = QHBoxLayout()
        head.setSpacing(theme.S)
        self.locked = Pill("set by the config file or at the start", "info")
        self.locked.hide()
        self.saved = Pill("saved", "success")
        self.saved.hide()
        head.addWidget(label(self.view.title, "fieldLabel"))
        head.addWidget(self.locked)
        head.addWidget(self.saved)
        head.addStretch(1)
        self.error = label("", "fieldError", wrap=True)
        self.error.hide()
        words.addStretch(1)
        words.addLayout(head)
        words.addWidget(label(self.view.description, "fieldHelp", wrap=True))
        words.addWidget(self.error)
        words.addStretch(1)
        row.addLayout(words, 1)
        self.editor.setFixedWidth(34 if isinstance(self.editor, Toggle) else 260)
        if isinstance(self.editor, Number):
            self.editor.line.setMaximumWidth(260)
            self.editor.row.setStretch(0, 100)
        row.addWidget(self.editor, 0, Qt.AlignmentFlag.AlignVCenter)

    def value(self) -> Any:
        """The editor's value as the option takes it; an emptied number goes back to the default."""
        value = self.editor.value()
        if self.view.type == "number" and isinstance(value, int):
            return float(value)
        return None if value == "" and self.view.default is None else value

    def show_setting(self, view: SettingView, choices: list[tuple[str, Any]] | None) -> None:
        """Show the value that holds, unless the user is just changing it or has to mend it."""
        self.view = view
        self.locked.setVisible(view.locked)
        self.editor.set_locked(view.locked)
        if isinstance(self.editor, Combo) and choices is not None:
            self.editor.set_choices(choices)
        if not self.pause.isActive() and self.error.isHidden() and self.value() != view.value:
            self.editor.set_value(view.value)

    def show_error(self, text: str) -> None:
        """Say what is wrong with the value."""
        self.error.setText(text)
        self.error.setVisible(bool(text))
        target = self.editor.focus_target()
        target.setProperty("invalid", bool(text))
        target.style().unpolish(target)
        target.style().polish(target)

    def show_saved(self) -> None:
        """A word that it is kept, for a moment."""
        self.show_error("")
        self.saved.show()
        QTimer.singleShot(SAVED_MS, self.saved, self.saved.hide)

    def _on_edited(self) -> None:
        self.show_error("")
        self.pause.start()


def editor_for(view: SettingView, choices: list[tuple[str, Any]] | None) -> Editor:
    """The editor of an option's type."""
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
            return TextList("One a line")
        case _:
            return TextLine(str(view.default or "Empty"))
