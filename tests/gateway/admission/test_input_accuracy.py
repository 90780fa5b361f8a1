"""Estimates of input against what providers report: by the rules of each vendor, and over recorded traffic."""

from __future__ import annotations

import base64
import statistics
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.gateway.admission.estimate import image_tokens, input_estimate, input_tokens
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect
from tests.gateway.admission.input_accuracy import NEAR, Recorded, groups, is_near, recorded_inputs, report, reported_input

CITY = {"properties": {"city": {"type": "string"}}, "required": ["city"], "type": "object"}
STRICT_CITY = {"additionalProperties": False, **CITY}
PLACE = {
    "latitude": {"description": "Latitude (e.g., 52.5200)", "type": "string"},
    "longitude": {"description": "Longitude (e.g., 13.4050)", "type": "string"},
}
PERSON = {
    "additionalProperties": False, "properties": {"age": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["name", "age"], "type": "object",
}  # fmt: skip
PARIS = "What's the weather in Paris?"
BERLIN = "What's the weather in Berlin? (52.5200, 13.4050)"


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def function(description: str, parameters: dict[str, Any], name: str = "get_weather") -> dict[str, Any]:
    return {"type": "function", "function": {"description": description, "name": name, "parameters": parameters}}


# Requests, with the input that their vendors reported.
REPORTED: dict[str, tuple[str, str, int, dict[str, Any]]] = {
    "Claude's system prompt where a tool must be called": (
        "anthropic_messages", "claude-sonnet-4-5", 655,
        {
            "messages": user(PARIS), "tool_choice": {"type": "any"},
            "tools": [{"description": "Get weather for a city", "input_schema": CITY, "name": "get_weather"}],
        },
    ),
    "Claude 3.5 Haiku's system prompt for tools": (
        "anthropic_messages", "claude-3-5-haiku-20241022", 357,
        {
            "messages": user("what's the weather in San Francisco?"), "tool_choice": {"type": "auto"},
            "tools": [{
                "description": "get_weather(location: str) -> str\nUseful for getting the weather for a given location.",
                "input_schema": {
                    "properties": {"location": {"title": "Location", "type": "string"}}, "required": ["location"], "type": "object",
                },
                "name": "get_weather",
            }],
        },
    ),
    "Claude's system prompt for a schema of the answer": (
        "anthropic_messages", "claude-haiku-4-5-20251001", 174,
        {"messages": user("Generate a person named Bob"), "output_config": {"format": {"schema": PERSON, "type": "json_schema"}}},
    ),
    "the same in Bedrock's dialect": (
        "bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", 174,
        {
            "messages": [{"role": "user", "content": [{"text": "Generate a person named Bob"}]}],
            "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {
                "name": "response",
                "schema": '{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},'
                          '"required":["name","age"],"additionalProperties":false}',
            }}}},
        },
    ),
    "Claude with reasoning": (
        "anthropic_messages", "claude-sonnet-4-0", 43,
        {"messages": user("How do I cross the street?"), "thinking": {"budget_tokens": 1024, "type": "enabled"}},
    ),
    "GPT-5's instructions for tools in Chat Completions": (
        "openai_chat", "gpt-5-mini", 150,
        {
            "messages": user(PARIS), "tools": [
                function("Get weather for a city", STRICT_CITY),
                function("Get time in a timezone", {
                    "additionalProperties": False, "properties": {"timezone": {"type": "string"}}, "required": ["timezone"],
                    "type": "object",
                }, "get_time"),
            ],
        },
    ),
    "none of them in Responses": (
        "openai_responses", "gpt-5-mini", 50,
        {
            "include": ["reasoning.encrypted_content"], "input": user(PARIS), "tools": [
                {
                    "description": "Get the current weather for a city.", "name": "get_weather", "parameters": STRICT_CITY,
                    "strict": True, "type": "function",
                },
            ],
        },
    ),
    "Gemini's tools": (
        "gemini", "gemini-2.5-flash", 103,
        {
            "contents": [{"role": "user", "parts": [{"text": BERLIN}]}],
            "tools": [{"functionDeclarations": [{
                "description": "Gets current weather for a location", "name": "weather",
                "parameters": {"properties": PLACE, "required": ["latitude", "longitude"], "type": "OBJECT"},
            }]}],
        },
    ),
    "the same at Vertex AI, which counts names and descriptions": (
        "gemini", "gemini-2.5-flash", 70,
        {
            "contents": [{"role": "user", "parts": [{"text": BERLIN}]}],
            "tools": [{"functionDeclarations": [{
                "description": "Gets current weather for a location", "name": "weather",
                "parameters": {"properties": PLACE, "required": ["latitude", "longitude"], "type": "OBJECT"},
            }]}],
        },
    ),
    "a schema of the answer at Vertex AI": (
        "gemini", "gemini-3-flash-preview", 77,
        {
            "contents": [{"parts": [{"text": "Generate a person named Alice who is 28 years old"}]}],
            "generationConfig": {"responseJsonSchema": PERSON, "responseMimeType": "application/json"},
        },
    ),
    "no tools at Groq where none may be called": (
        "openai_chat", "meta-llama/llama-4-scout-17b-16e-instruct", 16,
        {"messages": user(PARIS), "tool_choice": "none", "tools": [function("Get the current weather for a city.", STRICT_CITY)]},
    ),
    "no instructions for reasoning where DeepSeek's is off": (
        "openai_chat", "deepseek-v4-flash", 18,
        {"messages": user("What is 2 + 2? Answer with just the number."), "thinking": {"type": "disabled"}},
    ),
    "Claude's instructions for citations": (
        "anthropic_messages", "claude-haiku-4-5-20251001", 672,
        {"messages": [{"role": "user", "content": [
            {"text": "Who created Ruby? Use the document.", "type": "text"},
            {
                "citations": {"enabled": True}, "title": "facts.txt", "type": "document", "source": {
                    "data": "The Ruby programming language was created by Yukihiro Matsumoto in 1993. Ruby was designed to make "
                            "programmers happy and productive. Ruby on Rails is a popular web framework built with Ruby.",
                    "media_type": "text/plain", "type": "text",
                },
            },
        ]}]},
    ),
    "the names of Gemini 2.0's tools alone, and none of its settings for them": (
        "gemini", "gemini-2.0-flash", 33,
        {
            "contents": [{"role": "user", "parts": [{"text": "What is the largest city in the user country?"}]}],
            "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["get_user_country", "final_result"], "mode": "ANY"}},
            "tools": [{"functionDeclarations": [
                {"description": "", "name": "get_user_country", "parameters": {"properties": {}, "type": "OBJECT"}},
                {
                    "description": "The final response which ends this conversation", "name": "final_result",
                    "parameters": {
                        "properties": {"city": {"type": "STRING"}, "country": {"type": "STRING"}},
                        "required": ["city", "country"], "type": "OBJECT",
                    },
                },
            ]}],
        },
    ),
    "Nova's instructions for tools": (
        "bedrock", "us.amazon.nova-2-lite-v1:0", 986,
        {
            "messages": [{"role": "user", "content": [{"text": BERLIN}]}],
            "toolConfig": {"tools": [{"toolSpec": {
                "description": "Gets current weather for a location", "name": "weather", "inputSchema": {"json": {
                    "additionalProperties": False, "properties": PLACE, "required": ["latitude", "longitude"], "strict": True,
                    "type": "object",
                }},
            }}]},
        },
    ),
    "Grok's instructions in each request": ("openai_responses", "grok-4.3", 199, {"input": user("Count from 1 to 3")}),
    "DeepSeek's instructions for reasoning and for tools": (
        "openai_responses", "deepseek-v4-flash", 366,
        {"input": user("What is the temperature in Tokyo?"), "tools": [{
            "description": "Get the current temperature in a city.", "name": "get_temperature", "parameters": STRICT_CITY,
            "strict": True, "type": "function",
        }]},
    ),
    "Mistral's tools as JSON": (
        "openai_chat", "mistral-large-latest", 77,
        {"messages": user(PARIS), "tools": [function("Get the current weather for a city.", STRICT_CITY)]},
    ),
    "Cohere's tools as they are billed": (
        "cohere", "command-r7b-12-2024", 33,
        {"messages": user(PARIS), "tools": [function("Get weather for a city", CITY)]},
    ),
    "Llama 4's instructions for tools": (
        "openai_chat", "meta-llama/llama-4-scout-17b-16e-instruct", 717,
        {"messages": user(PARIS), "tools": [function("Get the current weather for a city.", STRICT_CITY)]},
    ),
}  # fmt: skip


