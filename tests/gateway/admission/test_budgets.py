"""Periods of a budget, and what a key has spent and reserved in the running one."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.core import clock as clock_module
from conduit_desktop.core.entities import BudgetPeriod, VirtualKey
from conduit_desktop.gateway.admission.budgets import DAY_MS, BudgetAccount, Budgets, period
from tests.fakes.clock import Clock


def ms(text: str) -> int:
    """Epoch milliseconds of a UTC time."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def key(kind: BudgetPeriod = "total", **fields: Any) -> VirtualKey:
    return VirtualKey(id="key_app", name="app", digest="", hint="", budget_nano=100, budget_period=kind, **fields)


def loaded(clock: Clock, of: VirtualKey, spent: int = 0) -> Budgets:
    budgets = Budgets(clock.millis)
    budgets.load([of], {of.id: spent})
    return budgets


def at(text: str) -> Clock:
    return Clock(wall=ms(text) / 1000)


PERIODS: list[tuple[BudgetPeriod, str, str]] = [
    ("daily", "2026-11-20", "2026-11-21"),
    ("daily", "2026-12-31", "2027-01-01"),
    ("daily", "2028-02-28", "2028-02-29"),
    ("daily", "2028-02-29", "2028-03-01"),
    ("daily", "2027-02-28", "2027-03-01"),
    ("weekly", "2026-11-16", "2026-11-23"),
    ("weekly", "2026-12-28", "2027-01-04"),
    ("weekly", "2028-02-28", "2028-03-06"),
    ("monthly", "2026-11-01", "2026-12-01"),
    ("monthly", "2026-12-01", "2027-01-01"),
    ("monthly", "2027-01-01", "2027-02-01"),
    ("monthly", "2027-02-01", "2027-03-01"),
    ("monthly", "2028-02-01", "2028-03-01"),
    ("monthly", "2100-02-01", "2100-03-01"),  # divisible by 100: no leap year
]


