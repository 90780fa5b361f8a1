"""The short way to read an answer that is text alone gives what the full reader gives, or leaves the answer to it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.errors import MalformedStream, UpstreamError
from conduit_desktop.wire.openai_chat.response import read_any, read_plain_text, read_response

PLAIN: dict[str, Any] = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-x", "system_fingerprint": "fp",
    "choices": [
        {"index": 0, "logprobs": None, "finish_reason": "stop",
         "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []}},
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}  # fmt: skip
NAMES = st.sampled_from([
    "id", "object", "created", "model", "error", "usage", "citations", "search_results", "base_resp", "index", "logprobs",
    "finish_reason", "stop_reason", "content", "refusal", "annotations", "tool_calls", "function_call", "reasoning_content",
    "reasoning", "audio", "role", "content_filter_results", "choices", "message",
])  # fmt: skip
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.text(max_size=3), st.just([]), st.just({}),
    st.sampled_from(["stop", "length", "tool_calls", "error", [{"type": "text", "text": "x"}], [{"url": "https://a"}], ["https://a"],
                     {"prompt_tokens": 1}, {"prompt_tokens": "x"}, [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]]),
)  # fmt: skip


def outcome(read: Any, body: dict[str, Any]) -> Any:
    try:
        return read(copy.deepcopy(body))
    except (MalformedStream, UpstreamError) as error:
        return type(error), str(error)


@given(st.lists(st.tuples(st.sampled_from(["body", "choice", "message", "usage"]), NAMES, VALUES), max_size=4))
def test_an_answer_that_is_read_the_short_way_has_the_same_events(changes: list[tuple[str, str, Any]]) -> None:
    body = copy.deepcopy(PLAIN)
    places = {"body": body, "choice": body["choices"][0], "message": body["choices"][0]["message"], "usage": body["usage"]}
    for place, name, value in changes:
        places[place][name] = copy.deepcopy(value)
    if (events := outcome(read_plain_text, body)) is not None:
        assert events == outcome(read_any, body)
    assert outcome(read_response, body) == outcome(read_any, body)


def test_the_usual_answer_is_read_the_short_way() -> None:
    assert read_plain_text(PLAIN) == read_any(PLAIN)


@pytest.mark.parametrize("field", ["tool_calls", "refusal", "annotations", "reasoning_content", "audio"])
def test_an_answer_with_more_than_text_is_left_to_the_full_reader(field: str) -> None:
    body = copy.deepcopy(PLAIN)
    body["choices"][0]["message"][field] = [{}] if field in ("tool_calls", "annotations") else "x"
    assert read_plain_text(body) is None