KINDS = {"at Vertex AI": "vertex", "at Groq": "groq"}


@pytest.mark.parametrize("case", REPORTED)
def test_what_a_vendor_adds_to_a_request_is_estimated(case: str) -> None:
    dialect_name, model, reported, body = REPORTED[case]
    kind = next((kind for place, kind in KINDS.items() if place in case), "")
    assert is_near(input_tokens({"model": model, **body}, dialect_name, model, kind), reported)


def test_vertex_and_the_gemini_api_count_the_same_tools_differently() -> None:
    body = REPORTED["Gemini's tools"][3]
    api, vertex = (input_tokens(body, "gemini", "gemini-2.5-flash", kind) for kind in ("gemini", "vertex"))
    assert api >= 1.25 * vertex


def target(model: str, kind: str) -> Any:
    return SimpleNamespace(model=model, bound=SimpleNamespace(provider=SimpleNamespace(kind=kind)))


def test_an_alias_is_estimated_as_its_targets_count_where_they_are_of_one_family() -> None:
    body = REPORTED["Gemini's tools"][3]
    call = Call(dialect("gemini"), body, "fast")
    vertex, api = target("gemini-2.5-flash", "vertex"), target("gemini-2.5-flash", "gemini")
    assert input_estimate(call, [vertex, vertex]) == input_tokens(body, "gemini", "gemini-2.5-flash", "vertex")
    assert input_estimate(call, [api]) == input_tokens(body, "gemini", "gemini-2.5-flash", "gemini")
    assert input_estimate(call, [vertex, api]) == input_estimate(call)