@pytest.mark.parametrize(("kind", "start", "end"), PERIODS)
def test_a_period_begins_and_ends_at_midnight_utc(kind: BudgetPeriod, start: str, end: str) -> None:
    whole = (ms(start), ms(end))
    assert period(kind, whole[0]) == whole
    assert period(kind, (whole[0] + whole[1]) // 2) == whole
    assert period(kind, whole[1] - 1) == whole
    assert period(kind, whole[0] - 1)[1] == whole[0]
    assert period(kind, whole[1])[0] == whole[1]


@pytest.mark.parametrize(
    ("month", "days"), [("2026-11", 30), ("2026-12", 31), ("2027-01", 31), ("2027-02", 28), ("2028-02", 29), ("2027-04", 30)]
)
def test_a_month_has_its_own_number_of_days(month: str, days: int) -> None:
    start, end = period("monthly", ms(f"{month}-15"))
    assert start is not None
    assert end is not None
    assert end - start == days * DAY_MS


@pytest.mark.parametrize("day", ["16", "17", "18", "19", "20", "21", "22"])
def test_a_week_begins_on_monday_from_each_of_its_days(day: str) -> None:
    start, _ = period("weekly", ms(f"2026-11-{day}T23:59:59.999"))
    assert start == ms("2026-11-16")
    assert datetime.fromtimestamp(start / 1000, UTC).isoweekday() == 1


def test_a_total_budget_has_no_period() -> None:
    assert period("total", ms("2026-11-20")) == (None, None)


@pytest.mark.parametrize(
    ("kind", "now", "end"),
    [
        ("daily", "2026-11-20T12:00", "2026-11-21"),
        ("weekly", "2026-11-20T12:00", "2026-11-23"),
        ("monthly", "2026-11-20T12:00", "2026-12-01"),
        ("monthly", "2028-02-29T12:00", "2028-03-01"),
        ("daily", "2026-12-31T12:00", "2027-01-01"),
    ],
)
def test_spend_is_zero_again_at_the_exact_end_of_the_period(kind: BudgetPeriod, now: str, end: str) -> None:
    clock = at(now)
    budgets = loaded(clock, key(kind), 70)
    clock.set_wall((ms(end) - 1) / 1000)
    assert budgets.account("key_app").spend_nano == 70
    clock.set_wall(ms(end) / 1000)
    account = budgets.account("key_app")
    assert (account.spend_nano, account.period_start, account.next_reset) == (0, ms(end), period(kind, ms(end))[1])


def test_periods_in_which_nothing_was_called_are_skipped() -> None:
    clock = at("2026-11-20")
    budgets = loaded(clock, key("daily"), 70)
    clock.advance(10 * 86_400 + 5)
    account = budgets.account("key_app")
    assert (account.spend_nano, account.next_reset) == (0, ms("2026-12-01"))


def test_a_total_budget_is_never_reset() -> None:
    clock = at("2026-11-20")
    budgets = loaded(clock, key("total"), 70)
    clock.advance(3650 * 86_400)
    assert budgets.account("key_app").spend_nano == 70


def test_what_is_reserved_stays_reserved_in_the_next_period() -> None:
    clock = at("2026-11-20")
    budgets = loaded(clock, key("daily"), 70)
    budgets.account("key_app").reserved_nano = 20
    clock.advance(86_400)
    account = budgets.account("key_app")
    assert (account.spend_nano, account.reserved_nano) == (0, 20)


def test_what_was_spent_before_a_reset_of_the_spend_does_not_count() -> None:
    clock = at("2026-11-20T12:00")
    assert loaded(clock, key("daily", baseline_nano=60, baseline_at=clock.millis()), 70).account("key_app").spend_nano == 10
    assert loaded(clock, key("total", baseline_nano=60, baseline_at=1), 70).account("key_app").spend_nano == 10


@pytest.mark.parametrize(("kind", "start"), [("daily", "2026-11-20"), ("weekly", "2026-11-16"), ("monthly", "2026-11-01")])
def test_a_reset_of_the_spend_counts_only_in_the_period_in_which_it_was_made(kind: BudgetPeriod, start: str) -> None:
    clock = at("2026-11-20T12:00")
    first_ms = ms(start)
    assert loaded(clock, key(kind, baseline_nano=60, baseline_at=first_ms), 70).account("key_app").spend_nano == 10
    assert loaded(clock, key(kind, baseline_nano=60, baseline_at=first_ms - 1), 70).account("key_app").spend_nano == 70


def test_a_baseline_over_the_ledgers_total_gives_no_extra_budget() -> None:
    clock = at("2026-11-20")
    assert loaded(clock, key(baseline_nano=90), 70).account("key_app").spend_nano == 0


def test_what_was_settled_while_the_ledger_was_read_is_added() -> None:
    budgets = Budgets(at("2026-11-20").millis)
    budgets.load([key(baseline_nano=90)], {"key_app": 70}, {"key_app": 5})
    assert budgets.spends() == {"key_app": 5}


def test_loading_keeps_what_requests_in_flight_have_reserved() -> None:
    budgets = loaded(at("2026-11-20"), key())
    budgets.account("key_app").reserved_nano = 20
    budgets.load([key()], {"key_app": 70})
    account = budgets.account("key_app")
    assert (account.spend_nano, account.reserved_nano) == (70, 20)


def test_a_key_without_records_has_spent_nothing() -> None:
    budgets = Budgets()
    budgets.load([key()], {"key_other": 70})
    assert budgets.account("key_app").spend_nano == 0
    assert budgets.account("key_unknown") == BudgetAccount(spend_nano=0, reserved_nano=0)


def test_periods_follow_the_computers_clock_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = at("2026-11-20T23:59:59.999")
    monkeypatch.setattr(clock_module, "time", SimpleNamespace(time=clock.wall))
    budgets = Budgets()
    budgets.load([key("daily")], {"key_app": 70})
    assert budgets.account("key_app").spend_nano == 70
    clock.advance(0.001)
    assert budgets.account("key_app").spend_nano == 0


def test_an_account_is_loaded_again_after_its_period_or_its_baseline_changed() -> None:
    budgets = loaded(at("2026-11-20"), key("daily", baseline_nano=1, baseline_at=5))
    same = key("daily", baseline_nano=1, baseline_at=5, rpm=3)
    changed = [
        key("weekly", baseline_nano=1, baseline_at=5),
        key("daily", baseline_nano=2, baseline_at=5),
        key("daily", baseline_nano=1, baseline_at=6),
        same.model_copy(update={"id": "key_new"}),
    ]
    assert budgets.stale([same, *changed]) == changed


def test_another_period_counts_from_the_next_load_on() -> None:
    clock = at("2026-11-20T12:00")
    budgets = loaded(clock, key("total"), 70)
    budgets.load([key("daily")], {"key_app": 30})
    assert budgets.account("key_app").spend_nano == 30
    clock.advance(12 * 3600)
    assert budgets.account("key_app").spend_nano == 0


def test_the_account_of_a_deleted_key_is_dropped_once_it_has_nothing_in_flight() -> None:
    budgets = loaded(at("2026-11-20"), key(), 70)
    budgets.forget(["key_app"])
    assert budgets.spends() == {"key_app": 70}
    budgets.account("key_app").reserved_nano = 20
    budgets.forget([])
    assert budgets.spends() == {"key_app": 70}
    budgets.account("key_app").reserved_nano = 0
    budgets.forget([])
    assert budgets.spends() == {}
    assert budgets.stale([key()]) == [key()]
