"""The limits at their borders: what is shown, what is restored, what a stream grows by, and when a text has to be weighed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.core.entities import Budget, BudgetScope, Price, VirtualKey
from conduit_desktop.core.errors import BudgetExceeded, Forbidden, GatewayError, RateLimited
from conduit_desktop.gateway.accounting.compiled_price import compile_price
from conduit_desktop.gateway.admission import limits
from conduit_desktop.gateway.admission.budgets import Budgets, BudgetTerms, TrackedBudget
from conduit_desktop.gateway.admission.cost_estimate import CostEstimate
from conduit_desktop.gateway.admission.limits import GROWTH_TOKENS, NO_PRICE, BudgetInUse, RateLimiter
from conduit_desktop.store.interface import KeyUse
from tests.fakes.clock import Clock

A_TOKEN = 1_000_000
TARIFF = compile_price(Price(pattern="*", input=1000, output=1000))
FREE = compile_price(Price(pattern="*", input=0, output=0))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands at the beginning of a minute."""
    clock = Clock(wall=1_800_000_000.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=clock.wall))
    return clock


def key(key_id: str = "key_1", **fields: Any) -> VirtualKey:
    return VirtualKey(id=key_id, name="app", digest="", hint="", **fields)


def budget(scope: BudgetScope = "global", target: str = "", limit: int = 100, **fields: Any) -> Budget:
    return Budget(id=f"bud_{scope}", name=f"the {scope} one", scope=scope, target=target, limit_nano=limit, **fields)


def limiter_of(*budgets: Budget, spent: int = 0) -> RateLimiter:
    made = Budgets()
    made.load(made.readings(map(BudgetTerms.of_budget, budgets)), [spent] * len(budgets))
    made.configure([], budgets)
    return RateLimiter(made)


def of_tokens(inputs: int, outputs: int = 0) -> CostEstimate:
    return CostEstimate.of(inputs, outputs, [FREE])


def costs(nano: int, worst: int = 0, **fields: Any) -> CostEstimate:
    return CostEstimate(0, 0, TARIFF, cost_nano=nano, worst_nano=worst, **fields)


def admits(limiter: RateLimiter, of: VirtualKey | None, expected: CostEstimate, **more: Any) -> bool:
    try:
        limiter.admit(of, expected, **more)
    except (GatewayError, BudgetInUse):
        return False
    return True


# Room for a request of any size


def test_a_key_with_a_full_window_or_all_requests_in_flight_has_no_room_for_any_request(clock: Clock) -> None:
    limiter = RateLimiter(Budgets())
    limiter.check_room(None)
    for of, text in (
        (key("key_1", max_parallel=1), "in flight"),
        (key("key_2", rpm=1), "per minute"),
        (key("key_3", rpd=1), "per day"),
    ):
        limiter.check_room(of)
        limiter.check_room(of)
        limiter.admit(of, of_tokens(1))
        with pytest.raises(RateLimited, match=text):
            limiter.check_room(of)


def test_the_refusal_of_a_minute_that_is_nearly_over_waits_for_a_second(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), key(rpm=1)
    limiter.admit(of, of_tokens(1))
    clock.advance(59.9)
    with pytest.raises(RateLimited) as refused:
        limiter.check_room(of)
    assert refused.value.retry_after == 1


# Headers


def test_headers_show_a_last_request_that_is_left_and_none_below_zero(clock: Clock) -> None:
    limiter = RateLimiter(Budgets())
    limiter.admit(key(rpm=2, tpm=3), of_tokens(2)).settle(0, 2)
    assert limiter.headers(key(rpm=2, tpm=3)) == {"requests": (2, 1, 60), "tokens": (3, 1, 60)}
    limiter.admit(key(rpm=2, tpm=3), of_tokens(1)).settle(0, 1)
    assert limiter.headers(key(rpm=2, tpm=3)) == {"requests": (2, 0, 60), "tokens": (3, 0, 60)}
    assert limiter.headers(key(rpm=1, tpm=1)) == {"requests": (1, 0, 60), "tokens": (1, 0, 60)}


