"""An editor of a list of rows, each with a few small fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.forms.editors import Combo, Editor, Number, SecretText, TextLine
from conduit_desktop.gui.widgets.labels import PlainLabel


@dataclass(frozen=True)
class RowField:
    """A column of a `Rows` editor. `choices` belong to kind `combo` (editable, so that a new name can be typed)."""

    name: str
    label: str
    kind: Literal["text", "secret", "number", "combo"] = "text"
    choices: Sequence[str | tuple[str, Any]] = ()
    placeholder: str = ""
    stretch: int = 1
    default: Any = None


class Rows(Editor):
    """A list of rows of small fields, each with a button that removes it; `value()` is a list of dicts."""

    def __init__(self, columns: Sequence[RowField], add: str = "Add") -> None:
        super().__init__()
        self.columns = tuple(columns)
        self.lines: list[_RowLine] = []
        column = QVBoxLayout()
        column.setSpacing(theme.S)
        self._list = QVBoxLayout()
        self._list.setSpacing(theme.XS + 2)
        column.addLayout(self._list)
        self.add_button = button(add, icon="plus", on_click=self._on_add)
        column.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.row.addLayout(column)

    def add_row(self, values: dict[str, Any] | None = None) -> _RowLine:
        """Add a row with these values."""
        line = _RowLine(self.columns, values or {})
        line.edited.connect(self.edited)
        line.removed.connect(lambda: self._on_removed(line))
        self.lines.append(line)
        self._list.addWidget(line)
        return line

    def value(self) -> Any:
        return [line.value() for line in self.lines]

    def set_value(self, value: Any) -> None:
        for line in self.lines:
            self._drop(line)
        self.lines.clear()
        for row in value or ():
            self.add_row(dict(row))

    def set_choices(self, column: str, choices: Sequence[str | tuple[str, Any]]) -> None:
        """Replace the choices of a combo column in existing and future rows."""
        # In the columns too: a row that is added later is made from them.
        self.columns = tuple(replace(c, choices=tuple(choices)) if c.name == column else c for c in self.columns)
        for line in self.lines:
            editor = line.editors[column]
            if isinstance(editor, Combo):
                editor.set_choices(choices)

    def show_error(self, inner: str, text: str) -> bool:
        for line in self.lines:
            line.show_error("", "")
        place, _, column = inner.partition(".")
        if not text or not place.isdigit() or int(place) >= len(self.lines):
            return False
        return self.lines[int(place)].show_error(column, text)

    def focus_target(self) -> QWidget:
        return self.add_button

    def _on_add(self) -> None:
        line = self.add_row()
        line.focus_target().setFocus()
        self.edited.emit()

    def _on_removed(self, line: _RowLine) -> None:
        self.lines.remove(line)
        self._drop(line)
        self.edited.emit()

    def _drop(self, line: _RowLine) -> None:
        self._list.removeWidget(line)
        line.hide()
        line.deleteLater()


class _RowLine(Editor):
    removed = Signal()

    def __init__(self, columns: Sequence[RowField], values: dict[str, Any]) -> None:
        super().__init__()
        self.editors: dict[str, Editor] = {}
        self._kept = values
        outer = QVBoxLayout()
        outer.setSpacing(2)
        line = QHBoxLayout()
        line.setSpacing(theme.S)
        for column in columns:
            editor = _row_editor(column)
            editor.set_value(values.get(column.name, column.default))
            editor.edited.connect(self.edited)
            editor.focus_target().setAccessibleName(column.label)
            editor.focus_target().setToolTip(column.label)
            self.editors[column.name] = editor
            line.addWidget(editor, column.stretch)
        line.addWidget(icon_button("x", "Remove", self.removed.emit))
        outer.addLayout(line)
        self._error = PlainLabel("", "fieldError")
        self._error.hide()
        outer.addWidget(self._error)
        self.row.addLayout(outer)

    def value(self) -> Any:
        # Values without a column are kept: saving must not drop what this editor does not show.
        return {**self._kept, **{name: editor.value() for name, editor in self.editors.items()}}

    def focus_target(self) -> QWidget:
        return next(iter(self.editors.values())).focus_target()

    def show_error(self, inner: str, text: str) -> bool:
        self._error.setText(text)
        self._error.setVisible(bool(text))
        return True


def _row_editor(column: RowField) -> Editor:
    placeholder = column.placeholder or column.label
    match column.kind:
        case "secret":
            return SecretText(placeholder)
        case "number":
            return Number(placeholder=placeholder)
        case "combo":
            made = Combo(column.choices, editable=True)
            if (line := made.combo.lineEdit()) is not None:
                line.setPlaceholderText(placeholder)
            return made
        case _:
            return TextLine(placeholder)
