"""The audit log: who changed what, and when, with the changed fields of the selected entry."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import PageQuery, read
from conduit_desktop.actions.schemas.reports import AuditView
from conduit_desktop.gui import formatting
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import FactList
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.layouts import scrolled
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.selection_bar import SelectionBar
from conduit_desktop.gui.widgets.tables.view import TableView

PART = 200
"""Entries loaded at once."""
ACTORS = {"gui": "Window", "cli": "Command line", "admin": "Admin API", "file": "Config file"}
_TONES = {"create": "success", "put": "success", "remove": "danger"}
_VERBS = {
    "create": "created", "edit": "edited", "remove": "removed", "put": "set", "set": "set", "change": "changed",
    "rotate": "rotated", "pause": "paused", "resume": "resumed", "release": "released", "refresh": "refreshed",
    "reset-spend": "spend reset", "reprice": "computed again", "undo": "taken back",
}  # fmt: skip
_LONGEST = 300


def moment(row: AuditView) -> str:
    """When it was changed, in the viewer's time."""
    at = formatting.parse(row.at)
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def action_text(action: str) -> str:
    """`key.reset-spend` as `Key spend reset`."""
    kind, _, verb = action.partition(".")
    kind = "IP rule" if kind == "ip-rule" else kind.replace("-", " ").capitalize()
    return f"{kind} {_VERBS.get(verb, verb.replace('-', ' '))}".rstrip()


def tone(row: AuditView) -> str:
    """The colour of an action: something new, something gone, or something else."""
    return _TONES.get(row.action.rpartition(".")[2], "info")


def value_text(value: Any) -> str:
    """A field's value as it is shown: texts as they are, nothing as a dash, the rest as JSON."""
    if value is None or value == "":
        return "—"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def changed_fields(changes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each changed field with its new value."""
    return [(name, value_text(value)) for name, value in changes.items()]


COLUMNS: list[Column[AuditView]] = [
    Column("Time", moment, sort=lambda row: row.id, width=184, colour=lambda _: "text_muted"),
    Column("By", lambda row: ACTORS.get(row.actor, row.actor), width=130, hide_order=1),
    Column("Change", lambda row: action_text(row.action), width=200, pill=True, colour=tone),
    Column("Of", lambda row: row.subject, bold=True),
    Column("Fields", lambda row: ", ".join(row.changes), hide_order=2, colour=lambda _: "text_muted"),
]


class AuditPage(Page):
    """The newest entries; older ones on demand. The filter searches those that are loaded."""

    title = "Audit Log"
    subtitle = "Who changed what, and when; never a secret"
    icon = "clock-counter-clockwise"
    topics = frozenset({"audit"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self._cursor: str | None = None
        self._loading = asyncio.Lock()
        self.model = TableModel(COLUMNS, key=lambda row: row.id)
        self.view = TableView(self.model, EmptyState("clock-counter-clockwise", "Nothing was changed yet", "Changes appear here."))
        self.view.table.setAccessibleName("Audit log")
        self.view.sort_by(0, descending=True)
        self.view.selected.connect(lambda _: self._show_entry())
        self.view.activated.connect(lambda _: self._show_entry())
        copy = button("Copy as JSON", "ghost", "copy", self.on_copy)
        self.bar = SelectionBar(self.view, "Filter the loaded entries", {"copy": copy}, "copy")
        self.heading_of_entry = label("", "sectionTitle", wrap=True)
        self.fields = FactList()
        self.older = button("Load older entries", "ghost", on_click=self.on_older)
        self.older.hide()
        self._lay_out()

    def _lay_out(self) -> None:
        self.detail = scrolled(self._entry())
        self.detail.setAccessibleName("Changed fields")
        self.detail.hide()
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.view)
        self.splitter.addWidget(self.detail)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.splitter, 1)
        self.body.addWidget(self.older, 0, Qt.AlignmentFlag.AlignHCenter)
        self._update()

    def _entry(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(theme.L, theme.M, theme.L, theme.M)
        column.addWidget(self.heading_of_entry)
        column.addWidget(self.fields)
        column.addStretch(1)
        return content

    async def refresh(self) -> None:
        """Load the newest entries; those that were loaded besides stay."""
        async with self._loading:
            rows, cursor = await self.client.audit(read(PageQuery, {"limit": PART}))
            known = {row.id for row in rows}
            kept = [row for row in self.model.rows if row.id not in known]
            if not kept:
                self._cursor = cursor
            self.model.set_rows([*rows, *kept])
            self._update()

    def on_older(self) -> None:
        """Load the entries before the oldest that is shown."""
        self.ui.run(self._load_older())

    async def _load_older(self) -> None:
        async with self._loading:
            if self._cursor is None:
                return
            rows, self._cursor = await self.client.audit(read(PageQuery, {"limit": PART, "cursor": self._cursor}))
            known = {row.id for row in self.model.rows}
            self.model.set_rows([*self.model.rows, *(row for row in rows if row.id not in known)])
            self._update()

    def on_copy(self) -> None:
        """Copy the selected entry."""
        if (row := self.view.current()) is not None:
            self.ui.copy(orjson.dumps(row.model_dump(), option=orjson.OPT_INDENT_2).decode())

    def focus_filter(self) -> None:
        """Ctrl+F."""
        self.bar.filter.setFocus()

    def _show_entry(self) -> None:
        row = self.view.current()
        self.detail.setVisible(row is not None)
        if row is not None:
            who = ACTORS.get(row.actor, row.actor)
            self.heading_of_entry.setText(f"{action_text(row.action)} · {row.subject} · {who}, {moment(row)}")
            self.fields.show_facts(changed_fields(row.changes) or [("Fields", "none")])
        self._update()

    def _update(self) -> None:
        self.bar.show_for(self.view.current() is not None, frozenset(), frozenset())
        self.older.setVisible(self._cursor is not None)
