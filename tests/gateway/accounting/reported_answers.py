"""Answers of every dialect that report given counts as their vendors do: whole bodies, and the frames of streams."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import orjson

from conduit_desktop.core.answer import collect
from conduit_desktop.core.events import Usage
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import aws_eventstream, sse
from tests.wire.dialect_io import read

Fields = dict[str, Any]
TEXT = ("Twelve words of ", "an answer.")
"""The pieces of the text that every answer has."""


@dataclass(frozen=True)
class Counts:
    """Tokens by class, each token in one class alone; `tier` is the service tier and `speed` the speed that is reported."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_in: int = 0
    image_in: int = 0
    output: int = 0
    reasoning: int = 0
    audio_out: int = 0
    image_out: int = 0
    tier: str = ""
    speed: str = ""

    @property
    def written(self) -> int:
        """Tokens written to the cache for any time."""
        return self.cache_write + self.cache_write_1h

    @property
    def prompt(self) -> int:
        """The whole input."""
        return self.input + self.cache_read + self.written + self.audio_in + self.image_in

    @property
    def completion(self) -> int:
        """The whole output."""
        return self.output + self.reasoning + self.audio_out + self.image_out

    @property
    def used(self) -> set[str]:
        """The classes that have any tokens."""
        return {each.name for each in fields(self) if isinstance(getattr(self, each.name), int) and getattr(self, each.name)}

    def only(self, classes: frozenset[str]) -> Counts:
        """The same without the tokens of other classes."""
        return replace(self, **dict.fromkeys(self.used - classes, 0))


@dataclass(frozen=True)
class Answer:
    """A whole body and the frames of the stream of the same answer."""

    dialect: str
    whole: Fields
    frames: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """The whole answer as it is sent."""
        return orjson.dumps(self.whole)

    @property
    def stream(self) -> bytes:
        """The whole stream."""
        return b"".join(self.frames)

    def usages(self) -> dict[str, Usage]:
        """The usage of the whole answer and of the stream, as the dialect reads them."""
        language = dialect(self.dialect)
        whole = collect(language.read_response(copy.deepcopy(self.whole))).usage
        streamed = collect(read(language, self.stream)).usage
        assert whole is not None
        assert streamed is not None
        return {"whole": whole, "streamed": streamed}

    @property
    def content_type(self) -> str:
        """The content type of the stream."""
        return "application/vnd.amazon.eventstream" if self.dialect == "bedrock" else "text/event-stream"


@dataclass(frozen=True)
class Shape:
    """The way in which a vendor reports counts in a dialect: `make(model, counts)`, and the classes it has fields for."""

    name: str
    make: Callable[[str, Counts], Answer]
    classes: frozenset[str]
    tiers: bool = False
    """Whether it reports the service tier."""


_TEXT = frozenset({"input", "output"})
_CACHED = _TEXT | {"cache_read", "reasoning"}


def _sse(*values: Fields, done: bool = True) -> tuple[bytes, ...]:
    frames = tuple(sse.write(orjson.dumps(each), each.get("type")) for each in values)
    return (*frames, b"data: [DONE]\n\n") if done else frames


# Chat Completions


def chat(usage: Fields, model: str, *, in_choice: bool = False, groq: bool = False, **body: Any) -> Answer:
    """An answer of Chat Completions with that report; `in_choice` and `groq`: where Kimi's and Groq's streams have it."""
    head = {"id": "chatcmpl-1", "created": 1, "model": model, **body}
    message = {"role": "assistant", "content": "".join(TEXT)}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    chunk = {**head, "object": "chat.completion.chunk"}

    def piece(delta: Fields, finish: str | None = None, **more: Any) -> Fields:
        return {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}]}

    chunks = [piece({"role": "assistant", "content": ""}), *(piece({"content": text}) for text in TEXT)]
    if in_choice:
        chunks += [piece({}, "stop", usage=usage)]
    elif groq:
        chunks += [{**piece({}, "stop"), "x_groq": {"id": "req_1", "usage": usage}}]
    else:
        chunks += [piece({}, "stop"), {**chunk, "choices": [], "usage": usage}]
    return Answer("openai_chat", whole, _sse(*chunks))


def _tier(counts: Counts) -> Fields:
    return {"service_tier": counts.tier} if counts.tier else {}


