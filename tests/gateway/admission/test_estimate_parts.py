"""What a request adds to the estimate of its texts: tools that must be called, reasoning, media, and what was learned."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.gateway.admission import estimate
from conduit_desktop.gateway.admission.estimate import (
    image_tokens,
    input_estimate,
    input_tokens,
    learn_input,
    output_tokens,
    text_tokens,
)
from conduit_desktop.gateway.admission.learned_factors import LearnedFactors
from conduit_desktop.gateway.admission.token_families import family_of
from tests.gateway.admission.sample_calls import TEXT, call

CLAUDE = "claude-sonnet-4-5"
NOVA = "amazon.nova-2-lite"
OLD_DEEPSEEK, DEEPSEEK = "deepseek-chat", "deepseek-v4-flash"
ASKED = {"role": "user", "content": "What is the weather in Paris?"}
TOOLS = [{"name": "get_weather", "description": "Gets the weather", "input_schema": {"properties": {"city": {"type": "string"}}}}]


def tokens(body: Any, model: str = CLAUDE, dialect: str = "openai_chat", kind: str = "") -> int:
    return input_tokens(body, dialect, model, kind)


# Tools


@pytest.mark.parametrize(
    ("fields", "forced"),
    [
        ({}, False), ({"tool_choice": "auto"}, False), ({"tool_choice": "required"}, True), ({"tool_choice": None}, False),
        ({"tool_choice": {"type": "any"}}, True), ({"tool_choice": {"type": "tool", "name": "get_weather"}}, True),
        ({"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, True),
        ({"tool_choice": {"type": "auto"}}, False),
        ({"tool_choice": {"any": {}}}, True), ({"tool_choice": {"tool": {"name": "get_weather"}}}, True),
        ({"tool_choice": {"auto": {}}}, False),
    ],
    ids=str,
)  # fmt: skip
def test_claudes_instructions_are_those_for_a_tool_that_must_be_called_where_one_must(fields: dict[str, Any], forced: bool) -> None:
    family = family_of(CLAUDE, "openai_chat")
    assert family.forced is not None
    body = {"messages": [ASKED], "tools": TOOLS}
    added = tokens(body | fields) - tokens(body)
    assert added == (family.forced - family.tools if forced else 0)


def test_bedrocks_choice_of_a_tool_stands_in_its_settings() -> None:
    family = family_of(CLAUDE, "bedrock")
    assert family.forced is not None
    bodies = [{"messages": [ASKED], "toolConfig": {"tools": TOOLS, "toolChoice": choice}} for choice in ({"any": {}}, {"all": {}})]
    forced, free = (tokens(body, CLAUDE, "bedrock") for body in bodies)
    assert forced - free == family.forced - family.tools


def test_tools_never_make_a_request_smaller() -> None:
    # Cohere takes eighteen tokens off for each tool, which a tiny one does not have.
    body = {"messages": [ASKED]}
    assert tokens(body | {"tools": [{"name": "f"}] * 3}, "command-a", "cohere") == tokens(body, "command-a", "cohere")


def test_names_descriptions_and_values_of_tools_are_what_some_vendors_count() -> None:
    model = "gpt-5.1"
    body = {"messages": [ASKED]}

    def of(tool: dict[str, Any]) -> int:
        return tokens(body | {"tools": [tool]}, model, "openai_responses")

    plain = {"name": "get_weather", "parameters": {"type": "object"}}
    assert of({**plain, "required": [TEXT] * 5}) == of(plain)
    assert of({**plain, "strict": [TEXT, 17]}) == of(plain)
    assert of({**plain, "description": TEXT}) > of(plain) + 15
    assert of({**plain, "parameters": {"properties": {TEXT: {"type": "string"}}}}) > of(plain) + 15
    assert of({**plain, "parameters": {"anyOf": [{"properties": {"a": {"description": TEXT}}}]}}) > of(plain) + 15
    assert of({**plain, "parameters": {"properties": {"a": {"enum": [TEXT, 2031]}}}}) > of(plain) + 15
    assert of({**plain, "name": {"description": TEXT}}) > 15
    assert of({**plain, "parameters": {"properties": [{"description": TEXT}]}}) > of(plain) + 15
    assert of({**plain, "parameters": {"enum": {"description": TEXT}}}) > of(plain) + 15


# Reasoning


@pytest.mark.parametrize(
    ("fields", "thinks"),
    [
        ({}, None), ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, True), ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {}}, None), ({"thinking": "on"}, None), ({"reasoning": {"enabled": True}}, True),
        ({"reasoning": {"enabled": False}}, False), ({"reasoning": {"effort": "none"}}, False),
        ({"reasoning": {"effort": "low"}}, True), ({"reasoning_effort": "low"}, True), ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": None}, None), ({"additionalModelRequestFields": {"thinking": {"type": "enabled"}}}, True),
        ({"additionalModelRequestFields": {"reasoningConfig": {"type": "disabled"}}}, False),
        ({"additionalModelRequestFields": "x"}, None), ({"reasoning_effort": "none", "thinking": {"type": "enabled"}}, True),
    ],
    ids=str,
)  # fmt: skip
def test_instructions_for_reasoning_count_where_the_request_switches_it(fields: dict[str, Any], thinks: bool | None) -> None:
    body = {"messages": [ASKED]}
    for model in (DEEPSEEK, NOVA):
        family = family_of(model, "openai_chat")
        expected = {True: family.thinking, False: family.not_thinking, None: 0}[thinks]
        # The same fields, for a model that has no such instructions.
        plain = tokens(body | fields, OLD_DEEPSEEK) - tokens(body, OLD_DEEPSEEK)
        assert tokens(body | fields, model) - tokens(body, model) == pytest.approx(expected + plain, abs=1)


def test_a_body_that_is_no_object_switches_nothing() -> None:
    assert tokens([TEXT], DEEPSEEK) == tokens([TEXT], OLD_DEEPSEEK)


LONG_THOUGHT = "Paris lies in France, and it is a cold winter there. " * 20
THOUGHT = {"role": "assistant", "content": "Cold.", "reasoning_content": LONG_THOUGHT}
PLAIN = {"role": "assistant", "content": "Cold."}
SIGNED = {"role": "model", "parts": [{"text": "Cold.", "thoughtSignature": "Ab1/" * 1000}]}
UNSIGNED = {"role": "model", "parts": [{"text": "Cold."}]}


def reasoning_of(conversation: list[Any], model: str, dialect: str = "openai_chat", kind: str = "") -> int:
    """What the reasoning in a conversation adds."""
    without = [{THOUGHT_ID: PLAIN, SIGNED_ID: UNSIGNED}.get(id(message), message) for message in conversation]
    return tokens({"messages": conversation}, model, dialect, kind) - tokens({"messages": without}, model, dialect, kind)


THOUGHT_ID, SIGNED_ID = id(THOUGHT), id(SIGNED)
RESULTS = {
    "Claude's": {"role": "user", "content": [{"type": "tool_result", "content": "3"}]},
    "Bedrock's": {"role": "user", "content": [{"toolResult": {"content": [{"text": "3"}]}}]},
    "Gemini's": {"role": "user", "parts": [{"functionResponse": {"response": {"result": "3"}}}]},
    "Gemini's in snake case": {"role": "user", "parts": [{"function_response": {"response": {"result": "3"}}}]},
    "one of two parts": {"role": "user", "content": ["3", {"type": "text", "text": "3"}, {"type": "tool_result", "content": "3"}]},
}


def test_claude_drops_the_reasoning_of_earlier_answers() -> None:
    whole = text_tokens(LONG_THOUGHT.encode())
    assert reasoning_of([ASKED, THOUGHT], CLAUDE) > 0.9 * whole
    assert reasoning_of([ASKED, THOUGHT, ASKED], CLAUDE) == 0
    assert reasoning_of([ASKED, PLAIN, ASKED, THOUGHT], CLAUDE) > 0.9 * whole
    assert 0.9 * whole < reasoning_of([ASKED, THOUGHT, ASKED, THOUGHT], CLAUDE) < 1.3 * whole


@pytest.mark.parametrize("kind", RESULTS)
def test_a_result_of_a_tool_is_no_new_question(kind: str) -> None:
    assert reasoning_of([ASKED, THOUGHT, RESULTS[kind], PLAIN], CLAUDE) > 100
    assert reasoning_of([ASKED, PLAIN, ASKED, THOUGHT, RESULTS[kind]], CLAUDE) > 100


def test_a_question_in_parts_is_a_new_question() -> None:
    asked = {"role": "user", "content": [{"type": "text", "text": "And in Rome?"}, "?"]}
    assert reasoning_of([ASKED, THOUGHT, asked], CLAUDE) == 0
    assert reasoning_of([ASKED, THOUGHT, {"role": "user", "parts": [{"text": "And in Rome?"}]}], CLAUDE) == 0


def test_what_is_no_message_is_no_question_and_has_no_reasoning() -> None:
    assert reasoning_of([ASKED, THOUGHT, "?", 3, None], CLAUDE) > 100
    assert reasoning_of([ASKED, PLAIN, ASKED, "?", 3, None, THOUGHT], CLAUDE) > 100
    assert reasoning_of([ASKED, THOUGHT, {"role": "tool", "content": "3"}], CLAUDE) > 100


def test_the_first_message_alone_is_no_new_question() -> None:
    assert reasoning_of([THOUGHT, ASKED], CLAUDE) == 0
    assert reasoning_of([THOUGHT], CLAUDE) > 100


@pytest.mark.parametrize("name", ["messages", "contents", "input"])
def test_reasoning_is_found_in_the_conversation_of_any_dialect(name: str) -> None:
    body = {name: [ASKED, PLAIN, ASKED, THOUGHT]}
    assert tokens(body) - tokens({name: [ASKED, PLAIN, ASKED, PLAIN]}) > 100


def test_signed_reasoning_counts_by_its_length_less_what_is_around_it() -> None:
    assert reasoning_of([ASKED, SIGNED], "gemini-3-pro", "gemini") == 4000 * 0.2
    assert reasoning_of([ASKED, PLAIN, ASKED, SIGNED], "gemini-3-pro", "gemini") == 4000 * 0.2
    assert reasoning_of([ASKED, SIGNED, ASKED], "gemini-3-pro", "gemini") == 0
    assert reasoning_of([ASKED, SIGNED], "gemini-3-pro", "gemini", "vertex") == (4000 - 110) * 0.2
    assert reasoning_of([ASKED, SIGNED], "gpt-4o") == round((4000 - 1100) * 0.16)
    assert reasoning_of([ASKED, SIGNED], "mistral-large") == 0


def test_signed_reasoning_of_earlier_answers_counts_at_grok() -> None:
    assert reasoning_of([ASKED, SIGNED, ASKED], "grok-4.3") == 4000 * 0.15
    assert reasoning_of([ASKED, SIGNED, ASKED, SIGNED], "grok-4.3") == 2 * 4000 * 0.15


def test_a_signature_shorter_than_what_is_around_it_counts_nothing() -> None:
    asked = [ASKED, {"role": "assistant", "content": [{"type": "text", "text": "Cold.", "signature": "Ab1/" * 100}]}]
    plain = [ASKED, {"role": "assistant", "content": [{"type": "text", "text": "Cold."}]}]
    assert tokens({"messages": asked}, "gpt-4o") == tokens({"messages": plain}, "gpt-4o")


@pytest.mark.parametrize(("kind", "counted"), [("gemini", 800), ("vertex", 0)])
def test_vertex_counts_no_signature_in_snake_case(kind: str, counted: int) -> None:
    signed = {"role": "model", "parts": [{"text": "Cold.", "thought_signature": "Ab1/" * 1000}]}
    bodies = [{"contents": [ASKED, message]} for message in (signed, UNSIGNED)]
    with_it, without = (tokens(body, "gemini-3-pro", "gemini", kind) for body in bodies)
    assert with_it - without == counted


def test_a_signature_at_the_message_itself_counts() -> None:
    body = {"input": [ASKED, {"type": "reasoning", "encrypted_content": "Ab1/" * 1000, "summary": []}]}
    plain = {"input": [ASKED, {"type": "reasoning", "summary": []}]}
    assert tokens(body, "gpt-4o") - tokens(plain, "gpt-4o") == round((4000 - 1100) * 0.16)


def test_a_block_of_reasoning_in_tags_is_left_out_by_groq_alone() -> None:
    bodies = [
        {"messages": [ASKED, {"role": "assistant", "content": text}]} for text in (f"<think>{LONG_THOUGHT}</think>Cold.", "Cold.")
    ]
    with_it, without = (tokens(body, "llama-3.3-70b", kind="groq") for body in bodies)
    assert with_it == without
    with_it, without = (tokens(body, "llama-3.3-70b", kind="together") for body in bodies)
    assert with_it > without + 100
    quoted = {"messages": [ASKED, {"role": "assistant", "content": f"It wrote <think>{LONG_THOUGHT}</think>"}]}
    assert tokens(quoted, "llama-3.3-70b", kind="groq") > 100


# Messages


def test_each_message_and_each_request_counts_what_the_template_adds() -> None:
    assert tokens({"messages": [PLAIN]}, "claude") - tokens({"x": [PLAIN]}, "claude") == 7
    assert tokens({"messages": [{"role": "user"}] * 3}, "claude") == 12
    assert tokens({"messages": [{"role": "user"}]}, "gpt-oss", kind="groq") == 67
    assert tokens({"x": [{"role": "user"}]}, "gpt-oss", kind="groq") == 1


def test_a_text_as_the_input_of_responses_is_one_message() -> None:
    family = family_of("gpt-4o", "openai_responses")
    asked = {"input": "Hello there, how are you?"}
    added = tokens(asked, "gpt-4o", "openai_responses") - tokens(asked, "gpt-4o", "openai_chat")
    assert added == family.message + family.request
    assert tokens({"x": asked["input"] * 20}, "gpt-4o", "openai_responses") == tokens({"x": asked["input"] * 20}, "gpt-4o")
    assert input_tokens([asked["input"]], "openai_responses", "gpt-4o") == input_tokens([asked["input"]], "openai_chat", "gpt-4o")


# Media


def wav(rate: int, size: int) -> str:
    head = b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(12) + rate.to_bytes(4, "little")
    return base64.b64encode(head + bytes(size - len(head))).decode()


def of_media(data: str, model: str = "gemini-3-pro") -> int:
    """What encoded data counts."""
    return tokens({"messages": [{"content": [{"data": data}]}]}, model) - tokens({"messages": [{"content": [{}]}]}, model)


def test_sound_counts_by_its_seconds() -> None:
    assert of_media(wav(2000, 30_000)) == 15 * 25
    assert of_media(wav(2000, 30_000), "gemini-2.5-pro") == 15 * 32
    assert of_media(wav(8000, 30_000)) == 94
    assert of_media("SUQz" + "A" * (4 * 16_000 // 3 * 10 - 4)) == 250
    assert of_media(wav(2000, 30_000), "gpt-4o") == 150


def test_sound_counts_five_tokens_at_least() -> None:
    assert of_media("SUQz" + "A" * 300) == 5


def test_sound_is_filled_up_to_thirty_seconds_by_voxtral() -> None:
    assert of_media(wav(2000, 30_000), "voxtral-small") == pytest.approx(375, abs=1)
    assert of_media(wav(2000, 61_000), "voxtral-small") == pytest.approx(2 * 375, abs=1)


def test_a_document_counts_by_the_pages_that_it_lists() -> None:
    three = base64.b64encode(b"%PDF-1.7 /Type /Pages " + b"/Type /Page >> " * 3 + bytes(300)).decode()
    assert of_media(three) == 3 * 560
    assert of_media(three, CLAUDE) == 3 * 1650


@pytest.mark.parametrize(("size", "pages"), [(300, 1), (39_999, 1), (40_002, 2), (79_998, 2), (80_001, 3)])
def test_a_document_that_lists_no_pages_has_one_for_each_forty_kilobytes(size: int, pages: int) -> None:
    assert of_media(base64.b64encode(b"%PDF-1.7" + bytes(size - 8)).decode()) == pages * 560


def test_the_pages_of_two_megabytes_of_a_document_are_counted() -> None:
    page = b"/Type/Page>>"
    data = base64.b64encode(b"%PDF-1.7____" + page * 200_000).decode()
    assert of_media(data) == (2 * 1024 * 1024 * 3 // 4 // len(page) - 1) * 560


def test_a_picture_whose_size_is_not_known_counts_a_thousand() -> None:
    assert (
        tokens({"messages": [{"content": [{"image_url": {"url": "https://x.example/1"}}]}]})
        == tokens({"messages": [{"content": [{}]}]}) - tokens({"x": 1}) + 1 + 1000
    )
    assert (image_tokens(0, 7, ""), image_tokens(7, 0, "")) == (1000, 1000)
    assert of_media("iVBORw0KGgo" + "A" * 300) == 1000


def test_the_smallest_picture_counts_one() -> None:
    assert image_tokens(1, 1, "anthropic_messages") == 1
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    picture = base64.b64encode(head + (1).to_bytes(4) + (1).to_bytes(4) + bytes(300)).decode()
    assert of_media(picture, CLAUDE) == 1 + 8 - 1
    assert of_media(picture, "gpt-4o") == 255
    no_height = base64.b64encode(head + (1).to_bytes(4) + bytes(304)).decode()
    assert of_media(no_height, CLAUDE) == 1000


# Texts


@pytest.mark.parametrize(("text", "counted"), [(b"", 0), (b"a", 1), (b" " * 64, 1), (b" " * 640, 10), (b" " * 16_384, 256)])
def test_the_longest_tokens_are_sixty_four_spaces(text: bytes, counted: int) -> None:
    assert text_tokens(text) == counted


def test_a_byte_is_one_token_at_most() -> None:
    assert text_tokens(b"{") == 1
    assert text_tokens(b"Q7Q7Q7Q7{\n}\n") <= 12
    assert text_tokens("\U0001f9ff".encode()) <= 4


def test_the_output_is_counted_by_a_quarter_of_its_bytes_where_no_text_is_at_hand() -> None:
    assert [output_tokens(size) for size in (0, 1, 4, 5, 8, 9)] == [0, 1, 1, 2, 2, 3]


def test_the_output_is_rounded_up_and_at_least_one_token() -> None:
    assert output_tokens(1, b"word " * 100) == 1
    sample = b"word " * 100
    whole = text_tokens(sample)
    assert output_tokens(2 * len(sample), sample) == 2 * whole
    assert output_tokens(2 * len(sample) + 1, sample) == 2 * whole + 1


# Targets and what was learned


def target(model: str, kind: str) -> Any:
    return SimpleNamespace(model=model, bound=SimpleNamespace(provider=SimpleNamespace(kind=kind)))


def test_a_call_is_estimated_as_the_model_of_its_targets_counts_where_they_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "LEARNED", LearnedFactors())
    made = call({"messages": [ASKED], "tools": TOOLS})
    as_named, as_claude = input_tokens(made.body, "openai_chat", "m"), input_tokens(made.body, "openai_chat", CLAUDE, "anthropic")
    claude, older, other = target(CLAUDE, "anthropic"), target("claude-opus-4-5", "openrouter"), target("qwen", "together")
    assert as_named != as_claude
    assert input_estimate(made) == as_named
    assert input_estimate(made, [claude]) == as_claude
    assert input_estimate(made, [claude, older]) == as_claude
    assert input_estimate(made, [claude, other]) == as_named


def test_what_was_learned_of_a_model_corrects_its_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = LearnedFactors()
    monkeypatch.setattr(estimate, "LEARNED", learned)
    made = call({"messages": [{"role": "user", "content": TEXT * 20}]})
    before = input_estimate(made)
    assert made.counted_tokens == before
    for _ in range(2):
        learn_input(made, before + 700)
    assert input_estimate(made) == learned.expected("m", before) > before + 500
    assert made.counted_tokens == before
    with_tools = call({**made.body, "tools": TOOLS})
    assert input_estimate(with_tools) == with_tools.counted_tokens


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [ASKED], "previous_response_id": "r"}, {"messages": [ASKED], "tools": [{"type": "web_search_20250305"}]},
        {"messages": [{"content": [{"image_url": {"url": "https://x.example/1"}}]}]},
    ],
    ids=["a stored conversation", "a search", "a picture"],
)  # fmt: skip
def test_nothing_is_learned_where_the_provider_counts_what_the_body_does_not_show(
    monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    learned = LearnedFactors()
    monkeypatch.setattr(estimate, "LEARNED", learned)
    made = call(body)
    before = input_estimate(made)
    for _ in range(3):
        learn_input(made, before + 3000)
    assert input_estimate(made) == before


def test_nothing_is_learned_of_a_request_that_was_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = LearnedFactors()
    monkeypatch.setattr(estimate, "LEARNED", learned)
    for _ in range(3):
        learn_input(call({"messages": [ASKED]}), 900)
    assert learned._lines == {}


def test_what_is_taken_for_a_picture_and_for_a_token_where_nothing_is_at_hand() -> None:
    assert (estimate.MEDIA_TOKENS, estimate.BYTES_PER_TOKEN) == (1500, 4)


def test_a_summary_of_reasoning_counts_in_a_single_task() -> None:
    parts = [{"type": "summary_text", "text": LONG_THOUGHT}]
    body = {"input": [ASKED, {"type": "reasoning", "summary": parts}]}
    assert tokens(body) - tokens({"input": [ASKED, {"type": "reasoning", "summary": []}]}) > 100


def test_signed_reasoning_at_the_beginning_counts_at_grok() -> None:
    assert reasoning_of([SIGNED, ASKED], "grok-4.3") == 4000 * 0.15


def test_what_is_around_each_signature_is_taken_off_to_the_character() -> None:
    parts = [{"text": "Cold.", "thoughtSignature": "Ab1/" * 1000}] * 10
    signed, plain = ({"contents": [ASKED, {"role": "model", "parts": of}]} for of in (parts, [{"text": "Cold."}] * 10))
    added = tokens(signed, "gemini-3-pro", "gemini", "vertex") - tokens(plain, "gemini-3-pro", "gemini", "vertex")
    assert added == 10 * (4000 - 110) * 0.2
