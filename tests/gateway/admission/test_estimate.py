"""Tokens and units of a request, estimated before anybody has counted."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.media import Units
from conduit_desktop.gateway.admission.estimate import (
    BYTES_PER_TOKEN,
    MEDIA_TOKENS,
    UNBOUNDED,
    expected_units,
    input_tokens,
    max_output_tokens,
)
from conduit_desktop.wire.framing import multipart
from conduit_desktop.wire.media.endpoints import MediaRequest

TEXT = "abcd" * 25
"""Of 25 tokens."""
PICTURE = "iVBORw0KGgo" * 500


# Input


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": TEXT}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": TEXT}]}]},
        {"system": TEXT},
        {"system": [{"type": "text", "text": TEXT}]},
        {"instructions": TEXT},
        {"input": TEXT},
        {"input": [TEXT]},
        {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]},
        {"systemInstruction": {"parts": [{"text": TEXT}]}},
        {"tools": [{"type": "function", "function": {"description": TEXT}}]},
        {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": TEXT}]},
        {"a_field_of_tomorrow": {"deep": [[{"x": TEXT}]]}},
    ],
)
def test_every_text_of_a_request_counts_as_input(body: dict[str, Any]) -> None:
    assert input_tokens(body) == 25


@pytest.mark.parametrize(
    "name",
    ["model", "stream", "stream_options", "type", "role", "id", "tool_call_id", "tool_use_id", "signature", "thoughtSignature"],
)
def test_names_ids_and_signatures_do_not_count_as_input(name: str) -> None:
    assert input_tokens({"messages": [{"content": TEXT, name: TEXT}], name: TEXT}) == 25


def test_the_values_of_a_skipped_name_count_where_they_stand_under_another() -> None:
    assert input_tokens({"tools": {"role_description": TEXT, "ids": TEXT}}) == 50


def test_a_number_or_a_flag_counts_as_one_token_and_null_as_none() -> None:
    assert input_tokens({"input": [TEXT, 1, 2.5, True, False, None]}) == 29
    assert input_tokens({"input": [TEXT, None, None, None, None]}) == 25


def test_text_counts_by_its_utf_8_bytes() -> None:
    assert input_tokens({"input": "ä" * 100}) == 50
    assert input_tokens({"input": "漢" * 100}) == 75
    assert input_tokens({"input": "🙂" * 100}) == 100


def test_bytes_are_summed_before_they_are_divided() -> None:
    assert input_tokens({"input": ["abc"] * 8}) == 3 * 8 // BYTES_PER_TOKEN
    assert input_tokens({"input": "abcdefg"}) == 1


def test_half_of_a_surrogate_pair_is_counted_and_raises_nothing() -> None:
    assert input_tokens({"input": "\ud83d" * 4}) >= 1


@pytest.mark.parametrize("body", [{}, {"messages": []}, {"input": ""}, {"input": None}, [], "", None])
def test_an_empty_request_counts_as_one_token(body: Any) -> None:
    assert input_tokens(body) == 1


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PICTURE}},
        {"type": "image", "source": {"type": "base64", "data": PICTURE}},
        {"inline_data": {"data": PICTURE}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64," + "x y " * 2000}},
    ],
)
def test_an_encoded_picture_or_document_counts_at_a_flat_number_of_tokens(part: dict[str, Any]) -> None:
    assert MEDIA_TOKENS == 1500
    assert input_tokens({"content": [part, TEXT, part]}) == 25 + 2 * MEDIA_TOKENS


def test_a_long_text_is_no_picture() -> None:
    assert input_tokens({"input": "word " * 4000}) == 5000
    assert input_tokens({"input": ("x" * 70 + "\n") * 400}) == 71 * 400 // 4


def test_a_text_up_to_4096_characters_is_never_taken_for_a_picture() -> None:
    assert input_tokens({"input": "x" * 4096}) == 1024
    assert input_tokens({"input": "x" * 4097}) == 1 + MEDIA_TOKENS
    assert input_tokens({"input": "data:" + "x" * 4091}) == 1024


def test_a_request_nested_a_hundred_thousand_deep_is_counted() -> None:
    body: Any = TEXT
    for _ in range(100_000):
        body = [body]
    assert input_tokens(body) == 25


# Output


@pytest.mark.parametrize(
    "body",
    [
        {"max_tokens": 77},  # OpenAI Chat, Anthropic, Cohere
        {"max_completion_tokens": 77},  # OpenAI Chat
        {"max_output_tokens": 77},  # OpenAI Responses
        {"generationConfig": {"maxOutputTokens": 77}},  # Gemini
        {"generation_config": {"max_output_tokens": 77}},  # Gemini's other spelling
        {"inferenceConfig": {"maxTokens": 77}},  # Bedrock
        {"options": {"num_predict": 77}},  # Ollama
    ],
)
def test_the_output_cap_is_read_from_each_dialects_own_field(body: dict[str, Any]) -> None:
    assert max_output_tokens(body) == 77


def test_an_output_cap_of_one_token_is_a_cap() -> None:
    assert max_output_tokens({"max_tokens": 1}) == 1


def test_a_request_without_an_output_cap_is_unbounded() -> None:
    assert UNBOUNDED == 2**31
    for body in ({}, {"messages": [{"max_tokens": 5}]}, {"generationConfig": {}}, {"options": None}, {"options": [1]}):
        assert max_output_tokens(body) == UNBOUNDED


@pytest.mark.parametrize("value", [0, -1, -2, True, None, "77", 77.0, [77]])
def test_what_is_no_whole_number_above_zero_is_no_output_cap(value: Any) -> None:
    assert max_output_tokens({"max_tokens": value}) == UNBOUNDED
    assert max_output_tokens({"options": {"num_predict": value}}) == UNBOUNDED


def test_a_cap_that_is_no_number_leaves_the_next_field_to_be_read() -> None:
    assert max_output_tokens({"max_tokens": None, "max_completion_tokens": 77}) == 77
    assert max_output_tokens({"max_tokens": -1, "options": {"num_predict": 77}}) == 77


def test_the_output_cap_holds_for_each_of_n_choices() -> None:
    assert max_output_tokens({"max_tokens": 10, "n": 3}) == 30
    assert max_output_tokens({"max_tokens": 10, "n": 2}) == 20
    for n in (1, 0, -1, None, "3", 2.0):
        assert max_output_tokens({"max_tokens": 10, "n": n}) == 10


# Units of media endpoints


def test_an_image_request_is_expected_to_make_as_many_pictures_as_it_requests() -> None:
    assert expected_units(MediaRequest("images", {"n": 3})) == Units(images=3)
    assert expected_units(MediaRequest("images", {})) == Units(images=1)


def test_a_speech_request_is_expected_to_take_its_text_in_characters() -> None:
    assert expected_units(MediaRequest("speech", {"input": "äbc"})) == Units(characters=3)


def test_the_length_of_a_recording_is_estimated_from_the_size_of_its_file() -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
    file = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n' + b"\0" * 32_000 + b"\r\n--x--\r\n"
    form = multipart.parse(head + file, "multipart/form-data; boundary=x")
    assert expected_units(MediaRequest("transcriptions", form.fields(), form)) == Units(seconds=2.0)
    assert expected_units(MediaRequest("transcriptions", {})) == Units(seconds=None)


def test_an_image_edit_with_a_file_is_counted_in_pictures() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + b"\0" * 32_000 + b"\r\n--x--\r\n"
    form = multipart.parse(body, "multipart/form-data; boundary=x")
    assert expected_units(MediaRequest("image_edits", {}, form)) == Units(images=1)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20) | st.just("A" * 4097) | st.just("data:" + "A" * 4092),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


@given(_JSON)
def test_a_byte_of_json_is_never_estimated_as_more_than_one_token(body: Any) -> None:
    assert input_tokens(body) <= max(1, len(orjson.dumps(body)))
