"""Editors of a list of rows, and the one whose rows are a few small fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

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


class Row(Editor):
    """One row of a list, with its error below."""

    removed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.error = PlainLabel("", "fieldError")
        self.error.hide()

    def show_error(self, inner: str, text: str) -> bool:
        self.error.setText(text)
        self.error.setVisible(bool(text))
        return True


R = TypeVar("R", bound=Row)


class RowList(Editor, Generic[R]):
    """Rows below each other and a button that adds one; `value()` is a list of dicts. Subclasses make the rows."""

    def __init__(self, add: str) -> None:
        super().__init__()
        self.rows: list[R] = []
        column = QVBoxLayout()
        column.setSpacing(theme.S)
        self._list = QVBoxLayout()
        self._list.setSpacing(theme.XS + 2)
        column.addLayout(self._list)
        self.add_button = button(add, icon="plus", on_click=self.on_add)
        column.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.row.addLayout(column)

    def new_row(self, values: dict[str, Any]) -> R:
        """A row with these values, for `add_row`."""
        raise NotImplementedError

    def on_rows_changed(self) -> None:
        """Rows were added, moved or removed; called before `edited` is emitted."""

    def add_row(self, values: dict[str, Any]) -> R:
        """Add a row with these values at the end."""
        row = self.new_row(values)
        row.edited.connect(self.edited)
        row.removed.connect(lambda: self._on_removed(row))
        self.rows.append(row)
        self._list.addWidget(row)
        self.on_rows_changed()
        return row

    def on_add(self) -> None:
        """Add an empty row."""
        self.add_row({}).focus_target().setFocus()
        self.edited.emit()

    def value(self) -> Any:
        return [row.value() for row in self.rows]

    def set_value(self, value: Any) -> None:
        for row in self.rows:
            self._drop(row)
        self.rows.clear()
        for values in value or ():
            self.add_row(dict(values))

    def focus_target(self) -> QWidget:
        return self.add_button

    def show_error(self, inner: str, text: str) -> bool:
        for row in self.rows:
            row.show_error("", "")
        place, _, rest = inner.partition(".")
        if not text or not place.isdigit() or int(place) >= len(self.rows):
            return False
        return self.rows[int(place)].show_error(rest, text)

    def _on_removed(self, row: R) -> None:
        self.rows.remove(row)
        self._drop(row)
        self.on_rows_changed()
        self.edited.emit()

    def _drop(self, row: R) -> None:
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()


class Rows(RowList["_FieldsRow"]):
    """Rows of small fields, each with a button that removes it."""

    def __init__(self, columns: Sequence[RowField], add: str = "Add") -> None:
        super().__init__(add)
        self.columns = tuple(columns)

    def new_row(self, values: dict[str, Any]) -> _FieldsRow:
        return _FieldsRow(self.columns, values)

    def set_choices(self, column: str, choices: Sequence[str | tuple[str, Any]]) -> None:
        """Replace the choices of a combo column in existing and future rows."""
        self.columns = tuple(replace(c, choices=tuple(choices)) if c.name == column else c for c in self.columns)
        for row in self.rows:
            editor = row.editors[column]
            if isinstance(editor, Combo):
                editor.set_choices(choices)


class _FieldsRow(Row):
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
        outer.addWidget(self.error)
        self.row.addLayout(outer)

    def value(self) -> Any:
        # Values without a column are kept: saving must not drop what this editor does not show.
        return {**self._kept, **{name: editor.value() for name, editor in self.editors.items()}}

    def focus_target(self) -> QWidget:
        return next(iter(self.editors.values())).focus_target()


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
