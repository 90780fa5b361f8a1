"""The state of every target and provider key: circuits, latency, errors, paused targets, disabled keys."""

from __future__ import annotations

from collections import Counter

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.reports import TargetHealthView
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.pages.health.card import HealthCard
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.card import CardColumn, Figure
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.layouts import scrolled

REFRESH_MS = 1000
"""Milliseconds between two refreshes: cooldowns count down and requests start and end without a change on the bus."""

MOST = 100
"""Cards shown. An alias for `*` can have thousands of targets; failing ones come first."""

_ORDER = ("failing", "unready", "probing", "paused", "answering", "unused", "disabled")


class HealthPage(Page):
    """Figures, then one card per target, failing ones first."""

    title = "Health"
    subtitle = "Circuit breakers, latency and errors of every target"
    icon = "heartbeat"
    topics = frozenset({"health", "providers", "models", "requests"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self.column: CardColumn[TargetHealthView, HealthCard] = CardColumn(self._new_card, self._fill)
        self.cards = self.column.cards
        self._keyless: set[str] = set()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, theme.S)
        column.setSpacing(theme.S + 2)
        column.addLayout(self._figures())
        column.addWidget(self.column, 1)
        self.more = label("", "muted")
        column.addWidget(self.more)
        empty = EmptyState("heartbeat", "No targets yet", "A target is a provider's model that an alias routes to.")
        empty.add_button("Open Models", lambda: self.ui.navigate("models"), icon="cube")
        self._layers = QStackedWidget()
        self._layers.addWidget(scrolled(content))
        self._layers.addWidget(empty)
        self.body.addWidget(self._layers, 1)
        self.run_while_visible(self.request_refresh, REFRESH_MS)

    def _figures(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.M)
        self.healthy = Figure("Healthy", "Targets whose last requests succeeded")
        self.failing = Figure("Failing", "Targets whose last request failed, whose circuit is open, or whose provider is not ready")
        self.paused = Figure("Paused", "Targets that you paused")
        self.disabled_keys = Figure(
            "Disabled keys",
            "API keys that their provider rejected. They are not used until you edit the provider or enable them here.",
        )
        for figure in (self.healthy, self.failing, self.paused, self.disabled_keys):
            row.addWidget(figure, 1)
        return row

    async def refresh(self) -> None:
        """Show the current state."""
        self._keyless = {one.name for one in await self.client.providers() if not one.keys}
        targets = sorted(await self.client.health(), key=lambda one: (_ORDER.index(one.state), one.name.lower()))
        self._show_figures(targets)
        self._layers.setCurrentIndex(0 if targets else 1)
        self.more.setText(f"{MOST} of {len(targets):,} targets are shown, failing ones first.")
        self.more.setVisible(len(targets) > MOST)
        await self.column.show_items({one.name: one for one in targets[:MOST]})

    def _show_figures(self, targets: list[TargetHealthView]) -> None:
        states = Counter(one.state for one in targets)
        # A half-open circuit has not succeeded yet, so that its target still counts as failing.
        failing = states["failing"] + states["probing"] + states["unready"]
        # A set: the keys of a provider appear at each of its targets and must be counted once.
        disabled = {(one.provider, key.label) for one in targets for key in one.credentials if key.state == "disabled"}
        self.healthy.show_value(f"{states['answering']:,}", f"of {len(targets):,} {'target' if len(targets) == 1 else 'targets'}")
        self.failing.show_value(f"{failing:,}", "failing or not ready" if failing else "none", "danger" if failing else "")
        self.paused.show_value(
            f"{states['paused']:,}", "until resumed" if states["paused"] else "none", "warning" if states["paused"] else ""
        )
        self.disabled_keys.show_value(f"{len(disabled):,}", "not used" if disabled else "none", "danger" if disabled else "")

    def _fill(self, card: HealthCard, target: TargetHealthView) -> None:
        card.show_target(target, keyless=target.provider in self._keyless)

    def _new_card(self, name: str) -> HealthCard:
        card = HealthCard()
        card.pause_requested.connect(lambda: self.ui.run(self.client.pause_target(name)))
        card.resume_requested.connect(lambda: self.ui.run(self.client.resume_target(name)))
        card.release_requested.connect(lambda label: self.ui.run(self.client.release_credential(card.target.provider, label)))
        return card