def _details(counts: Counts, **names: str) -> Fields:
    return {name: getattr(counts, field) for name, field in names.items() if getattr(counts, field)}


def _openai_report(counts: Counts, prompt: str = "prompt", completion: str = "completion") -> Fields:
    report: Fields = {
        f"{prompt}_tokens": counts.prompt,
        f"{completion}_tokens": counts.completion,
        "total_tokens": counts.prompt + counts.completion,
    }
    inside = _details(
        counts, cached_tokens="cache_read", audio_tokens="audio_in", image_tokens="image_in", cache_write_tokens="written"
    )
    if counts.cache_write_1h:
        inside["cache_creation"] = {
            "ephemeral_5m_input_tokens": counts.cache_write,
            "ephemeral_1h_input_tokens": counts.cache_write_1h,
        }
    made = _details(counts, reasoning_tokens="reasoning", audio_tokens="audio_out", image_tokens="image_out")
    return {**report, f"{prompt}_tokens_details": inside, f"{completion}_tokens_details": made}


def openai(model: str, counts: Counts) -> Answer:
    """OpenAI: every part inside the totals. https://developers.openai.com/api/reference/resources/chat"""
    return chat(_openai_report(counts), model, **_tier(counts))


def groq(model: str, counts: Counts) -> Answer:
    """Groq: times next to the counts, and in a stream the usage in `x_groq`. https://console.groq.com/docs/api-reference"""
    report = {**_openai_report(counts), "queue_time": 0.01, "prompt_time": 0.2, "completion_time": 0.3, "total_time": 0.5}
    return chat(report, model, groq=True, **_tier(counts))


def deepseek(model: str, counts: Counts) -> Answer:
    """DeepSeek: what the cache had and had not. https://api-docs.deepseek.com/guides/kv_cache"""
    report = _openai_report(counts)
    report |= {"prompt_cache_hit_tokens": counts.cache_read, "prompt_cache_miss_tokens": counts.prompt - counts.cache_read}
    return chat(report, model)


def moonshot(model: str, counts: Counts) -> Answer:
    """Kimi: the cached tokens at the top, and the usage of a stream in the last choice. https://platform.kimi.ai/docs/api/chat"""
    totals = {"prompt_tokens": counts.prompt, "completion_tokens": counts.completion}
    report = {**totals, "total_tokens": counts.prompt + counts.completion, "cached_tokens": counts.cache_read}
    return chat(report, model, in_choice=True)


def xai(model: str, counts: Counts) -> Answer:
    """xAI: reasoning apart from the completion. https://docs.x.ai/developers/model-capabilities/text/reasoning"""
    report = _openai_report(counts)
    report["completion_tokens"] -= counts.reasoning
    report |= {"num_sources_used": 0}
    report["prompt_tokens_details"] |= {"text_tokens": counts.prompt}
    return chat(report, model)


def mistral(model: str, counts: Counts) -> Answer:
    """Mistral: null where there is nothing, and sound apart from the prompt. https://docs.mistral.ai/capabilities/audio_transcription"""
    report = _openai_report(counts)
    report["prompt_tokens"] -= counts.audio_in
    report |= {"completion_tokens_details": None, "prompt_token_details": None, "num_cached_tokens": counts.cache_read or None}
    return chat(report, model, **_tier(counts))


# Responses


def responses(usage: Fields, model: str, *items: Fields, status: str = "completed", **body: Any) -> Answer:
    """An answer of the Responses API with that report, after the hosted tools' `items`."""
    part = {"type": "output_text", "text": "".join(TEXT), "annotations": [], "logprobs": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    head = {"id": "resp_1", "object": "response", "created_at": 1, "model": model}
    whole = {**head, "status": status, "output": [*items, message], "usage": usage, **body}
    begun = {**head, "status": "in_progress", "output": [], "usage": None}
    at = len(items)
    events: list[Fields] = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(items):
        events += [{"type": "response.output_item.done", "output_index": index, "item": item}]
    where = {"item_id": "msg_1", "output_index": at, "content_index": 0}
    opened = {**message, "status": "in_progress", "content": []}
    events += [
        {"type": "response.output_item.added", "output_index": at, "item": opened},
        {"type": "response.content_part.added", **where, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **where, "delta": text} for text in TEXT),
        {"type": "response.output_text.done", **where, "text": part["text"]},
        {"type": "response.output_item.done", "output_index": at, "item": message},
        {"type": f"response.{status}", "response": whole},
    ]
    return Answer("openai_responses", whole, _sse(*events, done=False))


