"""Budgets at their borders: which are found, which periods stay known, who is woken, what each provider was paid."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from conduit_desktop.core.entities import Budget, BudgetPeriod, BudgetScope, VirtualKey
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.gateway.admission.budgets import DAY_MS, Booking, BudgetAccount, Budgets, BudgetTerms, TrackedBudget, period
from conduit_desktop.store.interface import Spending
from tests.fakes.clock import Clock

MIDNIGHT = round(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)


def key(**fields: Any) -> VirtualKey:
    return VirtualKey(**{"id": "key_app", "name": "app", "digest": "", "hint": "", **fields})


def budget(scope: BudgetScope = "global", target: str = "", **fields: Any) -> Budget:
    return Budget(**{"id": f"bud_{scope}_{target}", "name": scope, "scope": scope, "target": target, "limit_nano": 100, **fields})


def configured(*budgets: Budget, keys: tuple[VirtualKey, ...] = (), spent: int = 0, clock: Clock | None = None) -> Budgets:
    made = Budgets((clock or Clock(wall=MIDNIGHT / 1000)).millis)
    terms = [*map(BudgetTerms.of_key, keys), *map(BudgetTerms.of_budget, budgets)]
    made.load(made.readings(terms), [spent] * len(terms))
    made.configure(keys, budgets)
    return made


def record(cost: int | None, **fields: Any) -> RequestRecord:
    return RequestRecord("req", MIDNIGHT, **{"key_id": "key_app", "cost_nano": cost, **fields})


def tracked(kind: BudgetPeriod = "daily", at_ms: int = MIDNIGHT, **fields: Any) -> TrackedBudget:
    return TrackedBudget(BudgetTerms("bud", "global", "", "all", kind, **fields), at_ms)


# Periods


@pytest.mark.parametrize("kind", ["daily", "weekly", "monthly"])
def test_the_end_of_a_period_is_the_beginning_of_the_next_to_the_millisecond(kind: BudgetPeriod) -> None:
    start, end = period(kind, MIDNIGHT + 12_345_678)
    assert start is not None
    assert end is not None
    assert period(kind, start) == period(kind, end - 1) == (start, end)
    assert period(kind, end)[0] == end
    assert period(kind, start - 1)[1] == start
    assert start % 1000 == end % 1000 == start % DAY_MS == end % DAY_MS == 0


def test_the_account_of_the_running_period_is_that_from_its_first_to_its_last_millisecond() -> None:
    of = tracked()
    first = of.account
    assert of.running(MIDNIGHT) is of.running(MIDNIGHT + DAY_MS - 1) is first
    second = of.running(MIDNIGHT + DAY_MS)
    assert second is not first
    assert (second.period_start, second.next_reset) == (MIDNIGHT + DAY_MS, MIDNIGHT + 2 * DAY_MS)
    assert of.running(MIDNIGHT + DAY_MS - 1) is first
    assert of.running(MIDNIGHT - 1) is not first


def test_two_earlier_periods_stay_known_without_a_request_in_flight() -> None:
    of = tracked()
    for day in range(5):
        of.running(MIDNIGHT + day * DAY_MS).spend_nano = day + 1
    assert [of.running(MIDNIGHT + day * DAY_MS).spend_nano for day in (4, 3, 2)] == [5, 4, 3]
    assert of.running(MIDNIGHT + DAY_MS).spend_nano == 0


def test_a_period_with_a_request_in_flight_stays_known() -> None:
    of = tracked()
    booking = Booking(of, of.account, None, 7, 9)
    booking.take()
    for day in range(1, 6):
        of.running(MIDNIGHT + day * DAY_MS)
    assert of.running(MIDNIGHT) is booking.account
    assert (booking.account.reserved_nano, booking.account.held_nano, booking.account.bookings) == (7, 9, 1)
    booking.release()
    assert (booking.account.reserved_nano, booking.account.held_nano, booking.account.bookings) == (0, 0, 0)


@pytest.mark.parametrize(
    ("at_ms", "today", "yesterday"),
    [(0, 5, 0), (DAY_MS - 1, 5, 0), (-1, 0, 5), (-DAY_MS, 0, 5), (-DAY_MS - 1, 0, 0)],
)
def test_a_request_is_paid_from_the_period_of_its_own_moment(at_ms: int, today: int, yesterday: int) -> None:
    of = tracked(at_ms=MIDNIGHT - 1)
    before, now = of.account, of.running(MIDNIGHT)
    of.charge(MIDNIGHT + at_ms, 5)
    assert (now.spend_nano, now.charged_nano) == (today, today)
    assert (before.spend_nano, before.charged_nano) == (yesterday, yesterday)
    assert of.account is now


def test_a_request_of_the_next_period_begins_it() -> None:
    of = tracked()
    of.charge(MIDNIGHT + DAY_MS, 5)
    assert (of.account.period_start, of.account.spend_nano) == (MIDNIGHT + DAY_MS, 5)


def test_a_total_budget_counts_every_moment() -> None:
    of = tracked("total")
    for at_ms in (0, MIDNIGHT, 10**15):
        of.charge(at_ms, 5)
        assert of.running(at_ms) is of.account
    assert (of.account.spend_nano, of.account.period_start, of.account.next_reset) == (15, None, None)


# What the ledger is asked for


def test_the_ledger_is_asked_from_the_beginning_of_the_period_and_of_time() -> None:
    budgets = Budgets(Clock(wall=MIDNIGHT / 1000).millis)
    of_day, of_all = budget(period="daily"), budget("alias", "M", period="total", former=("old",))
    readings = budgets.readings(map(BudgetTerms.of_budget, (of_day, of_all)))
    assert [reading.spending for reading in readings] == [
        Spending("global", "", MIDNIGHT, MIDNIGHT + DAY_MS, ()), Spending("alias", "M", 0, None, ("old",)),
    ]  # fmt: skip
    assert [(reading.charged_nano, reading.period_start) for reading in readings] == [(0, MIDNIGHT), (0, None)]


def test_what_is_settled_while_a_new_budget_is_read_is_counted_before_it_holds() -> None:
    budgets, of = Budgets(Clock(wall=MIDNIGHT / 1000).millis), budget()
    readings = budgets.readings([BudgetTerms.of_budget(of)])
    assert not budgets.limit(None, "")
    budgets.charge(record(7))
    budgets.load(readings, [10])
    assert budgets.budget_account(of).spend_nano == 17


@pytest.mark.parametrize(("baseline_at", "spend"), [(MIDNIGHT - 1, 30), (MIDNIGHT, 10), (MIDNIGHT + 1, 10)])
def test_a_reset_counts_from_the_first_millisecond_of_the_period_on(baseline_at: int, spend: int) -> None:
    of = key(budget_nano=100, budget_period="daily", baseline_nano=20, baseline_at=baseline_at)
    assert configured(keys=(of,), spent=30).account("key_app").spend_nano == spend


def test_a_reset_at_no_known_moment_counts_for_a_total_budget() -> None:
    of = key(budget_nano=100, budget_period="total", baseline_nano=20)
    assert configured(keys=(of,), spent=30).account("key_app").spend_nano == 10
    assert configured(keys=(of,), spent=19).account("key_app").spend_nano == 0


def test_a_budget_is_read_again_where_what_it_counts_has_changed() -> None:
    of, caller = budget("alias", "m"), key(budget_nano=5)
    budgets = configured(of, keys=(caller,))
    assert budgets.stale([caller], [of]) == []
    assert budgets.stale([caller.model_copy(update={"budget_nano": 9})], [of.model_copy(update={"limit_nano": 9})]) == []
    for change in ({"period": "daily"}, {"target": "n"}, {"former": ("o",)}, {"scope": "team"}):
        assert budgets.stale([caller], [of.model_copy(update=change)]) == [BudgetTerms.of_budget(of.model_copy(update=change))]
    for change in ({"budget_period": "daily"}, {"baseline_nano": 1}, {"baseline_at": 1}, {"id": "key_2"}):
        assert budgets.stale([caller.model_copy(update=change)], [of]) == [BudgetTerms.of_key(caller.model_copy(update=change))]


def test_a_reading_of_a_budget_that_is_gone_is_dropped() -> None:
    of = budget()
    budgets = configured(of)
    readings = budgets.readings([BudgetTerms.of_budget(of)])
    budgets.configure([], [])
    budgets.load(readings, [5])
    assert budgets.budget_account(of).spend_nano == 0


# Which budgets hold


def test_a_request_is_limited_where_any_budget_holds() -> None:
    assert not configured().limit(None, "")
    assert not configured().limit(key(), "m")
    assert configured().limit(key(budget_nano=0), "m")
    assert configured(budget()).limit(None, "")
    assert configured(budget("provider", "p")).limit(None, "")
    assert configured(budget("alias", "M")).limit(None, "m")
    assert not configured(budget("alias", "m")).limit(None, "")
    assert not configured(budget("alias", "m"), budget("key", "key_2"), budget("team", "t")).limit(key(), "n")


def test_the_budgets_of_a_request_are_those_of_all_of_its_alias_of_its_key_and_of_its_team() -> None:
    every = (budget(), budget("alias", "Fast"), budget("key", "key_app"), budget("team", "Blue"), budget("provider", "Acme"))
    budgets = configured(*every)

    def found(of: VirtualKey | None, alias: str) -> list[str]:
        return [one.terms.scope for one in budgets.of_request(of, alias)]

    assert found(None, "") == ["global"]
    assert found(None, "FAST") == ["global", "alias"]
    assert found(key(), "other") == ["global", "key"]
    assert found(key(id="KEY_APP"), "") == ["global"]
    assert found(key(team="BLUE"), "fast") == ["global", "alias", "key", "team"]
    assert found(key(team="red", id="key_2"), "") == ["global"]
    assert [one.terms.target for one in budgets.of_provider("ACME")] == ["Acme"]
    assert list(budgets.of_provider("other")) == []


def test_a_budget_that_is_read_and_not_yet_configured_holds_for_nobody() -> None:
    budgets = Budgets(Clock(wall=MIDNIGHT / 1000).millis)
    budgets.readings(map(BudgetTerms.of_budget, (budget(), budget("provider", "p"))))
    assert list(budgets.of_request(None, "")) == list(budgets.of_provider("p")) == []


@pytest.mark.parametrize(
    ("spent", "reserved", "limit", "action", "is_spent"),
    [
        (99, 0, 100, "block", False), (100, 0, 100, "block", True), (60, 40, 100, "block", True), (60, 39, 100, "block", False),
        (500, 0, 100, "warn", False), (0, 0, 0, "block", True),
    ],
)  # fmt: skip
def test_a_provider_is_left_out_where_nothing_is_left_of_its_budget(
    spent: int, reserved: int, limit: int, action: str, is_spent: bool
) -> None:
    of = budget("provider", "Acme", limit_nano=limit, action=action)
    budgets = configured(of, spent=spent)
    budgets.budget_account(of).reserved_nano = reserved
    assert (budgets.spent_budget("acme") is not None) is is_spent
    assert budgets.spent_budget("other") is None


def test_the_spent_one_of_several_budgets_of_a_provider_is_named() -> None:
    wide, narrow = budget("provider", "p", id="wide", limit_nano=1000), budget("provider", "p", id="narrow", limit_nano=10)
    found = configured(wide, narrow, spent=10).spent_budget("p")
    assert found is not None
    assert found.id == "narrow"


# What is gone, and who is woken


def test_all_that_wait_for_a_budget_that_is_gone_may_go_on_and_the_first_of_each_other() -> None:
    gone, kept = budget("alias", "m"), budget()
    caller = key(budget_nano=5)
    budgets = configured(gone, kept, keys=(caller,))
    of_gone, of_kept = (next(one for one in budgets.of_request(None, "m") if one.terms.id == of.id) for of in (gone, kept))
    waiting = {
        name: [of.join(), of.join()]
        for name, of in {"gone": of_gone, "kept": of_kept, "of the key": budgets.of_key(caller)}.items()
    }
    budgets.configure([caller], [kept])
    woken = {name: [place._woken.is_set() for place in places] for name, places in waiting.items()}
    assert woken == {"gone": [True, True], "kept": [True, False], "of the key": [True, False]}
    budgets.configure([], [kept])
    assert all(place._woken.is_set() for place in waiting["of the key"])


def test_a_key_that_is_gone_is_kept_while_it_has_something_reserved() -> None:
    caller = key(budget_nano=5)
    budgets = configured(keys=(caller,))
    budgets.of_key(caller).account.reserved_nano = 1
    budgets.forget([])
    assert set(budgets._keys) == {"key_app"}
    budgets.of_key(caller).account.reserved_nano = 0
    budgets.forget(["key_app"])
    assert set(budgets._keys) == {"key_app"}
    budgets.forget([])
    assert set(budgets._keys) == set()


def test_what_leaves_the_queue_wakes_the_next_once() -> None:
    of = tracked()
    first, second = of.join(), of.join()
    assert not second._woken.is_set()
    first.leave()
    assert second._woken.is_set()
    second._woken.clear()
    first.leave()
    assert not second._woken.is_set()
    second.leave()
    assert not of.waiting
    of.wake()


def test_a_providers_budget_that_is_gone_is_no_longer_looked_for() -> None:
    of = budget("provider", "p")
    budgets = configured(of)
    assert budgets.any_of_provider
    budgets.configure([], [])
    assert not budgets.any_of_provider
    budgets.load(budgets.readings([BudgetTerms.of_budget(budget())]), [0])
    assert not budgets.any_of_provider


# Charges


@pytest.mark.parametrize("cost", [None, 0])
def test_a_request_that_cost_nothing_makes_no_account(cost: int | None) -> None:
    budgets = configured()
    budgets.charge(record(cost))
    assert budgets._keys == {}


def test_a_request_is_charged_under_the_present_and_the_former_names() -> None:
    of = budget("alias", "New", former=("Old", "older"))
    budgets = configured(of)
    for number, name in enumerate(("new", "OLD", "older", "other"), 1):
        budgets.charge(record(10**number, model=name))
    assert budgets.budget_account(of).spend_nano == 1110


def test_a_request_is_charged_to_all_to_its_key_and_to_its_team() -> None:
    every = [budget(), budget("key", "key_app"), budget("team", "Blue"), budget("key", "key_2"), budget("team", "red")]
    budgets = configured(*every)
    budgets.charge(record(7, team="BLUE", model="m"))
    budgets.charge(record(2, key_id="", model="m"))
    assert [budgets.budget_account(of).spend_nano for of in every] == [9, 7, 7, 0, 0]
    assert budgets.account("key_app").spend_nano == 7


def attempt(provider: str, cost: int | None, outcome: str = "server") -> AttemptRecord:
    return AttemptRecord(provider, "m", outcome=outcome, cost_nano=cost)


@pytest.mark.parametrize(
    ("cost", "attempts_nano", "attempts", "paid"),
    [
        (10, 0, [("b", 3)], {"a": 10}), (10, 3, [("b", 3), ("a", 7)], {"a": 7, "b": 3}),
        (3, 3, [("b", 1), ("B", 2)], {"a": 0, "b": 3}), (10, 3, [("a", 3), ("a", 7)], {"a": 10}),
        (10, 4, [("b", 3), ("c", 1), ("a", None)], {"a": 6, "b": 3, "c": 1}),
        (4, 4, [("b", 4), ("c", None), ("c", -1)], {"a": 0, "b": 4}),
    ],
)  # fmt: skip
def test_each_provider_is_charged_for_what_it_was_paid(
    cost: int, attempts_nano: int, attempts: list[tuple[str, int | None]], paid: dict[str, int]
) -> None:
    every = {name: budget("provider", name) for name in ("a", "b", "c")}
    budgets = configured(*every.values())
    made = record(cost, provider="A", model="m", attempts_nano=attempts_nano, attempts=[attempt(*one) for one in attempts])
    budgets.charge(made)
    assert {name: budgets.budget_account(of).spend_nano for name, of in every.items()} == {"a": 0, "b": 0, "c": 0} | paid


def test_an_attempt_that_succeeded_is_no_failed_one() -> None:
    of = budget("provider", "b")
    budgets = configured(of)
    budgets.charge(record(3, provider="a", model="m", attempts_nano=3, attempts=[attempt("b", 3, "ok")]))
    assert budgets.budget_account(of).spend_nano == 0


# Texts


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        (BudgetTerms("k", "key", "k", "app", "total", 10**9), "The total budget of the key 'app' ($1.00)"),
        (BudgetTerms("k", "key", "k", "app", "daily"), "The daily budget of the key 'app' ($0.00)"),
        (BudgetTerms("b", "key", "k", "small", "daily", 10**9), "The daily budget 'small' of the key ($1.00)"),
        (BudgetTerms("b", "global", "", "all", "total", 10**9), "The budget 'all' ($1.00)"),
        (BudgetTerms("b", "global", "b", "all", "weekly", 10**9), "The weekly budget 'all' ($1.00)"),
        (BudgetTerms("b", "team", "b", "x", "monthly", 10**9), "The monthly budget 'x' of the team 'b' ($1.00)"),
    ],
)
def test_a_budget_is_named_with_its_period_its_holder_and_its_limit(terms: BudgetTerms, text: str) -> None:
    assert terms.text == text


def test_an_entity_for_one_key_is_not_the_keys_own_budget() -> None:
    of, caller = budget("key", "key_app", limit_nano=50), key(budget_nano=5)
    budgets = configured(of, keys=(caller,))
    assert budgets.of_key(caller).terms.limit_nano == 5
    assert [one.terms.limit_nano for one in budgets.of_request(caller, "")] == [50]
    assert budgets.budget_account(of) is not budgets.account("key_app")


# What one request holds


def test_growth_beyond_what_is_held_is_held_too() -> None:
    of = tracked(limit_nano=100)
    booking = Booking(of, of.account, None, 10, 15)
    booking.take()
    booking.grow(5)
    assert (booking.expected_nano, booking.held_nano, of.account.reserved_nano, of.account.held_nano) == (15, 15, 15, 15)
    booking.grow(7)
    assert (booking.expected_nano, booking.held_nano, of.account.reserved_nano, of.account.held_nano) == (22, 22, 22, 22)
    booking.release()
    assert of.account == BudgetAccount(period_start=of.account.period_start, next_reset=of.account.next_reset)


@pytest.mark.parametrize(("more", "fits"), [(5, True), (70, True), (71, False)])
def test_growth_has_room_up_to_what_others_leave(more: int, fits: bool) -> None:
    of = tracked(limit_nano=100)
    of.account.spend_nano = 20
    booking = Booking(of, of.account, None, 10, 15)
    booking.take()
    # 65 are free, and 5 are held beyond what was expected.
    assert booking.room_for(more) is fits
    of.terms = BudgetTerms("bud", "global", "", "all", "daily", 100, blocks=False)
    assert booking.room_for(more)
    of.terms = BudgetTerms("bud", "global", "", "all", "daily", None)
    assert booking.room_for(more)


def test_the_request_that_may_overrun_is_counted_until_it_ends() -> None:
    of = tracked(limit_nano=100)
    booking = Booking(of, of.account, None, 10, 10, overruns=True)
    place = of.join()
    booking.take()
    assert (of.account.overruns, of.account.bookings, place._woken.is_set()) == (1, 1, False)
    booking.release()
    assert (of.account.overruns, of.account.bookings, place._woken.is_set()) == (0, 0, True)


def test_growth_within_what_is_held_leaves_it_as_it_is() -> None:
    of = tracked(limit_nano=100)
    booking = Booking(of, of.account, None, 10, 15)
    booking.take()
    booking.grow(2)
    assert (booking.expected_nano, booking.held_nano, of.account.reserved_nano, of.account.held_nano) == (12, 15, 12, 15)
