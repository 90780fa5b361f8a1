"""The dashboard: today's figures, the last hour, the latest requests, providers and budgets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.inputs import RequestQuery, UsageQuery
from conduit_desktop.actions.transport import GatewayUnreachable
from conduit_desktop.core.bus import Change
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui import formatting, local_time
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.pages.budgets.rows import rows_of
from conduit_desktop.gui.pages.dashboard.cards import BudgetsCard, ProvidersCard, recent_table
from conduit_desktop.gui.pages.dashboard.counters import LiveCounters
from conduit_desktop.gui.request_rows import RequestRow, row_of
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import Card, Figure
from conduit_desktop.gui.widgets.charts.painted import MinuteBars, Shares
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.layouts import scrolled

if TYPE_CHECKING:
    from conduit_desktop.actions.admin_client import AdminClient
    from conduit_desktop.gui.feed import Feed

RECENT = 8
# One part of the log, of the largest size: loading more would delay the streams, so a busy hour is shown in part.
HISTORY = 500
"""Records loaded for the last hour's chart and the medians."""

REFRESH_MS = 500
"""Milliseconds between two updates of the numbers."""


class DashboardPage(Page):
    """Figures of the day, requests per minute, spend by model, latest requests, providers and budgets.

    A batch of the feed only updates counters; the widgets are updated twice a second, however many requests there are.
    """

    title = "Dashboard"
    subtitle = "Today, since midnight"
    icon = "squares-four"
    topics = frozenset({"providers", "keys", "budgets", "models", "prices", "health", "requests"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self.counters = LiveCounters()
        self._new_rows: list[RequestRow] = []
        self._changed = False
        self._cards_stale = False
        self._loading: asyncio.Task[Any] | None = None
        self.run_while_visible(self._on_timeout, REFRESH_MS)
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
        empty = EmptyState("waves", "No requests yet", "Send a message in Chat, or point an app at this gateway.")
        empty.add_button("Open Chat", lambda: self.ui.navigate("chat"), icon="chat-circle-text")
        empty.add_button("Add a provider", lambda: self.ui.navigate("providers"), "plain", "plus")
        self.layers.addWidget(scrolled(content))
        self.layers.addWidget(empty)
        self.body.addWidget(self.layers)

    def _figures(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(theme.M)
        self.requests = Figure("Requests", "Since midnight, including rejected requests")
        self.spend = Figure("Spend", "Cost of the requests with a known price since midnight")
        self.tokens = Figure("Tokens", "Input and output tokens, including cached input")
        self.errors = Figure(
            "Errors", "Failed, interrupted and rejected requests. Requests cancelled by the client are not counted."
        )
        self.latency = Figure("First token", "Median time to the first token of the last 200 responses")
        self.in_flight = Figure("In flight", "Requests in progress")
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
        card.add_action(button("View all", "ghost", on_click=lambda: self.ui.navigate("requests")))
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
        """Load the day's totals, the last hour's requests, and the state of keys and providers."""
        now = time.time()
        since = local_time.day_of(int(now * 1000)).isoformat()
        by_model = await self.client.usage(UsageQuery(group_by="model", since=since, tz=local_time.zone_name()))
        found, _ = await self.client.records(RequestQuery(limit=HISTORY))
        rows = [row_of(record) for record in found]
        self.counters.load(int(now * 1000), by_model, rows)
        self.recent.model.set_rows(rows[:RECENT])
        await self._load_cards()
        await self._load_in_flight()
        self.layers.setCurrentIndex(0 if found or by_model else 1)
        self._changed = True
        self.show_numbers()

    def on_changes(self, changes: Sequence[Change]) -> None:
        """Count new records; any other change, and a batch missed while hidden, reloads the page."""
        records = [change.payload for change in changes if isinstance(change.payload, RequestRecord)]
        for record in records:
            self.counters.add(record)
        if records:
            self._changed = self._cards_stale = True
            # Only what the table can show: under load a batch has hundreds of records.
            self._new_rows = [row_of(record) for record in reversed(records[-RECENT:])] + self._new_rows[:RECENT]
        # Changes without a record are rare or stand for a missed batch: only then are the totals queried again.
        if any(change.topic in self.topics and not isinstance(change.payload, RequestRecord) for change in changes):
            self.request_refresh()

    def _on_timeout(self) -> None:
        self.show_numbers()
        # A slow gateway elsewhere must not have two of these in progress.
        if self._loading is None or self._loading.done():
            self._loading = self.ui.run(self._load_current())

    async def _load_current(self) -> None:
        """Load what the feed does not carry: requests in progress, and the effect of new requests on providers and keys."""
        with suppress(GatewayUnreachable):  # it would be reported twice a second
            await self._load_in_flight()
            if self._cards_stale:
                await self._load_cards()

    async def _load_cards(self) -> None:
        # Before the queries: a request that ends while they run makes the cards stale again.
        self._cards_stale = False
        self.providers.show_providers(await self.client.provider_states())
        self.budgets.show_budgets(rows_of(await self.client.budgets(), await self.client.keys()))

    async def _load_in_flight(self) -> None:
        self.in_flight.show_value(f"{(await self.client.status()).in_flight:,}")

    def show_numbers(self) -> None:
        """Update the widgets from the counters."""
        # Even without a change: the chart moves on with time.
        self.minutes.show_minutes(self.counters.series(now_ms()))
        if not self._changed:
            return
        self._changed = False
        if self._new_rows:
            self.layers.setCurrentIndex(0)
            self.recent.model.upsert(self._new_rows[:RECENT], at_top=True)
            self.recent.model.trim(RECENT)
            self._new_rows = []
        self._show_figures()

    def _show_figures(self) -> None:
        counters = self.counters
        self.requests.show_value(
            formatting.count(counters.requests),
            f"{counters.requests - counters.errors:,} without error" if counters.requests else "",
        )
        unpriced = f"{counters.unpriced:,} without a price" if counters.unpriced else ""
        # Never $0 when there were only requests without a known price.
        known = show_usd(counters.spent_nano) if counters.spent_nano or not counters.unpriced else "unknown"
        self.spend.show_value(known, unpriced, "warning" if unpriced else "")
        self.tokens.show_value(formatting.count(counters.tokens))
        failed = counters.errors - counters.refused
        parts = [f"{count:,} {what}" for count, what in ((failed, "failed"), (counters.refused, "refused")) if count]
        note = ", ".join(parts) or ("none" if counters.requests else "")
        self.errors.show_value(
            formatting.count(counters.errors), note, "danger" if failed else "warning" if counters.refused else ""
        )
        total = f"total {formatting.duration(counters.duration_ms)}" if counters.durations else ""
        self.latency.show_value(formatting.duration(counters.first_token_ms or counters.duration_ms), total)
        ranked = sorted(((model, nano) for model, nano in counters.spend.items() if nano), key=lambda pair: -pair[1])
        self.shares.show_rows([(model, nano, show_usd(nano)) for model, nano in ranked])
        self.shares_card.note.setText("today" if ranked else "no spend today")
