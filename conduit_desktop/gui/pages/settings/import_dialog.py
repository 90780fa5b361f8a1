"""What an import would change, before it does, and the keys it made, after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtWidgets import QHBoxLayout, QWidget

from conduit_desktop.actions.schemas.reports import ChangeView
from conduit_desktop.gui.pages import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.buttons import icon_button
from conduit_desktop.gui.widgets.card import label
from conduit_desktop.gui.widgets.empty import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

_TONES = {"add": "success", "change": "warning", "same": "text_muted", "locked": "info", "remove": "danger"}
_COLUMNS: tuple[Column[ChangeView], ...] = (
    Column("", lambda one: one.change, width=96, pill=True, colour=lambda one: _TONES[one.change]),
    Column("Kind", lambda one: one.kind, width=100, colour=lambda _: "text_muted"),
    Column("Name", lambda one: one.name, bold=True),
    Column("Fields", lambda one: ", ".join(one.fields), width=200, colour=lambda _: "text_muted"),
)


class ImportPreview(Dialog):
    """The list of changes; accepting applies them."""

    def __init__(self, parent: QWidget | None, changes: Sequence[ChangeView]) -> None:
        super().__init__(parent, "Import this configuration?", "Import", width=680)
        real = [one for one in changes if one.change not in ("same", "locked")]
        self.body.addWidget(
            label(f"{len(real)} of {len(changes)} entries change something. What the file does not name stays.", "muted")
        )
        self.table: TableView[ChangeView] = TableView(
            TableModel(_COLUMNS, key=lambda one: (one.kind, one.name)), EmptyState("file-text", "The file holds nothing", "")
        )
        self.table.setMinimumHeight(300)
        self.table.model.set_rows(changes)
        self.body.addWidget(self.table, 1)
        self.primary.setEnabled(bool(real))


class NewKeys(Dialog):
    """Keys that had to be made, shown this once."""

    def __init__(self, parent: QWidget | None, ui: Ui, keys: Mapping[str, str]) -> None:
        super().__init__(parent, "New virtual keys", "Done", width=620)
        self.cancel.hide()
        self.body.addWidget(Banner("warning", "Copy them now: only their fingerprints are kept."))
        for name, key in keys.items():
            row = QHBoxLayout()
            row.setSpacing(theme.S)
            row.addWidget(label(name, "fieldLabel"))
            row.addStretch(1)
            row.addWidget(label(key, "mono"))
            row.addWidget(icon_button("copy", f"Copy the key of {name}", partial(ui.copy, key)))
            self.body.addLayout(row)
