"""How every target and credential fares: circuits, latencies, failures, and what is paused or parked."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from conduit_desktop.actions import health
from conduit_desktop.actions.house import House
from conduit_desktop.actions.views import TargetHealthView
from conduit_desktop.gui import theme
from conduit_desktop.gui.pages import Page, Ui
from conduit_desktop.gui.pages.health_card import HealthCard
from conduit_desktop.gui.widgets.card import Figure, scrolled
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

    def __init__(self, house: House, ui: Ui) -> None:
        super().__init__(house, ui)
        self.cards: dict[str, HealthCard] = {}
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(0, 0, 0, theme.S)
        self._column.setSpacing(theme.S + 2)
        self._column.addLayout(self._figures())
        self._column.addStretch(1)
        empty = EmptyState("heartbeat", "No targets yet", "A target is a provider's model that an alias names.")
        empty.add_button("Add a model", lambda: self.ui.navigate("models"), icon="cube")
        self._layers = QStackedWidget()
        self._layers.addWidget(scrolled(content))
        self._layers.addWidget(empty)
        self.body.addWidget(self._layers, 1)
        self.pulse = QTimer(self)
        self.pulse.setInterval(PULSE_MS)
        self.pulse.timeout.connect(self.show_targets)

    def _figures(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.M)
        self.answering = Figure("Answering", "Targets whose last answers came")
        self.troubled = Figure("In trouble", "Targets with an open circuit or without a usable key")
        self.paused = Figure("Paused", "Targets that you took out")
        self.parked = Figure(
            "Parked credentials", "Keys that a provider refused: not used until the provider changes or you release them"
        )
        for figure in (self.answering, self.troubled, self.paused, self.parked):
            row.addWidget(figure, 1)
        return row

    async def refresh(self) -> None:
        """Show the targets; nothing has to be loaded."""
        self.show_targets()

    def show_targets(self) -> None:
        """Read memory, and show what is there; a card stays the same widget across changes."""
        targets = sorted(health.targets(self.house), key=lambda one: (_ORDER.index(one.state), one.name.lower()))
        shown = targets[:MOST]
        for gone in set(self.cards) - {one.name for one in shown}:
            card = self.cards.pop(gone)
            self._column.removeWidget(card)
            card.deleteLater()
        for place, one in enumerate(shown, 1):
            card = self.cards.get(one.name) or self._new_card(one.name)
            if self._column.indexOf(card) != place:
                self._column.insertWidget(place, card)
            card.show_target(one)
        self._show_figures(targets)
        self._layers.setCurrentIndex(0 if targets else 1)

    def _show_figures(self, targets: list[TargetHealthView]) -> None:
        states = Counter(one.state for one in targets)
        troubled = states["failing"] + states["probing"] + states["unready"]
        parked = {(one.provider, key.label) for one in targets for key in one.credentials if key.state == "parked"}
        self.answering.show_value(f"{states['answering']:,}", f"of {len(targets):,} targets")
        self.troubled.show_value(f"{troubled:,}", "passed over" if troubled else "none", "danger" if troubled else "")
        self.paused.show_value(
            f"{states['paused']:,}", "until resumed" if states["paused"] else "none", "warning" if states["paused"] else ""
        )
        self.parked.show_value(f"{len(parked):,}", "not used any more" if parked else "none", "danger" if parked else "")

    def _new_card(self, name: str) -> HealthCard:
        card = self.cards[name] = HealthCard()
        card.pause_asked.connect(lambda: self.ui.run(health.pause(self.house, name, "gui")))
        card.resume_asked.connect(lambda: self.ui.run(health.resume(self.house, name, "gui")))
        card.release_asked.connect(lambda label: self.ui.run(health.release(self.house, card.target.provider, label, "gui")))
        return card

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.pulse.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.pulse.stop()