def openai_responses(model: str, counts: Counts) -> Answer:
    """OpenAI and xAI: every part inside the totals. https://developers.openai.com/api/reference/resources/responses"""
    return responses(_openai_report(counts, "input", "output"), model, **_tier(counts))


# The other dialects


def messages(usage: Fields, model: str, first: Fields | None = None) -> Answer:
    """An answer of the Messages API with that report; `first` is what `message_start` reports."""
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    whole = {**head, "content": [{"type": "text", "text": "".join(TEXT)}], **ended, "usage": usage}
    early = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "service_tier")
    begin = {name: value for name, value in usage.items() if name in (*early, "inference_geo")} if first is None else first
    begin = {"output_tokens": 1, **begin}
    # The last report lacks the split of the cache writes by lifetime.
    last = {name: value for name, value in usage.items() if name not in ("cache_creation", "service_tier", "inference_geo")}
    events: list[Fields] = [
        {"type": "message_start", "message": {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": begin}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in TEXT),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": last},
        {"type": "message_stop"},
    ]
    return Answer("anthropic_messages", whole, _sse(*events, done=False))


def anthropic(model: str, counts: Counts) -> Answer:
    """Anthropic: cached tokens apart from the input. https://platform.claude.com/docs/en/api/messages"""
    report: Fields = {
        "input_tokens": counts.input,
        "cache_read_input_tokens": counts.cache_read,
        "cache_creation_input_tokens": counts.written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.cache_write,
            "ephemeral_1h_input_tokens": counts.cache_write_1h,
        },
        "output_tokens": counts.completion,
        "service_tier": counts.tier or "standard",
    }
    if counts.reasoning:
        report["output_tokens_details"] = {"thinking_tokens": counts.reasoning}
    if counts.speed:
        report["speed"] = counts.speed
    first = {**{name: value for name, value in report.items() if name != "output_tokens_details"}, "output_tokens": 1}
    return messages(report, model, first)


def gemini_answer(usage: Fields, model: str, **candidate: Any) -> Answer:
    """An answer of `generateContent` with that report."""

    def part(text: str, **more: Any) -> Fields:
        return {
            "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}],
            "modelVersion": model,
        }

    whole = {**part("".join(TEXT), finishReason="STOP", **candidate), "usageMetadata": usage, "responseId": "r"}
    early = {name: value for name, value in usage.items() if name in ("promptTokenCount", "cachedContentTokenCount")}
    chunks: list[Fields] = [{**part(TEXT[0]), "usageMetadata": {**early, "totalTokenCount": usage.get("promptTokenCount", 0)}}]
    chunks += [{**part(TEXT[1], finishReason="STOP", **candidate), "usageMetadata": usage}]
    return Answer("gemini", whole, _sse(*chunks, done=False))


def gemini(model: str, counts: Counts) -> Answer:
    """Gemini: sound and pictures by modality, thinking apart from the candidates. https://ai.google.dev/api/generate-content"""
    report: Fields = {
        "promptTokenCount": counts.prompt,
        "candidatesTokenCount": counts.completion - counts.reasoning,
        "totalTokenCount": counts.prompt + counts.completion,
        "promptTokensDetails": _modalities(counts.prompt, counts.audio_in, counts.image_in),
        "candidatesTokensDetails": _modalities(counts.completion - counts.reasoning, counts.audio_out, counts.image_out),
    }
    if counts.cache_read:
        report |= {"cachedContentTokenCount": counts.cache_read, "cacheTokensDetails": _modalities(counts.cache_read, 0, 0)}
    if counts.reasoning:
        report["thoughtsTokenCount"] = counts.reasoning
    if counts.tier:
        report["serviceTier"] = counts.tier
    return gemini_answer(report, model)


def _modalities(total: int, audio: int, image: int) -> list[Fields]:
    rows = {"TEXT": total - audio - image, "AUDIO": audio, "IMAGE": image}
    return [{"modality": name, "tokenCount": count} for name, count in rows.items() if count]


