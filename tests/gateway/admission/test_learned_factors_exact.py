"""The steps by which an estimate is corrected, and how much is kept."""

from __future__ import annotations

import pytest

from conduit_desktop.gateway.admission.learned_factors import LearnedFactors


@pytest.mark.parametrize(
    ("counted", "reported", "constant", "factor"),
    [(20, 720, 685.62, 1.0034), (1000, 2000, 715.34, 1.1788), (10_000, 14_000, 121.4, 1.3035), (1000, 500, -396.62, 0.9008)],
)
def test_two_reports_of_a_kind_are_spread_over_constant_and_factor(
    counted: int, reported: int, constant: float, factor: float
) -> None:
    learned = LearnedFactors()
    for _ in range(2):
        learned.learn("m", counted, reported)
    line = learned._lines["m", False]
    assert (line.constant, line.factor) == (pytest.approx(constant, abs=0.01), pytest.approx(factor, abs=0.0001))


@pytest.mark.parametrize(
    ("counted", "reported", "is_surprise"),
    [(1000, 1182, False), (1000, 1183, True), (1000, 866, False), (1000, 864, True), (10, 17, False), (10, 18, True)],
)
def test_a_report_is_near_within_fifteen_percent_and_five_tokens(counted: int, reported: int, is_surprise: bool) -> None:
    learned = LearnedFactors()
    learned.learn("m", counted, reported)
    assert (learned._lines["m", False].surprise is not None) == is_surprise


@pytest.mark.parametrize(
    ("counted", "reported", "is_taken"), [(100, 5300, True), (100, 5301, False), (100, 1, True), (100, 0, False)]
)
def test_a_report_of_more_than_hidden_instructions_is_not_taken(counted: int, reported: int, is_taken: bool) -> None:
    learned = LearnedFactors()
    learned.learn("m", counted, reported)
    assert (("m", False) in learned._lines) == is_taken


def test_a_thousand_models_are_kept_and_the_one_without_a_report_for_longest_goes() -> None:
    learned = LearnedFactors()
    for number in range(1000):
        learned.learn(f"m{number}", 1000, 2000)
    assert all((f"m{number}", False) in learned._lines for number in range(1000))
    learned.learn("m0", 1000, 2000)
    learned.learn("new", 1000, 2000)
    assert ("m1", False) not in learned._lines
    assert all((name, False) in learned._lines for name in ("m0", "m2", "m999", "new"))


def test_the_sixteenth_long_report_is_the_first_that_is_learned_from() -> None:
    learned = LearnedFactors()
    assert not any(learned.wants(99) for _ in range(16))
    assert [learned.wants(100) for _ in range(33)] == [number in (16, 32) for number in range(1, 34)]
