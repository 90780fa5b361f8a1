"""The pane of one budget: where it stands, where it is going, and its past periods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.views import BudgetPeriodView
from conduit_desktop.core.entities import BudgetPeriod
from conduit_desktop.core.money import show_usd, to_nano, to_usd
from conduit_desktop.gui.pages.budgets.rows import EARLIEST, BudgetRow, day, share_text
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.card import Card, FactList
from conduit_desktop.gui.widgets.charts.stacked import Bars, Series
from conduit_desktop.gui.widgets.labels import ElidedLabel, label
from conduit_desktop.gui.widgets.layouts import scrolled

SHOWN: dict[BudgetPeriod, int] = {"daily": 30, "weekly": 26, "monthly": 12, "total": 0}
"""Past periods in the chart."""
_LENGTHS: dict[BudgetPeriod, str] = {"daily": "days", "weekly": "weeks", "monthly": "months", "total": ""}


class BudgetDetail(Card):
    """`show_row` shows the state of a budget, `show_history` its past periods."""

    def __init__(self) -> None:
        super().__init__("Budget")
        self.facts = FactList()
        self.chart = Bars()
        self.chart_title = ElidedLabel("", "overline")
        self.no_chart = label("", "muted", wrap=True)
        self.no_chart.setAlignment(Qt.AlignmentFlag.AlignCenter)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.facts)
        column.addStretch(1)
        area = scrolled(left)  # a low window shows a part of the facts
        theme.scaled(area, lambda it: it.setMaximumWidth(theme.px(400)))
        self.history = QStackedWidget()
        self.history.addWidget(self.chart)
        self.history.addWidget(self.no_chart)
        right = QVBoxLayout()
        right.setSpacing(theme.XS)
        right.addWidget(self.chart_title)
        right.addWidget(self.history, 1)
        across = QHBoxLayout()
        across.setSpacing(theme.XL)
        across.addWidget(area, 3)
        across.addLayout(right, 4)
        self.body.addLayout(across)

    def show_row(self, row: BudgetRow, now: datetime) -> None:
        """Show where the budget stands."""
        self.title.setText(row.name)
        self.note.setText("The key's own budget" if row.of_key else row.applies_to if row.applies_to != row.name else "")
        self.facts.show_facts(
            [
                ("Spent", f"{show_usd(row.spend_nano)} of {show_usd(row.limit_nano)} ({share_text(row.share)})"),
                ("In flight", f"{show_usd(row.reserved_nano)} reserved" if row.reserved_nano else "Nothing reserved"),
                ("Left", show_usd(max(0, row.limit_nano - row.spend_nano - row.reserved_nano))),
                ("Period", f"{day(row.start)} to {day(row.reset)} (UTC)" if row.start and row.reset else "Never resets"),
                ("Projection", projection_text(row, now)),
                ("Notifications", notices(row)),
                ("At the limit", "Further requests are refused" if row.action == "block" else "Requests pass; you are notified"),
            ]
        )

    def show_history(self, row: BudgetRow, past: Sequence[BudgetPeriodView] | None) -> None:
        """Show past periods, the newest first as they are read, before the running one; None: they are not known."""
        if past:
            periods = [(datetime.fromisoformat(one.period_start or ""), one.spend_usd) for one in reversed(past)]
            if row.start is not None:
                periods.append((row.start, to_usd(row.spend_nano)))
            labels = [_period_label(row.period, start) for start, _ in periods]
            spent = tuple(usd for _, usd in periods)
            self.chart.show_series(labels, [Series("Spent", spent)], _dollars, to_usd(row.limit_nano))
            self.chart_title.setText(f"Past {_LENGTHS[row.period]} and the running one; the dashed line is the present limit")
            summary = ", ".join(f"{name}: {_dollars(usd)}" for name, usd in zip(labels, spent, strict=True))
            self.chart.setAccessibleName(f"Spent in past periods. {summary}")
        else:
            self.chart_title.setText("Past periods")
            self.no_chart.setText(_why_empty(row, past is not None))
        self.history.setCurrentWidget(self.chart if past else self.no_chart)


def projection_text(row: BudgetRow, now: datetime) -> str:
    """The projection and how it is computed, or why there is none."""
    passed = row.passed(now)
    if passed is None or row.reset is None:
        return "None: the budget never resets"
    found = row.projection(now)
    if found is None:
        return f"None before {share_text(EARLIEST)} of the period is over"
    text = f"{show_usd(found.nano)} by {day(row.reset)}"
    if found.limit_at is not None:
        text += f"; the limit is reached on {day(found.limit_at)}"
        if row.period == "daily":
            text = f"{show_usd(found.nano)} by midnight; the limit is reached at {found.limit_at.astimezone(UTC):%H:%M} (UTC)"
    text += f". Computed as the spend so far, divided by the {share_text(round(passed, 3))} of the period that is over."
    return f"{text} Too low if the spend was reset in this period." if row.of_key else text


def notices(row: BudgetRow) -> str:
    """Where the operator is notified."""
    if row.of_key:
        return "When it is nearly used, and when it is used up"
    return f"At {', '.join(share_text(one) for one in row.thresholds)}" if row.thresholds else "None"


def _why_empty(row: BudgetRow, loaded: bool) -> str:
    if row.period == "total":
        return "A budget that never resets has no past periods."
    return "No period is over yet." if loaded else ""


def _period_label(period: BudgetPeriod, start: datetime) -> str:
    at = start.astimezone(UTC)
    return f"{at:%b %Y}" if period == "monthly" else f"{at:%b} {at.day}"


def _dollars(usd: float) -> str:
    return show_usd(to_nano(usd))
