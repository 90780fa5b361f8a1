"""The most output tokens that a request allows."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.gateway.admission.output_caps import UNBOUNDED, max_output_tokens, output_cap


@pytest.mark.parametrize(
    ("dialect_name", "body", "cap"),
    [
        ("openai_chat", {"max_tokens": 77}, 77),
        ("openai_chat", {"max_completion_tokens": 77}, 77),
        ("openai_chat", {"max_tokens": 1, "max_completion_tokens": 900}, 900),
        ("openai_chat", {"max_tokens": 77, "n": 3}, 231),
        ("openai_chat", {"max_tokens": 77, "n": 100.0}, 7700),
        ("openai_chat", {"options": {"num_predict": 1}}, None),
        ("openai_chat", {"generationConfig": {"maxOutputTokens": 1}}, None),
        ("openai_chat", {"max_output_tokens": 1}, None),
        ("openai_chat", {"max_tokens": True}, None),
        ("openai_chat", {"max_tokens": 0}, None),
        ("openai_responses", {"max_output_tokens": 77}, 77),
        ("openai_responses", {"max_tokens": 1}, None),
        ("anthropic_messages", {"max_tokens": 77}, 77),
        ("anthropic_messages", {"max_tokens": 77, "n": 9}, 77),
        ("anthropic_messages", {"max_completion_tokens": 1}, None),
        ("gemini", {"generationConfig": {"maxOutputTokens": 77}}, 77),
        ("gemini", {"generation_config": {"max_output_tokens": 77}}, 77),
        ("gemini", {"generationConfig": {"maxOutputTokens": "77", "candidateCount": 2}}, 154),
        ("gemini", {"max_tokens": 1}, None),
        ("bedrock", {"inferenceConfig": {"maxTokens": 77}}, 77),
        ("ollama", {"options": {"num_predict": 77}}, 77),
        ("ollama", {"options": {"num_predict": -1}}, None),
        ("ollama", {"max_tokens": 1}, None),
        ("cohere", {"max_tokens": 77}, 77),
        ("openai_completions", {"max_tokens": 77, "best_of": 4, "n": 2}, 308),
        ("a dialect of tomorrow", {"max_tokens": 1}, None),
    ],
    ids=str,
)
def test_the_output_cap_is_read_from_the_dialects_own_field_alone(dialect_name: str, body: dict[str, Any], cap: int | None) -> None:
    assert output_cap(body, dialect_name) == cap
    assert max_output_tokens(body, dialect_name) == (UNBOUNDED if cap is None else cap)


def test_an_output_cap_of_one_token_is_a_cap() -> None:
    assert max_output_tokens({"max_tokens": 1}) == 1


def test_a_request_without_an_output_cap_is_unbounded() -> None:
    assert UNBOUNDED == 2**31
    for body in ({}, {"messages": [{"max_tokens": 5}]}, {"generationConfig": {}}, {"options": None}, {"options": [1]}):
        assert max_output_tokens(body) == UNBOUNDED


@pytest.mark.parametrize("value", [0, -1, -2, True, None, "77", 77.0, [77]])
def test_what_is_no_whole_number_above_zero_is_no_output_cap(value: Any) -> None:
    assert max_output_tokens({"max_tokens": value}) == UNBOUNDED
    assert max_output_tokens({"options": {"num_predict": value}}, "ollama") == UNBOUNDED


def test_a_cap_that_is_no_number_leaves_the_next_field_to_be_read() -> None:
    assert max_output_tokens({"max_tokens": None, "max_completion_tokens": 77}) == 77
    assert max_output_tokens({"max_tokens": -1, "max_completion_tokens": 77}) == 77


def test_the_output_cap_holds_for_each_of_n_choices() -> None:
    assert max_output_tokens({"max_tokens": 10, "n": 3}) == 30
    assert max_output_tokens({"max_tokens": 10, "n": 2}) == 20
    for n in (1, 0, -1, None):
        assert max_output_tokens({"max_tokens": 10, "n": n}) == 10
    for n in ("3", 3.0, 2.5):  # some servers take it so
        assert max_output_tokens({"max_tokens": 10, "n": n}) == 30
