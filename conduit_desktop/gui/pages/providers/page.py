"""Providers: the configured vendors and local servers, and their state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QStackedWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import ProviderPatch, read
from conduit_desktop.actions.schemas.views import KindView, ProviderStateView, ProviderView
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.order import oldest_first
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.pages.providers.card import ProviderCard
from conduit_desktop.gui.pages.providers.dialogs import ProviderDialog
from conduit_desktop.gui.pages.providers.models import ProviderModelsDialog
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import CardColumn
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import answer, confirm
from conduit_desktop.gui.widgets.layouts import scrolled

Shown = tuple[ProviderView, KindView | None, ProviderStateView | None]


class ProvidersPage(Page):
    """One card per provider."""

    title = "Providers"
    subtitle = "Vendors and local servers that requests are routed to"
    icon = "cloud"
    topics = frozenset({"providers", "models", "health", "requests"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self.kinds: dict[str, KindView] = {}
        self.column: CardColumn[Shown, ProviderCard] = CardColumn(self._new_card, lambda card, shown: card.show_provider(*shown))
        self.cards = self.column.cards
        self.add_button = button("Add provider", "primary", "plus", self.on_add)
        self.add_action(self.add_button)
        self.empty = EmptyState(
            "cloud",
            "No providers yet",
            "Add a vendor with your API key, a server on this computer, or the demo provider, which needs neither.",
        )
        self.empty.add_button("Add a provider", self.on_add, icon="plus")
        self.empty.add_button("Try the demo", lambda: self.on_add("demo"), "plain", "flask")
        self._layers = QStackedWidget()
        self._layers.addWidget(scrolled(self.column))
        self._layers.addWidget(self.empty)
        self.body.addWidget(self._layers, 1)

    async def refresh(self) -> None:
        """Load the providers."""
        rows = oldest_first(await self.client.providers())
        states = await self.client.provider_states()
        await self._load_kinds()
        self._layers.setCurrentIndex(0 if rows else 1)
        # By id: a provider keeps its card when it is renamed.
        await self.column.show_items({row.id: (row, self.kinds.get(row.kind), states.get(row.name)) for row in rows})

    def show_context(self, **context: Any) -> None:
        """`new=True` opens the catalog; with `kind`, that kind's form."""
        if context.get("new"):
            self.on_add(context.get("kind"))

    def on_add(self, kind: str | None = None) -> None:
        """Add a provider."""
        self.ui.run(self._add(kind))

    def _new_card(self, _id: str) -> ProviderCard:
        card = ProviderCard()
        card.toggled.connect(lambda on: self.ui.run(self._toggle(card.provider, on)))
        card.models_requested.connect(lambda: self.ui.run(self._models(card.provider.name)))
        card.edit_requested.connect(lambda: self.ui.run(self._edit(card.provider)))
        card.delete_requested.connect(lambda: self.ui.run(self._delete(card.provider)))
        return card

    async def _add(self, kind: str | None) -> None:
        kinds = await self._load_kinds()
        dialog = ProviderDialog(self, self.client, self.ui, kinds, self._names(), kind=kind)
        if await answer(dialog) and dialog.made is not None:
            # The next step: its connection is not tested yet, and no alias leads to it.
            await self._models(dialog.made.name)

    async def _edit(self, provider: ProviderView) -> None:
        kinds = await self._load_kinds()
        await answer(ProviderDialog(self, self.client, self.ui, kinds, self._names(), provider))

    async def _models(self, name: str) -> None:
        dialog = ProviderModelsDialog(self, self.client, self.ui, name)
        if await answer(dialog) and dialog.published:
            count = len(dialog.published)
            self.ui.notify(f"Published {count} {'alias' if count == 1 else 'aliases'}: {', '.join(dialog.published[:3])}")

    async def _toggle(self, provider: ProviderView, enabled: bool) -> None:
        try:
            await self.client.edit_provider(provider.name, read(ProviderPatch, {"enabled": enabled}))
        finally:
            self.request_refresh()  # the switch goes back if the action failed

    async def _delete(self, provider: ProviderView) -> None:
        state = (await self.client.provider_states()).get(provider.name)
        text = _deletion_text(state.aliases if state is not None else [])
        if await confirm(self, f"Delete {provider.name}?", text, accept="Delete provider"):
            await self.client.remove_provider(provider.name)

    async def _load_kinds(self) -> list[KindView]:
        """The kinds of provider, loaded once: they do not change while the gateway runs."""
        if not self.kinds:
            self.kinds = {kind.kind: kind for kind in await self.client.catalog()}
        return list(self.kinds.values())

    def _names(self) -> list[str]:
        return [card.provider.name for card in self.cards.values()]


def _deletion_text(aliases: Sequence[str]) -> str:
    if not aliases:
        return "Its API keys are deleted from the secret store. No alias uses it."
    named = ", ".join(aliases[:8]) + (f" and {len(aliases) - 8} more" if len(aliases) > 8 else "")
    return (
        f"Its API keys are deleted from the secret store. These aliases have a target at this provider and will skip it: {named}."
    )
