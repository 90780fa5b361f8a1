"""The limits and the budget of a key: what is admitted, what is refused, and what a request holds until its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.core.entities import Price, VirtualKey
from conduit_desktop.core.errors import BudgetExceeded, Forbidden, GatewayError, RateLimited
from conduit_desktop.core.media import Units
from conduit_desktop.gateway.accounting.compiled_price import compile_price
from conduit_desktop.gateway.admission import limits
from conduit_desktop.gateway.admission.budgets import Budgets, BudgetTerms
from conduit_desktop.gateway.admission.cost_estimate import CostEstimate
from conduit_desktop.gateway.admission.limits import GROWTH_TOKENS, RateLimiter, Reservation
from conduit_desktop.gateway.admission.windows import EXACT_UP_TO
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect
from conduit_desktop.wire.media.endpoints import MediaRequest
from tests.fakes.clock import Clock

A_TOKEN = 1_000_000
"""Nano-dollars, at $1,000 a million tokens."""
TARIFF = compile_price(Price(pattern="*", input=1000, output=1000))
CHEAP = compile_price(Price(pattern="*", input=1, output=1))
FREE = compile_price(Price(pattern="*", input=0, output=0))


def key(budget_tokens: int | None) -> VirtualKey:
    budget = None if budget_tokens is None else budget_tokens * A_TOKEN
    return VirtualKey(id="key_1", name="app", digest="", hint="", budget_nano=budget)


def admitted(limiter: RateLimiter, budget_tokens: int | None, inputs: int = 0, outputs: int = 10) -> Reservation:
    return limiter.admit(key(budget_tokens), CostEstimate.of(inputs, outputs, [TARIFF]))


def test_a_stream_goes_on_for_as_long_as_the_budget_bears_it() -> None:
    limiter = RateLimiter(Budgets())
    held = admitted(limiter, 100)
    assert [made for made in range(1, 200) if held.covers(made)] == list(range(1, 101))
    assert limiter.budgets.account("key_1").reserved_nano == 100 * A_TOKEN
    held.settle(100 * A_TOKEN, 100)
    assert (limiter.budgets.account("key_1").reserved_nano, limiter.budgets.account("key_1").spend_nano) == (0, 100 * A_TOKEN)


def test_a_reservation_grows_in_steps_where_there_is_room() -> None:
    limiter = RateLimiter(Budgets())
    held = admitted(limiter, 10 + GROWTH_TOKENS + 5)
    assert held.covers(11)
    assert limiter.budgets.account("key_1").reserved_nano == (10 + GROWTH_TOKENS) * A_TOKEN


def test_growth_takes_no_room_that_another_request_holds() -> None:
    limiter = RateLimiter(Budgets())
    first, second = admitted(limiter, 30), admitted(limiter, 30)
    assert first.covers(20)
    assert not first.covers(21)
    assert second.covers(10)
    with pytest.raises(BudgetExceeded):
        admitted(limiter, 30, outputs=1)
    first.settle(0, 0)
    assert second.covers(30)


def test_a_key_without_a_budget_never_runs_out() -> None:
    assert admitted(RateLimiter(Budgets()), None).covers(10**6)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands at the beginning of a minute."""
    clock = Clock(wall=1_800_000_000.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=clock.wall))
    return clock


def limited(**fields: Any) -> VirtualKey:
    return VirtualKey(id="key_1", name="app", digest="", hint="", **fields)


def costing(nano: int, *, unpriced: bool = False) -> CostEstimate:
    return CostEstimate(0, 0, TARIFF, cost_nano=nano, unpriced=unpriced)


def of_tokens(inputs: int, outputs: int = 0) -> CostEstimate:
    return CostEstimate.of(inputs, outputs, [FREE])


def admits(limiter: RateLimiter, of: VirtualKey, expected: CostEstimate | None = None) -> bool:
    try:
        limiter.admit(of, expected or of_tokens(1))
    except GatewayError:
        return False
    return True


def held(limiter: RateLimiter, key_id: str = "key_1") -> tuple[int, int, int, int]:
    """Requests and input tokens in flight, nano-dollars reserved and spent."""
    use, account = limiter._uses[key_id], limiter.budgets.account(key_id)
    return use.parallel, use.tokens, account.reserved_nano, account.spend_nano


# Requests in flight


