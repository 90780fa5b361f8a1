"""Periods of a budget, and what a key has spent and reserved in the running one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.core import clock as clock_module
from conduit_desktop.core.entities import Budget, BudgetPeriod, BudgetScope, VirtualKey
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.gateway.admission.budgets import DAY_MS, BudgetAccount, Budgets, BudgetTerms, period
from conduit_desktop.store.interface import Spending
from tests.fakes.clock import Clock


def ms(text: str) -> int:
    """Epoch milliseconds of a UTC time."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def key(kind: BudgetPeriod = "total", **fields: Any) -> VirtualKey:
    return VirtualKey(id="key_app", name="app", digest="", hint="", budget_nano=100, budget_period=kind, **fields)


def load(budgets: Budgets, of: VirtualKey | Budget, spent: int, meanwhile: Callable[[], None] = lambda: None) -> None:
    """The ledger has `spent`; while it is read, `meanwhile` happens."""
    terms = BudgetTerms.of_key(of) if isinstance(of, VirtualKey) else BudgetTerms.of_budget(of)
    readings = budgets.readings([terms])
    meanwhile()
    budgets.load(readings, [spent])


def loaded(clock: Clock, of: VirtualKey, spent: int = 0) -> Budgets:
    budgets = Budgets(clock.millis)
    load(budgets, of, spent)
    return budgets


def costing(nano: int, at_ms: int, **fields: Any) -> RequestRecord:
    return RequestRecord("req", at_ms, key_id="key_app", cost_nano=nano, **fields)


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


def test_what_is_reserved_belongs_to_the_period_in_which_it_was_reserved() -> None:
    clock = at("2026-11-20")
    budgets = loaded(clock, key("daily"), 70)
    yesterdays = budgets.account("key_app")
    yesterdays.reserved_nano = 20
    clock.advance(86_400)
    account = budgets.account("key_app")
    assert (account.spend_nano, account.reserved_nano) == (0, 0)
    assert (yesterdays.spend_nano, yesterdays.reserved_nano) == (70, 20)


@pytest.mark.parametrize(
    ("kind", "admitted", "settled", "spent"),
    [
        ("daily", "2026-11-20T23:59:59.999", "2026-11-21T00:00:05", 0),
        ("daily", "2026-11-21T00:00:00.000", "2026-11-21T00:00:05", 7),
        ("daily", "2028-02-29T23:59:59.999", "2028-03-01T00:00", 0),
        ("daily", "2028-02-29T00:00:00.000", "2028-02-29T23:59:59.999", 7),
        ("weekly", "2026-11-22T23:59:59.999", "2026-11-23T00:00", 0),
        ("weekly", "2026-11-22T23:59:59.999", "2026-11-22T23:59:59.999", 7),
        ("monthly", "2028-02-29T23:59:59.999", "2028-03-01T00:00", 0),
        ("monthly", "2028-02-28T23:59:59.999", "2028-02-29T00:00", 7),
        ("monthly", "2026-12-31T23:59:59.999", "2027-01-01T00:00", 0),
        ("total", "2026-12-31T23:59:59.999", "2027-01-01T00:00", 7),
    ],
)
def test_a_request_is_paid_from_the_period_in_which_it_was_admitted(
    kind: BudgetPeriod, admitted: str, settled: str, spent: int
) -> None:
    clock = at(admitted)
    budgets = loaded(clock, key(kind))
    clock.set_wall(ms(settled) / 1000)
    budgets.account("key_app")
    budgets.charge(costing(7, ms(admitted)))
    assert budgets.account("key_app").spend_nano == spent


def test_a_request_of_a_new_period_that_nobody_has_looked_at_begins_it() -> None:
    clock = at("2026-11-20T23:59")
    budgets = loaded(clock, key("daily"), 70)
    clock.advance(120)
    budgets.charge(costing(7, clock.millis()))
    assert budgets.account("key_app").spend_nano == 7


def test_a_clock_that_is_set_back_over_midnight_finds_the_spend_of_that_day() -> None:
    clock = at("2026-11-20T23:59:59")
    budgets = loaded(clock, key("daily"), 70)
    clock.advance(2)
    budgets.charge(costing(5, clock.millis()))
    assert budgets.account("key_app").spend_nano == 5
    clock.advance(-2)
    assert budgets.account("key_app").spend_nano == 70
    clock.advance(2)
    assert budgets.account("key_app").spend_nano == 5


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
    clock = at("2026-11-20")
    budgets = Budgets(clock.millis)
    budgets.charge(costing(1000, clock.millis()))  # in the ledger's sum
    load(budgets, key(baseline_nano=90), 70, lambda: budgets.charge(costing(5, clock.millis())))
    assert budgets.account("key_app").spend_nano == 5


def test_a_period_that_ends_while_the_ledger_is_read_leaves_the_next_one_empty() -> None:
    clock = at("2026-11-20T23:59:59")
    budgets = loaded(clock, key("daily"), 70)

    def midnight() -> None:
        budgets.charge(costing(1, clock.millis()))
        clock.advance(2)
        budgets.charge(costing(5, clock.millis()))

    load(budgets, key("daily"), 80, midnight)
    assert budgets.account("key_app").spend_nano == 5
    clock.advance(-2)
    assert budgets.account("key_app").spend_nano == 81


def test_the_ledger_is_asked_for_the_running_period_alone() -> None:
    budgets = Budgets(at("2026-11-20T12:00").millis)
    asked = [reading.spending for reading in budgets.readings([BudgetTerms.of_key(key("daily")), BudgetTerms.of_budget(budget())])]
    assert asked == [
        Spending("key", "key_app", ms("2026-11-20"), ms("2026-11-21")), Spending("global", "", ms("2026-11-01"), ms("2026-12-01"))
    ]  # fmt: skip