def test_headers_show_a_day_that_is_used_up_beyond_its_limit_as_used_up(clock: Clock) -> None:
    limiter = RateLimiter(Budgets())
    for _ in range(3):
        limiter.admit(key(rpd=3), of_tokens(1))
    assert limiter.headers(key(rpd=4))["requests"] == (4, 1, 86_400)
    assert limiter.headers(key(rpd=3))["requests"] == (3, 0, 86_400)
    assert limiter.headers(key(rpd=1))["requests"] == (1, 0, 86_400)


def test_headers_show_the_minute_where_the_day_has_as_many_requests_left(clock: Clock) -> None:
    limiter = RateLimiter(Budgets())
    assert limiter.headers(key(rpm=2, rpd=2))["requests"] == (2, 2, 0)
    limiter.admit(key(rpm=2, rpd=2), of_tokens(1))
    clock.advance(10)
    assert limiter.headers(key(rpm=2, rpd=2))["requests"] == (2, 1, 50)


def test_tokens_in_flight_and_tokens_used_are_taken_off_what_headers_show(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), key(tpm=100)
    limiter.admit(of, of_tokens(10, 5)).settle(0, 20)
    limiter.admit(of, of_tokens(30, 3))
    assert limiter.headers(of)["tokens"] == (100, 100 - 20 - 33, 60)


# A restart


def test_what_was_used_before_a_restart_counts_from_its_own_moment(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), key(rpm=5, rpd=9, tpm=100)
    now_ms = round(clock.wall() * 1000)
    limiter.restore_requests([of], [KeyUse("key_1", now_ms - 20_000, 2)], "minute")
    limiter.restore_requests([of], [KeyUse("key_1", now_ms - 40_000, 3)], "day")
    limiter.restore_tokens([of], [KeyUse("key_1", now_ms - 30_000, 40)])
    assert limiter.headers(of) == {"requests": (5, 3, 40), "tokens": (100, 60, 30)}
    assert limiter.headers(key(rpd=9)) == {"requests": (9, 6, 86_360)}


def test_uses_of_a_key_without_that_limit_are_not_restored(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), key()
    used = [KeyUse("key_1", round(clock.wall() * 1000), 2)]
    limiter.restore_requests([of], used, "minute")
    limiter.restore_requests([of], used, "day")
    assert limiter.headers(key(rpm=5)) == {"requests": (5, 5, 0)}


# Streams that grow


def test_a_stream_grows_by_1024_tokens_that_count_for_its_key_until_it_ends(clock: Clock) -> None:
    assert GROWTH_TOKENS == 1024
    limiter, of = RateLimiter(Budgets()), key(tpm=10_000)
    stream = limiter.admit(of, of_tokens(7, 10))
    assert stream.covers(10)
    assert (stream.tokens, stream.output_tokens) == (17, 10)
    assert stream.covers(11)
    assert (stream.tokens, stream.output_tokens) == (17 + 1024, 10 + 1024)
    assert limiter.headers(of)["tokens"][1] == 10_000 - 17 - 1024
    assert stream.covers(10 + 1025)
    assert (stream.tokens, stream.output_tokens) == (17 + 2048, 10 + 2048)
    stream.settle(0, 0)
    assert limiter.headers(of)["tokens"][1] == 10_000


def test_a_stream_without_a_key_grows_too() -> None:
    stream = limiter_of(budget(limit=10**15)).admit(None, CostEstimate.of(0, 10, [TARIFF]))
    assert stream.is_limited
    assert stream.covers(5000)
    assert stream.output_tokens == 10 + 5 * 1024


def test_a_request_without_a_budget_is_not_limited() -> None:
    assert not RateLimiter(Budgets()).admit(key(), costs(5)).is_limited
    assert not RateLimiter(Budgets()).admit(None, costs(5)).is_limited
    assert RateLimiter(Budgets()).admit(key(budget_nano=9), costs(5)).is_limited


