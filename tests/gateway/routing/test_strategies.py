"""The order in which targets are tried: each strategy does what its name says, and no target sticks."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from conduit_desktop.core.entities import ModelAlias, Provider, Strategy, Target
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.core.settings import Settings
from conduit_desktop.gateway.health import circuit
from conduit_desktop.gateway.health.circuit import Health
from conduit_desktop.gateway.routing import strategies
from conduit_desktop.gateway.routing.strategies import EXPLORE, STRATEGIES, RoundRobinCounters
from conduit_desktop.gateway.routing.targets import BoundTarget, Route, timeouts_for
from conduit_desktop.gateway.snapshot import BoundProvider, Credential
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import bind
from tests.fakes.clock import Clock

ROUNDS = 6000


class Rates:
    """Knows prices by name."""

    def __init__(self, **rates: int | None) -> None:
        self.rates = rates

    def rate(self, name: str) -> int | None:
        return self.rates.get(name.partition("/")[0])


def route(strategy: Strategy, weights: dict[str, int]) -> Route:
    """Targets `a/m`, `b/m`, … with these weights."""
    targets = []
    for name, weight in weights.items():
        provider = Provider(id=f"prov_{name}", name=name, kind="openai-compatible", base_url="http://127.0.0.1:1/v1")
        targets.append(BoundTarget.of(BoundProvider(provider, bind(provider), (Credential("0", Secrets()),)), "m", weight))
    bound = tuple(Target(provider=name, model="m", weight=weight) for name, weight in weights.items())
    alias = ModelAlias(id="mod_x", alias="x", strategy=strategy, targets=bound)
    return Route("x", alias, tuple(targets), timeouts_for(alias, Settings()))


def orders(made: Route, health: Health, rounds: int, rates: Rates | None = None) -> list[str]:
    """The targets in the order tried, as `abc`, once a round."""
    turns = RoundRobinCounters()
    return ["".join(target.bound.name for target in strategies.order(made, turns, health, rates or Rates())) for _ in range(rounds)]


def fail(health: Health, name: str, reason: str = "server", times: int = 5) -> None:
    for _ in range(times):
        wait = 60 if reason == "rate_limit" else None
        health.failed(f"{name}/m", f"prov_{name}", "0", UpstreamError("down", status=500, reason=reason, retry_after=wait))


def shares(found: list[str]) -> dict[str, float]:
    return {name: count / len(found) for name, count in Counter(order[0] for order in found).items()}


@pytest.fixture(autouse=True)
def _steady() -> None:
    random.seed(7)


def test_every_strategy_an_alias_may_have_is_known() -> None:
    assert set(STRATEGIES) == set(Strategy.__args__)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_tries_every_target_once(strategy: Strategy) -> None:
    for order in orders(route(strategy, {"a": 1, "b": 2, "c": 3}), Health(), 50):
        assert sorted(order) == ["a", "b", "c"]


def test_priority_keeps_the_order() -> None:
    assert set(orders(route("priority", {"a": 1, "b": 9, "c": 1}), Health(), 10)) == {"abc"}


def test_round_robin_takes_turns() -> None:
    assert orders(route("round_robin", {"a": 1, "b": 1, "c": 1}), Health(), 6) == ["abc", "bca", "cab"] * 2


def test_round_robin_gives_a_broken_targets_turns_to_all_the_others() -> None:
    health = Health()
    fail(health, "a")
    found = orders(route("round_robin", {"a": 1, "b": 1, "c": 1}), health, 6)
    assert Counter(order[0] for order in found) == {"b": 3, "c": 3}
    assert all(order[-1] == "a" for order in found)


def test_round_robin_passes_over_a_target_in_cooldown() -> None:
    health = Health()
    fail(health, "b", "rate_limit", 1)
    found = orders(route("round_robin", {"a": 1, "b": 1, "c": 1}), health, 6)
    assert Counter(order[0] for order in found) == {"a": 3, "c": 3}


@pytest.mark.parametrize("strategy", ["weighted", "random"])
def test_draws_follow_the_weights_and_do_not_stick(strategy: Strategy) -> None:
    found = orders(route(strategy, {"a": 1, "b": 2, "c": 3}), Health(), ROUNDS)
    wanted = {"a": 1 / 6, "b": 2 / 6, "c": 3 / 6} if strategy == "weighted" else dict.fromkeys("abc", 1 / 3)
    for name, share in shares(found).items():
        assert abs(share - wanted[name]) < 0.03, shares(found)
    # After a target was first, it is first again as often as ever.
    again = [later[0] for earlier, later in pairwise(found) if earlier[0] == "a"]
    assert abs(again.count("a") / len(again) - wanted["a"]) < 0.05


def test_the_second_place_is_drawn_by_weight_too() -> None:
    found = [order for order in orders(route("weighted", {"a": 1, "b": 1, "c": 8}), Health(), ROUNDS) if order[0] == "a"]
    assert abs(sum(order[1] == "c" for order in found) / len(found) - 8 / 9) < 0.06


def test_weights_hold_among_those_that_are_left() -> None:
    health = Health()
    fail(health, "c")
    found = shares(orders(route("weighted", {"a": 1, "b": 3, "c": 96}), health, ROUNDS))
    assert abs(found["b"] - 0.75) < 0.03
    assert "c" not in found


def test_a_weight_of_nothing_is_a_last_resort() -> None:
    assert shares(orders(route("weighted", {"a": 0, "b": 1}), Health(), 500)) == {"b": 1.0}


def test_least_busy_asks_who_has_least_in_flight() -> None:
    health = Health()
    health.begin("a/m")
    health.begin("a/m")
    health.begin("b/m")
    assert orders(route("least_busy", {"a": 1, "b": 1, "c": 1}), health, 1) == ["cba"]
    health.end("a/m")
    health.end("a/m")
    assert orders(route("least_busy", {"a": 1, "b": 1, "c": 1}), health, 1) == ["acb"]


def test_fastest_asks_who_answered_fastest_and_looks_at_the_others_now_and_then() -> None:
    health = Health()
    for name, latency in (("a", 300.0), ("b", 100.0), ("c", 200.0)):
        health.succeeded(f"{name}/m", f"prov_{name}", "0", latency)
    found = orders(route("fastest", {"a": 1, "b": 1, "c": 1}), health, ROUNDS)
    assert Counter(found).most_common(1)[0][0] == "bca"
    assert abs(shares(found)["b"] - (1 - EXPLORE * 2 / 3)) < 0.01


def test_fastest_begins_with_an_unmeasured_target() -> None:
    health = Health()
    health.succeeded("a/m", "prov_a", "0", 1.0)
    assert Counter(orders(route("fastest", {"a": 1, "b": 1}), health, 100))["ba"] > 80


def test_fastest_counts_the_whole_answer_and_not_its_first_token_alone() -> None:
    health = Health()
    for name, first, token in (("a", 100.0, 50.0), ("b", 900.0, 10.0)):  # 300 tokens: 15.1 s and 3.9 s
        health.succeeded(f"{name}/m", f"prov_{name}", "0", first)
        health.target(f"{name}/m").finished(first, token * 100, 100)
    assert shares(orders(route("fastest", {"a": 1, "b": 1}), health, 400))["b"] > 0.9


def test_speeds_are_smoothed_so_that_one_slow_answer_is_no_verdict() -> None:
    target = Health().target("a/m")
    for _ in range(20):
        target.finished(100.0, 1000.0, 100)
    target.finished(1100.0, 11_000.0, 100)
    assert (target.first_ms, target.token_ms) == (pytest.approx(300.0), pytest.approx(30.0))
    target.finished(None, 5.0, 0)  # no request: no measurement
    assert target.token_ms == pytest.approx(30.0)


def test_cheapest_puts_unknown_prices_last() -> None:
    assert orders(route("cheapest", {"a": 1, "b": 1, "c": 1}), Health(), 1, Rates(a=None, b=20, c=10)) == ["cba"]


def test_without_an_able_target_all_are_tried_in_order() -> None:
    health = Health()
    fail(health, "a")
    fail(health, "b")
    assert orders(route("round_robin", {"a": 1, "b": 1}), health, 2) == ["ab", "ab"]


def breaker() -> tuple[Health, Clock, list[str]]:
    clock = Clock()
    notices: list[str] = []
    return Health(clock, lambda kind, name, text: notices.append(f"{kind} {name} {text}")), clock, notices


def test_s15_a_half_open_breaker_lets_one_through_and_latecomers_do_not_count() -> None:
    health, clock, notices = breaker()
    early = health.begin("a/m")
    assert early is None
    fail(health, "a")
    assert not health.may_try("a/m")
    clock.advance(circuit.OPEN_BASE_S * 1.3)
    assert health.may_try("a/m")
    probe = health.begin("a/m")
    assert probe
    assert not health.may_try("a/m")
    health.end("a/m", early)  # had requests before the circuit opened
    assert not health.may_try("a/m"), "the probe is still out"
    fail(health, "a", times=1)
    health.succeeded("a/m", "prov_a", "0", 5.0)
    assert health.target("a/m").state == "half_open", "neither says anything new"
    health.succeeded("a/m", "prov_a", "0", 5.0, probe)
    health.end("a/m")
    assert health.target("a/m").state == "closed"
    assert notices == ["target a/m down", "target a/m answers again"]


def test_s15_the_end_of_a_stream_that_closed_the_circuit_frees_no_later_probes_place() -> None:
    health, clock, _ = breaker()
    fail(health, "a")
    clock.advance(60)
    assert health.may_try("a/m")
    health.succeeded("a/m", "prov_a", "0", 5.0, health.begin("a/m"))  # its stream goes on for long
    fail(health, "a")
    clock.advance(60)
    assert health.may_try("a/m")
    health.begin("a/m")
    health.end("a/m")
    assert not health.may_try("a/m"), "the later probe is still out"


def test_s15_every_failed_probe_doubles_the_wait() -> None:
    health, clock, notices = breaker()
    fail(health, "a")
    waits = []
    for _ in range(9):
        target = health.target("a/m")
        waits.append(target.open_until - clock())
        clock.advance(waits[-1])
        assert health.may_try("a/m")
        probe = health.begin("a/m")
        health.failed("a/m", "prov_a", "0", UpstreamError("down", status=500, reason="server"), probe)
        health.end("a/m", probe)
        assert not health.may_try("a/m")
    for place, wait in enumerate(waits):
        wanted = min(circuit.OPEN_BASE_S * 2**place, circuit.OPEN_MAX_S)
        assert 0.8 * wanted <= wait <= 1.2 * wanted
    assert len(notices) == 1


def test_s15_a_probe_whose_caller_hung_up_frees_the_place() -> None:
    health, clock, _ = breaker()
    fail(health, "a")
    clock.advance(60)
    assert health.may_try("a/m")
    health.end("a/m", health.begin("a/m"))
    assert health.may_try("a/m")


def test_s15_a_probe_that_is_refused_was_answered() -> None:
    health, clock, _ = breaker()
    fail(health, "a")
    clock.advance(60)
    assert health.may_try("a/m")
    probe = health.begin("a/m")
    health.failed("a/m", "prov_a", "0", UpstreamError("too long", status=400, reason="context_length"), probe)
    assert health.target("a/m").state == "closed"


def test_a_credential_after_its_cooldown_is_tried_out_by_one_request() -> None:
    health, clock, _ = breaker()
    limited = UpstreamError("slow down", status=429, reason="rate_limit", retry_after=30)
    health.failed("a/m", "prov_a", "0", limited)
    assert not health.may_use("prov_a", "0", "m")
    clock.advance(31)
    assert health.may_use("prov_a", "0", "m")
    probe = health.begin("a/m", "prov_a", "0")
    assert probe is not None
    assert not health.may_use("prov_a", "0", "m")
    assert health.credential_wait_s("prov_a", "0", "m") == 0, "where it is the only one, the others use it all the same"
    assert health.may_use("prov_a", "0", "other")
    assert health.begin("a/m", "prov_a", "0") is None, "one tries it out"
    health.end("a/m", probe)
    assert health.may_use("prov_a", "0", "m"), "the one hung up: another may try"
    again = health.begin("a/m", "prov_a", "0")
    health.succeeded("a/m", "prov_a", "0", 5.0, again)
    assert health.may_use("prov_a", "0", "m")
    assert health.begin("a/m", "prov_a", "0") is None, "well again"


def test_the_turns_of_a_circuit_are_remembered() -> None:
    health, clock, _ = breaker()
    fail(health, "a")
    clock.advance(60)
    health.may_try("a/m")
    health.succeeded("a/m", "prov_a", "0", 5.0, health.begin("a/m"))
    clock.advance(5)
    assert health.transitions("a/m", 3600) == [(65.0, "open"), (5.0, "closed")]
    assert health.transitions("a/m", 10) == [(5.0, "closed")]


def test_a_changed_providers_requests_in_flight_are_counted_to_their_end() -> None:
    health = Health()
    fail(health, "a")
    health.begin("a/m")
    health.forget("prov_a", "a")
    assert health.may_try("a/m")
    health.begin("a/m")
    health.end("a/m")
    assert health.target("a/m").in_flight == 1
    health.end("a/m")
    health.forget("prov_a", "a")
    assert not health.targets


def test_made_up_names_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit, "MAX_TARGETS", 100)
    health = Health()
    health.begin("a/busy")
    fail(health, "b")
    for number in range(1000):
        health.succeeded(f"a/{number}", "prov_a", "0", 1.0)
    assert len(health.targets) <= 100
    assert health.target("a/busy").in_flight == 1
    assert health.target("b/m").state == "open"
