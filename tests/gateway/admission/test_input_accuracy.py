"""Estimates of input against what providers report: by the rules of each vendor, and over recorded traffic."""

from __future__ import annotations

import base64
import json
import statistics
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.gateway.admission.bounds import input_bounds
from conduit_desktop.gateway.admission.estimate import image_tokens, input_estimate, input_tokens
from conduit_desktop.gateway.admission.learned_factors import LearnedFactors
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect
from tests.gateway.admission.input_accuracy import NEAR, Recorded, groups, is_near, recorded_inputs, report, reported_input
from tests.gateway.admission.sample_calls import call

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
    "a call of a tool and its result at OpenAI": (
        "openai_responses", "gpt-4.1", 43,
        {"input": [
            {"content": "What is the weather like in Paris today?", "role": "user"},
            {"arguments": '{"location":"Paris, France"}', "call_id": "call_1", "name": "get_weather", "type": "function_call"},
            {"call_id": "call_1", "output": "Rainy", "type": "function_call_output"},
        ]},
    ),
    "a system prompt in a field of its own": (
        "openai_responses", "gpt-4o-mini", 22, {"input": "Count to 5.", "instructions": "You are a helpful assistant."},
    ),
    "what a call of a tool adds at Claude": (
        "openai_chat", "claude-sonnet-4-6", 642,
        {
            "messages": [
                *user("What is the weather in Mexico City? Reply with a short sentence."),
                {"role": "assistant", "content": None, "tool_calls": [{
                    "id": "t", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Mexico City"}'},
                }]},
                {"role": "tool", "tool_call_id": "t", "content": "Sunny, 25°C"},
            ],
            "tools": [function("", STRICT_CITY)],
        },
    ),
    "a tool that Claude has yet to find": (
        "anthropic_messages", "claude-fable-5", 594,
        {
            "messages": user(
                "First load the refunds capability. Then call lookup_refund_policy for order-123. Return only the tool result."
            ),
            "system": "The following capabilities are deferred and can be loaded using the `load_capability` tool:\n"
                      "- refunds: Refund policy tools. Load this capability before looking up refund policy.",
            "tools": [
                {
                    "description": "Load a capability to access its full instructions and tools.", "name": "load_capability",
                    "input_schema": {
                        "description": "Typed arguments for a `load_capability` tool call.",
                        "properties": {"id": {"description": "The id of the capability to load.", "type": "string"}},
                        "required": ["id"], "type": "object",
                    },
                },
                {
                    "defer_loading": True, "description": "", "name": "lookup_refund_policy",
                    "input_schema": {
                        "additionalProperties": False, "properties": {"order_id": {"type": "string"}}, "required": ["order_id"],
                        "type": "object",
                    },
                },
            ],
        },
    ),
    "reasoning that OpenRouter switches on by the model's name": (
        "openai_chat", "anthropic/claude-3.7-sonnet:thinking", 43, {"messages": user("Who are you. Think about it.")},
    ),
    "each parameter of Gemini's tools": (
        "gemini", "gemini-3-flash-preview", 60,
        {
            "contents": [{"role": "user", "parts": [{"text": "What is 5 times 3?"}]}],
            "tools": [{"functionDeclarations": [{
                "description": "Multiply two numbers.", "name": "multiply",
                "parameters": {
                    "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}, "required": ["x", "y"], "type": "object",
                },
            }]}],
        },
    ),
    "Kimi's tools without instructions": (
        "bedrock", "moonshot.kimi-k2-thinking", 92,
        {
            "messages": [{"role": "user", "content": [{"text": "What is the temperature in London? Use the tool."}]}],
            "system": [{"text": "You are a helpful chatbot. Use tools when helpful."}],
            "toolConfig": {"toolChoice": {"auto": {}}, "tools": [{"toolSpec": {
                "description": "Get the current temperature in a city.", "name": "get_temperature",
                "inputSchema": {"json": STRICT_CITY},
            }}]},
        },
    ),
    "a schema of the answer that GLM does not read": (
        "bedrock", "zai.glm-4.7-flash", 21,
        {
            "messages": [{"role": "user", "content": [{"text": "Where is the Eiffel Tower?"}]}],
            "system": [{"text": "You are a helpful chatbot."}],
            "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {
                "name": "City", "schema": '{"properties":{"city":{"type":"string"}},"required":["city"],"type":"object"}',
            }}}},
        },
    ),
    "GLM 5's line for the effort": (
        "openai_chat", "glm-5.3", 20, {"messages": user("What is 2 + 2?"), "thinking": {"clear_thinking": False}},
    ),
    "Perplexity's texts alone": (
        "openai_chat", "sonar", 20,
        {
            "messages": user("What is the square root of 64? Answer with a JSON object with the key `result`."),
            "response_format": {"type": "json_schema", "json_schema": {"schema": {
                "properties": {"result": {"type": "number"}}, "required": ["result"], "type": "object",
            }}},
        },
    ),
    "Cohere's texts alone": ("cohere", "command-a-03-2025", 7, {"messages": user("Count from 1 to 3")}),
    "the texts alone of Grok 4.1": ("openai_chat", "grok-4-1-fast-non-reasoning", 7, {"messages": user("Count from 1 to 3")}),
    "Grok 4.1's instructions for tools, and a call of one": (
        "openai_chat", "grok-4-1-fast-non-reasoning", 325,
        {
            "messages": [
                *user(BERLIN),
                {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "type": "function", "function": {
                    "name": "weather", "arguments": '{"latitude":"52.5200","longitude":"13.4050"}',
                }}]},
                {"role": "tool", "tool_call_id": "c", "content": "Current weather at 52.5200, 13.4050: 15°C, Wind: 10 km/h"},
            ],
            "tools": [function("Gets current weather for a location", {
                "additionalProperties": False, "properties": PLACE, "required": ["latitude", "longitude"], "strict": True,
                "type": "object",
            }, "weather")],
        },
    ),
    "the three marks of DeepSeek R1's template": ("openai_chat", "deepseek-ai/DeepSeek-R1", 4, {"messages": user("hello")}),
    "the dates that Llama 3.3 begins with": (
        "openai_chat", "llama3.3-70b", 42, {"messages": user("What is the capital of France?")},
    ),
    "the empty reasoning of Qwen at Bedrock": (
        "bedrock", "qwen.qwen3-32b-v1:0", 19,
        {"messages": [{"role": "user", "content": [{"text": "What is the capital of France?"}]}]},
    ),
    "Qwen's template": ("openai_chat", "qwen3", 15, {"messages": user("What is the capital of France?")}),
    "Mistral Small's instructions": (
        "openai_chat", "mistral-small-latest", 22, {"messages": user("What's the capital of France?")},
    ),
    "none of them in other models of Mistral's": (
        "openai_chat", "magistral-medium-latest", 10, {"messages": user("How do I cross the street?")},
    ),
}  # fmt: skip