def test_loading_keeps_what_requests_in_flight_have_reserved() -> None:
    budgets = loaded(at("2026-11-20"), key())
    budgets.account("key_app").reserved_nano = 20
    load(budgets, key(), 70)
    account = budgets.account("key_app")
    assert (account.spend_nano, account.reserved_nano) == (70, 20)


def test_a_key_without_records_has_spent_nothing() -> None:
    budgets = loaded(at("2026-11-20"), key())
    assert budgets.account("key_app").spend_nano == 0
    assert budgets.account("key_unknown") == BudgetAccount(spend_nano=0, reserved_nano=0)


def test_periods_follow_the_computers_clock_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = at("2026-11-20T23:59:59.999")
    monkeypatch.setattr(clock_module, "time", SimpleNamespace(time=clock.wall))
    budgets = Budgets()
    load(budgets, key("daily"), 70)
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
    assert budgets.stale([same, *changed]) == [BudgetTerms.of_key(one) for one in changed]


def test_another_period_counts_from_the_next_load_on() -> None:
    clock = at("2026-11-20T12:00")
    budgets = loaded(clock, key("total"), 70)
    load(budgets, key("daily"), 30)
    assert budgets.account("key_app").spend_nano == 30
    clock.advance(12 * 3600)
    assert budgets.account("key_app").spend_nano == 0


def test_a_changed_period_keeps_what_is_in_flight() -> None:
    clock = at("2026-11-20T12:00")
    budgets = loaded(clock, key("total"), 70)
    account = budgets.account("key_app")
    account.reserved_nano = 20
    load(budgets, key("daily"), 30)
    assert (budgets.account("key_app").reserved_nano, budgets.account("key_app").next_reset) == (20, ms("2026-11-21"))
    account.reserved_nano = 0
    assert budgets.account("key_app").reserved_nano == 0


def test_the_account_of_a_deleted_key_is_dropped_once_it_has_nothing_in_flight() -> None:
    budgets = loaded(at("2026-11-20"), key(), 70)
    budgets.account("key_app").reserved_nano = 20
    budgets.configure([], [])
    assert budgets.stale([key()]) == []
    budgets.account("key_app").reserved_nano = 0
    budgets.configure([], [])
    assert budgets.stale([key()]) == [BudgetTerms.of_key(key())]


# Whom a request is charged to


def budget(scope: BudgetScope = "global", target: str = "", **fields: Any) -> Budget:
    return Budget(id=f"bud_{scope}_{target}", name=f"{scope} {target}", scope=scope, target=target, limit_nano=100, **fields)


def configured(*holders: Budget) -> Budgets:
    budgets = Budgets(at("2026-11-20").millis)
    budgets.load(budgets.readings(map(BudgetTerms.of_budget, holders)), [0] * len(holders))
    budgets.configure([], holders)
    return budgets


def test_a_request_is_charged_to_every_budget_that_counts_it_and_to_no_other() -> None:
    mine = [
        budget(), budget("alias", "Fast"), budget("team", "RED"), budget("key", "key_app"), budget("provider", "OpenAI"),
        budget("global").model_copy(update={"id": "bud_second", "period": "daily"}),
    ]  # fmt: skip
    others = [budget("alias", "slow"), budget("team", "blue"), budget("key", "key_b"), budget("provider", "b"), budget("alias", "")]
    budgets = configured(*mine, *others)
    budgets.charge(costing(7, ms("2026-11-20"), model="fast", team="red", provider="openai"))
    assert [budgets.budget_account(one).spend_nano for one in mine] == [7] * len(mine)
    assert [budgets.budget_account(one).spend_nano for one in others] == [0] * len(others)


def test_failed_attempts_are_charged_to_the_providers_that_were_paid_for_them() -> None:
    a, b, all_of_it = budget("provider", "a"), budget("provider", "b"), budget()
    budgets = configured(a, b, all_of_it)
    attempts = [AttemptRecord("A", "m", outcome="server", cost_nano=30), AttemptRecord("b", "m", cost_nano=70)]
    budgets.charge(costing(100, ms("2026-11-20"), provider="b", attempts_nano=30, attempts=attempts))
    assert [budgets.budget_account(one).spend_nano for one in (a, b, all_of_it)] == [30, 70, 100]


def test_a_budget_that_is_removed_no_longer_holds_and_one_that_is_added_does() -> None:
    red, blue = budget("team", "red"), budget("team", "blue")
    budgets = configured(red)
    caller = VirtualKey(id="key_app", name="app", digest="", hint="", team="Red")
    assert [one.terms.name for one in budgets.of_request(caller, "m")] == ["team red"]
    load(budgets, blue, 50)
    budgets.configure([], [blue])
    assert budgets.of_request(caller, "m") == []
    assert budgets.budget_account(blue).spend_nano == 50


def test_a_request_in_flight_while_its_alias_is_renamed_is_charged_to_the_aliass_budget() -> None:
    renamed = budget("alias", "new", former=("Old",))
    budgets = configured(renamed)
    for name in ("old", "new", "other"):
        budgets.charge(costing(7, ms("2026-11-20"), model=name))
    assert budgets.budget_account(renamed).spend_nano == 14


def test_another_target_of_a_budget_is_read_anew() -> None:
    budgets = configured(budget("team", "red"))
    moved = budget("team", "red").model_copy(update={"target": "blue"})
    assert budgets.stale([], [moved]) == [BudgetTerms.of_budget(moved)]
    assert budgets.stale([], [budget("team", "red").model_copy(update={"limit_nano": 7, "name": "x"})]) == []
