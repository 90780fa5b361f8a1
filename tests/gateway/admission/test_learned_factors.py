"""By how much the estimate of a model's input is corrected."""

from __future__ import annotations

from conduit_desktop.gateway.admission.learned_factors import LearnedFactors


def test_a_models_reports_correct_its_estimate_within_bounds() -> None:
    learned = LearnedFactors()
    for _ in range(100):
        estimated = round(1000 * learned.factor("m"))
        learned.learn("m", estimated, 1300)
    assert 1.25 < learned.factor("m") < 1.35
    for _ in range(300):
        learned.learn("m", round(1000 * learned.factor("m")), 10**6)
    assert 1.9 < learned.factor("m") <= 2.0
    for _ in range(300):
        learned.learn("m", round(1000 * learned.factor("m")), 101)
    assert 0.5 <= learned.factor("m") < 0.55
    assert learned.factor("other") == 1.0


def test_what_was_learned_is_bounded_in_memory_and_small_reports_teach_nothing() -> None:
    learned = LearnedFactors()
    learned.learn("small", 99, 50)
    assert learned.factor("small") == 1.0
    for number in range(learned.MODELS + 50):
        learned.learn(f"m{number}", 1000, 2000)
    assert learned.factor("m0") == 1.0
    assert learned.factor(f"m{learned.MODELS + 49}") > 1.0


def test_every_sixteenth_long_report_is_learned_from_where_nothing_was_weighed() -> None:
    learned = LearnedFactors()
    assert not any(learned.wants(99) for _ in range(64))
    assert [learned.wants(100) for _ in range(32)].count(True) == 2
