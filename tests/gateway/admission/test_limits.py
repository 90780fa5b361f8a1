"""The limits and the budget of a key: what is admitted, what is refused, and what a request holds until its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.core.entities import Price, VirtualKey
from conduit_desktop.core.errors import BudgetExceeded, Forbidden, GatewayError, RateLimited
from conduit_desktop.core.media import Units
from conduit_desktop.gateway.accounting.cost import compile_price
from conduit_desktop.gateway.admission import limits
from conduit_desktop.gateway.admission.budgets import Budgets
from conduit_desktop.gateway.admission.limits import GROWTH_TOKENS, Expectation, Gate, Reservation
from conduit_desktop.gateway.admission.windows import EXACT_UP_TO
from tests.fakes.clock import Clock

A_TOKEN = 1_000_000
"""Nano-dollars, at $1,000 a million tokens."""
TARIFF = compile_price(Price(pattern="*", input=1000, output=1000))
CHEAP = compile_price(Price(pattern="*", input=1, output=1))
FREE = compile_price(Price(pattern="*", input=0, output=0))


def key(budget_tokens: int | None) -> VirtualKey:
    budget = None if budget_tokens is None else budget_tokens * A_TOKEN
    return VirtualKey(id="key_1", name="app", digest="", hint="", budget_nano=budget)


def admitted(gate: Gate, budget_tokens: int | None, inputs: int = 0, outputs: int = 10) -> Reservation:
    return gate.admit(key(budget_tokens), Expectation.of(inputs, outputs, [TARIFF]))


def test_a_stream_goes_on_for_as_long_as_the_budget_bears_it() -> None:
    gate = Gate(Budgets())
    held = admitted(gate, 100)
    assert [made for made in range(1, 200) if held.covers(made)] == list(range(1, 101))
    assert gate.budgets.account("key_1").reserved_nano == 100 * A_TOKEN
    held.settle(100 * A_TOKEN, 100)
    assert (gate.budgets.account("key_1").reserved_nano, gate.budgets.account("key_1").spend_nano) == (0, 100 * A_TOKEN)


def test_a_reservation_grows_in_steps_where_there_is_room() -> None:
    gate = Gate(Budgets())
    held = admitted(gate, 10 + GROWTH_TOKENS + 5)
    assert held.covers(11)
    assert gate.budgets.account("key_1").reserved_nano == (10 + GROWTH_TOKENS) * A_TOKEN


def test_growth_takes_no_room_that_another_request_holds() -> None:
    gate = Gate(Budgets())
    first, second = admitted(gate, 30), admitted(gate, 30)
    assert first.covers(20)
    assert not first.covers(21)
    assert second.covers(10)
    with pytest.raises(BudgetExceeded):
        admitted(gate, 30, outputs=1)
    first.settle(0, 0)
    assert second.covers(30)


def test_a_key_without_a_budget_never_runs_out() -> None:
    assert admitted(Gate(Budgets()), None).covers(10**6)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands at the beginning of a minute."""
    clock = Clock(wall=1_800_000_000.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=clock.wall))
    return clock


def limited(**fields: Any) -> VirtualKey:
    return VirtualKey(id="key_1", name="app", digest="", hint="", **fields)


def costing(nano: int, *, unpriced: bool = False) -> Expectation:
    return Expectation(0, 0, TARIFF, cost_nano=nano, unpriced=unpriced)


def of_tokens(inputs: int, outputs: int = 0) -> Expectation:
    return Expectation.of(inputs, outputs, [FREE])


def admits(gate: Gate, of: VirtualKey, expected: Expectation | None = None) -> bool:
    try:
        gate.admit(of, expected or of_tokens(1))
    except GatewayError:
        return False
    return True


def held(gate: Gate, key_id: str = "key_1") -> tuple[int, int, int, int]:
    """Requests and input tokens in flight, nano-dollars reserved and spent."""
    use, account = gate._uses[key_id], gate.budgets.account(key_id)
    return use.parallel, use.tokens, account.reserved_nano, account.spend_nano


