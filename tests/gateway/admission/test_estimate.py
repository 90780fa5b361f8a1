"""Tokens and units of a request, estimated before anybody has counted."""

from __future__ import annotations

import base64
import timeit
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conduit_desktop.core.media import Units
from conduit_desktop.gateway.admission.estimate import (
    _LINK_NAMES,
    UNBOUNDED,
    LearnedFactors,
    _content_of,
    expected_units,
    image_tokens,
    input_bounds,
    input_tokens,
    max_output_tokens,
    output_cap,
    output_tokens,
    text_tokens,
)
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import multipart
from conduit_desktop.wire.media.endpoints import MediaRequest

SAMPLES: dict[str, dict[str, Any]] = orjson.loads((Path(__file__).parent / "token_samples.json").read_bytes())
"""Texts of thirty kinds with the tokens that OpenAI's own tokenizers make of them."""
TEXT = "All human beings are born free and equal in dignity and rights, and should act in a spirit of brotherhood."
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (1024).to_bytes(4) + (768).to_bytes(4) + bytes(3000)).decode()


def call(body: dict[str, Any], dialect_name: str = "openai_chat", received: bool = True) -> Call:
    raw = orjson.dumps(body)
    return Call(dialect(dialect_name), body, "m", received=(raw, body) if received else None)


def input_bound(made: Call) -> int:
    return input_bounds(made)[0]


def likely_bound(made: Call) -> int:
    return input_bounds(made)[1]


# Input


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_text_of_any_kind_is_estimated_within_fifteen_percent(kind: str) -> None:
    sample = SAMPLES[kind]
    assert 0.85 <= text_tokens(sample["text"].encode()) / sample["o200k_base"] <= 1.155


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_bound_of_a_text_is_never_below_what_a_tokenizer_makes_of_it(kind: str) -> None:
    sample = SAMPLES[kind]
    bound = input_bound(call({"messages": [{"role": "user", "content": sample["text"]}]}))
    assert bound >= max(sample["o200k_base"], sample["cl100k_base"])


@pytest.mark.parametrize("kind", ["English", "Python", "JSON", "CSV", "Japanese", "log"])
def test_a_long_text_is_estimated_by_samples_of_it(kind: str) -> None:
    text, tokens = SAMPLES[kind]["text"].encode() + b"\n", SAMPLES[kind]["o200k_base"]
    assert 0.82 <= text_tokens(text * 100) / (tokens * 100) <= 1.18


def test_two_hundred_kilobytes_are_estimated_in_two_milliseconds() -> None:
    body = {"messages": [{"role": "user", "content": SAMPLES["Python"]["text"][:1800]} for _ in range(110)]}
    made = call(body)
    assert len(made.received[0]) > 190_000  # type: ignore[index]
    # The best of many runs: the machine may be busy with others.
    assert min(timeit.repeat(lambda: (input_tokens(body), input_bound(made)), number=1, repeat=30)) < 0.002


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
        {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": TEXT}]},
        {"a_field_of_tomorrow": {"deep": [[{"x": TEXT}]]}},
    ],
)
def test_every_text_of_a_request_counts_as_input(body: dict[str, Any]) -> None:
    assert 17 <= input_tokens(body) <= 32


@pytest.mark.parametrize("name", ["id", "type", "model", "role", "name", "tool_call_id", "status"])
def test_a_long_text_counts_under_whatever_name(name: str) -> None:
    assert input_tokens({"messages": [{"content": "hi", name: TEXT * 20}]}) > 300
    assert input_tokens({"messages": [{"content": "hi", name: {"deep": [TEXT] * 20}}]}) > 300
    assert input_tokens({name: TEXT * 20}) > 300


def test_the_names_within_tools_and_their_calls_count() -> None:
    tools = orjson.loads(SAMPLES["tool schemas"]["text"])
    assert input_tokens({"messages": [], "tools": tools}) > 0.6 * SAMPLES["tool schemas"]["o200k_base"]
    arguments = {f"argument_{number}": number for number in range(50)}
    assert input_tokens({"messages": [{"content": [{"type": "tool_use", "input": arguments}]}]}) > 200