KINDS = {"at Vertex AI": "vertex", "at Groq": "groq", "at Bedrock": "bedrock"}


@pytest.mark.parametrize("case", REPORTED)
def test_what_a_vendor_adds_to_a_request_is_estimated(case: str) -> None:
    dialect_name, model, reported, body = REPORTED[case]
    kind = next((kind for place, kind in KINDS.items() if place in case), "")
    assert input_tokens({"model": model, **body}, dialect_name, model, kind) == pytest.approx(reported, rel=NEAR)


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


@pytest.mark.parametrize(("size", "tokens"), [((900, 450), 800), ((900, 900), 1300), ((1400, 900), 1800), ((1800, 900), 2400),
                                              ((1300, 1300), 2600), ((800, 400), 800), ((540, 360), 1825)])  # fmt: skip
def test_a_picture_for_nova_costs_what_its_table_shows(size: tuple[int, int], tokens: int) -> None:
    # The last was reported; the others stand at https://docs.aws.amazon.com/nova/latest/userguide/modalities-image.html
    assert image_tokens(*size, "bedrock", "us.amazon.nova-pro-v1:0") == pytest.approx(tokens, rel=0.1)


def test_a_wav_file_counts_by_its_length_in_seconds_and_not_as_a_picture() -> None:
    head = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0" + (16_000).to_bytes(4, "little") + (32_000).to_bytes(4, "little")
    data = base64.b64encode(head + bytes(320_000 - len(head))).decode()
    openai = [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]
    assert 95 <= input_tokens({"messages": [{"role": "user", "content": openai}]}, "openai_chat", "gpt-4o-audio-preview") <= 115
    gemini = [{"inlineData": {"mimeType": "audio/wav", "data": data}}]
    assert 315 <= input_tokens({"contents": [{"role": "user", "parts": gemini}]}, "gemini", "gemini-2.5-flash") <= 330


