"""Usage totals, arranged for the chart and the table of the usage page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from conduit_desktop.actions.schemas.reports import UsageView
from conduit_desktop.core.money import to_nano
from conduit_desktop.core.tokens import INPUT_CLASSES, OUTPUT_CLASSES, total_input, total_output

Measure = Literal["cost", "requests", "tokens"]
GroupBy = Literal["day", "model", "key", "provider", "team", "client"]
MOST = 7
"""Series of the chart; the rest are joined into one."""

UNNAMED: dict[GroupBy, str] = {
    "model": "(no model)", "key": "(no key)", "provider": "(no provider)", "team": "(no team)", "client": "(no client)", "day": "–",
}  # fmt: skip
"""The group of requests that have none: rejected before routing, or sent from Chat without a key."""


@dataclass(frozen=True)
class UsageTotals:
    """One row of the table, or the whole range.

    `refused`: no provider was called. `cost_nano` counts priced requests alone; see `cost_known`.
    """

    name: str
    requests: int
    failed: int
    refused: int
    tokens_in: int
    cached: int
    tokens_out: int
    cost_nano: int
    unpriced: int
    estimated: int

    @property
    def tokens(self) -> int:
        """Input and output tokens."""
        return self.tokens_in + self.tokens_out

    @property
    def cost_known(self) -> int | None:
        """The cost in nano-dollars; None (unknown, never 0) when nothing that cost anything has a price."""
        return None if self.unpriced and not self.cost_nano else self.cost_nano


def totals_of(name: str, rows: Iterable[UsageView]) -> UsageTotals:
    """The totals of usage rows."""
    rows = list(rows)

    def add(*fields: str) -> int:
        return sum(getattr(row, field) for row in rows for field in fields)

    return UsageTotals(
        name=name,
        requests=add("requests"),
        failed=add("failed"),
        refused=add("refused"),
        tokens_in=add(*INPUT_CLASSES),
        cached=add("cache_read"),
        tokens_out=add(*OUTPUT_CLASSES),
        # Added as integers: floats would drift over thousands of rows.
        cost_nano=sum(to_nano(row.cost_usd or 0) for row in rows),
        unpriced=add("unpriced_requests"),
        estimated=add("estimated_requests"),
    )


def grouped(rows: Iterable[UsageView], group: GroupBy) -> list[UsageTotals]:
    """One row per group, in order of first appearance; a key is shown by its name."""
    field = "key_name" if group == "key" else group
    parts: dict[str, list[UsageView]] = {}
    for row in rows:
        parts.setdefault(str(getattr(row, field) or UNNAMED[group]), []).append(row)
    return [totals_of(name, some) for name, some in parts.items()]


def days_between(first: date, last: date) -> list[str]:
    """Every day from `first` to `last`, both included, as `YYYY-MM-DD`."""
    return [(first + timedelta(days=at)).isoformat() for at in range((last - first).days + 1)]


def stacked(rows: Iterable[UsageView], days: Sequence[str], measure: Measure, others: str) -> list[tuple[str, tuple[float, ...]]]:
    """`(model, value per day)`, the largest first; models after the seventh are joined as `others`. Cost in US dollars."""
    places = {day: at for at, day in enumerate(days)}
    series: dict[str, list[float]] = {}
    for row in rows:
        if row.day in places:
            values = series.setdefault(str(row.model or UNNAMED["model"]), [0.0] * len(days))
            values[places[row.day]] += _value(row, measure)
    # Without models that have nothing of this measure: they would only fill the legend.
    ranked = sorted(((name, tuple(values)) for name, values in series.items() if any(values)), key=lambda pair: -sum(pair[1]))
    # One more than MOST is shown as it is: joining a single model into “Other” would only hide its name.
    if len(ranked) > MOST + 1:
        rest = tuple(sum(column) for column in zip(*(values for _, values in ranked[MOST:]), strict=True))
        ranked = [*ranked[:MOST], (others, rest)]
    return ranked


def _value(row: UsageView, measure: Measure) -> float:
    if measure == "cost":
        return float(row.cost_usd or 0)
    return float(row.requests) if measure == "requests" else float(total_input(row) + total_output(row))
