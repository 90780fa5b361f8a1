"""Usage over time: a chart by day and model, and totals by day, model, key or provider."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING

from PySide6.QtCore import QDate
from PySide6.QtWidgets import QDateEdit, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.inputs import UsageQuery
from conduit_desktop.actions.schemas.reports import UsageView
from conduit_desktop.core.exports import write_export
from conduit_desktop.core.money import show_usd, to_nano
from conduit_desktop.gui import formatting, local_time
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.pages.usage.series import GroupBy, UsageTotals, days_between, grouped, stacked, totals_of
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import Card, Figure
from conduit_desktop.gui.widgets.charts.stacked import OTHER, Series, StackedBars
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import choose_file
from conduit_desktop.gui.widgets.forms.segments import Segments
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.layouts import scrolled
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

if TYPE_CHECKING:
    from conduit_desktop.actions.admin_client import AdminClient
    from conduit_desktop.gui.feed import Feed

GROUPS = (("Model", "model"), ("Key", "key"), ("Provider", "provider"), ("Team", "team"), ("Client", "client"), ("Day", "day"))
SELDOM: frozenset[GroupBy] = frozenset({"team", "client"})
"""Groups that are loaded only while they are chosen."""

RANGES = (("7 days", 7), ("30 days", 30), ("90 days", 90), ("Custom", 0))


class UsagePage(Page):
    """Ranges are whole days of the viewer's time zone. Requests without a known price are shown as unknown and never as $0."""

    title = "Usage"
    subtitle = "Days are those of your time zone"
    icon = "chart-bar"
    topics = frozenset({"requests", "keys"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self.rows: list[UsageView] = []
        """By day and model."""
        self.by_group: dict[GroupBy, list[UsageView]] = {}
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
        today = local_time.today()
        self.range = Segments(RANGES, "Range")
        self.range.set_value(30)
        self.range.chosen.connect(self._on_range)
        self.first, self.last = _day(today - timedelta(days=29)), _day(today)
        self.custom = QWidget()
        row = QHBoxLayout(self.custom)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.first)
        row.addWidget(label("to"))
        row.addWidget(self.last)
        self.custom.hide()
        for edit in (self.first, self.last):
            edit.dateChanged.connect(self.request_refresh)
        self.add_action(self.custom)
        self.add_action(self.range)
        self.export = button("Export CSV", icon="download-simple", on_click=lambda: self.ui.run(self.export_csv()))
        self.add_action(self.export)

    def _figures(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(theme.M)
        self.cost = Figure("Spend", "Requests with a known price only")
        self.requests = Figure("Requests")
        self.tokens = Figure("Tokens", "Input and output tokens")
        self.unpriced = Figure("Without a price", "Requests to models without a known price. Set one on the Prices page.")
        for figure in (self.cost, self.requests, self.tokens, self.unpriced):
            row.addWidget(figure, 1)
        self._column.addLayout(row)

    def _chart_card(self) -> None:
        self.card = Card("By day and model")
        self.measure = Segments((("Spend", "cost"), ("Requests", "requests"), ("Tokens", "tokens")), "Measure")
        self.measure.chosen.connect(lambda _: self._show_chart())
        self.card.add_action(self.measure)
        theme.scaled(self.card, lambda it: it.setMinimumHeight(theme.px(280)))
        self.card.body.addWidget(self.chart)
        self._column.addWidget(self.card, 3)

    def _table(self) -> None:
        self.group = Segments(GROUPS, "Group by")
        self.group.chosen.connect(self._on_group)
        head = QHBoxLayout()
        title = label("Breakdown", "sectionTitle")
        head.addWidget(title)
        head.addStretch(1)
        head.addWidget(self.group)
        empty = EmptyState("chart-bar", "No usage in this period", "Choose a longer range, or send a request from Chat.")
        empty.add_button("Open Chat", lambda: self.ui.navigate("chat"), "plain")
        self.table: TableView[UsageTotals] = TableView(TableModel(_COLUMNS, key=lambda row: row.name), empty)
        self.table.sort_by(len(_COLUMNS) - 1, descending=True)
        theme.scaled(self.table, lambda it: it.setMinimumHeight(theme.px(230)))
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
        today = local_time.today()
        return today - timedelta(days=days - 1), today

    def _query(self, group_by: str) -> UsageQuery:
        first, last = self.span()
        # `until` is exclusive: one day more, so that the last day counts.
        until = last + timedelta(days=1)
        return UsageQuery(group_by=group_by, since=first.isoformat(), until=until.isoformat(), tz=local_time.zone_name(), limit=500)

    async def refresh(self) -> None:
        """Load the totals of the range."""
        # Each group by itself: all of them at once would be a row for each of their combinations, on a large log a million.
        groups = ("key", "provider", *({self.group.value()} & SELDOM))
        self.rows, *others = await asyncio.gather(*(self.client.usage(self._query(one)) for one in ("day,model", *groups)))
        self.by_group = dict(zip(groups, others, strict=True))
        self._show_figures()
        self._show_chart()
        self._show_table()

    def _on_group(self, group: GroupBy) -> None:
        if group in SELDOM:
            self.request_refresh()
        else:
            self._show_table()

    def _show_figures(self) -> None:
        total = totals_of("all", self.rows)
        estimated = f"{total.estimated:,} requests with estimated cost" if total.estimated else ""
        self.cost.show_value(show_usd(total.cost_known), estimated)
        failed = [f"{count:,} {what}" for count, what in ((total.failed, "failed"), (total.refused, "refused")) if count]
        self.requests.show_value(formatting.count(total.requests), ", ".join(failed), "danger" if total.failed else "")
        cached = f"{total.cached / total.tokens_in:.0%} of the input from cache" if total.cached else ""
        self.tokens.show_value(formatting.count(total.tokens), cached)
        self.unpriced.show_value(formatting.count(total.unpriced), "not included in the spend" if total.unpriced else "", "warning")

    def _show_chart(self) -> None:
        days = days_between(*self.span())
        measure = self.measure.value()
        series = [Series(name, values) for name, values in stacked(self.rows, days, measure, OTHER)]
        show = _dollars if measure == "cost" else _number
        self.chart.show_series([_short(day) for day in days], series, show)

    def _show_table(self) -> None:
        # Another group may have been chosen while the totals were loaded: it is loaded next.
        group = self.group.value()
        if group in self.by_group or group not in SELDOM:
            self.table.model.set_rows(grouped(self.by_group.get(group, self.rows), group))

    def _on_range(self, days: int) -> None:
        self.custom.setVisible(not days)
        self.request_refresh()

    async def export_csv(self) -> None:
        """Write the range's totals by day, model, key and provider to a CSV file."""
        first, last = self.span()
        path = await choose_file(self, "Export usage", "save", "CSV (*.csv)", f"conduit-usage-{first}-{last}.csv")
        if path is not None:
            text = await self.client.usage_csv(self._query("day,model,key,provider"))
            await asyncio.to_thread(write_export, path, text)
            self.ui.notify(f"Saved to {path.name}")


def _cost(row: UsageTotals) -> str:
    known = show_usd(row.cost_known)
    return f"{known} + {row.unpriced:,} unknown" if row.unpriced and row.cost_nano else known


_COLUMNS: tuple[Column[UsageTotals], ...] = (
    Column("Name", lambda row: row.name, bold=True),
    Column("Requests", lambda row: f"{row.requests:,}", sort=lambda row: row.requests, align="right", width=100),
    Column(
        "Failed", lambda row: f"{row.failed:,}" if row.failed else "–", sort=lambda row: row.failed, align="right", width=80,
        hide_order=2, colour=lambda row: "danger" if row.failed else "text_faint",
        tooltip=lambda _: "A provider or the gateway failed",
    ),
    Column(
        "Refused", lambda row: f"{row.refused:,}" if row.refused else "–", sort=lambda row: row.refused, align="right", width=84,
        hide_order=4, colour=lambda row: "warning" if row.refused else "text_faint",
        tooltip=lambda _: "No provider was called: a limit, a budget, or a request that is not valid",
    ),
    Column("Tokens in", lambda row: formatting.count(row.tokens_in), sort=lambda row: row.tokens_in, align="right", width=104),
    Column("Cached", lambda row: formatting.count(row.cached), sort=lambda row: row.cached, align="right", width=96, hide_order=3),
    Column("Tokens out", lambda row: formatting.count(row.tokens_out), sort=lambda row: row.tokens_out, align="right", width=108),
    Column(
        "Cost", _cost, sort=lambda row: row.cost_known, align="right", width=190,
        colour=lambda row: "warning" if row.unpriced else None,
        tooltip=lambda row: f"{row.unpriced:,} requests have no known price and are not included" if row.unpriced else "",
    ),
)  # fmt: skip


def _day(day: date) -> QDateEdit:
    edit = QDateEdit(QDate(day.year, day.month, day.day))
    edit.setCalendarPopup(True)
    edit.setDisplayFormat("yyyy-MM-dd")
    return edit


def _short(day: str) -> str:
    at = date.fromisoformat(day)
    # Not `%-d`, which does not exist on Windows.
    return f"{at:%b} {at.day}"


def _dollars(usd: float) -> str:
    return show_usd(to_nano(usd))


def _number(value: float) -> str:
    return formatting.count(round(value))