@pytest.mark.parametrize("name", ["signature", "thoughtSignature", "encrypted_content"])
def test_what_only_the_vendor_can_read_is_not_counted_by_its_length(name: str) -> None:
    assert input_tokens({"messages": [{"content": "hi", name: "Ab1/" * 5000}]}) < 20


@pytest.mark.parametrize("text", ["漢字" * 3000, "x" * 6000, "f(a){b}" * 1500])
def test_a_long_text_without_spaces_is_no_picture(text: str) -> None:
    size = len(text.encode())
    assert input_tokens({"messages": [{"content": text}]}) > size / 8


@pytest.mark.parametrize("body", [{}, {"input": ""}, {"input": None}, [], "", None])
def test_an_empty_request_counts_as_one_token(body: Any) -> None:
    assert input_tokens(body) == 1


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PICTURE}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
        {"inline_data": {"mime_type": "image/png", "data": PICTURE}},
        {"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64", "data": PICTURE}}]},
        {"functionResponse": {"response": {"picture": {"inlineData": {"data": PICTURE.replace("/", "_")}}}}},
    ],
)  # fmt: skip
def test_a_picture_counts_by_its_size_and_not_by_its_bytes(part: dict[str, Any]) -> None:
    body = {"messages": [{"role": "user", "content": [part]}]}
    assert 765 <= input_tokens(body) <= 830
    assert 50_000 <= input_bound(call(body)) <= 52_000


@pytest.mark.parametrize(
    ("size", "dialect_name", "tokens"),
    [
        ((512, 512), "openai_chat", 255), ((1024, 1024), "openai_chat", 765), ((2048, 4096), "openai_chat", 1105),
        ((1000, 1000), "anthropic_messages", 1333), ((200, 200), "anthropic_messages", 53), ((384, 384), "gemini", 258),
        ((960, 540), "gemini", 1548), ((0, 0), "openai_chat", 1000), ((1, 100_000), "openai_chat", 765),
    ],
)  # fmt: skip
def test_a_picture_costs_what_its_vendor_documents(size: tuple[int, int], dialect_name: str, tokens: int) -> None:
    assert image_tokens(*size, dialect_name) == tokens


def test_half_of_a_surrogate_pair_is_counted_and_raises_nothing() -> None:
    body = {"input": "\ud83d" * 4}
    assert input_tokens(body) >= 1
    assert input_bound(Call(dialect("openai_chat"), body, "m")) >= 4


def test_a_request_nested_a_hundred_thousand_deep_is_counted() -> None:
    body: Any = TEXT
    for _ in range(100_000):
        body = [body]
    assert 17 <= input_tokens(body) <= 40
    assert input_bound(Call(dialect("openai_chat"), {"input": body}, "m")) > 100_000


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


@pytest.mark.parametrize("kind", ["English", "Chinese", "hexadecimal", "JSON"])
def test_the_tokens_of_an_answer_follow_from_how_it_begins(kind: str) -> None:
    text, tokens = SAMPLES[kind]["text"].encode(), SAMPLES[kind]["o200k_base"]
    assert 0.84 <= output_tokens(len(text) * 50, text) / (tokens * 50) <= 1.16
    assert output_tokens(1) == 1
    assert output_tokens(0, text) == 0


# Output


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


_NAMES = (
    "type", "input", "text", "args", "tools", "messages", "content", "source", "data", "url", "image_url", "file_id", "model",
    "max_tokens", "n", "generationConfig", "maxOutputTokens", "candidateCount", "options", "num_predict", "system", "media_type",
)  # fmt: skip
_ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["text", "", "data:", "data:image/png;base64,//8=", "9" * 400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(_NAMES), _ODD, max_size=5),
    st.sampled_from(["openai_chat", "anthropic_messages", "gemini", "ollama"]),
)
@example({"input": {"type": {}}}, "openai_chat")
def test_whatever_stands_under_a_name_that_is_read_the_estimates_raise_nothing(body: dict[str, Any], dialect_name: str) -> None:
    read = Call(dialect(dialect_name), body, "m")
    assert read.input_tokens >= 1
    assert input_bound(read) >= 1
    assert (output_cap(body, dialect_name) or 1) >= 1


