"""Which fields cap the output, in which spellings, and how many answers are counted."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.gateway.admission.output_caps import UNBOUNDED, choices, max_output_tokens, output_cap


@pytest.mark.parametrize("dialect_name", ["openai_chat", "openrouter_chat", "openai_completions"])
def test_several_answers_are_counted_up_to_a_million(dialect_name: str) -> None:
    assert [choices({"n": n}, dialect_name) for n in (1, 2, 10**6 - 1, 10**6, 10**6 + 1, 10**9)] == [
        1, 2, 10**6 - 1, 10**6, 10**6, 10**6,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "n", [None, True, False, 0, -1, 0.0, "", "x", "-3", "٣x", [3], {}, 2**53, "9" * 16, float("inf"), float("nan")]
)
def test_what_is_no_number_of_answers_is_one(n: Any) -> None:
    assert choices({"n": n}, "openai_chat") == 1
    assert output_cap({"max_tokens": 9, "n": n}, "openai_chat") == 9


def test_a_number_of_answers_is_read_in_any_spelling() -> None:
    assert [choices({"n": n}, "openai_chat") for n in ("3", 3.0, 2.1, "000000000000003", 1)] == [3, 3, 3, 3, 1]


def test_the_higher_of_two_names_counts_for_the_number_of_answers() -> None:
    assert choices({"n": 2, "best_of": 4}, "openai_completions") == 4
    assert choices({"n": 4, "best_of": 2}, "openai_completions") == 4
    assert choices({"n": 4, "best_of": 2}, "openai_chat") == 4
    assert choices({"best_of": 4}, "openai_chat") == 1
    settings = {"candidateCount": 2, "candidate_count": 5}
    assert choices({"generationConfig": settings}, "gemini") == choices({"generationConfig": {"candidate_count": 5}}, "gemini") == 5
    assert choices({"generation_config": {"candidate_count": 6}}, "gemini") == 6
    assert choices({"n": 3}, "a dialect of tomorrow") == 1


@pytest.mark.parametrize(
    ("cap", "read"),
    [(1, 1), (2**53 - 1, 2**53 - 1), (2**53, None), (2**60, None), (0, None), (-1, None), (True, None), (5.0, None), ("5", None)],
)
def test_a_cap_is_a_whole_number_that_json_can_hold(cap: Any, read: int | None) -> None:
    assert output_cap({"max_tokens": cap}, "openai_chat") == read


@pytest.mark.parametrize(
    ("cap", "read"),
    [("5", 5), ("9" * 15, 10**15 - 1), ("9" * 16, None), ("0", None), ("", None), ("-5", None), ("5.0", None), (5.0, None)],
)
def test_googles_json_has_whole_numbers_as_texts(cap: Any, read: int | None) -> None:
    assert output_cap({"generationConfig": {"maxOutputTokens": cap}}, "gemini") == read


@pytest.mark.parametrize("outer", ["generationConfig", "generation_config"])
@pytest.mark.parametrize("inner", ["maxOutputTokens", "max_output_tokens"])
def test_gemini_reads_both_spellings_of_a_cap(outer: str, inner: str) -> None:
    assert output_cap({outer: {inner: 7}}, "gemini") == 7


@pytest.mark.parametrize(
    ("dialect_name", "body"),
    [
        ("openrouter_chat", {"max_tokens": 7}), ("openrouter_chat", {"max_completion_tokens": 7}),
        ("openai_completions", {"max_tokens": 7}),
        ("ollama_generate", {"options": {"num_predict": 7}}),
    ],
)  # fmt: skip
def test_a_cap_counts_for_each_answer_that_is_known(dialect_name: str, body: dict[str, Any]) -> None:
    assert output_cap(body, dialect_name) == 7
    assert output_cap(body, dialect_name, 1) == 7
    assert output_cap(body, dialect_name, 3) == max_output_tokens(body, dialect_name, 3) == 21
    assert max_output_tokens({}, dialect_name, 3) == UNBOUNDED


def test_the_lower_of_two_caps_does_not_count_in_either_order() -> None:
    for names in (("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")):
        assert output_cap({names[0]: 5, names[1]: 9}, "openai_chat") == 9


def test_a_cap_in_what_is_no_object_is_none() -> None:
    for body in ({"generationConfig": [7]}, {"generationConfig": "maxOutputTokens"}, {"generationConfig": None}):
        assert output_cap(body, "gemini") is None
