"""Which of the operator's prices holds: exact names, `*`, and their order."""

from __future__ import annotations

import pytest

from conduit_desktop.core.price_patterns import matches, names_of, precedence


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("work/gpt-9", True), ("gpt-9", True), ("gpt-*", True), ("*", True), ("work/*", True), ("w*-9", True),
        ("gpt", False), ("other/*", False), ("gpt-[9]", False), ("gpt-?", False),
    ],
)  # fmt: skip
def test_a_pattern_is_compared_with_both_names_of_a_target(pattern: str, expected: bool):
    assert matches(pattern, names_of("Work", "GPT-9")) is expected


def test_an_exact_name_holds_before_any_pattern_and_a_longer_pattern_before_a_shorter():
    assert max(("*", "gpt-*", "work/gpt-*", "gpt-9"), key=precedence) == "gpt-9"
    assert max(("*", "gpt-*", "work/gpt-*"), key=precedence) == "work/gpt-*"
