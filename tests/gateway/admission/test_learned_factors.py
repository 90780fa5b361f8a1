"""What is learned of a model's input from the reports of its provider: a constant and a factor."""

from __future__ import annotations

import random

import pytest

from conduit_desktop.gateway.admission.learned_factors import LearnedFactors


def taught(*reports: tuple[int, int]) -> LearnedFactors:
    learned = LearnedFactors()
    for counted, reported in reports:
        learned.learn("m", counted, reported)
    return learned


def test_a_hidden_prompt_is_learned_as_a_constant_and_does_not_multiply_a_large_request() -> None:
    learned = taught((20, 720), (35, 740))
    assert 680 <= learned.expected("m", 20) <= 750
    assert 50_500 <= learned.expected("m", 50_000) <= 52_000


def test_a_tokenizer_is_learned_as_a_factor_and_adds_little_to_a_small_request() -> None:
    learned = taught((10_000, 13_000), (12_000, 15_600), (8_000, 10_400))
    assert 11_900 <= learned.expected("m", 10_000) <= 13_100
    assert learned.expected("m", 20) <= 150


def test_constant_and_factor_are_told_apart_by_requests_of_different_sizes() -> None:
    learned = taught((50, 765), (12_000, 16_300), (300, 1090))
    for counted in (50, 1000, 10_000, 100_000):
        assert learned.expected("m", counted) == pytest.approx(700 + 1.3 * counted, rel=0.15)


def test_a_single_report_that_is_far_off_teaches_nothing_and_one_more_of_its_kind_does() -> None:
    assert taught((1000, 2500)).expected("m", 1000) == 1000
    assert taught((1000, 2500), (1000, 1000), (1000, 2500)).expected("m", 1000) == pytest.approx(1000, rel=0.02)
    assert taught((1000, 1600), (1000, 500)).expected("m", 1000) == 1000
    assert taught((1000, 1600), (1000, 1600)).expected("m", 1000) > 1300


def test_reports_that_are_near_change_nothing() -> None:
    near = random.Random(5)
    learned = taught(*((counted, round(counted * near.uniform(0.88, 1.12))) for counted in range(100, 5000, 50)))
    assert learned.expected("m", 1000) == 1000


def test_a_vendors_change_is_learned_as_fast_as_the_first_report() -> None:
    learned = taught(*[(100, 300)] * 50)
    assert learned.expected("m", 100) == pytest.approx(300, rel=0.1)
    for _ in range(2):
        learned.learn("m", 100, 110)
    assert learned.expected("m", 100) <= 150


def test_requests_with_tools_are_learned_apart_from_those_without() -> None:
    learned = LearnedFactors()
    for _ in range(3):
        learned.learn("m", 100, 600, tools=True)
    assert learned.expected("m", 100, tools=True) > 500
    assert learned.expected("m", 100) == 100
    assert learned.expected("other", 100, tools=True) == 100


def test_what_is_learned_stays_within_bounds() -> None:
    learned = taught(*[(1000, 7900)] * 300)
    assert learned.expected("m", 1000) <= 2 * 1000 + learned.MOST_CONSTANT
    assert learned.expected("m", 10**6) <= 2 * 10**6 + learned.MOST_CONSTANT
    learned = taught(*[(10_000, 101)] * 300)
    assert learned.expected("m", 10_000) >= 5000
    assert learned.expected("m", 1) >= 1
    # A stored conversation, the results of a search; and a report of nothing.
    assert taught(*[(20, 9000)] * 3, *[(100, 0)] * 3).expected("m", 20) == 20


def test_what_was_learned_is_bounded_in_memory_by_the_models_used_last() -> None:
    learned = LearnedFactors()
    for number in range(learned.MODELS + 50):
        for _ in range(2):
            learned.learn(f"m{number}", 1000, 2000)
    assert learned.expected("m0", 1000) == 1000
    assert learned.expected(f"m{learned.MODELS + 49}", 1000) > 1300
    assert len(learned._lines) == learned.MODELS


@pytest.mark.parametrize("seed", range(5))
def test_the_regression_stays_sound_over_ten_thousand_reports(seed: int) -> None:
    chance = random.Random(seed)
    learned = LearnedFactors()
    for _ in range(10_000):
        counted = round(10 ** chance.uniform(0, 6))
        learned.learn("m", counted, round((400 + 1.2 * counted) * chance.choice([1, 1, 1, 0.6, 1.7])))
    line = learned._lines["m", False]
    assert line.constant_variance > 0
    assert line.factor_variance > 0
    assert line.covariance**2 <= line.constant_variance * line.factor_variance * 1.001
    for counted in (10, 1000, 100_000):
        assert 0.5 <= learned.expected("m", counted) / (400 + 1.2 * counted) <= 2


def test_every_sixteenth_long_report_is_learned_from_where_nothing_was_counted() -> None:
    learned = LearnedFactors()
    assert not any(learned.wants(99) for _ in range(64))
    assert [learned.wants(100) for _ in range(32)].count(True) == 2
