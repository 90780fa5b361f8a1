"""What was spent: a chart by day and model, and sums by day, model, key or provider."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

from PySide6.QtCore import QDate
from PySide6.QtWidgets import QDateEdit, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from conduit_desktop.actions import usage
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import UsageQuery
from conduit_desktop.core.money import show_usd, to_nano
from conduit_desktop.gui import formatting as moments
from conduit_desktop.gui.pages import Page, Ui
from conduit_desktop.gui.pages.usage.series import UsageTotals, days_between, grouped, stacked, totals_of
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import Card, Figure, scrolled
from conduit_desktop.gui.widgets.charts.stacked import OTHERS, Series, StackedBars
from conduit_desktop.gui.widgets.empty import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import choose_file
from conduit_desktop.gui.widgets.forms.segments import Segments
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

RANGES = (("7 days", 7), ("30 days", 30), ("90 days", 90), ("Custom", 0))


class UsagePage(Page):
    """Ranges are whole UTC days. Requests without a known price are counted as unknown and never as $0."""

    title = "Usage"
    subtitle = "Days are UTC"
    icon = "chart-bar"
    topics = frozenset({"prices"})

    def __init__(self, context: AppContext, ui: Ui) -> None:
        super().__init__(context, ui)
        self.rows: list[dict[str, Any]] = []
        self.chart = StackedBars()
        self._header_actions()
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.L)
        self._figures()
        self._chart_card()
        self._table()
        self.body.addWidget(scrolled(content))

    def _header_actions(self) -> None:
        today = datetime.now(UTC).date()
        self.range = Segments(RANGES, "Range")
        self.range.set_value(30)
        self.range.chosen.connect(self._on_range)
        self.first, self.last = _day(today - timedelta(days=29)), _day(today)
        self.custom = QWidget()
        row = QHBoxLayout(self.custom)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.first)
        row.addWidget(QLabel("to"))
        row.addWidget(self.last)
        self.custom.hide()
        for edit in (self.first, self.last):
            edit.dateChanged.connect(self.ask_refresh)
        self.add_action(self.custom)
        self.add_action(self.range)
        self.export = button("Export CSV", icon="download-simple", on_click=lambda: self.ui.run(self.export_csv()))
        self.add_action(self.export)

    def _figures(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(theme.M)
        self.cost = Figure("Spend", "Priced requests alone")
        self.requests = Figure("Requests")
        self.tokens = Figure("Tokens", "Read and written")
        self.unpriced = Figure("Unknown price", "Requests of models without a price; set one on the Models page")
        for figure in (self.cost, self.requests, self.tokens, self.unpriced):
            row.addWidget(figure, 1)
        self._column.addLayout(row)

    def _chart_card(self) -> None:
        self.card = Card("By day and model")
        self.measure = Segments((("Spend", "cost"), ("Requests", "requests"), ("Tokens", "tokens")), "Measure")
        self.measure.chosen.connect(lambda _: self._show_chart())
        self.card.add_action(self.measure)
        self.card.setMinimumHeight(280)
        self.card.body.addWidget(self.chart)
        self._column.addWidget(self.card, 3)

    def _table(self) -> None:
        self.group = Segments((("Model", "model"), ("Key", "key"), ("Provider", "provider"), ("Day", "day")), "Sums by")
        self.group.chosen.connect(lambda _: self._show_table())
        head = QHBoxLayout()
        title = QLabel("Sums")
        title.setObjectName("sectionTitle")
        head.addWidget(title)
        head.addStretch(1)
        head.addWidget(self.group)
        empty = EmptyState(
            "chart-bar", "Nothing was used in these days", "Choose a longer range, or make a first request in the chat."
        )
        empty.add_button("Open the chat", lambda: self.ui.navigate("chat"), "plain")
        self.table: TableView[UsageTotals] = TableView(TableModel(_COLUMNS, key=lambda row: row.name), empty)
        self.table.sort_by(len(_COLUMNS) - 1, descending=True)
        self.table.setMinimumHeight(230)
        column = QVBoxLayout()
        column.setSpacing(theme.S)
        column.addLayout(head)
        column.addWidget(self.table, 1)
        self._column.addLayout(column, 3)

    def span(self) -> tuple[date, date]:
        """The first and the last day shown."""
        days = self.range.value()
        if not days:
            first, last = self.first.date().toPython(), self.last.date().toPython()
            return (first, last) if first <= last else (last, first)  # type: ignore[return-value,operator]
        today = datetime.now(UTC).date()
        return today - timedelta(days=days - 1), today

    def _query(self) -> UsageQuery:
        first, last = self.span()
        return UsageQuery(
            group_by="day,model,key,provider", since=first.isoformat(), until=(last + timedelta(days=1)).isoformat(), limit=500
        )

    async def refresh(self) -> None:
        """Load the sums of the range."""
        self.rows = await usage.usage(self.context, self._query())
        self._show_figures()
        self._show_chart()
        self._show_table()

    def _show_figures(self) -> None:
        whole = totals_of("all", self.rows)
        estimated = f"{whole.estimated:,} requests estimated" if whole.estimated else ""
        self.cost.show_value(show_usd(whole.cost_known), estimated)
        self.requests.show_value(
            moments.count(whole.requests), f"{whole.errors:,} failed" if whole.errors else "", "danger" if whole.errors else ""
        )
        cached = f"{whole.cached / whole.tokens_in:.0%} of the input from cache" if whole.cached else ""
        self.tokens.show_value(moments.count(whole.tokens), cached)
        self.unpriced.show_value(moments.count(whole.unpriced), "not in the spend" if whole.unpriced else "", "warning")

    def _show_chart(self) -> None:
        days = days_between(*self.span())
        measure = self.measure.value()
        series = [Series(name, values) for name, values in stacked(self.rows, days, measure, OTHERS)]
        words = _dollars if measure == "cost" else _number
        self.chart.show_series([_short(day) for day in days], series, words)

    def _show_table(self) -> None:
        self.table.model.set_rows(grouped(self.rows, self.group.value()))

    def _on_range(self, days: int) -> None:
        self.custom.setVisible(not days)
        self.ask_refresh()

    async def export_csv(self) -> None:
        """Write the range's sums, by day, model, key and provider, to a file of the user's choice."""
        first, last = self.span()
        path = await choose_file(self, "Export usage", "save", "CSV (*.csv)", f"conduit-usage-{first}-{last}.csv")
        if path is not None:
            query = self._query()
            text = usage.as_csv(await usage.usage(self.context, query), query.group_by)
            await asyncio.to_thread(path.write_text, text, "utf-8")
            self.ui.notify(f"Written to {path.name}")


def _cost(row: UsageTotals) -> str:
    known = show_usd(row.cost_known)
    return f"{known} + {row.unpriced:,} unknown" if row.unpriced and row.cost_nano else known


_COLUMNS: tuple[Column[UsageTotals], ...] = (
    Column("Name", lambda row: row.name, bold=True),
    Column("Requests", lambda row: f"{row.requests:,}", sort=lambda row: row.requests, align="right", width=100),
    Column(
        "Errors", lambda row: f"{row.errors:,}" if row.errors else "–", sort=lambda row: row.errors, align="right", width=86,
        spare=2,
        colour=lambda row: "danger" if row.errors else "text_faint",
    ),
    Column("Tokens in", lambda row: moments.count(row.tokens_in), sort=lambda row: row.tokens_in, align="right", width=104),
    Column("Cached", lambda row: moments.count(row.cached), sort=lambda row: row.cached, align="right", width=96, spare=3),
    Column("Tokens out", lambda row: moments.count(row.tokens_out), sort=lambda row: row.tokens_out, align="right", width=108),
    Column(
        "Cost", _cost, sort=lambda row: row.cost_known, align="right", width=190,
        colour=lambda row: "warning" if row.unpriced else None,
        tooltip=lambda row: f"{row.unpriced:,} requests have no known price and are not in the sum" if row.unpriced else "",
    ),
)  # fmt: skip


def _day(day: date) -> QDateEdit:
    edit = QDateEdit(QDate(day.year, day.month, day.day))
    edit.setCalendarPopup(True)
    edit.setDisplayFormat("yyyy-MM-dd")
    return edit


def _short(day: str) -> str:
    at = date.fromisoformat(day)
    return f"{at:%b} {at.day}"


def _dollars(usd: float) -> str:
    return show_usd(to_nano(usd))


def _number(value: float) -> str:
    return moments.count(round(value))
