"""Forms: each field has a label, an editor, a help text, and its error below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.forms.editors import (
    Combo,
    Editor,
    Number,
    SecretText,
    TextArea,
    TextLine,
    TextList,
    Toggle,
)
from conduit_desktop.gui.widgets.forms.row_editor import RowField, Rows
from conduit_desktop.gui.widgets.labels import PlainLabel, label

Choices = Sequence[str | tuple[str, Any]]
"""Texts, or pairs of text and value."""


class FormField(QWidget):
    """One field. `path` is its name in the values and in errors; a toggle has its label to its right."""

    def __init__(self, path: str, label: str, editor: Editor, help: str = "", required: bool = False) -> None:
        super().__init__()
        self.path = path
        self.editor = editor
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.XS)
        self.label = PlainLabel(f"{label} *" if required else label, "fieldLabel")
        self.label.setBuddy(editor.focus_target())
        editor.focus_target().setAccessibleName(label)
        if isinstance(editor, Toggle):
            editor.setText(label)
        else:
            column.addWidget(self.label)
        column.addWidget(editor)
        self.help = _line(help, "fieldHelp")
        self.error = _line("", "fieldError")
        column.addWidget(self.help)
        column.addWidget(self.error)

    def show_error(self, text: str) -> None:
        """Show an error below the field; an empty text removes it."""
        self.error.setText(text)
        self.error.setVisible(bool(text))
        # The error takes the place of the help, so that the fields below hardly move.
        self.help.setVisible(bool(self.help.text()) and not text)
        theme.set_style_property(self.editor.focus_target(), "invalid", bool(text))


class Form(QWidget):
    """Fields below each other. `changed` carries the path of the field the user touched.

    `values()` gives every field's value by path; dotted paths (`timeouts.idle_s`) are kept as they are.
    """

    changed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, FormField] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.L)
        self.error = _line("", "formError")
        self._column.addWidget(self.error)
        self._column.addStretch(1)

    def add(self, path: str, label: str, editor: Editor, help: str = "", required: bool = False) -> FormField:
        """Add a field with an editor of any kind."""
        field = FormField(path, label, editor, help, required)
        self.fields[path] = field
        # Before the error of the whole form and the stretch, which stay last.
        self._column.insertWidget(self._column.count() - 2, field)
        editor.edited.connect(lambda: self._on_edited(path))
        return field

    def add_widget(self, widget: QWidget) -> None:
        """Add a widget that is not a field, such as a heading, at the end of the form."""
        self._column.insertWidget(self._column.count() - 2, widget)

    def add_text(self, path: str, label: str, help: str = "", placeholder: str = "", required: bool = False) -> FormField:
        """A line of text."""
        return self.add(path, label, TextLine(placeholder), help, required)

    def add_area(self, path: str, label: str, help: str = "", placeholder: str = "", mono: bool = False) -> FormField:
        """Several lines of text."""
        return self.add(path, label, TextArea(placeholder, mono), help)

    def add_secret(self, path: str, label: str, help: str = "", placeholder: str = "", required: bool = False) -> FormField:
        """A masked text with a button that reveals it."""
        return self.add(path, label, SecretText(placeholder), help, required)

    def add_number(
        self, path: str, label: str, help: str = "", *, decimals: int = 0, unit: str = "", placeholder: str = "",
        optional: bool = True,
    ) -> FormField:  # fmt: skip
        """A number; empty is None where `optional`."""
        return self.add(path, label, Number(decimals, unit, placeholder), help, not optional)

    def add_combo(self, path: str, label: str, choices: Choices, help: str = "", editable: bool = False) -> FormField:
        """One of several values; `editable` lets the user type another."""
        return self.add(path, label, Combo(choices, editable), help)

    def add_toggle(self, path: str, label: str, help: str = "") -> FormField:
        """Yes or no."""
        return self.add(path, label, Toggle(), help)

    def add_list(self, path: str, label: str, help: str = "", placeholder: str = "") -> FormField:
        """Texts, one per line or separated by commas."""
        return self.add(path, label, TextList(placeholder), help)

    def add_rows(self, path: str, label: str, columns: Sequence[RowField], help: str = "", add: str = "Add") -> FormField:
        """Rows of small fields; the value is a list of dicts. Errors at `path.N.column` are shown in the row."""
        return self.add(path, label, Rows(columns, add), help)

    def value(self, path: str) -> Any:
        """One field's value."""
        return self.fields[path].editor.value()

    def values(self) -> dict[str, Any]:
        """Every field's value by path."""
        return {path: field.editor.value() for path, field in self.fields.items()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set the named fields; the others keep their values. Does not emit `changed`."""
        for path, value in values.items():
            if path in self.fields:
                self.fields[path].editor.set_value(value)

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Show each error at the field with the longest matching path; the others at the end of the form."""
        self.clear_errors()
        rest: list[str] = []
        for path, text in errors.items():
            field = self._field_of(path)
            if field is None:
                rest.append(text)
                continue
            inner = path[len(field.path) :].lstrip(".")
            if not field.editor.show_error(inner, text):
                field.show_error(text)
        self.error.setText("\n".join(rest))
        self.error.setVisible(bool(rest))
        first = next((f for f in self.fields.values() if f.error.text()), None)
        if first is not None:
            first.editor.focus_target().setFocus()

    def clear_errors(self) -> None:
        """Remove all errors."""
        self.error.hide()
        for field in self.fields.values():
            field.show_error("")
            field.editor.show_error("", "")

    def _field_of(self, path: str) -> FormField | None:
        while path:
            if path in self.fields:
                return self.fields[path]
            path = path.rpartition(".")[0]
        return None

    def _on_edited(self, path: str) -> None:
        self.fields[path].show_error("")
        self.changed.emit(path)


def _line(text: str, name: str) -> PlainLabel:
    made = label(text, name, wrap=True)
    if not text:  # hidden, not shown later: show() without a parent opens a window for a moment
        made.hide()
    return made
