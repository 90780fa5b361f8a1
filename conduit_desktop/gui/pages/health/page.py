"""How every target and credential fares: circuits, latencies, failures, and what is paused or parked."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from conduit_desktop.actions import health
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.reports import TargetHealthView
from conduit_desktop.gui.pages import Page, Ui
from conduit_desktop.gui.pages.health.card import HealthCard
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.card import Figure, scrolled
from conduit_desktop.gui.widgets.cards import Cards
from conduit_desktop.gui.widgets.empty import EmptyState

PULSE_MS = 1000
"""Waits run down and requests come and go: once a second the page looks at memory."""

MOST = 100
"""Cards; with an alias for `*` there can be thousands of targets, and those in trouble come first."""

_ORDER = ("failing", "unready", "probing", "paused", "answering", "unused", "disabled")


class HealthPage(Page):
    """Figures, then a card a target, those in trouble first."""

    title = "Health"
    subtitle = "Targets and credentials since the start"
    icon = "heartbeat"
    topics = frozenset({"health", "providers", "models"})

    def __init__(self, context: AppContext, ui: Ui) -> None:
        super().__init__(context, ui)
        self.column: Cards[TargetHealthView, HealthCard] = Cards(self._new_card, self._fill)
        self.cards = self.column.cards
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, theme.S)
        column.setSpacing(theme.S + 2)
        column.addLayout(self._figures())
        column.addWidget(self.column, 1)
        empty = EmptyState("heartbeat", "No targets yet", "A target is a provider's model that an alias names.")
        empty.add_button("Add a model", lambda: self.ui.navigate("models"), icon="cube")
        self._layers = QStackedWidget()
        self._layers.addWidget(scrolled(content))
        self._layers.addWidget(empty)
        self.body.addWidget(self._layers, 1)
        self.pulse = QTimer(self)
        self.pulse.setInterval(PULSE_MS)
        self.pulse.timeout.connect(self.ask_refresh)

    def _figures(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.M)
        self.answering = Figure("Answering", "Targets whose last answers came")
        self.troubled = Figure("In trouble", "Targets that failed when last asked, are passed over, or lack what they need")
        self.paused = Figure("Paused", "Targets that you took out")
        self.parked = Figure(
            "Parked credentials", "Keys that a provider refused: not used until the provider changes or you release them"
        )
        for figure in (self.answering, self.troubled, self.paused, self.parked):
            row.addWidget(figure, 1)
        return row

    async def refresh(self) -> None:
        """Read memory, and show what is there."""
        targets = sorted(health.targets(self.context), key=lambda one: (_ORDER.index(one.state), one.name.lower()))
        self._show_figures(targets)
        self._layers.setCurrentIndex(0 if targets else 1)
        await self.column.show_items({one.name: one for one in targets[:MOST]})

    def _show_figures(self, targets: list[TargetHealthView]) -> None:
        states = Counter(one.state for one in targets)
        troubled = states["failing"] + states["probing"] + states["unready"]
        parked = {(one.provider, key.label) for one in targets for key in one.credentials if key.state == "parked"}
        self.answering.show_value(f"{states['answering']:,}", f"of {len(targets):,} {'target' if len(targets) == 1 else 'targets'}")
        self.troubled.show_value(f"{troubled:,}", "failing or not ready" if troubled else "none", "danger" if troubled else "")
        self.paused.show_value(
            f"{states['paused']:,}", "until resumed" if states["paused"] else "none", "warning" if states["paused"] else ""
        )
        self.parked.show_value(f"{len(parked):,}", "not used any more" if parked else "none", "danger" if parked else "")

    def _fill(self, card: HealthCard, target: TargetHealthView) -> None:
        bound = self.context.gateway.snapshot.providers.get(target.provider.lower())
        card.show_target(target, keyless=bound is not None and not bound.provider.credentials)

    def _new_card(self, name: str) -> HealthCard:
        card = HealthCard()
        card.pause_asked.connect(lambda: self.ui.run(health.pause(self.context, name, "gui")))
        card.resume_asked.connect(lambda: self.ui.run(health.resume(self.context, name, "gui")))
        card.release_asked.connect(lambda label: self.ui.run(health.release(self.context, card.target.provider, label, "gui")))
        return card

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.pulse.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.pulse.stop()
