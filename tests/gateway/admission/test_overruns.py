"""Several budgets at once, and the one request that may overrun a budget: who is admitted, who waits, who is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Budget, BudgetScope, Price, VirtualKey
from conduit_desktop.core.errors import BudgetExceeded, Forbidden, GatewayError
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.accounting.compiled_price import CompiledPrice, compile_price
from conduit_desktop.gateway.admission.budgets import Budgets, BudgetTerms
from conduit_desktop.gateway.admission.cost_estimate import CostEstimate, cache_rate_of
from conduit_desktop.gateway.admission.limits import BudgetInUse, RateLimiter, Reservation
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect

PER_TOKEN = compile_price(Price(pattern="*", input=1000, output=1000))
"""A million nano-dollars a token."""


def budget(scope: BudgetScope = "global", target: str = "", limit: int = 100, **fields: Any) -> Budget:
    return Budget(
        id=f"bud_{scope}_{target}", name=f"{scope} {target}".strip(), scope=scope, target=target, limit_nano=limit, **fields
    )


def key(limit: int | None = None, **fields: Any) -> VirtualKey:
    return VirtualKey(id="key_app", name="app", digest="", hint="", budget_nano=limit, **fields)


def limiter_of(*budgets: Budget, spent: int = 0) -> RateLimiter:
    made = Budgets()
    made.load(made.readings(map(BudgetTerms.of_budget, budgets)), [spent] * len(budgets))
    made.configure([], budgets)
    return RateLimiter(made)


def costs(nano: int, worst: int = 0, **fields: Any) -> CostEstimate:
    return CostEstimate(0, 0, None, cost_nano=nano, worst_nano=worst, **fields)


def outcome(limiter: RateLimiter, caller: VirtualKey | None, expected: CostEstimate, alias: str = "m", **more: Any) -> str:
    """`admitted`, `waits`, or the code of the error."""
    try:
        limiter.admit(caller, expected, alias, **more)
    except BudgetInUse:
        return "waits"
    except GatewayError as error:
        return error.code
    return "admitted"


def settle(reservation: Reservation, nano: int, **fields: Any) -> None:
    at_ms = reservation._limiter.budgets.now_ms()
    reservation.settle(nano, 0, RequestRecord("req", at_ms, key_id="key_app", model="m", cost_nano=nano, **fields))


# Worst cases


def test_requests_whose_worst_cases_fit_are_in_flight_together() -> None:
    limiter = RateLimiter(Budgets())
    assert [outcome(limiter, key(100), costs(1, 25)) for _ in range(4)] == ["admitted"] * 4
    account = limiter.budgets.account("key_app")
    assert (account.reserved_nano, account.held_nano, account.overruns) == (4, 100, 0)


def test_of_requests_that_may_overrun_a_budget_one_is_in_flight_and_the_others_wait() -> None:
    limiter = RateLimiter(Budgets())
    first = limiter.admit(key(100), costs(1, 1000))
    assert [outcome(limiter, key(100), costs(1, 1000)) for _ in range(3)] == ["waits"] * 3
    assert outcome(limiter, key(100), costs(1, 99)) == "admitted"
    settle(first, 0)
    assert outcome(limiter, key(100), costs(1, 1000)) == "admitted"


def test_the_spend_passes_a_budget_by_what_one_answer_cost_beyond_its_expected_cost_at_most() -> None:
    limiter = RateLimiter(Budgets())
    admitted = []
    for _ in range(200):
        try:
            admitted.append(limiter.admit(key(100), costs(2, 30)))
        except BudgetInUse:
            continue
    assert len(admitted) == 4  # three whose worst cases fit, and one that may overrun
    for reservation in admitted:
        settle(reservation, 30)
    assert limiter.budgets.account("key_app").spend_nano == 120 <= 100 + (30 - 2)


def test_a_request_that_may_overrun_is_not_admitted_into_what_is_kept_for_worst_cases() -> None:
    limiter = RateLimiter(Budgets())
    limiter.admit(key(100), costs(1, 95))
    assert outcome(limiter, key(100), costs(6, 50)) == "waits"
    assert outcome(limiter, key(100), costs(5, 50)) == "admitted"


def test_a_request_that_is_not_expected_to_fit_is_refused_and_does_not_wait() -> None:
    limiter = RateLimiter(Budgets())
    limiter.admit(key(100), costs(60, 1000))
    assert outcome(limiter, key(100), costs(41, 1000)) == "billing_hard_limit_reached"
    assert outcome(limiter, key(100), costs(40, 1000)) == "waits"


def test_an_unexpected_cost_alone_does_not_pass_a_spent_budget() -> None:
    limiter = limiter_of(budget(), spent=100)
    assert outcome(limiter, None, costs(0, 1)) == "billing_hard_limit_reached"
    assert outcome(limiter, None, costs(0, 0)) == "admitted"


def test_a_limit_that_is_raised_counts_at_once_and_the_first_that_waits_tries_again() -> None:
    limiter = limiter_of(budget(limit=100))
    limiter.admit(None, costs(1, 1000), "m")
    waiting = next(iter(limiter.budgets.of_request(None, "m"))).join()
    limiter.budgets.configure([], [budget(limit=5000)])
    assert waiting._woken.is_set()
    assert outcome(limiter, None, costs(1, 1000)) == "admitted"


# Growth


def test_a_stream_grows_within_its_worst_case_whatever_others_hold() -> None:
    limiter = RateLimiter(Budgets())
    million = 10**6
    stream = limiter.admit(key(100 * million), CostEstimate(0, 10, PER_TOKEN, cost_nano=10 * million, worst_nano=60 * million))
    limiter.admit(key(100 * million), CostEstimate(0, 40, PER_TOKEN, cost_nano=40 * million))
    assert stream.covers(60)
    assert not stream.covers(61)


def test_the_stream_that_may_overrun_ends_where_the_budget_cannot_cover_it() -> None:
    limiter = RateLimiter(Budgets())
    million = 10**6
    stream = limiter.admit(key(100 * million), CostEstimate(0, 10, PER_TOKEN, cost_nano=10 * million, worst_nano=10**12))
    limiter.admit(key(100 * million), CostEstimate(0, 1, PER_TOKEN, cost_nano=million, worst_nano=30 * million))
    assert stream.covers(70)
    assert not stream.covers(71)


def test_a_failed_attempt_that_was_paid_for_leaves_less_room_for_others() -> None:
    limiter = RateLimiter(Budgets())
    reservation = limiter.admit(key(100), costs(10, 10))
    reservation.attempt_failed(50)
    assert outcome(limiter, key(100), costs(41)) == "billing_hard_limit_reached"
    settle(reservation, 60)
    account = limiter.budgets.account("key_app")
    assert (account.spend_nano, account.reserved_nano, account.held_nano) == (60, 0, 0)


# Several budgets


@pytest.mark.parametrize(
    ("scope", "target"), [("global", ""), ("alias", "M"), ("team", "RED"), ("key", "key_app"), ("provider", "OpenAI")]
)
def test_a_budget_of_each_scope_refuses_what_does_not_fit(scope: BudgetScope, target: str) -> None:
    limiter = limiter_of(budget(scope, target))
    more = {"providers": {"openai": costs(60)}} if scope == "provider" else {}
    assert outcome(limiter, key(team="red"), costs(60), **more) == "admitted"
    assert outcome(limiter, key(team="red"), costs(60), **more) == "billing_hard_limit_reached"


@pytest.mark.parametrize(("scope", "target"), [("alias", "other"), ("team", "blue"), ("key", "key_other"), ("team", "")])
def test_a_budget_holds_for_nobody_else(scope: BudgetScope, target: str) -> None:
    limiter = limiter_of(budget(scope, target, limit=1))
    assert outcome(limiter, key(), costs(60)) == "admitted"


def test_a_request_without_a_key_is_limited_by_the_global_budget() -> None:
    limiter = limiter_of(budget())
    assert [outcome(limiter, None, costs(60)) for _ in range(2)] == ["admitted", "billing_hard_limit_reached"]


def test_a_request_refused_by_one_budget_takes_nothing_of_the_others() -> None:
    team, alias = budget("team", "red", limit=1000), budget("alias", "m", limit=10)
    limiter = limiter_of(team, alias)
    caller = key(1000, team="red", rpm=5)
    assert outcome(limiter, caller, costs(11)) == "billing_hard_limit_reached"
    held = [limiter.budgets.budget_account(one) for one in (team, alias)] + [limiter.budgets.account("key_app")]
    assert [(one.reserved_nano, one.held_nano, one.bookings) for one in held] == [(0, 0, 0)] * 3
    assert limiter.headers(caller)["requests"][1] == 5


def test_a_request_that_waits_for_one_budget_takes_nothing_of_the_others() -> None:
    team, alias = budget("team", "red", limit=1000), budget("alias", "m", limit=10)
    limiter = limiter_of(team, alias)
    limiter.admit(None, costs(1, 50), "m")
    caller = key(1000, team="red", rpm=5, max_parallel=1)
    assert outcome(limiter, caller, costs(1, 50)) == "waits"
    assert limiter.budgets.budget_account(team).reserved_nano == 0
    assert limiter.headers(caller)["requests"][1] == 5


def test_a_settled_request_is_given_back_and_charged_in_every_budget() -> None:
    budgets = [budget(), budget("team", "red"), budget("alias", "m"), budget("key", "key_app"), budget("provider", "a")]
    limiter = limiter_of(*budgets)
    reservation = limiter.admit(key(100, team="red"), costs(10, 20), "m", providers={"a": costs(10, 20)})
    settle(reservation, 7, team="red", provider="a")
    for account in (*map(limiter.budgets.budget_account, budgets), limiter.budgets.account("key_app")):
        assert (account.spend_nano, account.reserved_nano, account.held_nano, account.bookings) == (7, 0, 0, 0)


def test_a_budget_made_while_a_request_is_in_flight_is_charged_for_it() -> None:
    limiter = limiter_of()
    reservation = limiter.admit(key(), costs(10), "m")
    made = budget()
    limiter.budgets.load(limiter.budgets.readings([BudgetTerms.of_budget(made)]), [5])
    limiter.budgets.configure([], [made])
    settle(reservation, 10)
    assert limiter.budgets.budget_account(made).spend_nano == 15


def test_a_budget_that_warns_refuses_nothing_and_notes_that_it_was_passed() -> None:
    warning = budget(action="warn")
    limiter = limiter_of(warning)
    assert outcome(limiter, None, costs(60, 10**9)) == "admitted"
    assert not limiter.budgets.budget_account(warning).passed
    assert outcome(limiter, None, costs(60, 10**9)) == "admitted"
    account = limiter.budgets.budget_account(warning)
    assert (account.passed, account.reserved_nano, account.overruns) == (True, 120, 0)


def test_a_refusal_names_the_budget_its_scope_and_what_is_left() -> None:
    limiter = limiter_of(budget("team", "red", limit=2_000_000_000, period="monthly"), spent=1_500_000_000)
    with pytest.raises(BudgetExceeded) as refused:
        limiter.admit(key(team="red"), costs(600_000_000), "m")
    assert refused.value.message == (
        "The monthly budget 'team red' of the team 'red' ($2.00) has $0.50 left; this request may cost $0.60."
    )


# Without a price


@pytest.mark.parametrize(
    ("scope", "choice", "wanted"),
    [
        ("global", None, "model_not_allowed"), ("global", "block", "model_not_allowed"), ("global", "allow", "admitted"),
        ("team", None, "model_not_allowed"), ("alias", None, "model_not_allowed"), ("key", None, "model_not_allowed"),
    ],
)  # fmt: skip
def test_a_call_without_a_price_is_refused_where_any_budget_holds_unless_the_key_allows_it(
    scope: BudgetScope, choice: Any, wanted: str
) -> None:
    limiter = limiter_of(budget(scope, {"global": "", "team": "red", "alias": "m", "key": "key_app"}[scope]))
    assert outcome(limiter, key(team="red", unpriced=choice), costs(0, unpriced=True)) == wanted


def test_a_call_without_a_price_and_without_a_key_is_refused_where_a_budget_holds() -> None:
    assert outcome(limiter_of(budget()), None, costs(0, unpriced=True)) == "model_not_allowed"


def test_a_call_without_a_price_passes_a_budget_that_only_warns() -> None:
    assert outcome(limiter_of(budget(action="warn")), key(), costs(0, unpriced=True)) == "admitted"


def test_an_allowed_call_without_a_price_passes_no_spent_budget() -> None:
    limiter = limiter_of(budget("team", "red"), spent=100)
    assert outcome(limiter, key(team="red", unpriced="allow"), costs(0, unpriced=True)) == "billing_hard_limit_reached"


# Providers


def test_a_provider_is_left_out_for_a_spent_budget_a_worst_case_in_flight_and_a_missing_price() -> None:
    limiter = limiter_of(budget("provider", "spent", limit=0), budget("provider", "busy"), budget("provider", "roomy"))
    limiter.admit(None, costs(1, 1000), "m", providers={"busy": costs(1, 1000)})
    found = limiter.without_room(
        None,
        {"spent": costs(1), "busy": costs(1, 1000), "roomy": costs(0, unpriced=True), "other": costs(0, unpriced=True)},
        limiter.budgets.now_ms(),
    )
    assert {name: type(why) for name, why in found.items()} == {"spent": BudgetExceeded, "busy": BudgetInUse, "roomy": Forbidden}


def test_the_provider_that_answers_alone_goes_on_holding_its_part() -> None:
    a, b, everybody = budget("provider", "a"), budget("provider", "b"), budget()
    limiter = limiter_of(a, b, everybody)
    reservation = limiter.admit(None, costs(10, 1000), "m", providers={"a": costs(5, 500), "b": costs(10, 1000)})
    reservation.served_by("B")
    accounts = [limiter.budgets.budget_account(one) for one in (a, b, everybody)]
    assert [(one.reserved_nano, one.overruns) for one in accounts] == [(0, 0), (10, 1), (10, 1)]
    settle(reservation, 9, provider="b")
    assert [(one.spend_nano, one.reserved_nano, one.overruns) for one in accounts] == [(0, 0, 0), (9, 0, 0), (9, 0, 0)]


# The queue


async def test_the_first_that_waits_is_woken_and_nobody_overtakes_it() -> None:
    limiter = RateLimiter(Budgets())
    in_flight = limiter.admit(key(100), costs(1, 1000))
    queue = limiter.budgets.of_key(key(100))
    first, second = queue.join(), queue.join()
    settle(in_flight, 0)
    await asyncio.wait_for(first.turn(10), 10)
    assert outcome(limiter, key(100), costs(1, 1000)) == "waits"
    assert outcome(limiter, key(100), costs(1, 1000), place=second) == "waits"
    assert outcome(limiter, key(100), costs(1, 50)) == "admitted"
    assert outcome(limiter, key(100), costs(1, 1000), place=first) == "admitted"
    assert not second._woken.is_set()
    first.leave()
    assert second._woken.is_set()


async def test_one_that_is_woken_and_leaves_wakes_the_next() -> None:
    queue = RateLimiter(Budgets()).budgets.of_key(key(100))
    first, second, third = queue.join(), queue.join(), queue.join()
    queue.wake()
    second.leave()
    first.leave()
    assert third._woken.is_set()
    third.leave()
    third.leave()
    assert not queue.waiting


async def test_a_wait_that_takes_too_long_ends_without_an_error() -> None:
    place = RateLimiter(Budgets()).budgets.of_key(key(100)).join()
    await place.turn(0.001)
    assert place.budget.waiting == type(place.budget.waiting)([place])


# Tokens per minute


def expected(inputs: int, outputs: int) -> CostEstimate:
    return CostEstimate(inputs, outputs, None)


def test_the_output_in_flight_counts_against_the_tokens_per_minute_at_its_expected_size() -> None:
    limiter, caller = RateLimiter(Budgets()), key(tpm=1000)
    assert [outcome(limiter, caller, expected(100, 200)) for _ in range(60)] == ["admitted"] * 3 + ["rate_limit_exceeded"] * 57


def test_a_request_that_alone_is_expected_to_exceed_the_tokens_per_minute_passes_when_nothing_else_counts() -> None:
    limiter, caller = RateLimiter(Budgets()), key(tpm=1000)
    assert outcome(limiter, caller, expected(1001, 0)) == "rate_limit_exceeded"
    alone = limiter.admit(caller, expected(1000, 4096))
    assert outcome(limiter, caller, expected(1, 0)) == "rate_limit_exceeded"
    alone.settle(0, 1)
    assert outcome(limiter, caller, expected(1000, 4096)) == "rate_limit_exceeded"
    assert outcome(limiter, caller, expected(900, 99)) == "admitted"


def test_a_stream_that_outgrows_its_estimate_counts_with_what_it_has_grown_by() -> None:
    limiter, caller = RateLimiter(Budgets()), key(tpm=2000)
    stream = limiter.admit(caller, expected(100, 100))
    assert stream.covers(101)
    assert limiter.headers(caller)["tokens"][1] == 2000 - 200 - 1024
    stream.settle(0, 201)
    assert limiter.headers(caller)["tokens"][1] == 2000 - 201


# Estimates by length


def by_length(nano: int, worst: int, tokens: int = 0, exact: CostEstimate | None = None) -> tuple[CostEstimate, list[str]]:
    """An estimate by length, and what was weighed of it."""
    weighed: list[str] = []

    def weigh() -> CostEstimate:
        weighed.append("the text")
        return exact if exact is not None else costs(nano // 2, worst // 2)

    return CostEstimate(nano, 0, None, nano, False, worst, worst, tokens or worst, weigh), weighed


@pytest.mark.parametrize(("limit", "weighs"), [(10_000, False), (9_999, True)])
def test_a_text_is_weighed_where_a_budget_has_no_room_for_a_thousand_of_its_worst_case(limit: int, weighs: bool) -> None:
    everyone = budget(limit=limit)
    limiter, (expected, weighed) = limiter_of(everyone), by_length(4, worst=10)
    reservation = limiter.admit(key(), expected, "m")
    account = limiter.budgets.budget_account(everyone)
    assert bool(weighed) is weighs
    assert (account.reserved_nano, account.held_nano) == ((2, 5) if weighs else (4, 10))
    settle(reservation, 3)
    assert (account.reserved_nano, account.held_nano, account.spend_nano) == (0, 0, 3)


def test_room_that_others_hold_is_not_ample() -> None:
    limiter = limiter_of(budget(limit=10_000))
    limiter.admit(key(), costs(1, worst=5_000), "m")
    expected, weighed = by_length(4, worst=10)
    limiter.admit(key(), expected, "m")
    assert weighed


def test_a_budget_that_only_warns_holds_the_expected_cost_of_an_estimate_by_length() -> None:
    everyone = budget(limit=10_000, action="warn")
    limiter, (expected, _) = limiter_of(everyone), by_length(4, worst=10)
    limiter.admit(key(), expected, "m")
    assert limiter.budgets.budget_account(everyone).held_nano == 4


@pytest.mark.parametrize(("tpm", "weighs"), [(50, False), (49, True)])
def test_a_text_is_weighed_where_the_tokens_a_minute_might_not_suffice(tpm: int, weighs: bool) -> None:
    expected, weighed = by_length(4, worst=10, tokens=50)
    limiter_of(budget(limit=10**9)).admit(key(tpm=tpm), expected, "m")
    assert bool(weighed) is weighs


def test_a_request_that_is_too_dear_by_its_length_is_admitted_by_its_exact_estimate() -> None:
    limiter = limiter_of(budget(limit=100))
    assert outcome(limiter, key(), by_length(1_000, worst=10_000, exact=costs(90, worst=95))[0]) == "admitted"
    assert outcome(limiter, key(), by_length(1_000, worst=10_000, exact=costs(90, worst=95))[0]) == "billing_hard_limit_reached"


BODIES: dict[str, dict[str, Any]] = {
    "a question": {"messages": [{"role": "user", "content": "Say hello."}]},
    "a cap": {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50},
    "several answers": {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50, "n": 3},
    "Chinese": {"messages": [{"role": "user", "content": "请用五个字问好。" * 40}]},
    "tools": {"messages": [{"role": "user", "content": "?"}], "tools": [{"type": "function", "function": {"name": "f"}}]},
    "a search": {"messages": [{"role": "user", "content": "?"}], "tools": [{"type": "web_search"}]},
    "a cached prompt": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "long " * 50, "cache_control": {"type": "ephemeral"}}]}]
    },
    "speed": {"messages": [{"role": "user", "content": "?"}], "speed": "fast"},
}
DEAR = compile_price(Price(pattern="*", input=3, output=15, cache_write=4, service_tiers={"speed:fast": 6, "flex": 0.5}))
HALF = compile_price(Price(pattern="*", input=30))
TARGETS: list[list[tuple[CompiledPrice | None, int]]] = [
    [], [(PER_TOKEN, 8192)], [(DEAR, 128_000), (PER_TOKEN, 100)], [(None, 1000), (DEAR, 1000)], [(HALF, 1000)]
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("targets", TARGETS, ids=["none", "one", "two", "one without a price", "half a price"])
@pytest.mark.parametrize("keep_caps", [True, False])
def test_an_estimate_by_length_has_the_worst_case_of_the_exact_one(
    body: str, targets: list[tuple[CompiledPrice | None, int]], keep_caps: bool
) -> None:
    sent = BODIES[body]
    made = Call(dialect("openai_chat"), sent, "m", received=(orjson.dumps(sent), sent))
    exact = CostEstimate.of_call(made, 4096, [price for price, _ in targets], cache_rate_of(made))
    exact.add_worst(made, targets, keep_caps=keep_caps)
    rough = CostEstimate.by_length(made, 4096, targets, searches=False, keep_caps=keep_caps, weigh=lambda: exact)
    assert (rough.unpriced, rough.output_tokens) == (exact.unpriced, exact.output_tokens)
    # Where a target's longest answer is shorter than what is reserved, the expected cost is the higher one.
    worst = rough.cost_nano if exact.worst_nano == exact.cost_nano else max(exact.worst_nano, rough.cost_nano)
    assert rough.worst_nano == rough.held_nano == worst
    assert rough.compiled_price is exact.compiled_price
    longest = max((longest for _, longest in targets), default=0)
    assert rough.most_tokens >= exact.input_tokens + min(exact.output_tokens, longest)
