"""What the budgets page shows of a budget or of a key's own budget, and the projection of its spend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from conduit_desktop.actions.schemas.views import BudgetView, KeyView
from conduit_desktop.core.entities import BudgetPeriod, BudgetScope
from conduit_desktop.core.money import show_usd, to_nano

EVERY: dict[BudgetPeriod, str] = {"total": "in total", "daily": "per day", "weekly": "per week", "monthly": "per month"}
SCOPES: dict[BudgetScope, str] = {
    "global": "All requests", "provider": "Provider", "alias": "Alias", "key": "Key", "team": "Team",
}  # fmt: skip
EARLIEST = 0.1
"""The part of a period before which there is no projection: a few requests would decide it."""


@dataclass(frozen=True)
class Projection:
    """The spend at the end of the period (nano-dollars), and when the limit is reached if that is before the end."""

    nano: int
    limit_at: datetime | None


@dataclass(frozen=True)
class BudgetRow:
    """A budget, or a virtual key's own one (`of_key`; its `id` is the key's). Money in nano-dollars, times in UTC.

    `applies_to` names the target as the operator knows it; `thresholds` are fractions of the limit.
    """

    id: str
    of_key: bool
    name: str
    scope: BudgetScope
    applies_to: str
    limit_nano: int
    spend_nano: int
    reserved_nano: int
    period: BudgetPeriod
    start: datetime | None
    reset: datetime | None
    thresholds: tuple[float, ...]
    action: Literal["block", "warn"]
    locked: bool

    @property
    def key(self) -> tuple[bool, str]:
        """What identifies the row."""
        return self.of_key, self.id

    @property
    def share(self) -> float:
        """The spent share of the limit; 1 for a limit of $0."""
        return self.spend_nano / self.limit_nano if self.limit_nano else 1.0

    @property
    def spent_text(self) -> str:
        """`$1.20 of $5.00 per month`."""
        return f"{show_usd(self.spend_nano)} of {show_usd(self.limit_nano)} {EVERY[self.period]}"

    def passed(self, now: datetime) -> float | None:
        """The part of the period that has passed; None for a budget that never resets."""
        if self.start is None or self.reset is None:
            return None
        return (now - self.start) / (self.reset - self.start)

    def projection(self, now: datetime) -> Projection | None:
        """The spend at the end of the period, if it goes on at the average rate so far; None before EARLIEST of it is over."""
        passed = self.passed(now)
        # After the reset, the row is of the period before.
        if self.start is None or self.reset is None or passed is None or not EARLIEST <= passed <= 1:
            return None
        nano = round(self.spend_nano / passed)
        limit_at = None
        if self.spend_nano < self.limit_nano < nano:
            limit_at = self.start + (now - self.start) * (self.limit_nano / self.spend_nano)
        return Projection(nano, limit_at)


def rows_of(budgets: Iterable[BudgetView], keys: Iterable[KeyView]) -> list[BudgetRow]:
    """Every budget, then the budgets that keys have of their own."""
    keys = list(keys)
    names = {key.id: key.name for key in keys}
    return [
        *(_of_budget(budget, names) for budget in budgets),
        *(_of_key(key, key.budget_usd) for key in keys if key.budget_usd is not None),
    ]


def _of_budget(budget: BudgetView, key_names: Mapping[str, str]) -> BudgetRow:
    target = budget.target or ""
    if budget.scope == "key":
        target = key_names.get(target, f"{target} (deleted)")
    return BudgetRow(
        id=budget.id,
        of_key=False,
        name=budget.name,
        scope=budget.scope,
        applies_to=f"{SCOPES[budget.scope]} {target}" if target else SCOPES[budget.scope],
        limit_nano=to_nano(budget.limit_usd),
        spend_nano=to_nano(budget.spend_usd),
        reserved_nano=to_nano(budget.reserved_usd),
        period=budget.period,
        start=_moment(budget.period_start),
        reset=_moment(budget.next_reset),
        thresholds=tuple(sorted(budget.thresholds)),
        action=budget.action,
        locked=budget.locked,
    )


def _of_key(key: KeyView, limit_usd: float) -> BudgetRow:
    return BudgetRow(
        id=key.id,
        of_key=True,
        name=key.name,
        scope="key",
        applies_to=f"{SCOPES['key']} {key.name}",
        limit_nano=to_nano(limit_usd),
        spend_nano=to_nano(key.spend_usd),
        reserved_nano=to_nano(key.reserved_usd),
        period=key.budget_period,
        start=_moment(key.period_start),
        reset=_moment(key.next_reset),
        thresholds=(),
        action="block",
        locked=key.locked,
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def day(moment: datetime) -> str:
    """`Dec 1`, with the year unless it is this one."""
    # Not `%-d`, which does not exist on Windows.
    shown = f"{moment:%b} {moment.day}"
    return shown if moment.year == datetime.now(UTC).year else f"{shown}, {moment.year}"


def share_text(share: float) -> str:
    """`75 %`, with one decimal where there is one."""
    return f"{share * 100:.1f}".removesuffix(".0") + " %"
