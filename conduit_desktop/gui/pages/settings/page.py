"""The settings page, built from `core.settings`; every change is saved immediately."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.views import SettingView
from conduit_desktop.core.errors import ActionError
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.order import oldest_first
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.pages.settings.cards import AboutCard, DataCard, MasterKeyCard
from conduit_desktop.gui.pages.settings.rows import SettingRow
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.card import Card
from conduit_desktop.gui.widgets.forms.form_dialog import errors_of
from conduit_desktop.gui.widgets.layouts import hairline, scrolled

GROUPS = {
    "Server": "Server",
    "Appearance": "Appearance",
    "Routing": "Routing",
    "Money": "Costs",
    "Logging": "Logging",
    "Security": "Security",
}
"""The title of each group, in the order shown."""

HIDDEN = frozenset({"welcome_done"})
MOVES_SERVER = frozenset({"host", "port"})
WIDTH = 820


class SettingsPage(Page):
    """One card per group of options, then the master key, backup and export, and the version."""

    title = "Settings"
    icon = "gear-six"
    topics = frozenset({"settings", "keys", "models", "server"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self.rows: dict[str, SettingRow] = {}
        self.choices: dict[str, list[tuple[str, Any]]] = {}
        """The choices of the options whose value is the name of a key or an alias."""
        self.moved = Banner()
        self.body.addWidget(self.moved)
        content = QWidget()
        # On the content and not on the cards: the scroll area asks for the height at this width, and wrapped texts fit.
        theme.scaled(content, lambda it: it.setMaximumWidth(theme.px(WIDTH)))
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(0, 0, theme.S, theme.L)
        self._column.setSpacing(theme.L)
        self._groups = QVBoxLayout()
        self._groups.setSpacing(theme.L)
        self._column.addLayout(self._groups)
        self.master_key = MasterKeyCard(client, ui)
        self.data = DataCard(client, ui)
        self.about = AboutCard(client)
        for card in (self.master_key, self.data, self.about):
            self._column.addWidget(card)
        self._column.addStretch(1)
        self.body.addWidget(scrolled(content), 1)

    async def refresh(self) -> None:
        """Show the current value of every option, except for one that is being edited."""
        views = [view for view in await self.client.settings() if view.name not in HIDDEN]
        await self._load_choices()
        # The rows are kept: building them again would take the focus from the text that is being edited.
        if not self.rows:
            await self._build(views)
        for view in views:
            self.rows[view.name].show_setting(view, self.choices.get(view.name))
        await self.master_key.refresh()
        await self.about.refresh()

    async def _build(self, views: list[SettingView]) -> None:
        groups: dict[str, list[SettingView]] = {name: [] for name in GROUPS}
        for view in views:
            # Also for a group unknown here: a newer gateway elsewhere may have further ones.
            groups.setdefault(view.group, []).append(view)
        for group, members in groups.items():
            if members:
                self._groups.addWidget(self._card(group, members))
                await asyncio.sleep(0.001)  # yield to the loop: all cards at once would delay the streams

    def _card(self, group: str, members: list[SettingView]) -> Card:
        card = Card(GROUPS.get(group, group))
        for place, view in enumerate(members):
            if place:
                card.body.addWidget(hairline())
            row = SettingRow(view, self.choices.get(view.name))
            # `partial`, not a closure, which would see the last option of the loop.
            row.changed.connect(partial(self._on_changed, view.name))
            self.rows[view.name] = row
            card.body.addWidget(row)
        return card

    async def _load_choices(self) -> None:
        keys = [(key.name, key.name) for key in await self.client.keys()]
        # A pattern cannot be the default: it names no single alias.
        aliases = [(row.alias, row.alias) for row in oldest_first(await self.client.models()) if "*" not in row.alias]
        self.choices = {
            "anonymous_key": [("None (key required)", None), *keys],
            "default_alias": [("None (return an error)", None), *aliases],
        }

    def _on_changed(self, name: str, value: Any) -> None:
        self.ui.run(self.save(name, value))

    async def save(self, name: str, value: Any) -> None:
        """Save one option; an error is shown at its row."""
        row = self.rows[name]
        try:
            await self.client.change_settings({name: value})
        except ActionError as error:
            row.show_error(next(iter(errors_of(error).values())))
            return
        row.show_saved()
        if name in MOVES_SERVER and not self.client.is_local and (await self.client.status()).state == "running":
            # This window still uses the former address, or one of a proxy.
            self.moved.show_text("The gateway has a new address. If this window loses it, attach one to that address.", "info")