def test_groq_drops_reasoning_in_tags() -> None:
    messages = [*user("hi"), {"role": "assistant", "content": f"<think>{THOUGHT}</think>hello"}, *user("and now?")]
    assert input_tokens({"messages": messages}, "openai_chat", "openai/gpt-oss-120b", "groq") < 120
    assert input_tokens({"messages": messages}, "openai_chat", "openai/gpt-oss-120b", "ollama") > 400


def test_vertex_counts_thought_signatures_in_camel_case_alone() -> None:
    def body(name: str) -> dict[str, Any]:
        call = {"functionCall": {"name": "f", "args": {}}, name: "a" * 4680}
        result = {"functionResponse": {"name": "f", "response": {}}}
        return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [call]},
                             {"role": "user", "parts": [result]}]}  # fmt: skip

    camel, snake = (
        input_tokens(body(name), "gemini", "gemini-3-flash", "vertex") for name in ("thoughtSignature", "thought_signature")
    )
    assert is_near(camel - snake, 911)


@pytest.mark.parametrize(
    ("size", "model", "tokens"),
    [
        ((512, 512), "gpt-4o", 255), ((512, 512), "gpt-4o-mini", 8500), ((512, 512), "gpt-5", 210), ((512, 512), "o3", 225),
        ((597, 566), "gpt-5-mini", 410), ((128, 128), "gpt-5-nano", 24), ((1024, 1024), "gpt-4.1-mini", 1659),
        ((4000, 4000), "gpt-4.1-nano", 3779), ((1000, 1000), "anthropic/claude-haiku-4.5", 1333),
        ((597, 566), "gemini-2.5-flash", 258),
        ((597, 566), "gemini-3-flash-preview", 1120), ((597, 566), "mistral-medium-latest", 483), ((597, 566), "pixtral-12b", 1404),
        ((597, 566), "Qwen/Qwen2.5-VL-72B-Instruct", 422), ((597, 566), "llama-4-maverick", 720), ((0, 0), "gpt-4o", 1000),
    ],
)  # fmt: skip
def test_a_picture_costs_what_is_usual_for_its_model_in_any_dialect(size: tuple[int, int], model: str, tokens: int) -> None:
    assert image_tokens(*size, "openai_chat", model) == tokens


def test_a_wav_file_counts_by_its_length_in_seconds_and_not_as_a_picture() -> None:
    head = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0" + (16_000).to_bytes(4, "little") + (32_000).to_bytes(4, "little")
    data = base64.b64encode(head + bytes(320_000 - len(head))).decode()
    openai = [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]
    assert 95 <= input_tokens({"messages": [{"role": "user", "content": openai}]}, "openai_chat", "gpt-4o-audio-preview") <= 115
    gemini = [{"inlineData": {"mimeType": "audio/wav", "data": data}}]
    assert 315 <= input_tokens({"contents": [{"role": "user", "parts": gemini}]}, "gemini", "gemini-2.5-flash") <= 330


THOUGHT = "The user wants to know the weather, so the tool for the weather is what has to be called here. " * 20


def claude_history(last: str | list[dict[str, Any]]) -> dict[str, Any]:
    call = {"type": "tool_use", "id": "t", "name": "weather", "input": {}}
    thought = {"type": "thinking", "thinking": THOUGHT, "signature": "Ab1/" * 500}
    return {"messages": [*user("hi"), {"role": "assistant", "content": [thought, call]}, {"role": "user", "content": last}]}


def test_claude_counts_the_reasoning_of_the_current_turn_and_drops_that_of_earlier_ones() -> None:
    result = [{"type": "tool_result", "tool_use_id": "t", "content": "rain"}]
    assert input_tokens(claude_history(result), "anthropic_messages", "claude-sonnet-4-5") > 400
    assert input_tokens(claude_history("thanks"), "anthropic_messages", "claude-sonnet-4-5") < 60