def test_growth_counts_in_every_budget_or_in_none() -> None:
    wide, narrow = budget(limit=10**12), budget("alias", "m", limit=15 * A_TOKEN)
    limiter = limiter_of(wide, narrow)
    stream = limiter.admit(key(), CostEstimate.of(0, 10, [TARIFF]), "m")
    accounts = [limiter.budgets.budget_account(one) for one in (wide, narrow)]
    assert stream.covers(15)
    assert [account.reserved_nano for account in accounts] == [15 * A_TOKEN] * 2
    assert not stream.covers(16)
    assert [account.reserved_nano for account in accounts] == [15 * A_TOKEN] * 2
    assert (stream.tokens, stream.output_tokens) == (15, 15)


def test_growth_within_what_is_held_holds_no_more() -> None:
    everyone = budget(limit=100)
    limiter = limiter_of(everyone)
    stream = limiter.admit(None, costs(10, worst=40))
    account = limiter.budgets.budget_account(everyone)
    stream.attempt_failed(30)
    assert (account.reserved_nano, account.held_nano) == (40, 40)
    stream.attempt_failed(1)
    assert (account.reserved_nano, account.held_nano) == (41, 41)
    stream.settle(0, 0)
    assert (account.reserved_nano, account.held_nano, account.bookings) == (0, 0, 0)


def test_a_stream_goes_on_within_what_it_holds_in_an_overspent_budget() -> None:
    everyone = budget(limit=100)
    limiter = limiter_of(everyone)
    limiter.admit(None, costs(10, worst=40))
    booking_of = limiter.admit(None, costs(10, worst=40))._bookings[0]
    limiter.budgets.budget_account(everyone).spend_nano = 1000
    assert booking_of.room_for(30)
    assert not booking_of.room_for(31)
    limiter.budgets.budget_account(everyone).spend_nano = 19
    assert booking_of.room_for(31)
    assert not booking_of.room_for(32)


def test_1000_targets_are_known_to_pass_caps() -> None:
    limiter = RateLimiter(Budgets())
    reservation = limiter.admit(None, costs(1))
    for number in range(1000):
        reservation.cap_passed(f"p/{number}")
    assert len(limiter.passes_caps) == 1000
    reservation.cap_passed("p/new")
    assert limiter.passes_caps == {"p/new"}


def test_only_a_providers_budget_is_given_back_when_another_answers() -> None:
    everyone, one, other = budget(), budget("provider", "One"), Budget(
        id="bud_2", name="2", scope="provider", target="Other", limit_nano=100
    )  # fmt: skip
    limiter = limiter_of(everyone, one, other)
    reservation = limiter.admit(None, costs(5, worst=7), providers={"one": costs(5, worst=7), "OTHER": costs(6, worst=9)})
    accounts = [limiter.budgets.budget_account(kept) for kept in (everyone, one, other)]
    assert [account.held_nano for account in accounts] == [7, 7, 9]
    reservation.served_by("ONE")
    assert [account.held_nano for account in accounts] == [7, 7, 0]
    reservation.settle(0, 0)
    assert [account.held_nano for account in accounts] == [0, 0, 0]


# Budgets


def test_a_wait_names_the_budget() -> None:
    terms = BudgetTerms("bud_1", "alias", "m", "small", "daily", 2_000_000_000)
    waiting = BudgetInUse(TrackedBudget(terms, 0))
    assert str(waiting) == terms.text == "The daily budget 'small' of the alias 'm' ($2.00)"