MP3_96 = b"\xff\xfb\x74\xc4" + bytes(60)
"""The head of a frame of 96 kilobits a second."""


@pytest.mark.parametrize(
    ("model", "frame", "size", "tokens"),
    [
        ("gemini-2.5-flash", MP3_96, 53_856, 144), ("gemini-3-flash-preview", MP3_96, 53_856, 112),
        ("voxtral-small-latest", b"\xff\xf3\xc4\xc4" + bytes(60), 69_120, 384),
    ],
)  # fmt: skip
def test_sound_counts_by_its_seconds_as_each_model_counts_them(model: str, frame: bytes, size: int, tokens: int) -> None:
    # Reported: 144 and 112 tokens of sound, and 384 with the question.
    data = base64.b64encode(frame + bytes(size - len(frame))).decode()
    part = {"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}}
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is being said?"}, part]}]}
    assert input_tokens(body, "openai_chat", model) == pytest.approx(tokens, rel=NEAR)


def pdf(characters: int) -> str:
    drawing = zlib.compress(b"BT /F1 12 Tf (" + b"x" * characters + b") Tj ET")
    parts = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n2 0 obj <</Filter /FlateDecode>>\nstream\n", drawing, b"\nendstream\n"
    return base64.b64encode(b"".join(parts) + b" " * 2000).decode()


@pytest.mark.parametrize(
    ("model", "dialect_name", "empty", "full"),
    [
        ("gpt-4o", "openai_chat", 210, 945), ("gpt-5-mini", "openai_chat", 209, 945), ("gpt-5-nano", "openai_responses", 10, 745),
        ("mistral-medium-latest", "openai_chat", 10, 895), ("claude-haiku-4-5", "anthropic_messages", 1650, 2660),
        ("gemini-2.5-flash", "gemini", 258, 258), ("gemini-3-flash-preview", "gemini", 560, 560),
    ],
)  # fmt: skip
def test_a_pdf_counts_by_the_text_and_the_picture_of_its_pages(model: str, dialect_name: str, empty: int, full: int) -> None:
    def tokens(characters: int) -> int:
        part = {"type": "file", "file": {"file_data": "data:application/pdf;base64," + pdf(characters)}}
        return input_tokens({"messages": [{"role": "user", "content": [part]}]}, dialect_name, model)

    # Reported with a page of 2,842 characters, and with one of a few words.
    assert tokens(2842) == pytest.approx(full, rel=NEAR)
    assert tokens(0) == pytest.approx(empty, rel=NEAR, abs=25)


def test_a_picture_of_few_bytes_is_one_and_its_bound_holds() -> None:
    # Reported: 83 tokens. In base64 it has 200 characters.
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (166).to_bytes(4, "big") + (282).to_bytes(4, "big") + bytes(120)
    data = base64.b64encode(png).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "Describe image in three words"}]
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    assert input_tokens(body, "anthropic_messages", "claude-sonnet-4-5") == pytest.approx(83, rel=NEAR)
    for made in (call(body), call(body, received=False), call({**body, "system": "x" * 2000})):
        assert made.has_media
        assert input_bounds(made)[0] > 50_000
    assert not call({"messages": [{"role": "user", "content": [{"type": "data", "data": "iVBORw is how a PNG begins"}]}]}).has_media


THOUGHT = "The user wants to know the weather, so the tool for the weather is what has to be called here. " * 20


def claude_history(last: str | list[dict[str, Any]]) -> dict[str, Any]:
    call = {"type": "tool_use", "id": "t", "name": "weather", "input": {}}
    thought = {"type": "thinking", "thinking": THOUGHT, "signature": "Ab1/" * 500}
    return {"messages": [*user("hi"), {"role": "assistant", "content": [thought, call]}, {"role": "user", "content": last}]}


def test_claude_counts_the_reasoning_of_the_current_turn_and_drops_that_of_earlier_ones() -> None:
    result = [{"type": "tool_result", "tool_use_id": "t", "content": "rain"}]
    assert input_tokens(claude_history(result), "anthropic_messages", "claude-sonnet-4-5") > 400
    # The call of the tool, too, has some 50 tokens.
    assert input_tokens(claude_history("thanks"), "anthropic_messages", "claude-sonnet-4-5") < 75


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