def test_every_sixteenth_long_report_is_learned_from_where_nothing_was_weighed() -> None:
    learned = LearnedFactors()
    assert not any(learned.wants(99) for _ in range(64))
    assert [learned.wants(100) for _ in range(32)].count(True) == 2


MEDIA = {
    "a picture": {"messages": [{"content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}]}]},
    "Ollama's pictures": {"messages": [{"content": "?", "images": [PICTURE]}]},
    "a link": {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}]}]},
    "a link of the Responses API": {"input": [{"content": [{"type": "input_image", "image_url": "https://pictures.example/1"}]}]},
    "a file by its id": {"input": [{"content": [{"type": "input_file", "file_id": "file-1"}]}]},
    "Gemini's file": {"contents": [{"parts": [{"fileData": {"fileUri": "gs://bucket/1.pdf"}}]}]},
    "a result of a tool": {"messages": [{"content": [{"type": "tool_result", "content": [{"source": {"data": PICTURE}}]}]}]},
    "an unknown name": {"messages": [{"content": "?"}], "attachments": {"new": [{"bytes": PICTURE}]}},
}


@pytest.mark.parametrize("kind", MEDIA)
def test_media_are_found_wherever_they_stand(kind: str) -> None:
    assert call(MEDIA[kind]).has_media


def test_a_tool_with_a_parameter_by_the_name_of_a_link_is_no_medium() -> None:
    tool = {"name": "fetch", "input_schema": {"properties": {"url": {"type": "string"}, "file_id": {"type": "string"}}}}
    talk = [{"role": "user", "content": "Read https://pages.example/1, and data: nothing."}]
    assert not call({"messages": talk, "tools": [tool]}).has_media


MEDIA_TEXTS = [PICTURE, "A" * 256, f"data:image/png;base64,{PICTURE}", "data:image/png;base64,AAAA", "https://x.example/"]
JSON = st.recursive(
    st.none() | st.integers(-1000, 1000) | st.text(max_size=20) | st.sampled_from(MEDIA_TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["content", "url", "image_url", "file_id", "text", "data", "source", "type"]), inner, max_size=3
    ),
    max_leaves=8,
)  # fmt: skip


@given(body=st.dictionaries(st.sampled_from(["messages", "input", "contents", "prompt", "more"]), JSON, max_size=3))
def test_what_the_walk_takes_for_media_is_found_beforehand(body: dict[str, Any]) -> None:
    if _content_of(body).media:
        assert call(body).has_media


def escaped(text: str) -> str:
    return "".join(rf"\u{ord(character):04x}" for character in text)


@pytest.mark.parametrize("link", ["https://x.example/1", "data:image/png;base64,AAAA"])
@pytest.mark.parametrize("name", sorted(_LINK_NAMES))
def test_media_are_found_in_small_bodies_whose_names_and_values_are_escaped(name: str, link: str) -> None:
    for raw in (
        f'{{"messages":[{{"content":[{{"{escaped(name)}":"{escaped(link)}"}}]}}]}}',
        f'{{"messages":[{{"content":[{{"{escaped(name)}":"{link}"}}]}}]}}',
        f'{{"messages":[{{"content":[{{"{name}":"{escaped(link)}"}}]}}]}}',
    ):
        body = orjson.loads(raw)
        assert Call(dialect("openai_chat"), body, "m", received=(raw.encode(), body)).has_media


def test_a_small_chat_is_known_to_hold_no_media_without_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    made = call({"model": "m", "messages": [{"role": "user", "content": "Say hello in five words."}]})
    monkeypatch.setattr("conduit_desktop.gateway.call.has_media", None)
    assert not made.has_media


def test_media_in_a_body_that_has_replaced_the_one_received_are_found() -> None:
    made = call({"messages": []})
    made.replace_body(MEDIA["a link"])
    assert made.has_media
