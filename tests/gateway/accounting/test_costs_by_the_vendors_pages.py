"""What genai-prices lacks: searches, fees, tiers, speeds, regions, pictures, sound and reported costs, checked by hand.

Each case names the vendor's page with the price. A cost is `final` only where everything that was reported has a price.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from conduit_desktop.core.records import CostState
from conduit_desktop.gateway.accounting.compiled_price import CompiledPrice, compile_price
from conduit_desktop.gateway.accounting.cost import price_answer
from conduit_desktop.gateway.accounting.price_catalog import PriceCatalog
from conduit_desktop.wire.media.usage import read_media_usage, read_units, requested_units
from tests.gateway.accounting.reported_answers import Answer, Fields, chat, converse, gemini_answer, messages, responses

NOW_MS = int(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp() * 1000)
CATALOG = PriceCatalog.load()


def price_of(provider: str, model: str) -> CompiledPrice:
    found = CATALOG.find(provider, model, NOW_MS)
    assert found is not None
    made = compile_price(found.price)
    assert made is not None
    return made


@dataclass(frozen=True)
class ByPage:
    """An answer of a model, and its cost in nano-dollars by the vendor's page."""

    provider: str
    model: str
    answer: Answer
    nano: int
    page: str
    state: CostState = "final"


def claude(model: str, nano: int, page: str, state: CostState = "final", **usage: Any) -> ByPage:
    """1,000 tokens in and 500 out."""
    report = {"input_tokens": 1000, "output_tokens": 500, **usage}
    return ByPage("anthropic", model, messages(report, model), nano, page, state)


def gpt(model: str, nano: int, page: str, *items: Fields, state: CostState = "final", **body: Any) -> ByPage:
    """1,000 tokens in and 500 out, through the Responses API."""
    usage = {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500}
    return ByPage("openai", model, responses(usage, model, *items, **body), nano, page, state)


def of_chat(provider: str, model: str, nano: int, page: str, state: CostState = "final", **usage: Any) -> ByPage:
    """1,000 tokens in and 500 out, through Chat Completions; `body` are fields of the body."""
    body = usage.pop("body", {})
    report = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500, **usage}
    return ByPage(provider, model, chat(report, model, **body), nano, page, state)


def of_gemini(model: str, nano: int, page: str, state: CostState = "final", tier: str = "", **grounding: Any) -> ByPage:
    """1,000 tokens in and 500 out."""
    report: Fields = {"promptTokenCount": 1000, "candidatesTokenCount": 500, "totalTokenCount": 1500}
    candidate = {"groundingMetadata": grounding} if grounding else {}
    answer = gemini_answer({**report, **({"serviceTier": tier} if tier else {})}, model, **candidate)
    return ByPage("google", model, answer, nano, page, state)


SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
CLAUDE = "https://platform.claude.com/docs/en/about-claude/pricing"
OPENAI = "https://developers.openai.com/api/docs/pricing"
GEMINI = "https://ai.google.dev/gemini-api/docs/pricing"
SONAR = "https://docs.perplexity.ai/getting-started/pricing"
XAI = "https://docs.x.ai/developers/pricing"

