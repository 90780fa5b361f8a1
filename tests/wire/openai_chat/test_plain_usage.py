"""The short way to read a usage report gives what the full reader gives, or leaves the report to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.events import Usage
from conduit_desktop.wire.openai_chat.usage import _read_any, _read_plain, read_usage

COUNTS = st.one_of(st.integers(-2, 40), st.just(10**13), st.none(), st.booleans(), st.floats(0, 9), st.sampled_from(["7", "x", []]))
PROMPT = st.sampled_from(["cached_tokens", "audio_tokens", "cache_write_tokens", "image_tokens", "text_tokens", "reasoning_tokens"])
COMPLETION = st.sampled_from(["reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "text_tokens"])
FIELDS = {
    "prompt_tokens": COUNTS,
    "completion_tokens": COUNTS,
    "total_tokens": COUNTS,
    "prompt_tokens_details": st.one_of(st.none(), st.just([1]), st.dictionaries(PROMPT, COUNTS, max_size=3)),
    "completion_tokens_details": st.one_of(st.none(), st.just("x"), st.dictionaries(COMPLETION, COUNTS, max_size=3)),
}
MORE = dict.fromkeys(("cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens", "cost", "num_sources_used"), COUNTS)


@given(st.fixed_dictionaries({}, optional={**FIELDS, **MORE}))
def test_a_report_that_is_read_the_short_way_is_the_same_usage(raw: dict[str, Any]) -> None:
    if (usage := _read_plain(raw)) is not None:
        assert usage == _read_any(raw)


def test_the_usual_report_is_read_the_short_way() -> None:
    raw = {
        "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }  # fmt: skip
    assert _read_plain(raw) == Usage(input=9, output=3)


def test_a_usual_report_with_parts_is_read_the_short_way_too() -> None:
    raw = {
        "prompt_tokens": 90, "completion_tokens": 30, "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 50, "audio_tokens": 3, "cache_write_tokens": 7},
        "completion_tokens_details": {
            "reasoning_tokens": 20, "audio_tokens": 4, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 1,
        },
    }  # fmt: skip
    expected = Usage(input=30, cache_read=50, cache_write_5m=7, audio_in=3, output=26, reasoning=20, audio_out=4)
    expected.extra = {"completion_tokens_details": {"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 1}}
    assert _read_plain(raw) == _read_any(raw) == expected


@pytest.mark.parametrize(
    "details", [{"cached_tokens": 40}, {"audio_tokens": 20}, {"image_tokens": 0}, {"cached_tokens": -1}, {"cached_tokens": None}]
)
def test_a_report_whose_parts_do_not_fit_is_left_to_the_full_reader(details: dict[str, int]) -> None:
    raw = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "prompt_tokens_details": details}
    assert _read_plain(raw) is None
    assert read_usage(raw) == _read_any(raw)
