"""The preview of an import, and the keys that it created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtWidgets import QHBoxLayout, QWidget

from conduit_desktop.actions.schemas.reports import ChangeView
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
    Column("Name", lambda one: one.name, bold=True),
    Column("Fields", lambda one: ", ".join(one.fields), width=200, colour=lambda _: "text_muted"),
)


class ImportPreviewDialog(Dialog):
    """The changes that an import would make; accepting applies them."""

    def __init__(self, parent: QWidget | None, changes: Sequence[ChangeView]) -> None:
        super().__init__(parent, "Import this configuration?", "Import", width=680)
        # Entries defined by the config file are locked: an import cannot change them.
        real = [one for one in changes if one.change not in ("same", "locked")]
        self.body.addWidget(
            label(f"{len(real)} of {len(changes)} entries would change. Entries that are not in the file are kept.", "muted")
        )
        self.table: TableView[ChangeView] = TableView(
            TableModel(_COLUMNS, key=lambda one: (one.kind, one.name)), EmptyState("file-text", "The file has no entries", "")
        )
        self.table.setMinimumHeight(300)
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