CHATS: dict[str, ByPage] = {
    # Anthropic: $10 for 1,000 searches, besides the tokens. Fetching a page is free.
    "Claude searches the web": claude(
        "claude-sonnet-4-6", 3_000_000 + 7_500_000 + 3 * 10_000_000, f"{CLAUDE}#web-search-tool",
        server_tool_use={"web_search_requests": 3, "web_fetch_requests": 2},
    ),
    "Claude runs code, by the hour of a container": claude(
        "claude-sonnet-4-6", 3_000_000 + 7_500_000, f"{CLAUDE}#code-execution-tool", "estimated",
        server_tool_use={"code_execution_requests": 1},
    ),
    # Fast mode: Opus 5 at $10 and $50, Opus 5.5 at $8 and $40; it stacks with the factors of the cache and of the region.
    "Claude in a hurry": claude(
        "claude-opus-5", 10_000_000 + 25_000_000, "https://platform.claude.com/docs/en/build-with-claude/fast-mode", speed="fast",
    ),
    "a newer Claude in a hurry": claude(
        "claude-opus-5-5", 8_000_000 + 20_000_000, "https://platform.claude.com/docs/en/build-with-claude/fast-mode", speed="fast",
    ),
    "a Claude that has no fast mode": claude(
        "claude-haiku-4-5", 1_000_000 + 2_500_000, "https://platform.claude.com/docs/en/build-with-claude/fast-mode", "estimated",
        speed="fast",
    ),
    # 1.1 times every token, in the US, since Opus 4.6.
    "Claude in the US": claude(
        "claude-opus-4-6", 5_500_000 + 13_750_000, "https://platform.claude.com/docs/en/manage-claude/data-residency",
        inference_geo="us",
    ),
    "a newer Claude in the US": claude(
        "claude-fable-5-2", 8_800_000 + 22_000_000, "https://platform.claude.com/docs/en/manage-claude/data-residency",
        inference_geo="us",
    ),
    "Claude in the US, from the cache": claude(
        "claude-opus-4-6", 5_500_000 + 13_750_000 + 550_000 + 11_000_000,
        "https://platform.claude.com/docs/en/manage-claude/data-residency",
        inference_geo="us", cache_read_input_tokens=1000, cache_creation_input_tokens=1000,
        cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1000},
    ),
    "Claude anywhere": claude(
        "claude-opus-4-6", 5_000_000 + 12_500_000, "https://platform.claude.com/docs/en/manage-claude/data-residency",
        inference_geo="global",
    ),
    "Claude in a hurry in the US, searching": claude(
        "claude-opus-5", 11_000_000 + 27_500_000 + 10_000_000, "https://platform.claude.com/docs/en/build-with-claude/fast-mode",
        speed="fast", inference_geo="us", server_tool_use={"web_search_requests": 1},
    ),
    "Claude in a batch": claude(
        "claude-sonnet-4-6", 1_500_000 + 3_750_000, f"{CLAUDE}#batch-processing", service_tier="batch",
    ),
    # What was committed to in advance has a price of its own.
    "Claude's priority tier": claude(
        "claude-sonnet-4-6", 3_000_000 + 7_500_000, "https://platform.claude.com/docs/en/api/service-tiers", "estimated",
        service_tier="priority",
    ),
    # OpenAI: $10 for 1,000 calls of web search; opening a page within a search is no call.
    "GPT searches the web": gpt("gpt-5", 1_250_000 + 5_000_000 + 2 * 10_000_000, f"{OPENAI}#built-in-tools", SEARCH, SEARCH),
    "GPT opens a page": gpt(
        "gpt-5", 1_250_000 + 5_000_000 + 10_000_000, f"{OPENAI}#built-in-tools", SEARCH,
        {**SEARCH, "action": {"type": "open_page", "url": "u"}},
    ),
    "GPT searches files": gpt(
        "gpt-5", 1_250_000 + 5_000_000, f"{OPENAI}#built-in-tools", {"type": "file_search_call", "id": "f", "queries": ["q"]},
        state="estimated",
    ),
    "GPT runs code": gpt(
        "gpt-5", 1_250_000 + 5_000_000, f"{OPENAI}#built-in-tools",
        {"type": "code_interpreter_call", "id": "c", "code": "1", "container_id": "x", "status": "completed"}, state="estimated",
    ),
    # $25 for 1,000 requests of a model that searches every time.
    "a model that always searches": of_chat(
        "openai", "gpt-4o-search-preview", 2_500_000 + 5_000_000 + 25_000_000, f"{OPENAI}#built-in-tools",
    ),
    "GPT at flex": gpt("gpt-5-mini", 125_000 + 500_000, f"{OPENAI}?latest-pricing=flex", service_tier="flex"),
    "GPT at priority": gpt("gpt-5-mini", 450_000 + 1_800_000, f"{OPENAI}?latest-pricing=priority", service_tier="priority"),
    "GPT at its default": gpt("gpt-5-mini", 250_000 + 1_000_000, OPENAI, service_tier="default"),
    "GPT of a scale tier": gpt("gpt-5-mini", 250_000 + 1_000_000, OPENAI, state="estimated", service_tier="scale"),
    # Three fifths more, which no decimal factor of GPT-4o mini's $0.15 says.
    "GPT-4o mini at priority": of_chat(
        "openai", "gpt-4o-mini", 250_000 + 500_000, f"{OPENAI}?latest-pricing=priority", body={"service_tier": "priority"},
    ),
    # Gemini: 2.5 by the grounded prompt ($35 for 1,000), 3 by the query ($14 for 1,000).
    "Gemini 2.5 grounds its answer": of_gemini(
        "gemini-2.5-flash", 300_000 + 1_250_000 + 35_000_000, GEMINI, webSearchQueries=["a", "b"],
    ),
    "Gemini 3 grounds its answer": of_gemini(
        "gemini-3-flash-preview", 500_000 + 1_500_000 + 2 * 14_000_000, GEMINI, webSearchQueries=["a", "b", "a", ""],
    ),
    "Gemini grounds its answer in maps": of_gemini(
        "gemini-2.5-flash", 300_000 + 1_250_000, GEMINI, "estimated", groundingChunks=[{"maps": {"uri": "u"}}],
    ),
    "Gemini at flex": of_gemini("gemini-2.5-flash", 150_000 + 625_000, GEMINI, tier="flex"),
    "Gemini at priority": of_gemini("gemini-2.5-flash", 540_000 + 2_250_000, GEMINI, tier="priority"),
    # Perplexity: $5, $8, $12 for 1,000 requests of Sonar; $6, $10, $14 of Sonar Pro.
    "Sonar, a small search": of_chat("perplexity", "sonar", 1_500_000 + 5_000_000, SONAR, search_context_size="low"),
    "Sonar, a middle search": of_chat("perplexity", "sonar", 1_500_000 + 8_000_000, SONAR, search_context_size="medium"),
    "Sonar, a large search": of_chat("perplexity", "sonar", 1_500_000 + 12_000_000, SONAR, search_context_size="high"),
    "Sonar Pro, a small search": of_chat("perplexity", "sonar-pro", 10_500_000 + 6_000_000, SONAR, search_context_size="low"),
    "Sonar Pro, a middle search": of_chat("perplexity", "sonar-pro", 10_500_000 + 10_000_000, SONAR, search_context_size="medium"),
    "Sonar Pro, a large search": of_chat("perplexity", "sonar-pro", 10_500_000 + 14_000_000, SONAR, search_context_size="high"),
    "deep research, by its searches and its reasoning": of_chat(
        "perplexity", "sonar-deep-research", 2_000_000 + 100 * 8_000 + 400 * 3_000 + 7 * 5_000_000, SONAR,
        num_search_queries=7, reasoning_tokens=400,
    ),
    "deep research with citations, whose rate is known to nobody here": of_chat(
        "perplexity", "sonar-deep-research", 2_000_000 + 4_000_000 + 5_000_000, SONAR, "estimated",
        num_search_queries=1, citation_tokens=900,
    ),
    "Sonar reports its cost": of_chat(
        "perplexity", "sonar-pro", 16_512_345, SONAR, search_context_size="low", citation_tokens=900,
        cost={"input_tokens_cost": 0.003, "output_tokens_cost": 0.0075, "request_cost": 0.006, "total_cost": 0.016512345},
    ),
    # xAI: $5 for 1,000 calls of web or X search; code runs at another price. Its ticks are ten for a nano-dollar.
    "Grok searches": of_chat(
        "x-ai", "grok-4.3", 1_250_000 + 1_250_000 + 3 * 5_000_000, XAI,
        server_side_tool_usage_details={"web_search_calls": 2, "x_search_calls": 1},
    ),
    "Grok's sources": of_chat("x-ai", "grok-4.3", 1_250_000 + 1_250_000 + 4 * 5_000_000, XAI, num_sources_used=4),
    "Grok runs code": of_chat(
        "x-ai", "grok-4.3", 1_250_000 + 1_250_000 + 5_000_000, XAI, "estimated",
        server_side_tool_usage_details={"web_search_calls": 1, "code_interpreter_calls": 1},
    ),
    "Grok reports its cost": of_chat(
        "x-ai", "grok-4.3", 37_756_000, "https://docs.x.ai/developers/cost-tracking", cost_in_usd_ticks=377_560_000,
        num_sources_used=4,
    ),
    # What the vendor itself reports is the cost.
    "DeepInfra reports its cost": of_chat(
        "deepinfra", "meta-llama/Llama-3.3-70B-Instruct", 430_500, "https://deepinfra.com/docs/advanced/cost",
        estimated_cost=0.0004305,
    ),
    "OpenRouter reports its cost": of_chat(
        "openrouter", "openai/gpt-5", 6_250_001, "https://openrouter.ai/docs/use-cases/usage-accounting", cost=0.006250001,
        cost_details={"upstream_inference_cost": None}, is_byok=False,
        server_tool_use_details={"web_search_requests": 1, "tool_calls_executed": 1},
    ),
    "OpenRouter with the user's own key": of_chat(
        "openrouter", "openai/gpt-5", 312_500 + 6_250_000, "https://openrouter.ai/docs/use-cases/usage-accounting",
        cost=0.0003125, cost_details={"upstream_inference_cost": 0.00625}, is_byok=True,
    ),
    "OpenRouter gives a model away": of_chat(
        "openrouter", "deepseek/deepseek-r1:free", 0, "https://openrouter.ai/docs/guides/routing/model-variants/free",
    ),
    # Groq: flex costs what on-demand does; a compound model's parts have each its own price.
    "Groq at flex": of_chat(
        "groq", "llama-3.3-70b-versatile", 590_000 + 395_000, "https://console.groq.com/docs/flex-processing",
        body={"service_tier": "flex"},
    ),
    "Groq's compound": of_chat(
        "groq", "openai/gpt-oss-20b", 75_000 + 150_000, "https://console.groq.com/docs/compound", "estimated",
        body={"usage_breakdown": {"models": [{"model": "a", "usage": {"prompt_tokens": 1}}]}},
    ),
    # Bedrock's guardrails are billed by units of text.
    "Bedrock behind a guardrail": ByPage(
        "aws", "amazon.nova-pro-v1:0",
        converse(
            {"inputTokens": 1000, "outputTokens": 500, "totalTokens": 1500},
            trace={"guardrail": {"inputAssessment": {"g": {"invocationMetrics": {"usage": {"topicPolicyUnits": 1}}}}}},
        ),
        800_000 + 1_600_000, "https://aws.amazon.com/bedrock/pricing/", "estimated",
    ),
    "a dimension that nobody has heard of": of_chat(
        "openai", "gpt-4.1", 2_000_000 + 4_000_000, OPENAI, "estimated", quantum_tokens=7,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHATS)
