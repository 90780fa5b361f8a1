"""The first page: how the gateway is doing today, and right now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from conduit_desktop.actions import keys, requests, usage
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import RequestQuery, UsageQuery
from conduit_desktop.core.bus import Change
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui import formatting as moments
from conduit_desktop.gui.pages import Page, Ui
from conduit_desktop.gui.pages.dashboard.cards import BudgetsCard, ProvidersCard, recent_table
from conduit_desktop.gui.pages.dashboard.counters import LiveCounters
from conduit_desktop.gui.request_rows import RequestRow, row_of
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import Card, Figure, scrolled
from conduit_desktop.gui.widgets.charts.painted import MinuteBars, Shares
from conduit_desktop.gui.widgets.empty import EmptyState

RECENT = 8
HISTORY = 500
PULSE_MS = 500
"""How often the page shows what the feed brought."""


class DashboardPage(Page):
    """Figures of the day, requests by minute, spend by model, the latest requests, providers and budgets.

    The feed only counts; twice a second what was counted is shown.
    """

    title = "Dashboard"
    subtitle = "Today, since midnight UTC"
    icon = "squares-four"
    topics = frozenset({"providers", "keys", "models", "prices", "health", "requests"})

    def __init__(self, context: AppContext, ui: Ui) -> None:
        super().__init__(context, ui)
        self.tally = LiveCounters()
        self._fresh_lines: list[RequestRow] = []
        self._counted = False
        self.pulse = QTimer(self)
        self.pulse.setInterval(PULSE_MS)
        self.pulse.timeout.connect(self.show_numbers)
        self._build()

    def _build(self) -> None:
        self.layers = QStackedWidget()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, theme.S)
        column.setSpacing(theme.M)
        column.addLayout(self._figures())
        column.addLayout(self._charts())
        column.addLayout(self._lists(), 1)
        empty = EmptyState("waves", "Nothing has passed through yet", "Talk to a model here, or point an app at this gateway.")
        empty.add_button("Open the chat", lambda: self.ui.navigate("chat"), icon="chat-circle-text")
        empty.add_button("Add a provider", lambda: self.ui.navigate("providers"), "plain", "plus")
        self.layers.addWidget(scrolled(content))
        self.layers.addWidget(empty)
        self.body.addWidget(self.layers)

    def _figures(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(theme.M)
        self.requests = Figure("Requests", "Since midnight UTC, refused ones included")
        self.spend = Figure("Spend", "Requests of known price since midnight UTC")
        self.tokens = Figure("Tokens", "Read and written, cached ones included")
        self.errors = Figure("Errors", "Requests that got no whole answer, but for those the caller gave up")
        self.latency = Figure("First token", "Median of the last 200 answers")
        self.in_flight = Figure("In flight", "Requests being answered now")
        for place, figure in enumerate((self.requests, self.spend, self.tokens, self.errors, self.latency, self.in_flight)):
            grid.addWidget(figure, 0, place)
            grid.setColumnStretch(place, 1)
        return grid

    def _charts(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.M)
        self.minutes = MinuteBars()
        per_minute = Card("Requests per minute")
        per_minute.body.addWidget(self.minutes)
        self.shares = Shares()
        self.shares_card = Card("Spend by model", "today")
        self.shares_card.body.addWidget(self.shares)
        self.shares_card.body.addStretch(1)
        row.addWidget(per_minute, 5)
        row.addWidget(self.shares_card, 3)
        return row

    def _lists(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.M)
        self.recent = recent_table()
        self.recent.activated.connect(lambda key: self.ui.navigate("requests", request=key))
        card = Card("Latest requests")
        card.add_action(button("See all", "ghost", on_click=lambda: self.ui.navigate("requests")))
        card.let_table_fill()
        card.body.addWidget(self.recent)
        right = QVBoxLayout()
        right.setSpacing(theme.M)
        self.providers = ProvidersCard(self.ui)
        self.budgets = BudgetsCard(self.ui)
        right.addWidget(self.providers)
        right.addWidget(self.budgets)
        right.addStretch(1)
        row.addWidget(card, 5)
        row.addLayout(right, 3)
        return row

    async def refresh(self) -> None:
        """Load the day's sums, the last hour's requests, and the state of keys and providers."""
        now = time.time()
        midnight = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
        by_model = await usage.usage(self.context, UsageQuery(group_by="model", since=midnight))
        found, _ = await requests.records(self.context, RequestQuery(limit=HISTORY))
        lines = [row_of(record) for record in found]
        self.tally.load(int(now * 1000), by_model, lines)
        self.recent.model.set_rows(lines[:RECENT])
        self.providers.show_providers(self.context)
        self.budgets.show_keys(await keys.all_keys(self.context))
        self.layers.setCurrentIndex(0 if found or by_model else 1)
        self._counted = True
        self.show_numbers()

    def on_changes(self, changes: Sequence[Change]) -> None:
        """Count what was answered; anything else (and a batch missed while hidden) is loaded anew."""
        records = [change.payload for change in changes if isinstance(change.payload, RequestRecord)]
        for record in records:
            self.tally.add(record)
        if records:
            self._counted = True
            self._fresh_lines = [row_of(record) for record in reversed(records[-RECENT:])] + self._fresh_lines[:RECENT]
        if any(change.topic in self.topics and not isinstance(change.payload, RequestRecord) for change in changes):
            self.ask_refresh()

    def show_numbers(self) -> None:
        """Show what was counted since the last time."""
        self.in_flight.show_value(f"{self.context.gateway.in_flight:,}")
        self.minutes.show_minutes(self.tally.series(int(time.time() * 1000)))
        if not self._counted:
            return
        self._counted = False
        if self._fresh_lines:
            self.layers.setCurrentIndex(0)
            self.recent.model.upsert(self._fresh_lines[:RECENT], at_top=True)
            self.recent.model.trim(RECENT)
            self._fresh_lines = []
        self._show_figures()

    def _show_figures(self) -> None:
        tally = self.tally
        self.requests.show_value(
            moments.count(tally.requests), f"{tally.requests - tally.errors:,} answered" if tally.requests else ""
        )
        unpriced = f"{tally.unpriced:,} of unknown price" if tally.unpriced else ""
        known = show_usd(tally.spent_nano) if tally.spent_nano or not tally.unpriced else "unknown"
        self.spend.show_value(known, unpriced, "warning" if unpriced else "")
        self.tokens.show_value(moments.count(tally.tokens))
        share = f"{tally.errors / tally.requests:.1%} of all" if tally.errors else "none" if tally.requests else ""
        self.errors.show_value(moments.count(tally.errors), share, "danger" if tally.errors else "")
        whole = f"whole answer {moments.duration(tally.duration_ms)}" if tally.durations else ""
        self.latency.show_value(moments.duration(tally.first_token_ms or tally.duration_ms), whole)
        ranked = sorted(((model, nano) for model, nano in tally.spend.items() if nano), key=lambda pair: -pair[1])
        self.shares.show_rows([(model, nano, show_usd(nano)) for model, nano in ranked])
        self.shares_card.note.setText("today" if ranked else "nothing spent today")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.pulse.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.pulse.stop()