def test_as_many_requests_as_max_parallel_may_be_in_flight_and_no_more() -> None:
    limiter, key_2 = RateLimiter(Budgets()), limited(max_parallel=2)
    first = limiter.admit(key_2, of_tokens(1))
    limiter.admit(key_2, of_tokens(1))
    with pytest.raises(RateLimited, match="2 requests in flight") as refused:
        limiter.admit(key_2, of_tokens(1))
    assert refused.value.retry_after == 1
    first.settle(0, 0)
    assert admits(limiter, key_2)
    assert not admits(limiter, key_2)


def test_a_key_without_max_parallel_has_no_limit_of_requests_in_flight() -> None:
    limiter = RateLimiter(Budgets())
    assert all(admits(limiter, limited()) for _ in range(1000))


def test_each_key_has_limits_of_its_own() -> None:
    limiter, one = RateLimiter(Budgets()), limited(max_parallel=1, rpm=1, budget_nano=5)
    assert admits(limiter, one, costing(5))
    assert not admits(limiter, one, costing(5))
    assert admits(limiter, one.model_copy(update={"id": "key_2"}), costing(5))


def test_a_call_without_a_key_has_no_limits_and_leaves_nothing_counted() -> None:
    limiter = RateLimiter(Budgets())
    reservation = limiter.admit(None, costing(10**15, unpriced=True))
    assert reservation.covers(10**6)
    reservation.settle(10**15, 10**6)
    assert (limiter._uses, limiter.budgets._keys) == ({}, {})


# Requests per minute and per day


@pytest.mark.parametrize("limit", [1, 3, EXACT_UP_TO, EXACT_UP_TO + 1])
@pytest.mark.parametrize(("name", "span_s", "text"), [("rpm", 60, "requests per minute"), ("rpd", 86_400, "requests per day")])
def test_a_window_admits_as_many_requests_as_its_limit_and_no_more(
    clock: Clock, name: str, span_s: int, text: str, limit: int
) -> None:
    limiter, of = RateLimiter(Budgets()), limited(**{name: limit})
    assert all(admits(limiter, of) for _ in range(limit))
    with pytest.raises(RateLimited, match=f"its {limit} {text}") as refused:
        limiter.admit(of, of_tokens(1))
    assert refused.value.retry_after == span_s
    clock.advance(span_s - span_s / 120 - 0.01)
    assert not admits(limiter, of)
    clock.advance(span_s / 120 + 0.02)
    assert admits(limiter, of)