def test_an_answer_costs_what_the_vendors_page_says(case: str) -> None:
    one = CHATS[case]
    assert one.page.startswith("https://")
    for form, usage in one.answer.usages().items():
        cost = price_answer(price_of(one.provider, one.model), usage)
        assert (cost.nano, cost.state) == (one.nano, one.state), (form, usage)
        assert sum(line.cost_nano for line in cost.breakdown) == cost.nano
        assert cost.source == ("catalog" if usage.cost_nano is None else "provider_reported")


def test_a_search_at_a_model_without_a_price_for_it_is_an_estimate() -> None:
    # No page of Anthropic's lists a search for Claude 3 Haiku.
    usage = messages({"input_tokens": 1000, "output_tokens": 500, "server_tool_use": {"web_search_requests": 1}}, "c").usages()
    cost = price_answer(price_of("anthropic", "claude-3-haiku-20240307"), usage["whole"])
    assert (cost.nano, cost.state) == (250_000 + 625_000, "estimated")


# Media


@dataclass(frozen=True)
class Media:
    """A request to a media endpoint, its answer, and the cost by the vendor's page; None: unknown."""

    provider: str
    model: str
    endpoint: str
    request: Fields
    nano: int | None
    page: str
    answer: Fields = field(default_factory=dict)
    state: CostState = "final"


