"""The steps by which an estimate is corrected, and how much is kept."""

from __future__ import annotations

import pytest

from conduit_desktop.gateway.admission.learned_factors import LearnedFactors, _Line


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


@pytest.mark.parametrize(
    ("constant", "factor", "counted", "expected"),
    [
        (0, 1, 1000, 1000), (700, 1.2, 1000, 1900), (9999, 1, 1000, 6000), (0, 3, 1000, 2000), (0, 0.1, 1000, 500),
        (-9999, 1, 2000, 1500), (-400, 1, 600, 300), (-400, 1, 900, 500), (0, 1, 0, 1), (0.6, 1, 0, 1), (1.6, 1, 0, 2),
    ],
)  # fmt: skip
def test_what_is_expected_lies_within_the_bounds_of_constant_and_factor(
    constant: float, factor: float, counted: int, expected: int
) -> None:
    learned = LearnedFactors()
    learned._lines["m", True] = _Line(constant, factor, 1.0, 0.0, 1.0)
    assert learned.expected("m", counted, tools=True) == expected
    assert learned.expected("m", counted) == counted


REPORTS = (
    (20, 720), (20, 730), (1000, 1500), (5000, 9000), (5000, 9100), (100, 800), (300, 1500), (300, 100), (300, 110), (300, 120),
    (8000, 9000), (8000, 9000), (50, 55), (50, 300), (60, 320), (100_000, 100), (100_000, 130_000), (100_000, 160_000),
)  # fmt: skip
AFTER = (
    (0, 1, 90000, 0, 0.0225, True),
    (690.3202, 1.003428, 1947.752, -0.447277, 0.0225, False),
    (690.3202, 1.003428, 1927.716, -1.323216, 0.01020766, False),
    (690.3202, 1.003428, 1927.716, -1.323216, 0.01020766, True),
    (653.9887, 1.453496, 31994.01, -6.992223, 0.008749649, False),
    (653.9887, 1.453496, 4340.655, -1.601529, 0.007843576, False),
    (653.9887, 1.453496, 4340.655, -1.601529, 0.007843576, True),
    (653.9887, 1.453496, 4340.655, -1.601529, 0.007843576, True),
    (-348.5934, 1.514905, 2156.013, -6.836296, 0.0225, False),
    (-348.5934, 1.514905, 2156.467, -6.873949, 0.0225, False),
    (-348.5934, 1.514905, 2156.467, -6.873949, 0.0225, True),
    (48.49058, 1.188387, 8243.376, -5.866991, 0.004710435, False),
    (48.49058, 1.188387, 8243.376, -5.866991, 0.004710435, True),
    (48.49058, 1.188387, 8243.376, -5.866991, 0.004710435, True),
    (248.6423, 1.094627, 455.4875, -0.3630555, 0.002897799, False),
    (248.6423, 1.094627, 455.4875, -0.3630555, 0.002897799, True),
    (248.6423, 1.094627, 455.4875, -0.3630555, 0.002897799, True),
    (204.1269, 1.346229, 7013.535, -0.995826, 0.005241977, False),
)  # fmt: skip
"""After each report: constant, factor, variance of the constant, covariance, variance of the factor, whether a surprise waits."""


def test_each_report_moves_constant_factor_and_how_sure_they_are() -> None:
    learned = LearnedFactors()
    for (counted, reported), after in zip(REPORTS, AFTER, strict=True):
        learned.learn("m", counted, reported)
        line = learned._lines["m", False]
        *numbers, is_surprise = after
        found = (line.constant, line.factor, line.constant_variance, line.covariance, line.factor_variance)
        assert found == pytest.approx(tuple(numbers), rel=1e-5, abs=1e-7)
        assert (line.surprise is not None) == is_surprise
