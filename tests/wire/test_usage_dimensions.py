"""Every dimension of usage that a provider reports is read, is known to cost nothing, or makes the cost an estimate."""

from __future__ import annotations

import base64
import copy
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.events import Usage
from conduit_desktop.wire import dialect
from conduit_desktop.wire.anthropic.usage import read_usage as of_anthropic
from conduit_desktop.wire.bedrock.stream_writer import _frame
from conduit_desktop.wire.bedrock.usage import read_usage as of_bedrock
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.gemini.usage import read_usage as of_gemini
from conduit_desktop.wire.openai_chat.usage import read_usage as of_chat
from conduit_desktop.wire.openai_responses.usage import read_usage as of_responses
from conduit_desktop.wire.usage_dimensions import NOT_BILLED, faulty, is_time, names, surcharge, tier, unread
from tests.fakes.replay import interactions
from tests.wire.dialect_io import read

Fields = dict[str, Any]


def chat(usage: Fields, **body: Any) -> tuple[str, Fields, bytes]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
    whole = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage, **body}
    delta = {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}
    chunks = [{"id": "c", "model": "m", "choices": [delta], **body}, {"id": "c", "model": "m", "choices": [], "usage": usage}]
    late = {name: value for name, value in body.items() if name == "usage_breakdown"}
    chunks[1] |= late
    return "openai_chat", whole, b"".join(sse.write(orjson.dumps(chunk)) for chunk in chunks) + b"data: [DONE]\n\n"


def responses(usage: Fields, *output: Fields, **body: Any) -> tuple[str, Fields, bytes]:
    message = {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "a", "annotations": []}],
    }
    whole = {
        "id": "r",
        "object": "response",
        "model": "m",
        "status": "completed",
        "output": [*output, message],
        "usage": usage,
        **body,
    }
    events: list[Fields] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}}
    ]
    for index, item in enumerate(whole["output"]):
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return "openai_responses", whole, b"".join(sse.write(orjson.dumps(each), each["type"]) for each in events)


def anthropic(usage: Fields) -> tuple[str, Fields, bytes]:
    head = {"id": "a", "type": "message", "role": "assistant", "model": "claude"}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    whole = {**head, "content": [{"type": "text", "text": "a"}], **ended, "usage": usage}
    first = {
        name: value for name, value in usage.items() if name in ("input_tokens", "cache_creation", "inference_geo", "service_tier")
    }
    events: list[Fields] = [
        {"type": "message_start", "message": {**head, "content": [], "usage": {**first, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {n: v for n, v in usage.items() if n != "cache_creation"}},
        {"type": "message_stop"},
    ]
    return "anthropic_messages", whole, b"".join(sse.write(orjson.dumps(each), each["type"]) for each in events)


def gemini(usage: Fields, model: str = "gemini-3-flash", **candidate: Any) -> tuple[str, Fields, bytes]:
    content = {"content": {"parts": [{"text": "a"}], "role": "model"}, "index": 0}
    whole = {"candidates": [{**content, "finishReason": "STOP", **candidate}], "usageMetadata": usage, "modelVersion": model}
    # The searches come after the last report of usage, at the latest with the finish.
    chunks: list[Fields] = [
        {"candidates": [content], "usageMetadata": usage, "modelVersion": model},
        {"candidates": [{"index": 0, "finishReason": "STOP", **candidate}]},
    ]
    return "gemini", whole, b"".join(sse.write(orjson.dumps(chunk)) for chunk in chunks)


def cohere(usage: Fields) -> tuple[str, Fields, bytes]:
    whole = {
        "id": "c",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
        "finish_reason": "COMPLETE",
        "usage": usage,
    }
    events: list[Fields] = [
        {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": "a"}}}},
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    return "cohere", whole, b"".join(sse.write(orjson.dumps(each), each["type"]) for each in events) + b"data: [DONE]\n\n"


def bedrock(usage: Fields, **body: Any) -> tuple[str, Fields, bytes]:
    message = {"role": "assistant", "content": [{"text": "a"}]}
    whole = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, **body}
    frames = [
        _frame("messageStart", {"role": "assistant"}),
        _frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "a"}}),
        _frame("messageStop", {"stopReason": "end_turn"}),
        _frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}, **body}),
    ]
    return "bedrock", whole, b"".join(frames)