def test_a_settled_request_still_counts_in_its_minute(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(rpm=1)
    limiter.admit(of, of_tokens(1)).settle(0, 1)
    assert not admits(limiter, of)


def test_a_request_refused_by_the_day_takes_nothing_of_the_minute(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(rpm=2, rpd=1)
    assert admits(limiter, of)
    assert not admits(limiter, of)
    assert limiter._uses["key_1"].minute is not None
    assert limiter._uses["key_1"].minute.used(clock.wall()) == 1


def test_a_request_refused_by_the_minute_takes_nothing_of_the_day(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(rpm=1, rpd=2)
    assert admits(limiter, of)
    assert not admits(limiter, of)
    clock.advance(61)
    assert admits(limiter, of)
    clock.advance(61)
    with pytest.raises(RateLimited, match="per day"):
        limiter.admit(of, of_tokens(1))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_parallel": 1}, of_tokens(1)),
        ({"tpm": 5}, of_tokens(6)),
        ({"tpm": 5}, of_tokens(5)),  # one token is in flight
        ({"budget_nano": 5}, costing(6)),
        ({"unpriced": "block"}, costing(0, unpriced=True)),
        ({"rpm": 1}, of_tokens(1)),
        ({"rpd": 1}, of_tokens(1)),
    ],
)
def test_a_refused_request_takes_nothing_of_any_limit(clock: Clock, fields: dict[str, Any], expected: CostEstimate) -> None:
    limiter, of = RateLimiter(Budgets()), limited(**{"rpm": 9, "rpd": 9, "tpm": 99, "max_parallel": 9, "budget_nano": 99, **fields})
    limiter.admit(of, CostEstimate(1, 0, TARIFF, cost_nano=1))
    before = (held(limiter), limiter.headers(of))
    assert not admits(limiter, of, expected)
    assert (held(limiter), limiter.headers(of)) == before
    assert before[0] == (1, 1, 1, 0)


def test_a_limit_that_is_lowered_counts_what_was_used_before(clock: Clock) -> None:
    limiter = RateLimiter(Budgets())
    assert all(admits(limiter, limited(rpm=5, rpd=5)) for _ in range(3))
    assert not admits(limiter, limited(rpm=3))
    assert admits(limiter, limited(rpm=4))


def test_a_limit_that_is_taken_away_no_longer_refuses(clock: Clock) -> None:
    limiter = RateLimiter(Budgets())
    assert admits(limiter, limited(rpm=1, rpd=1))
    assert not admits(limiter, limited(rpm=1, rpd=1))
    assert not admits(limiter, limited(rpd=1))
    assert admits(limiter, limited())


# Tokens per minute


@pytest.mark.parametrize(("inputs", "admitted"), [(100, True), (101, False)])
def test_a_request_that_alone_is_over_the_tokens_per_minute_is_refused(clock: Clock, inputs: int, admitted: bool) -> None:
    limiter, of = RateLimiter(Budgets()), limited(tpm=100)
    if admitted:
        assert admits(limiter, of, of_tokens(inputs))
        return
    with pytest.raises(RateLimited, match="alone is over the 100 tokens") as refused:
        limiter.admit(of, of_tokens(inputs))
    assert refused.value.retry_after == 60


def test_tokens_in_flight_count_against_the_tokens_per_minute(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(tpm=100)
    first = limiter.admit(of, of_tokens(60))
    assert not admits(limiter, of, of_tokens(41))
    assert admits(limiter, of, of_tokens(40))
    assert not admits(limiter, of, of_tokens(1))
    first.settle(0, 0)
    assert not admits(limiter, of, of_tokens(61))
    assert admits(limiter, of, of_tokens(60))


def test_tokens_used_in_the_last_minute_count_against_the_tokens_per_minute(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(tpm=100)
    limiter.admit(of, of_tokens(10)).settle(0, 60)
    with pytest.raises(RateLimited, match="its 100 tokens per minute") as refused:
        limiter.admit(of, of_tokens(41))
    assert refused.value.retry_after == 60
    assert admits(limiter, of, of_tokens(40))
    clock.advance(60)
    assert not admits(limiter, of, of_tokens(61))
    assert admits(limiter, of, of_tokens(60))


def test_tokens_used_and_tokens_in_flight_are_added(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(tpm=100)
    limiter.admit(of, of_tokens(1)).settle(0, 50)
    assert admits(limiter, of, of_tokens(30))
    assert not admits(limiter, of, of_tokens(21))
    assert admits(limiter, of, of_tokens(20))


def test_a_request_without_input_needs_room_for_one_token(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(tpm=100)
    limiter.admit(of, of_tokens(1)).settle(0, 99)
    assert admits(limiter, of, of_tokens(0))
    limiter.admit(of, of_tokens(1)).settle(0, 1)
    assert not admits(limiter, of, of_tokens(0))


def test_more_tokens_than_the_limit_are_counted_in_full(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(tpm=100)
    limiter.admit(of, of_tokens(1)).settle(0, 150)
    assert limiter.headers(of)["tokens"] == (100, 0, 60)
    clock.advance(59)
    with pytest.raises(RateLimited) as refused:
        limiter.admit(of, of_tokens(1))
    assert refused.value.retry_after == 1
    clock.advance(1)
    assert admits(limiter, of, of_tokens(100))


def test_usage_below_zero_gives_no_tokens_back(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(tpm=100)
    limiter.admit(of, of_tokens(1)).settle(0, 60)
    limiter.admit(of, of_tokens(1)).settle(0, -50)
    assert not admits(limiter, of, of_tokens(41))


def test_tokens_count_from_the_end_of_their_request(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(tpm=100)
    reservation = limiter.admit(of, of_tokens(60))
    clock.advance(300)
    reservation.settle(0, 60)
    assert not admits(limiter, of, of_tokens(41))


def test_tokens_used_before_the_limit_was_set_count(clock: Clock) -> None:
    limiter = RateLimiter(Budgets())
    limiter.admit(limited(), of_tokens(1)).settle(0, 60)
    assert not admits(limiter, limited(tpm=100), of_tokens(41))


def test_the_wait_is_at_least_one_second(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(rpm=1)
    limiter.admit(of, of_tokens(1)).settle(0, 0)
    clock.advance(59.9)
    with pytest.raises(RateLimited) as refused:
        limiter.admit(of, of_tokens(1))
    assert refused.value.retry_after == 1


# Budget


@pytest.mark.parametrize(("cost", "admitted"), [(100, True), (101, False)])
def test_a_request_may_cost_exactly_what_the_budget_has_left(cost: int, admitted: bool) -> None:
    assert admits(RateLimiter(Budgets()), limited(budget_nano=100), costing(cost)) is admitted


@pytest.mark.parametrize(("cost", "admitted"), [(40, True), (41, False)])
def test_what_was_spent_counts_against_the_budget(cost: int, admitted: bool) -> None:
    limiter, of = RateLimiter(Budgets()), limited(budget_nano=100)
    limiter.admit(of, costing(10)).settle(60, 0)
    assert admits(limiter, of, costing(cost)) is admitted


@pytest.mark.parametrize(("cost", "admitted"), [(40, True), (41, False)])
def test_what_requests_in_flight_have_reserved_counts_against_the_budget(cost: int, admitted: bool) -> None:
    limiter, of = RateLimiter(Budgets()), limited(budget_nano=100)
    limiter.admit(of, costing(60))
    assert admits(limiter, of, costing(cost)) is admitted


@pytest.mark.parametrize(("cost", "admitted"), [(10, True), (11, False)])
def test_spent_and_reserved_are_added(cost: int, admitted: bool) -> None:
    limiter, of = RateLimiter(Budgets()), limited(budget_nano=100)
    limiter.admit(of, costing(1)).settle(50, 0)
    limiter.admit(of, costing(40))
    assert admits(limiter, of, costing(cost)) is admitted


def test_a_refusal_by_the_budget_names_the_period_the_budget_and_what_is_left() -> None:
    limiter, of = RateLimiter(Budgets()), limited(budget_nano=2_000_000_000, budget_period="monthly")
    limiter.admit(of, costing(1)).settle(1_500_000_000, 0)
    with pytest.raises(BudgetExceeded) as refused:
        limiter.admit(of, costing(600_000_000))
    text = "The monthly budget of the key 'app' ($2.00) has $0.50 left; this request may cost $0.60."
    assert refused.value.message == text
    limiter.admit(of, costing(1)).settle(1_000_000_000, 0)
    with pytest.raises(BudgetExceeded) as refused:
        limiter.admit(of, costing(1))
    assert refused.value.message == "The monthly budget of the key 'app' ($2.00) has $0.00 left."


def test_a_key_without_a_budget_is_admitted_at_any_cost() -> None:
    assert admits(RateLimiter(Budgets()), limited(), costing(10**18))


def test_a_free_request_passes_a_spent_and_an_overspent_budget() -> None:
    limiter, of = RateLimiter(Budgets()), limited(budget_nano=100)
    for spent in (100, 50):
        limiter.admit(of, costing(0)).settle(spent, 0)
        assert admits(limiter, of, costing(0))
        assert not admits(limiter, of, costing(1))


def test_an_unpriced_request_is_refused_where_the_key_blocks_unpriced_models() -> None:
    limiter = RateLimiter(Budgets())
    with pytest.raises(Forbidden, match="No price is known"):
        limiter.admit(limited(unpriced="block"), costing(0, unpriced=True))
    with pytest.raises(Forbidden, match="No price is known"):
        limiter.admit(limited(unpriced="block", budget_nano=100), costing(0, unpriced=True))
    assert admits(limiter, limited(unpriced="block"), costing(0))
    assert admits(limiter, limited(unpriced="allow"), costing(0, unpriced=True))


def test_an_unpriced_request_is_refused_where_nothing_is_left_of_the_budget() -> None:
    limiter, of = RateLimiter(Budgets()), limited(budget_nano=100, unpriced="allow")
    limiter.admit(of, costing(0)).settle(99, 0)
    limiter.admit(of, costing(0, unpriced=True)).settle(1, 0)
    with pytest.raises(BudgetExceeded):
        limiter.admit(of, costing(0, unpriced=True))


def test_an_unpriced_request_is_refused_while_the_rest_of_the_budget_is_reserved() -> None:
    limiter, of = RateLimiter(Budgets()), limited(budget_nano=100, unpriced="allow")
    reservation = limiter.admit(of, costing(100))
    assert not admits(limiter, of, costing(0, unpriced=True))
    reservation.settle(0, 0)
    assert admits(limiter, of, costing(0, unpriced=True))


def test_a_budget_of_a_day_is_whole_again_at_midnight_utc() -> None:
    clock = Clock(wall=1_800_057_599.0)  # 2027-01-15T23:59:59Z
    limiter, of = RateLimiter(Budgets(clock.millis)), limited(budget_nano=100, budget_period="daily")
    limiter.budgets.load(limiter.budgets.readings([BudgetTerms.of_key(of)]), [100])
    assert not admits(limiter, of, costing(1))
    clock.advance(0.999)
    assert not admits(limiter, of, costing(1))
    clock.advance(0.001)
    assert admits(limiter, of, costing(100))
    assert not admits(limiter, of, costing(1))


# What is expected


def test_the_dearest_of_the_targets_prices_is_expected() -> None:
    for compiled_prices in ([CHEAP, TARIFF], [TARIFF, CHEAP]):
        expected = CostEstimate.of(3, 2, compiled_prices)
        assert (expected.compiled_price, expected.cost_nano, expected.unpriced) == (TARIFF, 5 * A_TOKEN, False)


@pytest.mark.parametrize("compiled_prices", [[None], [None, TARIFF], [TARIFF, None]])
def test_a_request_is_unpriced_where_any_of_its_targets_has_no_price(compiled_prices: list[Any]) -> None:
    expected = CostEstimate.of(3, 2, compiled_prices)
    assert expected.unpriced
    assert expected.cost_nano == (5 * A_TOKEN if TARIFF in compiled_prices else 0)


def test_a_request_without_a_target_is_not_refused_for_its_price() -> None:
    assert not CostEstimate.of(3, 2, []).unpriced


def test_the_dearer_of_tokens_and_units_is_expected_of_a_media_request() -> None:
    pictures = compile_price(Price(pattern="*", per_image=0.04))
    both = compile_price(Price(pattern="*", input=1000, output=1000, per_image=0.04))
    assert CostEstimate.of(3, 2, [pictures], Units(images=2)).cost_nano == 80_000_000
    assert CostEstimate.of(3, 2, [both], Units(images=2)).cost_nano == 80_000_000
    assert CostEstimate.of(300, 2, [both], Units(images=2)).cost_nano == 302 * A_TOKEN


# Reservations


def test_what_a_request_holds_is_given_back_when_it_is_settled(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(budget_nano=100, max_parallel=2, tpm=100)
    first = limiter.admit(of, CostEstimate(30, 0, TARIFF, cost_nano=60))
    second = limiter.admit(of, CostEstimate(20, 0, TARIFF, cost_nano=10))
    assert held(limiter) == (2, 50, 70, 0)
    first.settle(5, 7)
    assert held(limiter) == (1, 20, 10, 5)
    second.settle(0, 0)
    assert held(limiter) == (0, 0, 0, 5)
    assert limiter.headers(of)["tokens"] == (100, 93, 60)


def test_a_reservation_is_settled_exactly_once(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(budget_nano=100, max_parallel=2, tpm=100)
    first = limiter.admit(of, CostEstimate(30, 0, TARIFF, cost_nano=40))
    limiter.admit(of, CostEstimate(30, 0, TARIFF, cost_nano=40))
    for _ in range(3):
        first.settle(5, 7)
    assert held(limiter) == (1, 30, 40, 5)
    assert limiter.headers(of)["tokens"][1] == 100 - 30 - 7


def test_what_a_reservation_has_grown_by_is_given_back_too() -> None:
    limiter = RateLimiter(Budgets())
    reservation = admitted(limiter, 5000)
    assert reservation.covers(11)
    assert held(limiter)[2] == (10 + GROWTH_TOKENS) * A_TOKEN
    reservation.settle(3, 0)
    assert held(limiter)[2:] == (0, 3)


def test_a_reservation_that_covers_the_output_does_not_grow() -> None:
    limiter = RateLimiter(Budgets())
    reservation = admitted(limiter, 5000)
    assert reservation.covers(10)
    assert held(limiter)[2] == 10 * A_TOKEN


def test_what_was_spent_leaves_less_room_for_growth() -> None:
    limiter = RateLimiter(Budgets())
    admitted(limiter, 30).settle(15 * A_TOKEN, 0)
    reservation = admitted(limiter, 30)
    assert reservation.covers(15)
    assert not reservation.covers(16)


def test_growth_is_priced_at_the_step_of_the_input() -> None:
    tiered = compile_price(
        Price.model_validate({"pattern": "*", "input": 1, "output": 1, "tiers": [{"above_input_tokens": 5, "output": 1000}]})
    )
    limiter = RateLimiter(Budgets())
    reservation = limiter.admit(key(5000), CostEstimate.of(6, 0, [tiered]))
    before = held(limiter)[2]
    assert reservation.covers(1)
    assert held(limiter)[2] - before == GROWTH_TOKENS * A_TOKEN


def test_a_reservation_without_a_price_grows_at_no_cost() -> None:
    limiter = RateLimiter(Budgets())
    reservation = limiter.admit(limited(budget_nano=1, unpriced="allow"), CostEstimate.of(1, 1, [None]))
    assert reservation.covers(10**6)
    assert held(limiter)[2] == reservation.cost_nano == 0


def test_a_deleted_key_with_a_request_in_flight_is_forgotten_after_its_end() -> None:
    limiter, of = RateLimiter(Budgets()), limited()
    reservation = limiter.admit(of, of_tokens(1))
    limiter.forget([])
    reservation.settle(5, 5)
    assert held(limiter) == (0, 0, 0, 5)
    limiter.forget(["key_1"])
    assert set(limiter._uses) == {"key_1"}
    limiter.forget([])
    assert limiter._uses == {}


# Response headers


def test_headers_show_the_limit_the_rest_and_the_seconds_until_there_is_room(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(rpm=5, rpd=3, tpm=100)
    assert limiter.headers(of) == {"requests": (3, 3, 0), "tokens": (100, 100, 0)}
    limiter.admit(of, of_tokens(30)).settle(0, 20)
    clock.advance(10)
    limiter.admit(of, of_tokens(30))
    assert limiter.headers(of) == {"requests": (3, 1, 86_390), "tokens": (100, 50, 50)}


def test_headers_show_no_negative_rest_where_a_limit_was_lowered_below_what_is_used(clock: Clock) -> None:
    limiter = RateLimiter(Budgets())
    assert all(admits(limiter, limited(rpm=3, tpm=100)) for _ in range(3))
    assert limiter.headers(limited(rpm=1, tpm=1)) == {"requests": (1, 0, 60), "tokens": (1, 0, 0)}


def test_headers_show_of_minute_and_day_the_one_with_fewer_requests_left(clock: Clock) -> None:
    limiter, of = RateLimiter(Budgets()), limited(rpm=1, rpd=100)
    limiter.admit(of, of_tokens(1))
    assert limiter.headers(of)["requests"] == (1, 0, 60)
    other = limited(rpm=5, rpd=6).model_copy(update={"id": "key_2"})
    assert all(admits(limiter, other) for _ in range(4))
    clock.advance(61)
    assert limiter.headers(other)["requests"] == (6, 2, 86_339)


def test_headers_show_no_limit_that_a_key_does_not_have(clock: Clock) -> None:
    limiter = RateLimiter(Budgets())
    assert limiter.headers(None) == {}
    assert limiter.headers(limited(max_parallel=1, budget_nano=1)) == {}
    assert set(limiter.headers(limited(tpm=1))) == {"tokens"}
    assert set(limiter.headers(limited(rpd=1))) == {"requests"}
    assert set(limiter.headers(limited(rpm=1))) == {"requests"}


@pytest.mark.parametrize(
    ("fields", "unpriced"), [({}, True), ({"stream_format": "audio"}, True), ({"stream_format": "sse"}, False)]
)
def test_speech_has_no_price_by_tokens_where_its_bytes_report_none(fields: dict[str, str], unpriced: bool) -> None:
    body = {"model": "m", "input": "words", "voice": "alloy", **fields}
    speech = Call(dialect("openai_chat"), body, "m", endpoint="speech", media_request=MediaRequest("speech", body))
    assert CostEstimate.of_call(speech, 4096, [TARIFF]).unpriced is unpriced
