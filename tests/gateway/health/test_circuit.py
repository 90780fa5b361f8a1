"""When a circuit opens and closes, and when a credential is in cooldown or disabled: each threshold, on a clock that is moved."""

from __future__ import annotations

from typing import get_args

import pytest

from conduit_desktop.core.errors import Reason, UpstreamError
from conduit_desktop.gateway.health import circuit
from conduit_desktop.gateway.health.circuit import COOLDOWN_MAX_S, MAX_TARGETS, Health
from conduit_desktop.gateway.health.state import Probe
from tests.fakes.clock import Clock

TARGET, PROVIDER, LABEL, MODEL = "a/m", "prov_a", "0", "m"
OF_THE_TARGET = {"server", "overloaded", "timeout", "connect", "malformed", "broken"}
OF_THE_CREDENTIAL = {"auth", "permission", "money"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def health(clock: Clock, changes: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch) -> Health:
    """Pauses are not spread, so that each is exact."""
    monkeypatch.setattr(circuit.random, "uniform", lambda low, high: 1.0)
    return Health(clock, lambda kind, name, text: changes.append((kind, name, text)))


def error(reason: Reason = "server", wait: float | None = None, text: str = "down") -> UpstreamError:
    return UpstreamError(text, status=500, reason=reason, retry_after=wait)


def fail(
    health: Health,
    times: int = 1,
    reason: Reason = "server",
    wait: float | None = None,
    *,
    target: str = TARGET,
    label: str | None = LABEL,
    probe: Probe | None = None,
    text: str = "down",
) -> None:
    for _ in range(times):
        health.failed(target, f"prov_{target.partition('/')[0]}", label, error(reason, wait, text), probe)


def succeed(health: Health, times: int = 1, probe: Probe | None = None) -> None:
    for _ in range(times):
        health.succeeded(TARGET, PROVIDER, LABEL, 5.0, probe)


def half_opened(health: Health, clock: Clock) -> None:
    fail(health, 5)
    clock.advance(5.0)
    assert health.may_try(TARGET)


# When a circuit opens.


def test_an_unknown_target_is_tried(health: Health) -> None:
    assert health.may_try(TARGET)
    assert not health.targets, "a check stores nothing"


def test_the_fifth_failure_opens_the_circuit_and_the_fourth_does_not(health: Health) -> None:
    fail(health, 4)
    assert health.may_try(TARGET)
    fail(health)
    assert not health.may_try(TARGET)
    assert health.target(TARGET).state == "open"


def test_five_failures_among_the_last_ten_answers_open_the_circuit(health: Health) -> None:
    succeed(health, 5)
    fail(health, 4)
    assert health.may_try(TARGET)
    fail(health)
    assert not health.may_try(TARGET)


def test_failures_before_the_last_ten_answers_do_not_count(health: Health) -> None:
    fail(health, 4)
    succeed(health, 7)
    fail(health, 4)
    assert health.may_try(TARGET), "the last ten: six successes, four failures"


def test_fewer_than_half_failures_leave_the_circuit_closed_however_many_they_are(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "MIN_SAMPLES", 2)
    succeed(health, 4)
    fail(health, 3)
    assert health.may_try(TARGET), "three of seven"
    fail(health)
    assert not health.may_try(TARGET), "four of eight"


@pytest.mark.parametrize("reason", get_args(Reason))
def test_only_a_targets_own_faults_open_its_circuit(health: Health, reason: Reason) -> None:
    fail(health, 20, reason, label=None)
    assert (health.target(TARGET).state == "open") is (reason in OF_THE_TARGET)
    assert health.recent_faults(TARGET, 1) == {reason: 20}, "every fault is shown to the operator"


def test_a_wait_that_is_over_is_none_and_never_less(health: Health, clock: Clock) -> None:
    fail(health, 5, "overloaded", 30)
    fail(health, 1, "rate_limit", 30)
    clock.advance(100)
    assert (
        health.target_cooldown_s(TARGET),
        health.next_probe_s(TARGET),
        health.credential_cooldown_s(PROVIDER, LABEL, MODEL),
    ) == (0.0, 0.0, 0.0)


def test_one_targets_failures_say_nothing_of_another(health: Health) -> None:
    fail(health, 9)
    assert health.may_try("a/other")
    assert health.may_try("b/m")


def test_the_opening_and_the_closing_are_published_once_each(
    health: Health, clock: Clock, changes: list[tuple[str, str, str]]
) -> None:
    half_opened(health, clock)
    fail(health, probe=health.begin(TARGET))
    clock.advance(10.0)
    assert health.may_try(TARGET)
    assert changes == [("target", TARGET, "down")], "a failed probe is no news"
    succeed(health, probe=health.begin(TARGET))
    assert changes[1:] == [("target", TARGET, "answers again")]


def test_an_answer_is_measured_and_a_failure_is_not(health: Health) -> None:
    succeed(health)
    fail(health)
    assert list(health.target(TARGET).latencies) == [5.0]


# While it is open.


def test_an_open_circuit_lets_nothing_through_until_its_pause_is_over_to_the_moment(health: Health, clock: Clock) -> None:
    fail(health, 5)
    assert health.next_probe_s(TARGET) == 5.0
    clock.advance(4.999)
    assert not health.may_try(TARGET)
    clock.advance(0.001)
    assert health.next_probe_s(TARGET) == 0.0
    assert health.may_try(TARGET)
    assert health.target(TARGET).state == "half_open"


def test_the_pause_is_spread_by_a_fifth_either_side(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    spans: list[tuple[float, float]] = []
    monkeypatch.setattr(circuit.random, "uniform", lambda low, high: spans.append((low, high)) or high)
    health = Health(clock)
    fail(health, 5)
    assert spans == [(0.8, 1.2)]
    assert health.next_probe_s(TARGET) == pytest.approx(6.0)


def test_the_pause_doubles_with_each_failed_probe_up_to_five_minutes(health: Health, clock: Clock) -> None:
    fail(health, 5)
    pauses = []
    for _ in range(9):
        pauses.append(health.next_probe_s(TARGET))
        clock.advance(pauses[-1] or 0)
        assert health.may_try(TARGET)
        probe = health.begin(TARGET)
        fail(health, probe=probe)
        health.end(TARGET, probe)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_request_that_began_before_the_opening_neither_prolongs_nor_ends_it(health: Health, clock: Clock) -> None:
    fail(health, 5)
    clock.advance(2.0)
    fail(health, 5)
    assert health.next_probe_s(TARGET) == 3.0
    succeed(health)
    assert health.target(TARGET).state == "open"


def test_the_reason_names_the_last_error(health: Health) -> None:
    fail(health, 5, text="x" * 500)
    assert health.why_not(TARGET) == f"not tried, its circuit is open ({'x' * 300})"


# Half open.


def test_a_half_open_circuit_admits_exactly_one_request(health: Health, clock: Clock) -> None:
    half_opened(health, clock)
    assert health.may_try(TARGET), "a check takes no entry"
    probe = health.begin(TARGET)
    assert probe is not None
    assert probe.circuit
    assert [health.may_try(TARGET) for _ in range(3)] == [False] * 3
    clock.advance(10_000)
    assert not health.may_try(TARGET), "time frees no place"
    assert health.begin(TARGET) is None, "a second one that comes through all the same is no probe"


def test_a_request_to_a_closed_or_open_circuit_is_no_probe(health: Health) -> None:
    assert health.begin(TARGET) is None
    fail(health, 5)
    assert health.begin(TARGET) is None


def test_a_probe_that_succeeds_closes_the_circuit_and_clears_what_was_counted(health: Health, clock: Clock) -> None:
    half_opened(health, clock)
    succeed(health, probe=health.begin(TARGET))
    assert health.target(TARGET).state == "closed"
    assert [health.may_try(TARGET) for _ in range(3)] == [True] * 3
    assert health.next_probe_s(TARGET) is None
    fail(health, 4)
    assert health.may_try(TARGET), "failures before the opening are over"
    fail(health)
    assert health.next_probe_s(TARGET) == 5.0, "the pause begins anew"


def test_a_success_that_is_not_the_probes_does_not_close_the_circuit(health: Health, clock: Clock) -> None:
    half_opened(health, clock)
    health.begin(TARGET)
    succeed(health)
    succeed(health, probe=Probe(False, None))
    assert health.target(TARGET).state == "half_open"


def test_a_failure_that_is_not_the_probes_does_not_open_the_circuit_again(health: Health, clock: Clock) -> None:
    half_opened(health, clock)
    fail(health)
    fail(health, probe=Probe(False, None))
    assert health.target(TARGET).state == "half_open"


def test_a_probe_that_is_refused_closes_the_circuit(health: Health, clock: Clock) -> None:
    half_opened(health, clock)
    fail(health, reason="context_length", probe=health.begin(TARGET))
    assert health.target(TARGET).state == "closed"


def test_a_refusal_that_is_not_the_probes_does_not_close_the_circuit(health: Health, clock: Clock) -> None:
    half_opened(health, clock)
    fail(health, reason="context_length")
    assert health.target(TARGET).state == "half_open"


def test_a_probe_refused_after_its_provider_was_changed_closes_nothing(
    health: Health, clock: Clock, changes: list[tuple[str, str, str]]
) -> None:
    half_opened(health, clock)
    probe = health.begin(TARGET)
    health.forget(PROVIDER, "a")
    fail(health, reason="context_length", probe=probe)
    assert changes == [("target", TARGET, "down")]


def test_a_probe_that_ends_without_a_result_frees_its_place(health: Health, clock: Clock) -> None:
    half_opened(health, clock)
    probe = health.begin(TARGET)
    health.end(TARGET)
    health.end(TARGET, Probe(False, None))
    assert not health.may_try(TARGET), "the end of another request frees nothing"
    health.end(TARGET, probe)
    assert health.may_try(TARGET)


def test_a_hint_that_the_target_is_well_lets_one_probe_through_early(health: Health) -> None:
    fail(health, 5)
    health.half_open(TARGET)
    assert health.may_try(TARGET)
    health.begin(TARGET)
    health.half_open(TARGET)
    assert not health.may_try(TARGET), "a second hint admits no second probe"


@pytest.mark.parametrize("known", [False, True])
def test_a_hint_changes_nothing_for_a_closed_circuit(health: Health, known: bool) -> None:
    if known:
        succeed(health)
    health.half_open(TARGET)
    assert (TARGET in health.targets) is known
    assert not known or health.target(TARGET).state == "closed"


# A target whose provider named a wait.


def test_a_target_that_names_a_wait_is_left_alone_until_then_to_the_moment(health: Health, clock: Clock) -> None:
    fail(health, 1, "overloaded", 30)
    assert health.target(TARGET).state == "closed"
    assert health.why_not(TARGET) == "not tried, its provider asked for a pause of 30 s more (down)"
    clock.advance(29.999)
    assert not health.may_try(TARGET)
    clock.advance(0.001)
    assert health.may_try(TARGET)
    assert health.target_cooldown_s(TARGET) == 0.0


def test_a_wait_of_a_target_is_cut_to_a_day(health: Health) -> None:
    fail(health, 1, "overloaded", 10 * COOLDOWN_MAX_S)
    assert health.target_cooldown_s(TARGET) == COOLDOWN_MAX_S == 86_400


@pytest.mark.parametrize("reason", sorted(set(get_args(Reason)) - OF_THE_TARGET))
def test_a_wait_named_with_another_fault_is_not_the_targets(health: Health, reason: Reason) -> None:
    fail(health, 1, reason, 30)
    assert health.target_cooldown_s(TARGET) == 0.0
    assert health.may_try(TARGET)


def test_a_cooldown_holds_while_the_circuit_would_let_a_probe_through(health: Health, clock: Clock) -> None:
    fail(health, 5, "overloaded", 30)
    clock.advance(29)
    assert not health.may_try(TARGET)
    assert health.wait_s(TARGET) == 1.0
    clock.advance(1)
    assert health.may_try(TARGET)


def test_the_wait_for_a_target_is_the_longer_of_its_cooldown_and_its_circuits(health: Health) -> None:
    assert health.wait_s(TARGET) == 0.0
    fail(health, 5, "overloaded", 2)
    assert health.wait_s(TARGET) == 5.0
    health.cool_down(TARGET, 8, "busy")
    assert health.wait_s(TARGET) == 8.0


# A target that the operator paused.


def test_a_paused_target_is_not_tried_until_it_is_resumed(health: Health, clock: Clock) -> None:
    health.paused.add(TARGET)
    assert not health.may_try(TARGET)
    assert health.why_not(TARGET) == "not tried, the operator paused it"
    assert health.wait_s(TARGET) is None
    assert health.may_try("a/other")
    clock.advance(10_000_000)
    succeed(health)
    assert not health.may_try(TARGET)
    health.paused.discard(TARGET)
    assert health.may_try(TARGET)


def test_a_pause_holds_when_its_provider_is_changed(health: Health) -> None:
    health.paused.add(TARGET)
    health.forget(PROVIDER, "a")
    assert not health.may_try(TARGET)


def test_a_pause_follows_the_name_of_its_provider_and_no_other(health: Health) -> None:
    health.paused |= {"A/m/x", "ab/m"}
    health.renamed("a", "b")
    assert health.paused == {"b/m/x", "ab/m"}
    health.renamed("b", None)
    assert health.paused == {"ab/m"}


# A credential after a rate limit.


def waits(health: Health, model: str = MODEL) -> float | None:
    return health.credential_wait_s(PROVIDER, LABEL, model)


def usable(health: Health, model: str = MODEL, label: str = LABEL) -> bool:
    return health.may_use(PROVIDER, label, model)


def test_an_unknown_credential_is_used(health: Health) -> None:
    assert usable(health)
    assert waits(health) == 0.0
    assert health.disabled_reason(PROVIDER, LABEL, MODEL) == ""


def test_a_rate_limited_credential_is_in_cooldown_exactly_as_long_as_the_provider_named(health: Health, clock: Clock) -> None:
    fail(health, 1, "rate_limit", 30)
    assert waits(health) == 30.0
    clock.advance(29.999)
    assert not usable(health)
    clock.advance(0.001)
    assert usable(health)
    assert waits(health) == 0.0


def test_a_cooldown_is_the_credentials_for_that_model_and_not_the_targets(health: Health) -> None:
    fail(health, 20, "rate_limit", 30)
    assert usable(health, "other")
    assert usable(health, label="1")
    assert health.may_use("prov_b", LABEL, MODEL)
    assert health.may_try(TARGET)


def test_without_a_named_wait_the_cooldown_doubles_up_to_a_minute(health: Health, clock: Clock) -> None:
    waited = []
    for _ in range(7):
        fail(health, 1, "rate_limit")
        waited.append(waits(health))
        clock.advance(waited[-1] or 0)
    assert waited == [2, 4, 8, 16, 32, 60, 60]


def test_a_success_ends_the_cooldown_and_the_doubling(health: Health) -> None:
    fail(health, 4, "rate_limit")
    succeed(health)
    assert usable(health)
    fail(health, 1, "rate_limit")
    assert waits(health) == 2.0


def test_a_shorter_wait_does_not_shorten_the_cooldown_and_a_longer_one_prolongs_it(health: Health) -> None:
    fail(health, 1, "rate_limit", 30)
    fail(health, 1, "rate_limit", 1)
    assert waits(health) == 30.0
    fail(health, 1, "rate_limit", 40)
    assert waits(health) == 40.0


def test_a_wait_of_zero_is_none_and_a_wait_of_years_is_cut_to_a_day(health: Health) -> None:
    fail(health, 1, "rate_limit", 0)
    assert usable(health)
    fail(health, 1, "rate_limit", 1e9)
    assert waits(health) == COOLDOWN_MAX_S


def test_after_its_cooldown_exactly_one_request_tries_a_credential_out(health: Health, clock: Clock) -> None:
    fail(health, 1, "rate_limit", 30)
    assert health.begin(TARGET, PROVIDER, LABEL) is None, "it is still in cooldown"
    clock.advance(30)
    probe = health.begin(TARGET, PROVIDER, LABEL)
    assert probe is not None
    assert not probe.circuit
    assert not usable(health)
    assert health.begin(TARGET, PROVIDER, LABEL) is None
    health.end(TARGET)
    assert not usable(health)
    health.end(TARGET, probe)
    assert usable(health)


def test_one_request_may_try_out_a_circuit_and_a_credential(health: Health, clock: Clock) -> None:
    fail(health, 1, "rate_limit", 3)
    half_opened(health, clock)
    probe = health.begin(TARGET, PROVIDER, LABEL)
    assert probe is not None
    assert probe.circuit
    assert probe.cooldown is not None
    health.end(TARGET, probe)
    assert health.may_try(TARGET)
    assert usable(health)


def test_a_clients_own_key_tries_out_and_disables_no_credential(health: Health, clock: Clock) -> None:
    fail(health, 1, "rate_limit", 30)
    clock.advance(30)
    assert health.begin(TARGET, PROVIDER, None) is None
    for reason in ("rate_limit", "auth", "permission", "money"):
        fail(health, 1, reason, 30, label=None)
    assert usable(health)
    assert list(health.credentials) == [(PROVIDER, LABEL)]


# A credential that was refused.


@pytest.mark.parametrize("reason", ["auth", "money"])
def test_a_refused_credential_is_disabled_for_every_model_until_it_is_released(
    health: Health, clock: Clock, changes: list[tuple[str, str, str]], reason: Reason
) -> None:
    fail(health, 3, reason, text="no such key")
    clock.advance(10_000_000)
    for model in (MODEL, "other"):
        assert not usable(health, model)
        assert waits(health, model) is None
        assert health.disabled_reason(PROVIDER, LABEL, model) == "no such key"
    assert usable(health, label="1")
    assert health.may_use("prov_b", LABEL, MODEL)
    assert changes == [("credential", "a (0)", "no such key")]
    assert health.release(PROVIDER, LABEL)
    assert usable(health)


def test_a_forbidden_model_disables_the_credential_for_that_model_only(health: Health, changes: list[tuple[str, str, str]]) -> None:
    fail(health, 3, "permission", text="not for you")
    assert not usable(health)
    assert waits(health) is None
    assert health.disabled_reason(PROVIDER, LABEL, MODEL) == "not for you"
    assert usable(health, "other")
    assert health.disabled_reason(PROVIDER, LABEL, "other") == ""
    fail(health, 1, "permission", target="a/other", text="nor that")
    assert not usable(health, "other")
    assert changes == [("credential", "a/m (0)", "not for you"), ("credential", "a/other (0)", "nor that")]


def test_the_first_reason_of_a_disabled_credential_is_kept(health: Health, changes: list[tuple[str, str, str]]) -> None:
    fail(health, 1, "auth", text="first")
    fail(health, 1, "permission", text="second")
    fail(health, 1, "money", text="third")
    assert health.disabled_reason(PROVIDER, LABEL, MODEL) == "first"
    assert len(changes) == 1


@pytest.mark.parametrize("text", ["", "x" * 500])
def test_the_reason_of_a_disabled_credential_is_never_empty_and_at_most_300_characters(health: Health, text: str) -> None:
    fail(health, 1, "auth", text=text)
    assert health.disabled_reason(PROVIDER, LABEL, MODEL) == (text[:300] or "auth")


@pytest.mark.parametrize("reason", sorted(set(get_args(Reason)) - OF_THE_CREDENTIAL - {"rate_limit"}))
def test_no_other_fault_is_held_against_the_credential(health: Health, reason: Reason) -> None:
    fail(health, 20, reason, 30)
    assert usable(health)
    assert not health.credentials


def test_a_success_does_not_bring_a_disabled_credential_back(health: Health) -> None:
    fail(health, 1, "auth")
    succeed(health)
    assert not usable(health)


@pytest.mark.parametrize("reason", ["auth", "permission", "rate_limit"])
def test_a_release_says_whether_there_was_something_to_release(health: Health, reason: Reason) -> None:
    assert not health.release(PROVIDER, LABEL)
    fail(health, 1, reason)
    assert not health.release(PROVIDER, "1")
    assert health.release(PROVIDER, LABEL)
    assert not health.release(PROVIDER, LABEL)


def test_a_release_of_a_credential_that_works_releases_nothing(health: Health) -> None:
    fail(health, 1, "rate_limit")
    succeed(health)
    assert not health.release(PROVIDER, LABEL)


# Changes of a provider, a restart, and memory.


def test_a_changed_providers_targets_and_credentials_begin_anew_and_no_others(health: Health) -> None:
    for name in ("a/m", "A/n", "ab/m"):
        fail(health, 5, target=name)
    fail(health, 1, "auth")
    fail(health, 1, "auth", target="ab/m")
    health.forget(PROVIDER, "A")
    assert list(health.targets) == ["ab/m"]
    assert list(health.credentials) == [("prov_ab", LABEL)]


def test_requests_in_flight_to_a_changed_provider_are_counted_to_their_end(health: Health) -> None:
    health.begin(TARGET)
    health.begin(TARGET)
    health.forget(PROVIDER, "a")
    assert health.target(TARGET).in_flight == 2


def test_a_target_that_was_failing_before_a_restart_waits_and_then_admits_one_probe(health: Health, clock: Clock) -> None:
    health.reopen(TARGET, 20, 2, "was down")
    assert health.why_not(TARGET) == "not tried, its circuit is open (was down)"
    clock.advance(19.999)
    assert not health.may_try(TARGET)
    clock.advance(0.001)
    assert health.may_try(TARGET)
    fail(health, probe=health.begin(TARGET))
    assert health.next_probe_s(TARGET) == 20.0, "two openings came before"


def test_requests_in_flight_are_never_fewer_than_none(health: Health) -> None:
    health.end(TARGET)
    assert health.target(TARGET).in_flight == 0
    health.begin(TARGET)
    health.begin(TARGET)
    health.end(TARGET)
    assert health.target(TARGET).in_flight == 1


def test_what_is_forgotten_for_room_is_idle_and_what_limits_a_target_is_kept(health: Health, clock: Clock) -> None:
    fail(health, 1, "overloaded", 30, target="a/cooling")
    fail(health, 5, target="a/open")
    health.begin("a/busy")
    for number in range(MAX_TARGETS - 3):
        health.target(f"a/{number}")
    assert len(health.targets) == MAX_TARGETS
    health.target("a/0")
    assert len(health.targets) == MAX_TARGETS, "a known one needs no new entry"
    health.target("a/new")
    assert set(health.targets) == {"a/cooling", "a/open", "a/busy", "a/new"}
    clock.advance(30)
    assert health._is_idle(health.target("a/cooling")), "its cooldown is over"


def test_faults_and_state_changes_are_shown_up_to_the_edge_of_the_requested_span(health: Health, clock: Clock) -> None:
    fail(health, 5)
    clock.advance(60)
    fail(health, 1, "timeout")
    assert health.recent_faults(TARGET, 60) == {"server": 5, "timeout": 1}
    assert health.recent_faults(TARGET, 59.9) == {"timeout": 1}
    assert health.transitions(TARGET, 60) == [(60.0, "open")]
    assert health.transitions(TARGET, 59.9) == []
    assert health.recent_faults("b/m", 60) == {}
    assert health.transitions("b/m", 60) == []


def test_five_thousand_targets_are_kept_and_one_more_forgets_the_idle_ones(health: Health) -> None:
    for number in range(5000):
        health.target(f"a/{number}")
    assert len(health.targets) == 5000
    health.begin("a/busy")
    assert set(health.targets) == {"a/busy"}