def test_a_compaction_of_openai_stands_for_all_before_it() -> None:
    story = {"content": "Beneath a canopy of emerald leaves, the fox set out. " * 40, "role": "assistant"}
    compaction = {"type": "compaction", "encrypted_content": "a" * 4772}
    items = [*user("Tell me a story."), story, compaction, *user("What is 2+2?")]
    # Reported: 552.
    assert input_tokens({"input": items}, "openai_responses", "gpt-4.1") == pytest.approx(552, rel=NEAR)
    assert input_tokens({"input": [*items, story]}, "openai_responses", "gpt-4.1") > 900


def test_tools_that_are_added_to_a_conversation_count_with_their_heading() -> None:
    tool = {"type": "function", "name": "get_weather", "description": "Get weather", "parameters": CITY}
    item = {"role": "developer", "type": "additional_tools", "tools": [tool]}
    without, added = ({"input": [*user("hi"), *more]} for more in ([], [item]))
    difference = input_tokens(added, "openai_responses", "gpt-5.4") - input_tokens(without, "openai_responses", "gpt-5.4")
    assert 80 <= difference <= 150


def test_signatures_of_earlier_turns_count_from_gemini_3_6_on() -> None:
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "a" * 2000}
    result = {"functionResponse": {"name": "f", "response": {}}}
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [call]},
                         {"role": "user", "parts": [result]}, {"role": "user", "parts": [{"text": "and now?"}]}]}  # fmt: skip
    assert input_tokens(body, "gemini", "gemini-3.6-flash") - input_tokens(body, "gemini", "gemini-3-flash-preview") > 300


def test_a_document_counts_with_its_frame_at_claude() -> None:
    def body(kind: str) -> dict[str, Any]:
        source = {"type": "text", "media_type": "text/plain", "data": "Dummy TXT file\n"}
        return {"messages": [{"role": "user", "content": [
            {"type": "text", "text": "What does this text file say?"}, {"type": kind, "source": source},
        ]}]}  # fmt: skip

    assert input_tokens(body("document"), "anthropic_messages", "claude-sonnet-4-5") == pytest.approx(57, rel=NEAR)
    assert input_tokens(body("part"), "anthropic_messages", "claude-sonnet-4-5") < 30