# Requests in flight


def test_as_many_requests_as_max_parallel_may_be_in_flight_and_no_more() -> None:
    gate, key_2 = Gate(Budgets()), limited(max_parallel=2)
    first = gate.admit(key_2, of_tokens(1))
    gate.admit(key_2, of_tokens(1))
    with pytest.raises(RateLimited, match="2 requests in flight") as refused:
        gate.admit(key_2, of_tokens(1))
    assert refused.value.retry_after == 1
    first.settle(0, 0)
    assert admits(gate, key_2)
    assert not admits(gate, key_2)


def test_a_key_without_max_parallel_has_no_limit_of_requests_in_flight() -> None:
    gate = Gate(Budgets())
    assert all(admits(gate, limited()) for _ in range(1000))


def test_each_key_has_limits_of_its_own() -> None:
    gate, one = Gate(Budgets()), limited(max_parallel=1, rpm=1, budget_nano=5)
    assert admits(gate, one, costing(5))
    assert not admits(gate, one, costing(5))
    assert admits(gate, one.model_copy(update={"id": "key_2"}), costing(5))


def test_a_call_without_a_key_has_no_limits_and_leaves_nothing_counted() -> None:
    gate = Gate(Budgets())
    reservation = gate.admit(None, costing(10**15, unpriced=True))
    assert reservation.covers(10**6)
    reservation.settle(10**15, 10**6)
    assert (gate._uses, gate.budgets.spends()) == ({}, {})


# Requests per minute and per day


@pytest.mark.parametrize("limit", [1, 3, EXACT_UP_TO, EXACT_UP_TO + 1])
@pytest.mark.parametrize(("name", "span_s", "text"), [("rpm", 60, "requests per minute"), ("rpd", 86_400, "requests per day")])
def test_a_window_admits_as_many_requests_as_its_limit_and_no_more(
    clock: Clock, name: str, span_s: int, text: str, limit: int
) -> None:
    gate, of = Gate(Budgets()), limited(**{name: limit})
    assert all(admits(gate, of) for _ in range(limit))
    with pytest.raises(RateLimited, match=f"its {limit} {text}") as refused:
        gate.admit(of, of_tokens(1))
    assert refused.value.retry_after == span_s
    clock.advance(span_s - span_s / 120 - 0.01)
    assert not admits(gate, of)
    clock.advance(span_s / 120 + 0.02)
    assert admits(gate, of)


