"""What is known of one target: how measurements are kept, bounded and smoothed."""

from __future__ import annotations

import pytest

from conduit_desktop.gateway.health.state import REMEMBERED, TYPICAL_TOKENS, WINDOW, TargetHealth, smoothed


def test_the_circuit_is_judged_by_the_last_ten_answers() -> None:
    one = TargetHealth()
    one.outcomes.extend([False] + [True] * 10)
    assert WINDOW == 10
    assert list(one.outcomes) == [True] * 10


def test_the_operator_is_shown_the_last_sixty_answers_faults_and_turns() -> None:
    one = TargetHealth()
    for number in range(61):
        one.answered(float(number))
        one.faults.append((float(number), "server"))
        one.set_state("open", float(number))
    assert REMEMBERED == 60
    for kept in (one.latencies, [at for at, _ in one.faults], [at for at, _ in one.transitions]):
        assert list(kept) == [float(number) for number in range(1, 61)]


def test_a_new_target_is_closed_and_unmeasured() -> None:
    one = TargetHealth()
    assert (one.state, one.probing, one.in_flight, one.openings, one.typical_ms) == ("closed", False, 0, 0, 0.0)


@pytest.mark.parametrize("state", ["open", "closed"])
def test_a_turn_of_the_circuit_is_remembered_and_ends_the_probe(state: str) -> None:
    one = TargetHealth(state="half_open", probing=True)
    one.set_state(state, 7.0)  # type: ignore[arg-type]
    assert (one.state, one.probing, list(one.transitions)) == (state, False, [(7.0, state)])


def test_the_first_measurement_counts_whole_and_each_later_one_a_fifth() -> None:
    assert smoothed(None, 100.0) == 100.0
    assert smoothed(100.0, 200.0) == pytest.approx(120.0)
    assert smoothed(0.0, 100.0) == pytest.approx(20.0), "zero is a measurement"


def test_the_latency_is_smoothed_over_the_answers() -> None:
    one = TargetHealth()
    one.answered(100.0)
    one.answered(200.0)
    assert one.latency_ms == pytest.approx(120.0)


def test_a_finished_answer_is_measured_by_its_first_content_and_by_each_token() -> None:
    one = TargetHealth()
    one.finished(50.0, 1000.0, 100)
    assert (one.first_ms, one.token_ms) == (50.0, 10.0)
    one.finished(None, 2000.0, 100)
    assert one.first_ms == 50.0, "a whole answer has no first content"
    assert one.token_ms == pytest.approx(12.0)


def test_an_answer_without_tokens_says_nothing_of_the_speed() -> None:
    one = TargetHealth()
    one.finished(50.0, 1000.0, 0)
    assert (one.first_ms, one.token_ms) == (50.0, None)


def test_the_usual_time_is_that_of_300_tokens_after_the_first_content() -> None:
    assert TYPICAL_TOKENS == 300
    assert TargetHealth(first_ms=50.0, token_ms=10.0, latency_ms=70.0).typical_ms == 3050.0
    assert TargetHealth(token_ms=10.0, latency_ms=70.0).typical_ms == 3000.0


def test_the_usual_time_is_the_first_contents_and_else_the_latency_where_no_speed_is_known() -> None:
    assert TargetHealth(first_ms=50.0, latency_ms=70.0).typical_ms == 50.0
    assert TargetHealth(latency_ms=70.0).typical_ms == 70.0