@pytest.mark.parametrize(
    ("cost", "worst", "spent", "limit", "text"),
    [
        (6, 0, 95, 100, r" has < \$0\.0001 left; this request may cost < \$0\.0001\.$"),
        (6, 0, 100, 100, r"\$0\.00 left\.$"), (6, 0, 101, 100, r"\$0\.00 left\.$"), (0, 1, 100, 100, r"\$0\.00 left\.$"),
        (6, 0, 99, 100, "; this request may cost"),
        (1, 0, 0, 0, r"\$0\.00 left\.$"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_cost_only_where_something_is_left(cost: int, worst: int, spent: int, limit: int, text: str) -> None:
    limiter = limiter_of(budget(limit=limit), spent=spent)
    with pytest.raises(BudgetExceeded, match=text):
        limiter.admit(None, costs(cost, worst))


@pytest.mark.parametrize(
    ("cost", "worst", "unpriced", "spent", "admitted"),
    [
        (0, 0, False, 100, True), (0, 0, False, 101, True), (0, 1, False, 100, False), (0, 1, False, 99, True),
        (0, 0, True, 100, False), (0, 0, True, 99, True), (1, 1, False, 99, True), (2, 2, False, 99, False),
    ],
)  # fmt: skip
def test_a_spent_budget_lets_only_what_is_certainly_free_through(
    cost: int, worst: int, unpriced: bool, spent: int, admitted: bool
) -> None:
    limiter = limiter_of(budget(limit=100), spent=spent)
    expected = costs(cost, worst, unpriced=unpriced)
    assert admits(limiter, key(unpriced="allow"), expected) is admitted


@pytest.mark.parametrize(("worst", "overruns"), [(40, 0), (41, 1)])
def test_a_worst_case_that_fits_exactly_may_not_overrun(worst: int, overruns: int) -> None:
    everyone = budget(limit=100)
    limiter = limiter_of(everyone, spent=20)
    limiter.admit(None, costs(40))
    limiter.admit(None, costs(10, worst=worst))
    account = limiter.budgets.budget_account(everyone)
    assert (account.overruns, account.held_nano, account.bookings) == (overruns, 80 if not overruns else 50, 2)


@pytest.mark.parametrize(("cost", "admitted"), [(40, True), (41, False)])
def test_a_request_that_may_overrun_needs_room_for_its_expected_cost(cost: int, admitted: bool) -> None:
    limiter = limiter_of(budget(limit=100))
    limiter.admit(None, costs(10, worst=60))
    assert admits(limiter, None, costs(cost, worst=1000)) is admitted


def test_a_free_request_does_not_wait_where_more_is_held_than_is_left() -> None:
    everyone = budget(limit=100)
    limiter = limiter_of(everyone)
    limiter.admit(None, costs(10, worst=80))
    limiter.budgets.budget_account(everyone).spend_nano = 60
    assert admits(limiter, None, costs(0))
    limiter.admit(None, costs(0, worst=1))
    assert limiter.budgets.budget_account(everyone).overruns == 1
    assert not admits(limiter, None, costs(1, worst=1))


def test_the_first_that_waits_is_admitted_before_those_behind_it_and_before_new_ones() -> None:
    limiter = limiter_of(budget(limit=100))
    waited_for = limiter.budgets.of_request(None, "")[0]
    first, second = waited_for.join(), waited_for.join()
    for place in (None, second):
        with pytest.raises(BudgetInUse):
            limiter.admit(None, costs(10, worst=500), place=place)
    limiter.admit(None, costs(10, worst=500), place=first)
    with pytest.raises(BudgetInUse):
        limiter.admit(None, costs(10, worst=500), place=first)


def test_a_budget_that_warns_remembers_that_it_was_passed() -> None:
    warning = budget(limit=10, action="warn")
    limiter = limiter_of(warning)
    account = limiter.budgets.budget_account(warning)
    assert admits(limiter, None, costs(10, worst=50))
    assert not account.passed
    assert admits(limiter, None, costs(1))
    assert account.passed
    assert (account.reserved_nano, account.held_nano) == (11, 11)
    account.reserved_nano = 0
    assert admits(limiter, None, costs(1))
    assert account.passed


@pytest.mark.parametrize(
    ("of", "scope", "text"),
    [
        (key(budget_nano=5), None, "the key 'app' has a budget"), (key(), "global", "the budget 'the global one' holds"),
        (None, "global", "the budget 'the global one' holds"),
        (key(unpriced="block"), None, "the key 'app' does not allow unpriced"),
        (key(), "key", "the key 'app' has a budget"), (key(unpriced="block"), "global", "the key 'app' does not allow unpriced"),
    ],
)  # fmt: skip
def test_a_model_without_a_price_is_refused_with_the_reason(of: VirtualKey | None, scope: BudgetScope | None, text: str) -> None:
    limiter = limiter_of(*([budget(scope, "key_1" if scope == "key" else "")] if scope else []))
    with pytest.raises(Forbidden, match=f"^{NO_PRICE}, and {text}"):
        limiter.admit(of, costs(0, unpriced=True))
    assert admits(limiter, of, costs(0, worst=0))


def test_a_key_that_allows_models_without_a_price_is_served() -> None:
    assert admits(limiter_of(budget()), key(unpriced="allow"), costs(0, unpriced=True))
    assert admits(limiter_of(budget(action="warn")), key(), costs(0, unpriced=True))


def test_the_providers_without_room_are_named_with_the_reason() -> None:
    limiter = limiter_of(budget("provider", "one"))
    at_ms = limiter.budgets.now_ms()

    def without_room(**providers: CostEstimate) -> dict[str, str]:
        found = limiter.without_room(key(), providers, at_ms)
        return {name: type(reason).__name__ for name, reason in found.items()}

    assert without_room(one=costs(100), two=costs(10**9, unpriced=True)) == {}
    assert without_room(one=costs(101), two=costs(1)) == {"one": "BudgetExceeded"}
    assert without_room(one=costs(1, unpriced=True)) == {"one": "Forbidden"}
    limiter.admit(None, costs(1), providers={"one": costs(10, worst=500)})
    assert without_room(one=costs(1, worst=500)) == {"one": "BudgetInUse"}
    assert without_room(one=costs(1, worst=1)) == {}


# Estimates by length


def by_length(nano: int, worst: int, most_tokens: int) -> tuple[CostEstimate, list[str]]:
    """An estimate by length, and what was weighed of it."""
    weighed: list[str] = []

    def weigh() -> CostEstimate:
        weighed.append("the text")
        return costs(nano, worst)

    return CostEstimate(nano, 0, None, nano, False, worst, worst, most_tokens, weigh), weighed


@pytest.mark.parametrize(("room", "weighs"), [(10_000, False), (9_999, True)])
@pytest.mark.parametrize(("spent", "held"), [(0, 0), (500, 0), (0, 300), (500, 300)])
def test_room_is_ample_for_a_thousand_requests_beyond_what_is_spent_and_held(
    room: int, weighs: bool, spent: int, held: int
) -> None:
    limiter, (expected, weighed) = limiter_of(budget(limit=room + spent + held), spent=spent), by_length(4, 10, 0)
    limiter.admit(None, costs(held))
    limiter.admit(None, expected)
    assert bool(weighed) is weighs


@pytest.mark.parametrize(("room", "weighs"), [(70, False), (69, True)])
def test_tokens_suffice_beyond_what_is_used_and_in_flight(clock: Clock, room: int, weighs: bool) -> None:
    limiter, (expected, weighed) = RateLimiter(Budgets()), by_length(4, 10, 70)
    of = key(tpm=room + 20 + 33)
    limiter.admit(of, of_tokens(5)).settle(0, 20)
    limiter.admit(of, of_tokens(30, 3))
    limiter.admit(of, expected)
    assert bool(weighed) is weighs


def test_a_key_without_a_limit_of_tokens_and_a_free_request_are_not_weighed() -> None:
    expected, weighed = by_length(0, 0, 10**9)
    limiter_of(budget(limit=0)).admit(key(), expected)
    RateLimiter(Budgets()).admit(key(rpm=5), by_length(10**9, 10**9, 10**9)[0])
    assert not weighed


def test_a_request_by_its_length_is_refused_where_more_than_the_limit_was_spent() -> None:
    expected, weighed = by_length(0, 0, 10)
    limiter_of(budget(limit=0), spent=1).admit(key(), expected)
    assert weighed


def test_a_budget_that_blocks_holds_the_worst_case_of_an_estimate_by_length() -> None:
    for action, held in (("block", 10), ("warn", 4)):
        everyone = budget(limit=10_000, action=action)
        limiter = limiter_of(everyone)
        limiter.admit(None, by_length(4, 10, 0)[0])
        assert limiter.budgets.budget_account(everyone).held_nano == held


def test_a_request_is_held_to_the_tokens_that_it_can_have_and_not_to_more_that_are_expected(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), key(tpm=100)
    limiter.admit(of, of_tokens(20)).settle(0, 20)
    # The target's longest answer is shorter than what is reserved for one.
    expected = CostEstimate(4, 500, FREE, most_tokens=50, weigh=lambda: of_tokens(4, 500))
    assert admits(limiter, of, expected)


# Tokens a minute


@pytest.mark.parametrize(("inputs", "outputs", "admitted"), [(80, 0, True), (81, 0, False), (60, 20, True), (60, 21, False)])
def test_input_and_output_need_room_beside_what_is_used_and_in_flight(
    clock: Clock, inputs: int, outputs: int, admitted: bool
) -> None:
    limiter, of = RateLimiter(Budgets()), key(tpm=100)
    limiter.admit(of, of_tokens(9)).settle(0, 9)
    limiter.admit(of, of_tokens(11))
    assert admits(limiter, of, of_tokens(inputs, outputs)) is admitted


def test_the_wait_for_tokens_is_until_as_many_are_over_as_are_needed(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), key(tpm=100)
    for _ in range(2):
        limiter.admit(of, of_tokens(1)).settle(0, 50)
        clock.advance(10)
    for needed, wait_s in ((1, 40), (50, 40), (51, 50), (100, 50)):
        with pytest.raises(RateLimited, match="100 tokens per minute") as refused:
            limiter.admit(of, of_tokens(needed))
        assert refused.value.retry_after == wait_s
    with pytest.raises(RateLimited, match="has used its 100 tokens per minute") as refused:
        limiter.admit(of, of_tokens(10, 500))
    assert refused.value.retry_after == 50
    with pytest.raises(RateLimited, match="alone is over the 100 tokens") as refused:
        limiter.admit(of, of_tokens(101))
    assert refused.value.retry_after == 60


def test_a_settled_request_gives_its_tokens_back_and_leaves_what_it_used(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), key(tpm=100, max_parallel=2)
    first, second = (limiter.admit(of, of_tokens(20, 10)) for _ in range(2))
    first.settle(0, 5)
    assert limiter._uses["key_1"].parallel == 1
    assert limiter._uses["key_1"].tokens == 30
    assert limiter.headers(of)["tokens"] == (100, 65, 60)
    second.settle(0, 1)
    assert (limiter._uses["key_1"].parallel, limiter._uses["key_1"].tokens) == (0, 0)
    assert limiter.headers(of)["tokens"] == (100, 94, 60)


def test_a_request_waits_for_the_budget_of_any_of_its_providers() -> None:
    one, two = (Budget(id=f"bud_{name}", name=name, scope="provider", target=name, limit_nano=100) for name in ("one", "two"))
    limiter = limiter_of(one, two)
    limiter.admit(None, costs(1), providers={"two": costs(10, worst=500)})
    for names in (("one", "two"), ("two", "one")):
        with pytest.raises(BudgetInUse) as waits:
            limiter.admit(None, costs(1), providers={name: costs(10, worst=500 if name == "two" else 10) for name in names})
        assert waits.value.budget.terms.name == "two"


def test_what_a_key_without_a_budget_has_in_flight_is_shown() -> None:
    limiter = RateLimiter(Budgets())
    reservation = limiter.admit(key(), costs(7))
    assert limiter.budgets.account("key_1").reserved_nano == 7
    reservation.settle(5, 0)
    assert (limiter.budgets.account("key_1").reserved_nano, limiter.budgets.account("key_1").spend_nano) == (0, 5)