@pytest.mark.parametrize(("model", "most"), [("gpt-5", 30), ("qwen3", 30), ("command-a", 30)])
def test_readable_reasoning_that_a_vendor_ignores_does_not_count(model: str, most: int) -> None:
    messages = [*user("hi"), {"role": "assistant", "content": "hello", "reasoning_content": THOUGHT}, *user("and now?")]
    assert input_tokens({"messages": messages}, "openai_chat", model) <= most
    assert input_tokens({"messages": messages}, "openai_chat", "kimi-k2-thinking") > 300


@pytest.mark.parametrize(("size", "tokens"), [(2212, 167), (3640, 379), (9420, 1365)])
def test_encrypted_reasoning_counts_since_the_last_question(size: int, tokens: int) -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT}], "encrypted_content": "a" * size}
    call = {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "rain"}
    without = input_tokens({"input": [*user("hi"), {"type": "reasoning"}, call, result]}, "openai_responses", "gpt-5-nano")
    current = input_tokens({"input": [*user("hi"), reasoning, call, result]}, "openai_responses", "gpt-5-nano")
    earlier = input_tokens({"input": [reasoning, call, result, *user("hi")]}, "openai_responses", "gpt-5-nano")
    assert is_near(current - without, tokens)
    assert earlier <= without + 8


def test_a_thought_signature_of_gemini_counts_with_the_reasoning_in_it() -> None:
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "a" * 5200}
    result = {"functionResponse": {"name": "f", "response": {}}}
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [call]},
                         {"role": "user", "parts": [result]}]}  # fmt: skip
    assert is_near(input_tokens(body, "gemini", "gemini-3-flash-preview"), 1080)


def test_an_input_without_messages_counts_as_one_message() -> None:
    assert input_tokens({"input": "hi"}, "openai_responses", "gpt-5") == input_tokens({"messages": user("hi")}, "", "gpt-5")


def test_the_input_that_an_answer_reports_is_read_with_what_its_cache_held() -> None:
    assert reported_input('{"usage":{"input_tokens":5,"cache_read_input_tokens":90,"output_tokens":7}}') == 95
    assert reported_input('data: {"usage":{"prompt_tokens":9}}\n\ndata: {"usage":{"prompt_tokens":11}}') == 11
    assert reported_input('{"usage":{"billed_units":{"input_tokens":33},"tokens":{"input_tokens":1452}}}') == 33
    assert reported_input('{"usage":{') == 0


# Recorded traffic


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> list[Recorded]:
    return recorded_inputs(recordings)


def test_no_recorded_input_passes_its_bound(recorded: list[Recorded]) -> None:
    assert len(recorded) > 500
    assert [(one.recording.name, one.bound, one.reported) for one in recorded if one.bound < one.reported] == []


LEAST_NEAR = {
    # Two recordings of thirteen are of a server that counts reasoning which others drop.
    "other-openai-compatible qwen": 0.8,
    # A PDF of one page was reported with the tokens of five.
    "openrouter gemini": 0.85,
}
LEAST_WITHIN = {"azure grok": 0.6, "other-openai-compatible qwen": 0.6, "z.ai glm": 0.6}
"""Strictly within 15 %; these are short requests, of which a single token is more than that."""
LEAST_GROUP = 5


def test_recorded_inputs_are_estimated_within_fifteen_percent_or_thirty_tokens(recorded: list[Recorded]) -> None:
    visible = [one for one in recorded if one.is_visible]
    missed = []
    for name, members in groups(visible):
        near = sum(one.is_near for one in members) / len(members)
        if len(members) >= LEAST_GROUP and near < LEAST_NEAR.get(name, 0.87):
            missed.append((name, near))
    assert missed == [], "\n".join(report(recorded))
    assert sum(one.is_near for one in visible) / len(visible) >= 0.92


def test_recorded_inputs_are_estimated_within_fifteen_percent(recorded: list[Recorded]) -> None:
    visible = [one for one in recorded if one.is_visible]
    within = {name: sum(abs(one.ratio - 1) <= NEAR for one in members) / len(members) for name, members in groups(visible)}
    large = {name for name, members in groups(visible) if len(members) >= LEAST_GROUP}
    missed = {name: within[name] for name in large if within[name] < LEAST_WITHIN.get(name, 0.74)}
    assert missed == {}, "\n".join(report(recorded))
    assert sum(abs(one.ratio - 1) <= NEAR for one in visible) / len(visible) >= 0.81


def test_the_median_estimate_of_each_providers_models_is_within_fifteen_percent(recorded: list[Recorded]) -> None:
    medians = {
        name: statistics.median(one.ratio for one in members)
        for name, members in groups([one for one in recorded if one.is_visible])
        if len(members) >= LEAST_GROUP
    }
    assert len(medians) >= 15
    assert {name: median for name, median in medians.items() if not 0.9 <= median <= 1.1} == {}