def test_a_settled_request_still_counts_in_its_minute(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(rpm=1)
    gate.admit(of, of_tokens(1)).settle(0, 1)
    assert not admits(gate, of)


def test_a_request_refused_by_the_day_takes_nothing_of_the_minute(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(rpm=2, rpd=1)
    assert admits(gate, of)
    assert not admits(gate, of)
    assert gate._uses["key_1"].minute is not None
    assert gate._uses["key_1"].minute.used(clock.wall()) == 1


def test_a_request_refused_by_the_minute_takes_nothing_of_the_day(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(rpm=1, rpd=2)
    assert admits(gate, of)
    assert not admits(gate, of)
    clock.advance(61)
    assert admits(gate, of)
    clock.advance(61)
    with pytest.raises(RateLimited, match="per day"):
        gate.admit(of, of_tokens(1))


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
def test_a_refused_request_takes_nothing_of_any_limit(clock: Clock, fields: dict[str, Any], expected: Expectation) -> None:
    gate, of = Gate(Budgets()), limited(**{"rpm": 9, "rpd": 9, "tpm": 99, "max_parallel": 9, "budget_nano": 99, **fields})
    gate.admit(of, Expectation(1, 0, TARIFF, cost_nano=1))
    before = (held(gate), gate.headers(of))
    assert not admits(gate, of, expected)
    assert (held(gate), gate.headers(of)) == before
    assert before[0] == (1, 1, 1, 0)


def test_a_limit_that_is_lowered_counts_what_was_used_before(clock: Clock) -> None:
    gate = Gate(Budgets())
    assert all(admits(gate, limited(rpm=5, rpd=5)) for _ in range(3))
    assert not admits(gate, limited(rpm=3))
    assert admits(gate, limited(rpm=4))


def test_a_limit_that_is_taken_away_no_longer_refuses(clock: Clock) -> None:
    gate = Gate(Budgets())
    assert admits(gate, limited(rpm=1, rpd=1))
    assert not admits(gate, limited(rpm=1, rpd=1))
    assert not admits(gate, limited(rpd=1))
    assert admits(gate, limited())


# Tokens per minute


@pytest.mark.parametrize(("inputs", "admitted"), [(100, True), (101, False)])
def test_a_request_that_alone_is_over_the_tokens_per_minute_is_refused(clock: Clock, inputs: int, admitted: bool) -> None:
    gate, of = Gate(Budgets()), limited(tpm=100)
    if admitted:
        assert admits(gate, of, of_tokens(inputs))
        return
    with pytest.raises(RateLimited, match="alone is over the 100 tokens") as refused:
        gate.admit(of, of_tokens(inputs))
    assert refused.value.retry_after == 60


def test_tokens_in_flight_count_against_the_tokens_per_minute(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(tpm=100)
    first = gate.admit(of, of_tokens(60))
    assert not admits(gate, of, of_tokens(41))
    assert admits(gate, of, of_tokens(40))
    assert not admits(gate, of, of_tokens(1))
    first.settle(0, 0)
    assert not admits(gate, of, of_tokens(61))
    assert admits(gate, of, of_tokens(60))


def test_tokens_used_in_the_last_minute_count_against_the_tokens_per_minute(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(tpm=100)
    gate.admit(of, of_tokens(10)).settle(0, 60)
    with pytest.raises(RateLimited, match="its 100 tokens per minute") as refused:
        gate.admit(of, of_tokens(41))
    assert refused.value.retry_after == 60
    assert admits(gate, of, of_tokens(40))
    clock.advance(60)
    assert not admits(gate, of, of_tokens(61))
    assert admits(gate, of, of_tokens(60))


def test_tokens_used_and_tokens_in_flight_are_added(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(tpm=100)
    gate.admit(of, of_tokens(1)).settle(0, 50)
    assert admits(gate, of, of_tokens(30))
    assert not admits(gate, of, of_tokens(21))
    assert admits(gate, of, of_tokens(20))


def test_a_request_without_input_needs_room_for_one_token(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(tpm=100)
    gate.admit(of, of_tokens(1)).settle(0, 99)
    assert admits(gate, of, of_tokens(0))
    gate.admit(of, of_tokens(1)).settle(0, 1)
    assert not admits(gate, of, of_tokens(0))


def test_more_tokens_than_the_limit_are_counted_in_full(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(tpm=100)
    gate.admit(of, of_tokens(1)).settle(0, 150)
    assert gate.headers(of)["tokens"] == (100, 0, 60)
    clock.advance(59)
    with pytest.raises(RateLimited) as refused:
        gate.admit(of, of_tokens(1))
    assert refused.value.retry_after == 1
    clock.advance(1)
    assert admits(gate, of, of_tokens(100))


def test_usage_below_zero_gives_no_tokens_back(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(tpm=100)
    gate.admit(of, of_tokens(1)).settle(0, 60)
    gate.admit(of, of_tokens(1)).settle(0, -50)
    assert not admits(gate, of, of_tokens(41))


def test_tokens_count_from_the_end_of_their_request(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(tpm=100)
    reservation = gate.admit(of, of_tokens(60))
    clock.advance(300)
    reservation.settle(0, 60)
    assert not admits(gate, of, of_tokens(41))


def test_tokens_used_before_the_limit_was_set_count(clock: Clock) -> None:
    gate = Gate(Budgets())
    gate.admit(limited(), of_tokens(1)).settle(0, 60)
    assert not admits(gate, limited(tpm=100), of_tokens(41))


def test_the_wait_is_at_least_one_second(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(rpm=1)
    gate.admit(of, of_tokens(1)).settle(0, 0)
    clock.advance(59.9)
    with pytest.raises(RateLimited) as refused:
        gate.admit(of, of_tokens(1))
    assert refused.value.retry_after == 1


# Budget


@pytest.mark.parametrize(("cost", "admitted"), [(100, True), (101, False)])
def test_a_request_may_cost_exactly_what_the_budget_has_left(cost: int, admitted: bool) -> None:
    assert admits(Gate(Budgets()), limited(budget_nano=100), costing(cost)) is admitted


@pytest.mark.parametrize(("cost", "admitted"), [(40, True), (41, False)])
def test_what_was_spent_counts_against_the_budget(cost: int, admitted: bool) -> None:
    gate, of = Gate(Budgets()), limited(budget_nano=100)
    gate.admit(of, costing(10)).settle(60, 0)
    assert admits(gate, of, costing(cost)) is admitted


@pytest.mark.parametrize(("cost", "admitted"), [(40, True), (41, False)])
def test_what_requests_in_flight_have_reserved_counts_against_the_budget(cost: int, admitted: bool) -> None:
    gate, of = Gate(Budgets()), limited(budget_nano=100)
    gate.admit(of, costing(60))
    assert admits(gate, of, costing(cost)) is admitted


@pytest.mark.parametrize(("cost", "admitted"), [(10, True), (11, False)])
def test_spent_and_reserved_are_added(cost: int, admitted: bool) -> None:
    gate, of = Gate(Budgets()), limited(budget_nano=100)
    gate.admit(of, costing(1)).settle(50, 0)
    gate.admit(of, costing(40))
    assert admits(gate, of, costing(cost)) is admitted


def test_a_refusal_by_the_budget_names_the_period_the_budget_and_what_is_left() -> None:
    gate, of = Gate(Budgets()), limited(budget_nano=2_000_000_000, budget_period="monthly")
    gate.admit(of, costing(1)).settle(1_500_000_000, 0)
    with pytest.raises(BudgetExceeded) as refused:
        gate.admit(of, costing(600_000_000))
    text = "The monthly budget of the key 'app' ($2.00) has $0.50 left; this request may cost $0.60."
    assert refused.value.message == text
    gate.admit(of, costing(1)).settle(1_000_000_000, 0)
    with pytest.raises(BudgetExceeded) as refused:
        gate.admit(of, costing(1))
    assert refused.value.message == "The monthly budget of the key 'app' ($2.00) has $0.00 left."


def test_a_key_without_a_budget_is_admitted_at_any_cost() -> None:
    assert admits(Gate(Budgets()), limited(), costing(10**18))


def test_a_free_request_passes_a_spent_and_an_overspent_budget() -> None:
    gate, of = Gate(Budgets()), limited(budget_nano=100)
    for spent in (100, 50):
        gate.admit(of, costing(0)).settle(spent, 0)
        assert admits(gate, of, costing(0))
        assert not admits(gate, of, costing(1))


def test_an_unpriced_request_is_refused_where_the_key_blocks_unpriced_models() -> None:
    gate = Gate(Budgets())
    with pytest.raises(Forbidden, match="No price is known"):
        gate.admit(limited(unpriced="block"), costing(0, unpriced=True))
    with pytest.raises(Forbidden, match="No price is known"):
        gate.admit(limited(unpriced="block", budget_nano=100), costing(0, unpriced=True))
    assert admits(gate, limited(unpriced="block"), costing(0))
    assert admits(gate, limited(unpriced="allow"), costing(0, unpriced=True))


def test_an_unpriced_request_is_refused_where_nothing_is_left_of_the_budget() -> None:
    gate, of = Gate(Budgets()), limited(budget_nano=100)
    gate.admit(of, costing(0)).settle(99, 0)
    gate.admit(of, costing(0, unpriced=True)).settle(1, 0)
    with pytest.raises(BudgetExceeded):
        gate.admit(of, costing(0, unpriced=True))


def test_an_unpriced_request_is_refused_while_the_rest_of_the_budget_is_reserved() -> None:
    gate, of = Gate(Budgets()), limited(budget_nano=100)
    reservation = gate.admit(of, costing(100))
    assert not admits(gate, of, costing(0, unpriced=True))
    reservation.settle(0, 0)
    assert admits(gate, of, costing(0, unpriced=True))


def test_a_budget_of_a_day_is_whole_again_at_midnight_utc() -> None:
    clock = Clock(wall=1_800_057_599.0)  # 2027-01-15T23:59:59Z
    gate, of = Gate(Budgets(clock.millis)), limited(budget_nano=100, budget_period="daily")
    gate.budgets.load([of], {"key_1": 100})
    assert not admits(gate, of, costing(1))
    clock.advance(0.999)
    assert not admits(gate, of, costing(1))
    clock.advance(0.001)
    assert admits(gate, of, costing(100))
    assert not admits(gate, of, costing(1))


# What is expected


def test_the_dearest_of_the_targets_prices_is_expected() -> None:
    for tariffs in ([CHEAP, TARIFF], [TARIFF, CHEAP]):
        expected = Expectation.of(3, 2, tariffs)
        assert (expected.tariff, expected.cost_nano, expected.unpriced) == (TARIFF, 5 * A_TOKEN, False)


def test_growth_is_priced_where_nothing_was_expected_to_cost_anything() -> None:
    gate = Gate(Budgets())
    reservation = gate.admit(key(5), Expectation.of(0, 0, [TARIFF]))
    assert reservation.covers(5)
    assert not reservation.covers(6)


@pytest.mark.parametrize("tariffs", [[], [None], [None, TARIFF], [TARIFF, None]])
def test_a_request_is_unpriced_where_any_of_its_targets_has_no_price(tariffs: list[Any]) -> None:
    expected = Expectation.of(3, 2, tariffs)
    assert expected.unpriced
    assert expected.cost_nano == (5 * A_TOKEN if TARIFF in tariffs else 0)


def test_the_dearer_of_tokens_and_units_is_expected_of_a_media_request() -> None:
    pictures = compile_price(Price(pattern="*", per_image=0.04))
    both = compile_price(Price(pattern="*", input=1000, output=1000, per_image=0.04))
    assert Expectation.of(3, 2, [pictures], Units(images=2)).cost_nano == 80_000_000
    assert Expectation.of(3, 2, [both], Units(images=2)).cost_nano == 80_000_000
    assert Expectation.of(300, 2, [both], Units(images=2)).cost_nano == 302 * A_TOKEN


# Reservations


def test_what_a_request_holds_is_given_back_when_it_is_settled(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(budget_nano=100, max_parallel=2, tpm=100)
    first = gate.admit(of, Expectation(30, 0, TARIFF, cost_nano=60))
    second = gate.admit(of, Expectation(20, 0, TARIFF, cost_nano=10))
    assert held(gate) == (2, 50, 70, 0)
    first.settle(5, 7)
    assert held(gate) == (1, 20, 10, 5)
    second.settle(0, 0)
    assert held(gate) == (0, 0, 0, 5)
    assert gate.headers(of)["tokens"] == (100, 93, 60)


def test_a_reservation_is_settled_exactly_once(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(budget_nano=100, max_parallel=2, tpm=100)
    first = gate.admit(of, Expectation(30, 0, TARIFF, cost_nano=40))
    gate.admit(of, Expectation(30, 0, TARIFF, cost_nano=40))
    for _ in range(3):
        first.settle(5, 7)
    assert held(gate) == (1, 30, 40, 5)
    assert gate.headers(of)["tokens"][1] == 100 - 30 - 7


def test_what_a_reservation_has_grown_by_is_given_back_too() -> None:
    gate = Gate(Budgets())
    reservation = admitted(gate, 5000)
    assert reservation.covers(11)
    assert held(gate)[2] == (10 + GROWTH_TOKENS) * A_TOKEN
    reservation.settle(3, 0)
    assert held(gate)[2:] == (0, 3)


def test_a_reservation_that_covers_the_output_does_not_grow() -> None:
    gate = Gate(Budgets())
    reservation = admitted(gate, 5000)
    assert reservation.covers(10)
    assert held(gate)[2] == 10 * A_TOKEN


def test_what_was_spent_leaves_less_room_for_growth() -> None:
    gate = Gate(Budgets())
    admitted(gate, 30).settle(15 * A_TOKEN, 0)
    reservation = admitted(gate, 30)
    assert reservation.covers(15)
    assert not reservation.covers(16)


def test_growth_is_priced_at_the_step_of_the_input() -> None:
    tiered = compile_price(
        Price.model_validate({"pattern": "*", "input": 1, "output": 1, "tiers": [{"above": 5, "rates": {"output": 1000}}]})
    )
    gate = Gate(Budgets())
    reservation = gate.admit(key(5000), Expectation.of(6, 0, [tiered]))
    before = held(gate)[2]
    assert reservation.covers(1)
    assert held(gate)[2] - before == GROWTH_TOKENS * A_TOKEN


def test_a_reservation_without_a_price_grows_at_no_cost() -> None:
    gate = Gate(Budgets())
    reservation = gate.admit(key(1), Expectation.of(1, 1, [None]))
    assert reservation.covers(10**6)
    assert held(gate)[2] == reservation.cost_nano == 0


def test_a_deleted_key_with_a_request_in_flight_is_forgotten_after_its_end() -> None:
    gate, of = Gate(Budgets()), limited()
    reservation = gate.admit(of, of_tokens(1))
    gate.forget([])
    reservation.settle(5, 5)
    assert held(gate) == (0, 0, 0, 5)
    gate.forget(["key_1"])
    assert set(gate._uses) == {"key_1"}
    gate.forget([])
    assert gate._uses == {}


# Response headers


def test_headers_show_the_limit_the_rest_and_the_seconds_until_there_is_room(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(rpm=5, rpd=3, tpm=100)
    assert gate.headers(of) == {"requests": (3, 3, 0), "tokens": (100, 100, 0)}
    gate.admit(of, of_tokens(30)).settle(0, 20)
    clock.advance(10)
    gate.admit(of, of_tokens(30))
    assert gate.headers(of) == {"requests": (3, 1, 86_390), "tokens": (100, 50, 50)}


def test_headers_show_of_minute_and_day_the_one_with_fewer_requests_left(clock: Clock) -> None:
    gate, of = Gate(Budgets()), limited(rpm=1, rpd=100)
    gate.admit(of, of_tokens(1))
    assert gate.headers(of)["requests"] == (1, 0, 60)
    other = limited(rpm=5, rpd=6).model_copy(update={"id": "key_2"})
    assert all(admits(gate, other) for _ in range(4))
    clock.advance(61)
    assert gate.headers(other)["requests"] == (6, 2, 86_339)


def test_headers_show_no_limit_that_a_key_does_not_have(clock: Clock) -> None:
    gate = Gate(Budgets())
    assert gate.headers(None) == {}
    assert gate.headers(limited(max_parallel=1, budget_nano=1)) == {}
    assert set(gate.headers(limited(tpm=1))) == {"tokens"}
    assert set(gate.headers(limited(rpd=1))) == {"requests"}
    assert set(gate.headers(limited(rpm=1))) == {"requests"}
