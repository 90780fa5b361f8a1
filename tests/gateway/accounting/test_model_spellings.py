"""Under which names the catalog may have a model: only what vendors document is taken off a name."""

from __future__ import annotations

from datetime import date

import pytest

from conduit_desktop.gateway.accounting.model_spellings import spellings
from conduit_desktop.gateway.accounting.price_catalog import PriceCatalog

TODAY = date(2026, 11, 30)
NOW = 1_796_000_000_000


@pytest.mark.parametrize(
    ("provider", "model", "among"),
    [
        ("openai", "gpt-4o-20240806", "gpt-4o-2024-08-06"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "ft:gpt-4o-2024-08-06:org:name:id", "ft:gpt-4o-2024-08-06"),
        ("google", "models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("google", "gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("vertex", "projects/p/locations/us-central1/publishers/anthropic/models/claude-x@20250101", "claude-x-20250101"),
        ("vertex", "publishers/meta/models/llama-x", "meta/llama-x"),
        ("fireworks", "llama-x", "accounts/fireworks/models/llama-x"),
        ("openrouter", "openai/gpt-4o:nitro", "openai/gpt-4o"),
        ("github", "gpt-4o", "openai/gpt-4o"),
        ("aws", "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-x-v1:0", "us.amazon.nova-x-v1:0"),
        ("aws", "apac.anthropic.claude-x-v1:0", "anthropic.claude-x"),
    ],
)
def test_a_documented_spelling_leads_to_the_models_name(provider: str, model: str, among: str):
    assert among in list(spellings(provider, model, "", TODAY))


def test_the_name_itself_comes_first():
    assert next(spellings("openai", "GPT-4o-2024-08-06", "", TODAY)) == "gpt-4o-2024-08-06"


def test_a_region_of_bedrock_comes_before_the_general_price():
    assert next(spellings("aws", "amazon.nova-x-v1:0", "eu-west-1", TODAY)) == "eu-west-1/amazon.nova-x-v1:0"


@pytest.mark.parametrize("model", ["gpt-4o-2031-01-01", "gpt-4o-2024-13-45", "gpt-4o-1999-01-01"])
def test_a_date_that_no_snapshot_can_have_is_left_in_the_name(model: str):
    assert "gpt-4o" not in list(spellings("openai", model, "", TODAY))


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-invented"), ("openai", "gpt-5-nonsense-2031"), ("openai", "gpt-4omni"), ("openai", "o3-latest"),
        ("openai", "gpt-4o-minim"), ("openai", "gpt-4-x"), ("openai", "gpt-4.1-mini-huge"), ("openai", "text-embedding-3"),
        ("anthropic", "claude-sonnet-99"), ("anthropic", "claude-opus-5-turbo"), ("anthropic", "claude-3-5-sonnet-2031"),
        ("google", "gemini-2.5-flash-invented"), ("google", "gemini-9-pro"), ("mistral", "mistral-large-9999"),
        ("x-ai", "grok-5000"), ("deepseek", "deepseek-chat-v9"), ("groq", "llama-3.3-70b-versatile-x"),
        ("aws", "anthropic.claude-invented-v1:0"), ("cohere", "command-z"),
    ],
)  # fmt: skip
def test_an_invented_name_has_no_price_though_it_begins_like_a_model(provider: str, model: str):
    assert PriceCatalog.load().find(provider, model, NOW) is None
