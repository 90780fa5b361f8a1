"""The bound of input tokens, which no provider's count passes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.gateway.admission.bounds import input_bounds
from conduit_desktop.gateway.call import Call
from tests.gateway.admission.sample_calls import SAMPLES, TEXT, call


def input_bound(made: Call) -> int:
    return input_bounds(made)[0]


def likely_bound(made: Call) -> int:
    return input_bounds(made)[1]


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_bound_of_a_text_is_never_below_what_a_tokenizer_makes_of_it(kind: str) -> None:
    sample = SAMPLES[kind]
    bound = input_bound(call({"messages": [{"role": "user", "content": sample["text"]}]}))
    assert bound >= max(sample["o200k_base"], sample["cl100k_base"])


@given(st.text(max_size=300), st.text(max_size=300))
def test_the_bound_counts_every_byte_of_the_body(one: str, other: str) -> None:
    body = {"messages": [{"role": "user", "content": one}], "metadata": {"x": other}, "type": other}
    least = len(one.encode()) + 2 * len(other.encode())
    assert input_bound(call(body)) > least
    assert input_bound(call(body, received=False)) > least


@pytest.mark.parametrize(
    "unseen",
    [
        {"previous_response_id": "r"}, {"tools": [{"type": "web_search_20250305"}]}, {"tools": [{"googleSearch": {}}]},
        {"toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}}, {"tools": [{"fileSearch": {}}]},
        {"tools": [{"googleMaps": {}}]}, {"tools": [{"type": "image_generation"}]}, {"tools": [{"type": "builtin_function"}]},
        {"prompt": {"id": "p"}}, {"data_sources": [{"type": "azure_search"}]}, {"enable_search": True},
        {"plugins": [{"id": "web"}]}, {"cachedContent": "c"}, {"messages": [{"content": [{"type": "input_file", "file_id": "f"}]}]},
    ],
    ids=str,
)  # fmt: skip
def test_the_bound_leaves_room_for_what_the_body_does_not_show(unseen: dict[str, Any]) -> None:
    made = call({"model": "m", **unseen})
    assert input_bound(made) >= likely_bound(made) > 200_000


@pytest.mark.parametrize(
    "seen",
    [
        {"prompt": "hi"},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"retrieval": {}}}}}]},
        {"toolConfig": {"tools": [{"toolSpec": {"name": "systemTool"}}]}},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    ],
    ids=str,
)  # fmt: skip
def test_the_bound_is_not_raised_for_tools_that_the_client_runs(seen: dict[str, Any]) -> None:
    assert input_bound(call({"model": "m", **seen})) < 2000


def test_what_is_held_of_a_text_is_what_is_expected_of_it() -> None:
    made = call({"messages": [{"role": "user", "content": TEXT}]})
    assert likely_bound(made) == made.input_tokens < input_bound(made)
