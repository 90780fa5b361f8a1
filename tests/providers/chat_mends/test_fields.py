"""Single fields in bodies of OpenAI's chat dialect: what is changed, what stays, and what is named as lost."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.providers.chat_mends import fields
from tests.fakes.chat_bodies import mended


@pytest.mark.parametrize(
    ("body", "kept", "lost"),
    [
        ({"stream_options": {"include_usage": True}}, {}, []),
        ({"stream": True, "stream_options": {}}, {"stream": True, "stream_options": {}}, []),
        ({"stop": []}, {}, []),
        ({"stop": ["a"]}, {"stop": ["a"]}, []),
        ({"top_logprobs": 2}, {}, ["top_logprobs"]),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}, []),
        ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, {}, []),
        ({"tool_choice": "required"}, {}, ["tool_choice"]),
    ],
)
def test_what_means_nothing_alone_is_removed(body: dict[str, Any], kept: dict[str, Any], lost: list[str]) -> None:
    assert mended(fields.without_orphans, body) == (kept, lost)


def test_of_too_many_stop_sequences_the_first_are_kept() -> None:
    assert mended(fields.at_most_stops(2), {"stop": ["a", "b", "c"]}) == ({"stop": ["a", "b"]}, ["stop"])
    assert mended(fields.at_most_stops(2), {"stop": "a"}) == ({"stop": "a"}, [])


def test_a_number_moves_into_the_vendors_range() -> None:
    mend = fields.within("temperature", 0.01, 1)
    assert mended(mend, {"temperature": 0}) == ({"temperature": 0.01}, ["temperature"])
    assert mended(mend, {"temperature": 1.7}) == ({"temperature": 1}, ["temperature"])
    assert mended(mend, {"temperature": 0.7}) == ({"temperature": 0.7}, [])


def test_an_identifier_of_the_wrong_length_becomes_a_hash_that_is_always_the_same() -> None:
    mend = fields.short_id("user", 128, 6)
    long, short = mended(mend, {"user": "u" * 150})[0]["user"], mended(mend, {"user": "u"})[0]["user"]
    assert len({long, short, mended(mend, {"user": "u" * 151})[0]["user"]}) == 3
    assert mended(mend, {"user": "u" * 150}) == ({"user": long}, [])
    assert 6 <= len(long) <= 128
    assert mended(mend, {"user": "alice-1"}) == ({"user": "alice-1"}, [])


def test_a_zero_is_the_least_that_an_open_range_has() -> None:
    mend = fields.above_zero("top_p", 0.01)
    assert mended(mend, {"top_p": 0}) == ({"top_p": 0.01}, [])
    assert mended(mend, {"top_p": 0.5}) == ({"top_p": 0.5}, [])
    assert mended(fields.without_zero("frequency_penalty"), {"frequency_penalty": 0.0}) == ({}, [])


def test_greedy_sampling_has_one_answer_and_no_top_p() -> None:
    assert mended(fields.greedy, {"temperature": 0, "top_p": 0.9, "n": 2}) == ({"temperature": 0}, ["top_p", "n"])
    assert mended(fields.greedy, {"temperature": 0, "top_p": 1, "n": 1}) == ({"temperature": 0, "top_p": 1, "n": 1}, [])
    assert mended(fields.greedy, {"temperature": 0.1, "top_p": 0.9}) == ({"temperature": 0.1, "top_p": 0.9}, [])


def test_an_empty_list_of_tools_is_left_out_and_the_choice_stays() -> None:
    assert mended(fields.without_empty_tools, {"tools": [], "tool_choice": "auto"}) == ({"tool_choice": "auto"}, [])
    assert mended(fields.without_empty_tools, {"tools": [{}]}) == ({"tools": [{}]}, [])


def test_empty_stop_sequences_are_left_out() -> None:
    assert mended(fields.without_empty_stops, {"stop": ["", "a"]}) == ({"stop": ["a"]}, [])
    assert mended(fields.without_empty_stops, {"stop": ""}) == ({}, [])
    assert mended(fields.without_empty_stops, {"stop": "a"}) == ({"stop": "a"}, [])


def test_log_probabilities_are_asked_for_by_their_number() -> None:
    assert mended(fields.counted_logprobs, {"logprobs": True, "top_logprobs": 5}) == ({"logprobs": 5}, [])
    assert mended(fields.counted_logprobs, {"logprobs": True}) == ({"logprobs": 1}, [])
    assert mended(fields.counted_logprobs, {"logprobs": False}) == ({}, [])
    assert mended(fields.counted_logprobs, {"logprobs": 3}) == ({"logprobs": 3}, [])


def test_the_first_values_of_a_list_are_kept() -> None:
    assert mended(fields.first_of("models", 2), {"models": ["a", "b", "c"]}) == ({"models": ["a", "b"]}, ["models"])
    assert mended(fields.first_of("models", 2), {"models": ["a"]}) == ({"models": ["a"]}, [])