@pytest.mark.parametrize(
    "setting",
    [
        {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, {"reasoning": {"context": "all_turns"}},
        {"response_format": {"type": "json_object"}}, {"text": {"format": {"type": "text"}, "verbosity": "low"}},
        {"guardrailConfig": {"guardrailIdentifier": "5zwrmdlsra2e", "guardrailVersion": "DRAFT", "trace": "enabled"}},
        {"output_config": {"effort": "high"}}, {"inferenceConfig": {"maxTokens": 100, "temperature": 0.7}},
    ],
    ids=str,
)  # fmt: skip
def test_what_sets_a_request_and_is_not_read_does_not_count(setting: dict[str, Any]) -> None:
    assert input_tokens({"messages": user("hi"), **setting}) == input_tokens({"messages": user("hi")})


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


UNKNOWABLE: dict[str, Any] = json.loads((Path(__file__).parent / "unknowable_inputs.json").read_text())
"""The recordings whose input nobody can know from the request, or that were counted unlike others of their kind, by the reason."""
NAMED = {name for names in UNKNOWABLE["reasons"].values() for name in names}


def test_recorded_inputs_are_estimated_within_fifteen_percent_but_for_those_that_nobody_can_know(recorded: list[Recorded]) -> None:
    off = {one.recording.name for one in recorded if abs(one.ratio - 1) > NEAR}
    if len(recorded) == UNKNOWABLE["recordings"]:
        assert sorted(off ^ NAMED) == []
    visible = [one for one in recorded if one.is_visible]
    assert sum(abs(one.ratio - 1) <= NEAR for one in visible) / len(visible) >= 0.94, "\n".join(report(recorded))
    known = [one for one in visible if one.recording.name not in NAMED]
    assert sum(abs(one.ratio - 1) <= NEAR for one in known) / len(known) >= 0.95
    # What is named is no excuse for a large part of what the body shows.
    assert len(visible) - len(known) <= 0.06 * len(visible)


LEAST_NEAR = {"other-openai-compatible qwen": 0.84, "openrouter gemini": 0.85}
LEAST_GROUP = 5


def test_recorded_inputs_of_each_provider_and_family_are_estimated_within_fifteen_percent(recorded: list[Recorded]) -> None:
    within = {
        name: sum(abs(one.ratio - 1) <= NEAR for one in members) / len(members)
        for name, members in groups([one for one in recorded if one.is_visible])
        if len(members) >= LEAST_GROUP
    }
    assert len(within) >= 18
    missed = {name: share for name, share in within.items() if share < LEAST_NEAR.get(name, 0.89)}
    assert missed == {}, "\n".join(report(recorded))


def test_the_median_estimate_of_each_providers_models_is_within_fifteen_percent(recorded: list[Recorded]) -> None:
    medians = {
        name: statistics.median(one.ratio for one in members)
        for name, members in groups([one for one in recorded if one.is_visible])
        if len(members) >= LEAST_GROUP
    }
    assert len(medians) >= 15
    assert {name: median for name, median in medians.items() if not 0.9 <= median <= 1.1} == {}


# What is learned from reports: each recording of a model is estimated after the reports on others of that model


LEAST_OF_MODEL = 4


def models_of(recorded: list[Recorded]) -> list[list[Recorded]]:
    """The recordings of each model of a provider that has at least four."""
    found = defaultdict(list)
    for one in recorded:
        if one.is_visible:
            found[one.recording.provider, one.model, one.dialect].append(one)
    return [members for members in found.values() if len(members) >= LEAST_OF_MODEL]


def learned_estimates(members: list[Recorded], counted: list[int], reports: int) -> Iterator[tuple[Recorded, int]]:
    """Each recording with its estimate after `reports` others of the same model, those with tools apart from those without."""
    has_tools = [bool(one.body.get("tools") or one.body.get("toolConfig")) for one in members]
    for index, one in enumerate(members):
        others = [other for other in range(len(members)) if other != index and has_tools[other] == has_tools[index]]
        learned = LearnedFactors()
        for other in others[-reports:]:
            learned.learn("m", counted[other], members[other].reported, has_tools[other])
        yield one, learned.expected("m", counted[index], has_tools[index])


def share_within(estimates: list[tuple[Recorded, int]]) -> float:
    return sum(abs(estimate / one.reported - 1) <= NEAR for one, estimate in estimates) / len(estimates)


@pytest.mark.parametrize("reports", [1, 3])
def test_reports_on_other_requests_spoil_no_estimate_of_a_known_model(recorded: list[Recorded], reports: int) -> None:
    models = models_of(recorded)
    assert len(models) >= 40
    before = [(one, one.estimate) for members in models for one in members]
    after = [pair for members in models for pair in learned_estimates(members, [one.estimate for one in members], reports)]
    assert share_within(after) >= share_within(before) - 0.01


def test_two_reports_correct_the_estimates_of_models_that_nobody_knows(recorded: list[Recorded]) -> None:
    before, after = [], []
    for members in models_of(recorded):
        counted = [input_tokens(one.body, one.dialect, "a-model-of-tomorrow") for one in members]
        before += list(zip(members, counted, strict=True))
        after += learned_estimates(members, counted, 2)
    assert share_within(after) >= share_within(before) + 0.12


@pytest.mark.parametrize("model", ["grok-4.3", "deepseek-v4-flash"])
def test_the_hidden_prompt_of_a_model_is_learned_from_two_reports(recorded: list[Recorded], model: str) -> None:
    # Without tools, and where reasoning is not off: then DeepSeek's prompt is missing.
    plain = [one for one in recorded if one.model == model and not one.body.get("tools") and 60 < one.reported < 260]
    assert len(plain) >= 3
    counted = [input_tokens(one.body, one.dialect, "a-model-of-tomorrow") for one in plain]
    off = [abs(tokens / one.reported - 1) for one, tokens in zip(plain, counted, strict=True)]
    assert statistics.median(off) > 0.5
    after = [abs(estimate / one.reported - 1) for one, estimate in learned_estimates(plain, counted, 2)]
    assert statistics.median(after) <= NEAR