def picture(model: str, nano: int, page: str, state: CostState = "final", **fields: Any) -> Media:
    """Pictures without a report of tokens; the size and quality as requested."""
    data = [{"b64_json": "QQ=="}] * fields.pop("n", 1)
    return Media("openai", model, "images", {"prompt": "a cat", "n": len(data), **fields}, nano, page, {"data": data}, state)


GPT_IMAGE = "https://developers.openai.com/api/docs/models/gpt-image-1"
TOKENS_OF_A_PICTURE = {
    "total_tokens": 4_513, "input_tokens": 353, "output_tokens": 4_160,
    "input_tokens_details": {"text_tokens": 30, "image_tokens": 323},
}  # fmt: skip
MEDIA: dict[str, Media] = {
    # GPT Image: by size and quality where the answer has no tokens.
    "a small picture of low quality": picture("gpt-image-1", 11_000_000, GPT_IMAGE, size="1024x1024", quality="low"),
    "a small picture of medium quality": picture("gpt-image-1", 42_000_000, GPT_IMAGE, size="1024x1024", quality="medium"),
    "a small picture of high quality": picture("gpt-image-1", 167_000_000, GPT_IMAGE, size="1024x1024", quality="high"),
    "a tall picture of low quality": picture("gpt-image-1", 16_000_000, GPT_IMAGE, size="1024x1536", quality="low"),
    "a wide picture of medium quality": picture("gpt-image-1", 63_000_000, GPT_IMAGE, size="1536x1024", quality="medium"),
    "two wide pictures of high quality": picture("gpt-image-1", 2 * 250_000_000, GPT_IMAGE, n=2, size="1536x1024", quality="high"),
    "a picture whose size and quality the model chooses": picture(
        "gpt-image-1", 250_000_000, GPT_IMAGE, "estimated", size="auto", quality="auto",
    ),
    "a picture of the newer model": picture(
        "gpt-image-1.5", 34_000_000, "https://developers.openai.com/api/docs/models/gpt-image-1.5",
        size="1024x1024", quality="medium",
    ),
    "the answer names what was chosen": Media(
        "openai", "gpt-image-1", "images", {"prompt": "a cat"}, 63_000_000, GPT_IMAGE,
        {"data": [{"b64_json": "QQ=="}], "size": "1536x1024", "quality": "medium"},
    ),
    # $5 for a million of text, $10 of pictures read, $40 of pictures made.
    "a picture by its tokens": Media(
        "openai", "gpt-image-1", "image_edits", {"prompt": "a cat", "size": "1024x1024", "quality": "high"},
        30 * 5_000 + 323 * 10_000 + 4_160 * 40_000, f"{OPENAI}#image-generation-models",
        {"data": [{"b64_json": "QQ=="}], "usage": TOKENS_OF_A_PICTURE},
    ),
    # DALL-E 3 has a standard quality and a high one.
    "DALL-E 3": picture("dall-e-3", 40_000_000, "https://developers.openai.com/api/docs/models/dall-e-3", size="1024x1024"),
    "DALL-E 3 at its best": picture(
        "dall-e-3", 120_000_000, "https://developers.openai.com/api/docs/models/dall-e-3", size="1024x1792", quality="hd",
    ),
    "Imagen": Media(
        "google", "imagen-4.0-generate-001", "images", {"prompt": "a cat", "n": 3}, 120_000_000, f"{GEMINI}#imagen-4",
        {"data": [{"b64_json": "QQ=="}] * 3},
    ),
    # Speech: $15 and $30 for a million characters.
    "speech by its characters": Media(
        "openai", "tts-1", "speech", {"input": "x" * 1_234, "voice": "alloy"}, 18_510_000, f"{OPENAI}#transcription-and-speech",
    ),
    "better speech by its characters": Media(
        "openai", "tts-1-hd", "speech", {"input": "ä" * 77, "voice": "alloy"}, 2_310_000, f"{OPENAI}#transcription-and-speech",
    ),
    # GPT-4o mini TTS: $0.60 for a million of text, $12 of sound.
    "speech by its tokens": Media(
        "openai", "gpt-4o-mini-tts", "speech", {"input": "hello", "voice": "alloy"}, 14 * 600 + 101 * 12_000,
        "https://developers.openai.com/api/docs/models/gpt-4o-mini-tts",
        {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}},
    ),
    # Transcription: Whisper at $0.006 for a minute.
    "a recording by its minutes": Media(
        "openai", "whisper-1", "transcriptions", {}, 6_150_000, f"{OPENAI}#transcription-and-speech",
        {"text": "a", "usage": {"type": "duration", "seconds": 61.5}},
    ),
    "a recording whose answer has its length": Media(
        "openai", "whisper-1", "transcriptions", {}, 800_000, f"{OPENAI}#transcription-and-speech",
        {"text": "a", "duration": "8.0"},
    ),
    "a recording of unknown length": Media(
        "openai", "whisper-1", "transcriptions", {}, None, f"{OPENAI}#transcription-and-speech", {"text": "a"}, "unknown",
    ),
    # GPT-4o Transcribe: $6 for a million of sound, $2.50 of text, $10 written.
    "a recording by its tokens": Media(
        "openai", "gpt-4o-transcribe", "transcriptions", {}, 90 * 6_000 + 10 * 2_500 + 50 * 10_000,
        "https://developers.openai.com/api/docs/models/gpt-4o-transcribe",
        {"text": "a", "usage": {"type": "tokens", "input_tokens": 100, "output_tokens": 50, "total_tokens": 150,
                                "input_token_details": {"text_tokens": 10, "audio_tokens": 90}}},
    ),
    # Groq: $0.04 and $0.111 for an hour, ten seconds at least.
    "a short recording at Groq": Media(
        "groq", "whisper-large-v3-turbo", "transcriptions", {}, 111_111, "https://console.groq.com/docs/speech-to-text",
        {"text": "a", "duration": 3.0},
    ),
    "an hour at Groq": Media(
        "groq", "whisper-large-v3-turbo", "transcriptions", {}, 40_000_000, "https://console.groq.com/docs/speech-to-text",
        {"text": "a", "duration": 3600.0},
    ),
    "eleven seconds at Groq": Media(
        "groq", "whisper-large-v3", "translations", {}, 339_167, "https://console.groq.com/docs/speech-to-text",
        {"text": "a", "duration": 11.0},
    ),
    # Rerankers by the search, embeddings by the token.
    "three searches of a reranker": Media(
        "cohere", "rerank-v3.5", "rerank", {"query": "q", "documents": ["a"]}, 6_000_000, "https://cohere.com/pricing",
        {"results": [], "meta": {"billed_units": {"search_units": 3}}},
    ),
    "a reranker by its tokens": Media(
        "voyageai", "rerank-2.5", "rerank", {"query": "q", "documents": ["a"]}, 50_000,
        "https://docs.voyageai.com/docs/pricing", {"data": [], "usage": {"total_tokens": 1000}},
    ),
    "embeddings": Media(
        "openai", "text-embedding-3-small", "embeddings", {"input": "a"}, 20_000, f"{OPENAI}#embeddings",
        {"data": [], "usage": {"prompt_tokens": 1000, "total_tokens": 1000}},
    ),
    # Free, and its answers have no count.
    "moderation": Media(
        "openai", "omni-moderation-latest", "moderations", {"input": "a"}, 0,
        "https://developers.openai.com/api/docs/guides/moderation", {"results": [{}]}, "estimated",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MEDIA)
def test_an_answer_of_a_media_endpoint_costs_what_the_vendors_page_says(case: str) -> None:
    one = MEDIA[case]
    assert one.page.startswith("https://")
    units = read_units(one.endpoint, one.answer, requested_units(one.endpoint, one.request))
    cost = price_answer(price_of(one.provider, one.model), read_media_usage(one.endpoint, one.answer), units)
    assert (cost.nano, cost.state) == (one.nano, one.state)
    assert sum(line.cost_nano for line in cost.breakdown) == (cost.nano or 0)
