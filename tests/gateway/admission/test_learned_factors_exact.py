"""The steps by which an estimate is corrected, and how much is kept."""

from __future__ import annotations

import pytest

from conduit_desktop.gateway.admission.learned_factors import LearnedFactors


@pytest.mark.parametrize(
    ("estimated", "reported", "factor"),
    [(1000, 2000, 1.1), (1000, 500, 0.95), (100, 110, 1.01), (1000, 10**6, 1.1), (10**6, 100, 0.95), (99, 200, 1), (200, 99, 1)],
)
def test_one_report_moves_the_factor_by_a_tenth_of_the_difference(estimated: int, reported: int, factor: float) -> None:
    learned = LearnedFactors()
    learned.learn("m", estimated, reported)
    assert learned.factor("m") == pytest.approx(factor)


def test_a_further_report_counts_from_the_factor_that_was_applied() -> None:
    learned = LearnedFactors()
    learned.learn("m", 1000, 2000)
    learned.learn("m", 1100, 1650)
    assert learned.factor("m") == pytest.approx(1.1 + (1.1 * 1.5 - 1.1) * 0.1)


def test_a_thousand_models_are_kept_and_the_one_without_a_report_for_longest_goes() -> None:
    learned = LearnedFactors()
    for number in range(1000):
        learned.learn(f"m{number}", 1000, 2000)
    assert all(learned.factor(f"m{number}") > 1 for number in range(1000))
    learned.learn("m0", 1000, 2000)
    learned.learn("new", 1000, 2000)
    assert learned.factor("m1") == 1
    assert all(learned.factor(name) > 1 for name in ("m0", "m2", "m999", "new"))


def test_the_sixteenth_long_report_is_the_first_that_is_learned_from() -> None:
    learned = LearnedFactors()
    assert not any(learned.wants(99) for _ in range(16))
    assert [learned.wants(100) for _ in range(33)] == [number in (16, 32) for number in range(1, 34)]
