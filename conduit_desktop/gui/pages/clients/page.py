"""Tools on this computer: which use the gateway, and setting one up in its own config files, with a difference and a way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.views import ClientView
from conduit_desktop.core.bus import Change
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.pages.clients.detail import ClientDetail, state_of
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

_ORDER = {"changed_elsewhere": 0, "set": 1, "not_set": 2, "not_installed": 3}

COLUMNS: list[Column[ClientView]] = [
    Column("Tool", lambda row: row.label, bold=True),
    Column(
        "State", lambda row: state_of(row)[0], sort=lambda row: _ORDER[row.state], width=150, pill=True,
        colour=lambda row: state_of(row)[1],
    ),
    Column(
        "Version", lambda row: (row.installed.version or "") if row.installed else "", width=90, hide_order=1,
        colour=lambda _: "text_muted",
    ),
]  # fmt: skip


class ClientsPage(Page):
    """The table of tools, and the selected one beside it."""

    title = "Clients"
    subtitle = "Tools on this computer that can use the gateway"
    icon = "terminal-window"
    # Aliases are what a tool can be given, keys what it was given, and its files hold the gateway's address.
    topics = frozenset({"clients", "keys", "models", "server", "settings"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self.model = TableModel(COLUMNS, key=lambda row: row.name)
        self.view = TableView(self.model, EmptyState("terminal-window", "Looking for tools…", "Their config files are read."))
        self.view.table.setAccessibleName("Clients")
        self.view.sort_by(1)
        self.view.selected.connect(lambda _: self._show_selected())
        self.detail = ClientDetail(client, ui, self)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.view)
        self.splitter.addWidget(self.detail)
        self.splitter.setStretchFactor(0, 2)
        self.splitter.setStretchFactor(1, 3)
        theme.scaled(self.view, lambda it: it.setMinimumWidth(theme.px(250)))
        theme.scaled(self.detail, lambda it: it.setMinimumWidth(theme.px(330)))
        again = button("Look again", "ghost", "arrows-clockwise", self.request_refresh, "Read the tools' config files once more")
        self.add_action(again)
        self.body.addWidget(self.splitter, 1)
        self._wanted: str | None = None

    async def refresh(self) -> None:
        """Read the state of every tool, and the aliases."""
        clients, aliases = await self.client.clients(), await self.client.models()
        self.detail.offer([alias.alias for alias in aliases if alias.enabled and "*" not in alias.alias])
        self.model.set_rows(clients)
        if self._wanted is not None:
            self.view.select(self._wanted)
            self._wanted = None
        elif self.view.current() is None and clients:
            first = min(clients, key=lambda one: (_ORDER[one.state], one.label.casefold()))
            self.view.select(first.name)
        self._show_selected()

    def on_changes(self, changes: Sequence[Change]) -> None:
        """A request of a tool that is waited for is its first one: the page says so."""
        waiting = {row.key_id for row in self.model.rows if row.state == "set" and row.first_seen is None}
        records = [change.payload for change in changes if isinstance(change.payload, RequestRecord)]
        if any(record.key_id and record.key_id in waiting for record in records):
            self.request_refresh()
        super().on_changes(changes)

    def show_context(self, **context: Any) -> None:
        """`client=<name>` selects a tool."""
        if context.get("client"):
            self._wanted = context["client"]
            self.request_refresh()

    def _show_selected(self) -> None:
        row = self.view.current()
        self.detail.setVisible(row is not None)
        if row is not None:
            self.detail.show_client(row)