def ollama(**counts: Any) -> tuple[str, Fields, bytes]:
    message = {"role": "assistant", "content": "a"}
    whole = {"model": "m", "created_at": "2026-11-30T00:00:00Z", "message": message, "done": True, "done_reason": "stop", **counts}
    return "ollama", whole, orjson.dumps(whole) + b"\n"


TEN = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
IO = {"input_tokens": 10, "output_tokens": 10}
SEARCH = {"type": "web_search_call", "id": "w", "status": "completed"}
CASES: dict[str, tuple[tuple[str, Fields, bytes], Fields]] = {
    # OpenAI and its compatible vendors
    "pictures in the prompt": (
        chat({**TEN, "prompt_tokens_details": {"image_tokens": 7, "text_tokens": 3}}), {"input": 10, "image_in": 7, "output": 10},
    ),
    "pictures in the answer": (
        chat({**TEN, "completion_tokens_details": {"image_tokens": 8}}), {"input": 10, "output": 10, "image_out": 8},
    ),
    "sound in and out": (
        chat({**TEN, "prompt_tokens_details": {"audio_tokens": 4}, "completion_tokens_details": {"audio_tokens": 6}}),
        {"input": 6, "audio_in": 4, "output": 4, "audio_out": 6},
    ),
    "sound read from the cache": (
        chat({**TEN, "prompt_tokens_details": {
            "audio_tokens": 6, "cached_tokens": 5, "cached_tokens_details": {"audio_tokens": 5},
        }}),
        {"input": 4, "cache_read": 5, "audio_in": 1, "output": 10, "unclear": ("cached_audio_tokens",)},
    ),
    "predicted tokens are within the completion": (
        chat({**TEN, "completion_tokens_details": {"accepted_prediction_tokens": 3, "rejected_prediction_tokens": 2}}),
        {"input": 10, "output": 10},
    ),
    "a service tier of the body": (chat(TEN, service_tier="priority"), {"input": 10, "output": 10, "service_tier": "priority"}),
    "a service tier in the usage (Mistral)": (
        chat({**TEN, "service_tier": "standard"}), {"input": 10, "output": 10, "service_tier": "standard"},
    ),
    "DeepSeek's hits and misses": (
        chat({**TEN, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 4}), {"input": 4, "cache_read": 6, "output": 10},
    ),
    "Moonshot's cached tokens": (chat({**TEN, "cached_tokens": 6}), {"input": 4, "cache_read": 6, "output": 10}),
    "Writer's details under another name": (
        chat({**TEN, "prompt_token_details": {"cached_tokens": 6}, "completion_token_details": {"reasoning_tokens": 2}}),
        {"input": 4, "cache_read": 6, "output": 10, "reasoning": 2},
    ),
    "Qwen's cache writes by lifetime": (
        chat({**TEN, "prompt_tokens_details": {
            "cached_tokens": 0, "cache_creation_input_tokens": 8,
            "cache_creation": {"ephemeral_5m_input_tokens": 8}, "cache_type": "ephemeral",
        }}),
        {"input": 2, "cache_write_5m": 8, "output": 10},
    ),
    "cache writes of an hour behind OpenAI's API": (
        chat({**TEN, "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 8},
              "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 5}}),
        {"input": 1, "cache_read": 1, "cache_write_5m": 3, "cache_write_1h": 5, "output": 10},
    ),
    "xAI's sources": (chat({**TEN, "num_sources_used": 3}), {"input": 10, "output": 10, "searches": 3}),
    "xAI's agent tools": (
        chat({**TEN, "num_server_side_tools_used": 4,
              "server_side_tool_usage_details": {"web_search_calls": 2, "x_search_calls": 1, "code_interpreter_calls": 1}}),
        {"input": 10, "output": 10, "searches": 3, "unclear": ("server_side_tool_usage_details.code_interpreter_calls",)},
    ),
    "Perplexity without a cost": (
        chat({**TEN, "num_search_queries": 5, "citation_tokens": 9, "search_context_size": "high"}),
        {"input": 10, "output": 10, "searches": 5, "surcharges": ("search_context:high",), "unclear": ("citation_tokens",)},
    ),
    "Perplexity with a cost": (
        chat({**TEN, "num_search_queries": 5, "citation_tokens": 9, "search_context_size": "low", "cost": {"total_cost": 0.5}}),
        {"input": 10, "output": 10, "searches": 5, "cost_nano": 500_000_000},
    ),
    "OpenRouter's searches and cost": (
        chat({**TEN, "cost": 0.25, "is_byok": False,
              "server_tool_use_details": {"web_search_requests": 3, "tool_calls_executed": 3}}),
        {"input": 10, "output": 10, "searches": 3, "cost_nano": 250_000_000},
    ),
    "DeepInfra's cost": (chat({**TEN, "estimated_cost": 0.000125}), {"input": 10, "output": 10, "cost_nano": 125_000}),
    "DashScope's search": (
        chat({**TEN, "plugins": {"search": {"count": 1, "strategy": "turbo"}}}), {"input": 10, "output": 10, "searches": 1},
    ),
    "Mistral's seconds of sound": (
        chat({"prompt_tokens": 9, "completion_tokens": 201, "total_tokens": 585, "prompt_audio_seconds": 4,
              "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 375}}),
        {"input": 9, "audio_in": 375, "output": 201, "unclear": ("prompt_audio_seconds",)},
    ),
    "Groq's models within a compound one": (
        chat(TEN, usage_breakdown={"models": [{"model": "a", "usage": TEN}]}),
        {"input": 10, "output": 10, "unclear": ("usage_breakdown",)},
    ),
    "speeds of a local server": (
        chat({**TEN, "tokens_per_second": 117.8, "time_to_first_token_ms": 66.1, "queue_time": 0.1, "draft_tokens": 4}),
        {"input": 10, "output": 10},
    ),
    "a dimension nobody knows": (
        chat({**TEN, "quantum_tokens": 5, "details": {"hologram_units": 2}}),
        {"input": 10, "output": 10, "unclear": ("quantum_tokens", "details.hologram_units")},
    ),
    # Contradictions
    "the other API's words": (
        chat({"input_tokens": 10, "output_tokens": 4}), {"input": 10, "output": 4, "unclear": ("input_tokens", "output_tokens")},
    ),
    "a total alone": (chat({"total_tokens": 20}), {"input": 20, "unclear": ("total_tokens",)}),
    "a total below its parts": (chat({**TEN, "total_tokens": 15}), {"input": 10, "output": 10, "unclear": ("total_tokens",)}),
    "a negative count": (
        chat({"prompt_tokens": -5, "completion_tokens": 10}), {"output": 10, "unclear": ("prompt_tokens",)},
    ),
    "a count that is a word": (
        chat({**TEN, "prompt_tokens": "many"}), {"input": 0, "output": 20, "reasoning": 10, "unclear": ("prompt_tokens",)},
    ),
    "more cached than there was": (
        chat({**TEN, "prompt_tokens_details": {"cached_tokens": 600}}),
        {"input": 10, "cache_read": 600, "output": 10, "unclear": ("cached_tokens",)},
    ),
    "more thinking than output": (
        chat({**TEN, "completion_tokens_details": {"reasoning_tokens": 12}}),
        {"input": 10, "output": 10, "reasoning": 10, "unclear": ("reasoning_tokens",)},
    ),
    "a surplus that is not the thinking": (
        chat({**TEN, "total_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 3}}),
        {"input": 10, "output": 40, "reasoning": 3, "unclear": ("total_tokens",)},
    ),
    "more sound than prompt": (
        chat({**TEN, "prompt_tokens_details": {"audio_tokens": 30}}),
        {"input": 0, "audio_in": 30, "output": 10, "unclear": ("audio_tokens",)},
    ),
    # The Responses API
    "searches of the Responses API": (
        responses(
            IO, SEARCH, {**SEARCH, "action": {"type": "search", "queries": ["a", "b"]}},
            {**SEARCH, "action": {"type": "open_page"}}, {**SEARCH, "status": "failed"}, service_tier="flex",
        ),
        {"input": 10, "output": 10, "searches": 2, "service_tier": "flex"},
    ),
    "searches that the response counts": (
        responses(IO, tool_usage={"web_search": {"num_requests": 4}, "image_gen": {"input_tokens": 0}}),
        {"input": 10, "output": 10, "searches": 4},
    ),
    "a picture that another model made": (
        responses(IO, {"type": "image_generation_call", "id": "i", "result": "QQ=="},
                  tool_usage={"image_gen": {"output_tokens": 99}}),
        {"input": 10, "output": 10, "unclear": ("tool_usage.image_gen.output_tokens", "image_generation_call")},
    ),
    "a search in files": (
        responses(IO, {"type": "file_search_call", "id": "f", "queries": ["q"]}),
        {"input": 10, "output": 10, "unclear": ("file_search_call",)},
    ),
    "a shell of the client is free, one in a container is not": (
        responses(IO, {"type": "shell_call", "id": "s"}, {"type": "shell_call", "id": "t", "environment": {"container_id": "c"}}),
        {"input": 10, "output": 10, "unclear": ("shell_call",)},
    ),
    "pictures in the Responses API": (
        responses({**IO, "input_tokens_details": {"image_tokens": 6},
                   "output_tokens_details": {"reasoning_tokens": 2, "image_tokens": 5}}),
        {"input": 10, "image_in": 6, "output": 10, "reasoning": 2, "image_out": 5},
    ),
    # Anthropic
    "Claude's searches, tier, speed and region": (
        anthropic({**IO, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 3}, "service_tier": "priority",
                   "speed": "fast", "inference_geo": "us"}),
        {"input": 10, "output": 10, "searches": 2, "service_tier": "priority", "surcharges": ("speed:fast", "region:us")},
    ),
    "Claude at the usual speed, anywhere": (
        anthropic({**IO, "service_tier": "standard", "speed": "standard", "inference_geo": "not_available"}),
        {"input": 10, "output": 10, "service_tier": "standard"},
    ),
    "the rest of a cache write has the lifetime of the others": (
        anthropic({**IO, "cache_creation_input_tokens": 33,
                   "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 20}}),
        {"input": 10, "output": 10, "cache_write_1h": 33},
    ),
    "with two lifetimes the rest is unclear": (
        anthropic({**IO, "cache_creation_input_tokens": 33,
                   "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}}),
        {"input": 10, "output": 10, "cache_write_5m": 10, "cache_write_1h": 23, "unclear": ("cache_creation",)},
    ),
    "compaction is billed and not in the totals": (
        anthropic({**IO, "iterations": [
            {"type": "compaction", "input_tokens": 180, "output_tokens": 35, "cache_read_input_tokens": 7,
             "cache_creation_input_tokens": 4, "cache_creation": {"ephemeral_1h_input_tokens": 4}},
            {"type": "message", **IO},
        ]}),
        {"input": 190, "output": 45, "cache_read": 7, "cache_write_1h": 4},
    ),
    "advice of another model": (
        anthropic({**IO, "iterations": [{"type": "message", **IO}, {"type": "advisor_message", "model": "claude-opus-4-8", **IO}]}),
        {"input": 10, "output": 10, "unclear": ("iterations.advisor_message",)},
    ),
    "Claude's code execution": (
        anthropic({**IO, "server_tool_use": {"code_execution_requests": 1}}),
        {"input": 10, "output": 10, "unclear": ("server_tool_use.code_execution_requests",)},
    ),
    # Gemini
    "Gemini's modalities": (
        gemini({"promptTokenCount": 100, "candidatesTokenCount": 50, "thoughtsTokenCount": 5, "totalTokenCount": 155,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}, {"modality": "IMAGE", "tokenCount": 25},
                                        {"modality": "VIDEO", "tokenCount": 5}, {"modality": "AUDIO", "tokenCount": 30}],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 40}, {"modality": "AUDIO", "tokenCount": 10}]}),
        {"input": 70, "audio_in": 30, "image_in": 25, "output": 45, "audio_out": 10, "image_out": 40, "reasoning": 5},
    ),
    "Gemini's cached sound": (
        gemini({"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 5, "totalTokenCount": 105,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 30}, {"modality": "AUDIO", "tokenCount": 70}],
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 60}]}),
        {"input": 30, "cache_read": 60, "audio_in": 10, "output": 5, "unclear": ("cached_audio_tokens",)},
    ),
    "Gemini's tools and tier": (
        gemini({"promptTokenCount": 10, "toolUsePromptTokenCount": 20, "candidatesTokenCount": 5, "totalTokenCount": 35,
                "serviceTier": "flex", "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}]}),
        {"input": 30, "output": 5, "service_tier": "flex"},
    ),
    "Vertex' priority": (
        gemini({"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15, "trafficType": "ON_DEMAND_PRIORITY"}),
        {"input": 10, "output": 5, "service_tier": "priority"},
    ),
    "Vertex at its usual price": (
        gemini({"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15, "trafficType": "ON_DEMAND"}),
        {"input": 10, "output": 5, "service_tier": "on_demand"},
    ),
    "a modality of tomorrow": (
        gemini({"promptTokenCount": 10, "candidatesTokenCount": 5,
                "promptTokensDetails": [{"modality": "SMELL", "tokenCount": 4}]}),
        {"input": 10, "output": 5, "unclear": ("promptTokensDetails.SMELL",)},
    ),
    "Gemini 3 bills each query": (
        gemini({"promptTokenCount": 10, "candidatesTokenCount": 5}, groundingMetadata={"webSearchQueries": ["a", "b", "", "a"]}),
        {"input": 10, "output": 5, "searches": 2},
    ),
    "Gemini 2.5 bills the grounded prompt": (
        gemini({"promptTokenCount": 10, "candidatesTokenCount": 5}, "gemini-2.5-pro",
               groundingMetadata={"webSearchQueries": ["a", "b"]}),
        {"input": 10, "output": 5, "searches": 1},
    ),
    "a Gemini without a version": (
        gemini({"promptTokenCount": 10, "candidatesTokenCount": 5}, "tuned", groundingMetadata={"webSearchQueries": ["a", "b"]}),
        {"input": 10, "output": 5, "searches": 2, "unclear": ("groundingMetadata.webSearchQueries",)},
    ),
    "Google Maps": (
        gemini({"promptTokenCount": 10, "candidatesTokenCount": 5},
               groundingMetadata={"groundingChunks": [{"maps": {"uri": "u"}}]}),
        {"input": 10, "output": 5, "unclear": ("groundingMetadata.maps",)},
    ),
    # Cohere
    "Cohere's searches": (
        cohere({"billed_units": {"input_tokens": 10, "output_tokens": 5, "search_units": 2}, "tokens": {"input_tokens": 600}}),
        {"input": 10, "output": 5, "searches": 2},
    ),
    "Cohere's pictures and classifications": (
        cohere({"billed_units": {"input_tokens": 10, "output_tokens": 5, "image_tokens": 4, "classifications": 2}}),
        {"input": 10, "image_in": 4, "output": 5, "unclear": ("billed_units.classifications",)},
    ),
    # Ollama
    "Ollama's counts": (ollama(prompt_eval_count=10, eval_count=5, eval_duration=10**9), {"input": 10, "output": 5}),
    "a negative count of Ollama's": (ollama(prompt_eval_count=-1, eval_count=5), {"output": 5, "unclear": ("prompt_eval_count",)}),
    # Bedrock
    "Bedrock's tier, latency and guardrails": (
        bedrock({"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, serviceTier={"type": "priority"},
                performanceConfig={"latency": "optimized"},
                trace={"guardrail": {"inputAssessment": {"g": {"invocationMetrics": {"usage": {
                    "topicPolicyUnits": 1, "sensitiveInformationPolicyFreeUnits": 1}}}}}}),
        {"input": 10, "output": 5, "service_tier": "priority", "surcharges": ("speed:optimized",), "unclear": ("guardrail",)},
    ),
    "Bedrock's free guardrails": (
        bedrock({"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, serviceTier={"type": "default"},
                trace={"guardrail": {"inputAssessment": {"g": {"invocationMetrics": {"usage": {
                    "topicPolicyUnits": 0, "sensitiveInformationPolicyFreeUnits": 1}}}}}}),
        {"input": 10, "output": 5, "service_tier": "default"},
    ),
    "Bedrock's cache writes by lifetime": (
        bedrock({"inputTokens": 10, "outputTokens": 5, "totalTokens": 45,
                 "cacheWriteInputTokens": 30, "cacheWriteInputTokenCount": 30,
                 "cacheDetails": [{"ttl": "1h", "inputTokens": 20}, {"ttl": "5m", "inputTokens": 10}]}),
        {"input": 10, "output": 5, "cache_write_5m": 10, "cache_write_1h": 20},
    ),
}  # fmt: skip


def counted(usage: Usage | None) -> Fields:
    """The fields of a usage that are set, without what is kept for the client."""
    assert usage is not None
    unset = Usage()
    found = {each.name: getattr(usage, each.name) for each in fields(Usage) if each.name != "extra"}
    return {name: value for name, value in found.items() if value != getattr(unset, name)}


@pytest.mark.parametrize("case", CASES)
def test_every_dimension_of_a_whole_answer_is_read(case: str) -> None:
    (name, whole, _), expected = CASES[case]
    usage = collect(dialect(name).read_response(copy.deepcopy(whole))).usage
    assert counted(usage) == {field: value for field, value in expected.items() if value}


@pytest.mark.parametrize("case", CASES)
def test_a_stream_reports_the_same_as_the_whole_answer(case: str) -> None:
    (name, _, stream), expected = CASES[case]
    assert counted(collect(read(dialect(name), stream)).usage) == {field: value for field, value in expected.items() if value}


@pytest.mark.parametrize("case", CASES)
def test_a_report_that_is_written_back_is_read_as_the_same_usage(case: str) -> None:
    """A client of the same dialect gets the provider's counts: what is added for the price is taken away again."""
    (name, whole, _), _ = CASES[case]
    language = dialect(name)
    answer = collect(language.read_response(copy.deepcopy(whole)))
    written = language.write_response(answer, ChatRequest(name, "m"))
    again = collect(language.read_response(written)).usage
    assert again is not None
    assert answer.usage is not None
    tokens = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "audio_in", "audio_out", "searches")
    # A report that contradicts itself has no form of its own.
    if not answer.usage.unclear:
        assert {one: getattr(again, one) for one in tokens} == {one: getattr(answer.usage, one) for one in tokens}


def test_searches_and_pictures_reach_clients_of_other_dialects_in_their_own_fields() -> None:
    answer = collect(
        dialect("openai_chat").read_response(
            chat({**TEN, "num_search_queries": 2, "prompt_tokens_details": {"image_tokens": 6}})[1]
        )
    )

    def usage(name: str, field: str = "usage") -> Fields:
        found: Fields = dialect(name).write_response(answer, ChatRequest(name, "m"))[field]
        return found

    assert usage("anthropic_messages")["server_tool_use"] == {"web_search_requests": 2, "web_fetch_requests": 0}
    assert usage("gemini", "usageMetadata")["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 4}, {"modality": "IMAGE", "tokenCount": 6},
    ]  # fmt: skip
    assert usage("openai_responses")["input_tokens_details"]["image_tokens"] == 6
    # Nothing is invented for an answer without either.
    plain = collect(dialect("openai_chat").read_response(chat(TEN)[1]))
    for name in ("anthropic_messages", "openai_responses", "cohere", "bedrock"):
        written = orjson.dumps(dialect(name).write_response(plain, ChatRequest(name, "m"))["usage"])
        assert b"image" not in written
        assert b"search" not in written


# The recordings

READ = {
    "usage": {
        "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "cached_tokens", "audio_tokens", "image_tokens",
        "cache_write_tokens", "reasoning_tokens", "thinking_tokens", "num_cached_tokens", "prompt_cache_hit_tokens",
        "cache_creation_input_tokens", "cache_read_input_tokens", "ephemeral_1h_input_tokens", "ephemeral_5m_input_tokens",
        "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "web_search_requests", "web_search_calls",
        "x_search_calls", "num_sources_used", "service_tier", "inference_geo", "search_context_size", "is_byok",
    },
    "usageMetadata": {
        "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount",
        "tokenCount", "modality", "serviceTier", "trafficType",
    },
}  # fmt: skip
"""Names of leaves in the recorded reports that a field of `Usage` holds."""
IGNORED = {
    "usage.audio_prompt_tokens": "Azure's Grok repeats `audio_tokens`",
    "usage.prompt_cache_miss_tokens": "the prompt without its cached part (DeepSeek)",
    "usage.prompt_token_details": "null next to the details under their usual name (Mistral, Writer)",
    "usage.completion_tokens_details": "null",
    "usage.prompt_tokens_details": "null",
    "usage.iterations": "summed where they are billed and not in the totals",
    "usage.tokens": "Cohere: what the model saw; `billed_units` is what is paid for",
    "usage.cached_tokens": "Cohere: of `tokens`, not of what is billed",
}
UNCLEAR = {
    "usage.prompt_audio_seconds": "Voxtral's price by minute: a chat has no field for seconds",
    "usage.server_side_tool_usage_details": "xAI's tools, each with a price; its answers report their cost as well",
    "usage.PolicyUnits": "guardrails of Bedrock, read from the trace",
}
"""Paths without a field: their cost is an estimate."""


def reports(value: Any) -> Iterator[tuple[str, Fields]]:
    """Every usage object within a JSON value, with its field's name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("usage", "usageMetadata") and isinstance(inner, dict):
                yield name, inner
            else:
                yield from reports(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from reports(inner)


def paths(value: Any, prefix: str) -> Iterator[str]:
    """The path of every leaf; lists have no index."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, f"{prefix}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, prefix)
    else:
        yield prefix


def documents(recorded: Fields) -> Iterator[Any]:
    """The JSON documents of an answer: one, or one for each event."""
    texts = [recorded["text"]] if "text" in recorded else []
    if "base64" in recorded:
        data = base64.b64decode(recorded["base64"]).decode("latin1")
        decoder, at = json.JSONDecoder(), 0
        while (at := data.find("{", at)) >= 0:
            try:
                document, at = decoder.raw_decode(data, at)
                yield document
            except ValueError:
                at += 1
    for text in texts:
        try:
            yield orjson.loads(text)
        except orjson.JSONDecodeError:
            for line in text.splitlines():
                line = line.removeprefix("data:").strip()
                if line[:1] == "{":
                    try:
                        yield orjson.loads(line)
                    except orjson.JSONDecodeError:
                        continue


def is_accounted(path: str) -> bool:
    """Whether a leaf of a report is read, is free, or makes the cost an estimate."""
    field, *steps = path.split(".")
    leaf = steps[-1]
    if leaf in READ[field] or leaf == "type":
        return True
    if any(step in NOT_BILLED or is_time(step) for step in steps):
        return True
    known = (*IGNORED, *UNCLEAR)
    return any(path == one or path.startswith(f"{one}.") for one in known) or leaf.endswith(("PolicyUnits", "PolicyFreeUnits"))


def test_every_key_of_the_recorded_reports_is_accounted_for(recordings: Path) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for each in interactions(recordings):
        for document in documents(each):
            for field, report in reports(document):
                for path in paths(report, field):
                    found[path].add(each["provider"])
    assert len(found) > 100
    assert {path: sorted(providers) for path, providers in found.items() if not is_accounted(path)} == {}


def test_recorded_reports_are_clear_but_for_what_has_no_field(recordings: Path) -> None:
    """No report of the recordings is taken for a contradiction."""
    unclear: dict[str, set[str]] = defaultdict(set)
    seen = 0
    for each in interactions(recordings):
        for document in documents(each):
            for field, report in reports(document):
                if field == "usageMetadata":
                    read_usage: Any = of_gemini
                elif "inputTokens" in report:
                    read_usage = of_bedrock
                elif "prompt_tokens" in report:
                    read_usage = of_chat
                elif "input_tokens" in report and ("cache_read_input_tokens" in report or each["provider"] == "anthropic"):
                    read_usage = of_anthropic
                elif "input_tokens" in report:
                    read_usage = of_responses
                else:
                    continue
                seen += 1
                for name in read_usage(report).unclear:
                    unclear[name].add(each["provider"])
    assert seen > 800
    assert dict(unclear) == {
        "prompt_audio_seconds": {"mistral"}, "iterations.advisor_message": {"anthropic"}, "cached_audio_tokens": {"gemini"},
    }  # fmt: skip


# The parts


def test_names_of_what_nothing_reads_are_bounded() -> None:
    wild = {"a" * 300: 1, **{f"b{index}": 1 for index in range(100)}, "deep": {"er": [{"still": {"x": 3}}]}}
    found = names(unread(wild))
    assert len(found) <= 12
    assert max(map(len, found)) <= 60


def test_nothing_but_positive_numbers_is_a_dimension() -> None:
    assert unread({"a": 0, "b": None, "c": "high", "d": False, "e": True, "f": [], "g": {}, "h": "7", "i": {"j": 2}}) == [
        "h",
        "i.j",
    ]


def test_counts_that_cannot_be_are_named() -> None:
    fields = {"a": -1, "b": "x", "c": True, "d": 10**15, "e": 0, "f": None, "g": 3, "h": "4", "i": 1.0, "j": float("nan"), "k": [1]}
    assert faulty(fields, fields) == ["a", "b", "c", "d", "j", "k"]


def test_tiers_and_surcharges_are_short_printable_texts() -> None:
    assert (tier("priority"), tier(None), tier(3), tier("a\x1b[31m")) == ("priority", "", "", "")
    assert len(tier("x" * 1000)) <= 60
    assert surcharge("speed", "fast", ("standard",)) == ("speed:fast",)
    assert surcharge("speed", "standard", ("standard",)) == surcharge("speed", None, ()) == ()