def converse(usage: Fields, **body: Any) -> Answer:
    """An answer of Bedrock's Converse with that report; it names no model."""
    whole = {
        "output": {"message": {"role": "assistant", "content": [{"text": "".join(TEXT)}]}},
        "stopReason": "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 9},
        **body,
    }
    frames = [
        _frame("messageStart", {"role": "assistant"}),
        *(_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in TEXT),
        _frame("contentBlockStop", {"contentBlockIndex": 0}),
        _frame("messageStop", {"stopReason": "end_turn"}),
        _frame("metadata", {"usage": usage, "metrics": {"latencyMs": 9}, **body}),
    ]
    return Answer("bedrock", whole, tuple(frames))


def _frame(kind: str, value: Fields) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return aws_eventstream.write(orjson.dumps(value), headers)


def bedrock(model: str, counts: Counts) -> Answer:
    """Bedrock: cached tokens apart from the input, thinking within the output.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
    """
    report: Fields = {
        "inputTokens": counts.input,
        "outputTokens": counts.completion,
        "totalTokens": counts.prompt + counts.completion,
        "cacheReadInputTokens": counts.cache_read,
        "cacheWriteInputTokens": counts.written,
    }
    rows = {"5m": counts.cache_write, "1h": counts.cache_write_1h}
    if counts.written:
        report["cacheDetails"] = [{"ttl": ttl, "inputTokens": count} for ttl, count in rows.items() if count]
    return converse(report)


def cohere_answer(usage: Fields) -> Answer:
    """An answer of Cohere with that report; it names no model."""
    content = [{"type": "text", "text": "".join(TEXT)}]
    whole = {"id": "c1", "message": {"role": "assistant", "content": content}, "finish_reason": "COMPLETE", "usage": usage}
    events: list[Fields] = [
        {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant", "content": []}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        *({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}} for text in TEXT),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    return Answer("cohere", whole, _sse(*events))


def cohere(model: str, counts: Counts) -> Answer:
    """Cohere: what is billed, and what the model saw. https://docs.cohere.com/reference/chat"""
    billed = {"input_tokens": counts.prompt, "output_tokens": counts.completion}
    seen = {"input_tokens": counts.prompt + 66, "output_tokens": counts.completion + 3}
    return cohere_answer({"billed_units": billed, "tokens": seen})


_EVERY = frozenset(each.name for each in fields(Counts) if each.name not in ("tier", "speed"))
OPENAI = Shape("openai_chat", openai, _EVERY, tiers=True)
RESPONSES = Shape("openai_responses", openai_responses, _EVERY, tiers=True)
ANTHROPIC = Shape("anthropic_messages", anthropic, _CACHED | {"cache_write", "cache_write_1h"}, tiers=True)
GEMINI = Shape("gemini", gemini, _CACHED | {"audio_in", "audio_out", "image_in", "image_out"}, tiers=True)
BEDROCK = Shape("bedrock", bedrock, _TEXT | {"cache_read", "cache_write", "cache_write_1h"})
COHERE = Shape("cohere", cohere, _TEXT)
GROQ = Shape("openai_chat", groq, _CACHED, tiers=True)
DEEPSEEK = Shape("openai_chat", deepseek, _CACHED)
MOONSHOT = Shape("openai_chat", moonshot, _TEXT | {"cache_read"})
XAI = Shape("openai_chat", xai, _CACHED)
MISTRAL = Shape("openai_chat", mistral, _TEXT | {"cache_read", "audio_in"}, tiers=True)
SHAPES: dict[str, tuple[Shape, ...]] = {
    "openai": (OPENAI, RESPONSES),
    "azure": (OPENAI, RESPONSES),
    "anthropic": (ANTHROPIC,),
    "google": (GEMINI,),
    "aws": (BEDROCK,),
    "cohere": (COHERE,),
    "groq": (GROQ,),
    "deepseek": (DEEPSEEK, ANTHROPIC),
    "moonshotai": (MOONSHOT, ANTHROPIC),
    "zai": (OPENAI, ANTHROPIC),
    "minimax": (OPENAI, ANTHROPIC),
    "x-ai": (XAI, RESPONSES),
    "mistral": (MISTRAL,),
    **dict.fromkeys(
        (
            "openrouter", "together", "fireworks", "cerebras", "perplexity", "cloudflare", "novita", "baseten", "databricks",
            "arcee", "meta", "ovhcloud", "zhipuai", "github-copilot", "huggingface_novita", "huggingface_together",
        ),
        (OPENAI,),
    ),
}  # fmt: skip
"""The shapes of each provider of the catalog, for the dialects that it speaks."""
