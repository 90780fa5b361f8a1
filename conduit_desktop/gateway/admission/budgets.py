"""What every key has spent and reserved in its running period, in memory; the ledger says where it starts.

All steps are synchronous: no other request runs between the check and the reservation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import BudgetPeriod, VirtualKey

DAY_MS = 86_400_000


@dataclass(slots=True)
class BudgetAccount:
    """Nano-dollars spent and reserved in the period that began at `period_start` (epoch ms; None: since ever)."""

    spend_nano: int = 0
    reserved_nano: int = 0
    period_start: int | None = None
    next_reset: int | None = None


def period(kind: BudgetPeriod, at_ms: int) -> tuple[int | None, int | None]:
    """Start and end (epoch ms) of the UTC calendar period at `at_ms`; both None for `total`. Weeks begin on Monday."""
    if kind == "total":
        return None, None
    # UTC, so that no daylight-saving change makes a day of 23 hours and a restart elsewhere finds the same period.
    day = datetime.fromtimestamp(at_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "daily":
        start, end = day, day + timedelta(days=1)
    elif kind == "weekly":
        start = day - timedelta(days=day.weekday())
        end = start + timedelta(days=7)
    else:
        start = day.replace(day=1)
        # 32 days after the first of a month is always in the next one.
        end = (start + timedelta(days=32)).replace(day=1)
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)


class Budgets:
    """The accounts of all keys."""

    def __init__(self, now_ms: Callable[[], int] = now_ms) -> None:
        self.now_ms = now_ms
        self._accounts: dict[str, BudgetAccount] = {}
        self._baselines: dict[str, tuple[int, int]] = {}
        self._periods: dict[str, BudgetPeriod] = {}

    def load(self, keys: Iterable[VirtualKey], spent: Mapping[str, int], settled_since: Mapping[str, int] | None = None) -> None:
        """Take each key's total since its period's first day from the ledger; reservations stay as they are.

        `settled_since` is what was settled in memory while the ledger was read.
        """
        now = self.now_ms()
        for key in keys:
            account = self._accounts.setdefault(key.id, BudgetAccount())
            account.period_start, account.next_reset = period(key.budget_period, now)
            # A reset in an earlier period took nothing from this one's total.
            baseline = key.baseline_nano if key.baseline_at >= (account.period_start or 0) else 0
            account.spend_nano = max(0, spent.get(key.id, 0) - baseline) + (settled_since or {}).get(key.id, 0)
            self._baselines[key.id] = (key.baseline_nano, key.baseline_at)
            self._periods[key.id] = key.budget_period

    def stale(self, keys: Iterable[VirtualKey]) -> list[VirtualKey]:
        """The keys that are new, or whose period or baseline is no longer the one their account was made with."""
        return [
            key
            for key in keys
            if self._baselines.get(key.id) != (key.baseline_nano, key.baseline_at) or self._periods.get(key.id) != key.budget_period
        ]

    def account(self, key_id: str) -> BudgetAccount:
        """The key's account, turned over to a new period where one has begun."""
        account = self._accounts.get(key_id)
        if account is None:
            account = self._accounts[key_id] = BudgetAccount()
        if account.next_reset is not None and (now := self.now_ms()) >= account.next_reset:
            # Reservations stay: what is in flight is settled in the new period.
            account.spend_nano = 0
            account.period_start, account.next_reset = period(self._periods[key_id], now)
        return account

    def spends(self) -> dict[str, int]:
        """Every key's spend now, to tell later what was settled in the meantime."""
        return {key_id: account.spend_nano for key_id, account in self._accounts.items()}

    def forget(self, keep: Iterable[str]) -> None:
        """Drop the accounts of keys that are gone and have nothing in flight."""
        kept = set(keep)
        # Else the reservation would be settled in a new account that never held it.
        for key_id in [k for k, account in self._accounts.items() if k not in kept and not account.reserved_nano]:
            del self._accounts[key_id]
            self._baselines.pop(key_id, None)
            self._periods.pop(key_id, None)
