"""The environment variables that an import takes, its preview, and the keys that it created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from conduit_desktop.actions.schemas.reports import ChangeView, ValueView, VariableView
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.buttons import icon_button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

_TONES = {"add": "success", "change": "warning", "same": "text_muted", "locked": "info", "remove": "danger"}
_CHANGES = {"add": "Add", "change": "Change", "same": "Unchanged", "locked": "Locked", "remove": "Remove"}
_COLUMNS: tuple[Column[ChangeView], ...] = (
    Column("Change", lambda one: _CHANGES[one.change], width=96, pill=True, colour=lambda one: _TONES[one.change]),
    Column("Kind", lambda one: one.kind, width=100, colour=lambda _: "text_muted"),
    Column("Name", lambda one: one.name, width=170, bold=True),
    # A host belongs to who owns the end of its name.
    Column("Host", lambda one: one.host or "", width=190, colour=lambda _: "text_muted", elide_start=True),
    Column("Values", lambda one: _lines(one, "; "), tooltip=lambda one: _lines(one, "\n")),
)


def _lines(change: ChangeView, between: str) -> str:
    return between.join(map(_value_line, change.values))


def _value_line(value: ValueView) -> str:
    after = "none" if value.after is None else value.after
    return f"{value.field}: {after}" if value.before is None else f"{value.field}: {value.before} → {after}"


class ImportVariablesDialog(Dialog):
    """The environment variables that a file takes; it goes on only once each is ticked."""

    def __init__(self, parent: QWidget | None, variables: Sequence[VariableView]) -> None:
        super().__init__(parent, "Let the file take these environment variables?", "Continue", width=620)
        text = "The file reads these variables of the gateway's process. What a provider takes is sent to its host."
        self.body.addWidget(label(text, "muted", wrap=True))
        self.boxes = {one.name: QCheckBox() for one in variables}
        for one in variables:
            box = self.boxes[one.name]
            box.setAccessibleName(one.name)
            box.toggled.connect(self._allow_all)
            where = ", ".join(one.used_in) + (f" – sent to {', '.join(one.hosts)}" if one.hosts else "")
            row = QHBoxLayout()
            row.setSpacing(theme.S)
            # Labels of their own: the text of a check box reads `&` as a shortcut.
            row.addWidget(box)
            row.addWidget(label(one.name, "mono"))
            row.addWidget(label(where, "muted", wrap=True), 1)
            self.body.addLayout(row)
        self._allow_all()

    def _allow_all(self) -> None:
        self.primary.setEnabled(all(box.isChecked() for box in self.boxes.values()))


class ImportPreviewDialog(Dialog):
    """The changes that an import would make; accepting applies them."""

    def __init__(self, parent: QWidget | None, changes: Sequence[ChangeView]) -> None:
        super().__init__(parent, "Import this configuration?", "Import", width=960)
        # Entries defined by the config file are locked: an import cannot change them.
        real = [one for one in changes if one.change not in ("same", "locked")]
        self.body.addWidget(
            label(f"{len(real)} of {len(changes)} entries would change. Entries that are not in the file are kept.", "muted")
        )
        self.table: TableView[ChangeView] = TableView(
            TableModel(_COLUMNS, key=lambda one: (one.kind, one.name)), EmptyState("file-text", "The file has no entries", "")
        )
        theme.scaled(self.table, lambda it: it.setMinimumHeight(theme.tall(300)))
        self.table.model.set_rows(changes)
        self.body.addWidget(self.table, 1)
        self.primary.setEnabled(bool(real))


class ImportedKeysDialog(Dialog):
    """The keys that an import created; they cannot be shown again."""

    def __init__(self, parent: QWidget | None, ui: Ui, keys: Mapping[str, str]) -> None:
        super().__init__(parent, "New virtual keys", "Done", width=620)
        self.cancel.hide()
        self.body.addWidget(Banner("warning", "Copy the keys now. Only hashes of them are stored, so they cannot be shown again."))
        for name, key in keys.items():
            row = QHBoxLayout()
            row.setSpacing(theme.S)
            row.addWidget(label(name, "fieldLabel"))
            row.addStretch(1)
            row.addWidget(label(key, "mono"))
            row.addWidget(icon_button("copy", f"Copy the key of {name}", partial(ui.copy, key)))
            self.body.addLayout(row)
