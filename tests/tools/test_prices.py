"""The generated price catalog: how it is made of two sources, and what holds where they disagree."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import orjson
import pytest

from conduit_desktop.core.paths import resource
from conduit_desktop.gateway.accounting.price_catalog import PriceCatalog
from tools.prices.__main__ import COMPARISON
from tools.prices.merge import Decision, catalog, decisions, hand
from tools.prices.table import TableRow, read

TODAY = date(2026, 11, 30)
NOW = 1_796_000_000_000


@pytest.fixture(scope="module")
def differences() -> list[tuple[str, str, str]]:
    return [(row[0], row[1], row[2]) for row in orjson.loads(COMPARISON.read_bytes())]


@pytest.fixture(scope="module")
def shipped() -> PriceCatalog:
    return PriceCatalog.read(resource("prices.json").read_bytes())


_decisions = cache(decisions)


def deciding(provider: str, model: str, field: str) -> Decision | None:
    return next((one for one in _decisions() if one.fits(provider, model, field)), None)


def test_every_disagreement_of_the_sources_is_decided(differences: list[tuple[str, str, str]]):
    assert len(differences) > 100
    assert [one for one in differences if deciding(*one) is None] == []


def test_every_decision_decides_something(differences: list[tuple[str, str, str]]):
    used = {id(one): one for one in decisions()}
    names = {(one.provider, one.models, one.fields) for one in used.values()}
    for difference in differences:
        if decision := deciding(*difference):
            names.discard((decision.provider, decision.models, decision.fields))
    assert names == set()


def test_every_decision_and_every_price_entered_by_hand_has_a_source():
    assert [one for one in decisions() if "https://" not in one.source or one.take not in ("package", "table")] == []
    assert [row for rows in hand().values() for row in rows if "https://" not in row["source"]] == []


def test_a_decision_for_some_rates_leaves_the_others_alone():
    decision = Decision("v", ("a-*",), "table", "a source", ("input",))
    assert decision.fits("v", "a-1", "input")
    assert not decision.fits("v", "a-1", "output")
    assert not decision.fits("v", "b-1", "input")
    assert not decision.fits("w", "a-1", "input")


# The catalog that ships


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("mistral", "mistral-large-latest", {"input": 0.5, "output": 1.5}),  # Large 3; genai-prices has Large 2's $2 and $6
        ("mistral", "magistral-medium-latest", {"input": 1.5, "output": 7.5}),
        ("mistral", "magistral-small-latest", {"input": 0.15, "output": 0.6}),
        ("x-ai", "grok-code-fast-1", {"input": 1, "output": 2, "per_search": 0.005}),
        ("openai", "gpt-4o-search-preview", {"per_request": 0.025, "per_search": 0}),
        ("openai", "gpt-4o-mini", {"per_search": 0.01, "cache_read": 0.075}),
        ("openai", "gpt-image-1", {"input": 5, "image_in": 10, "image_out": 40}),
        ("openai", "omni-moderation-latest", {"input": 0, "output": 0}),
        ("anthropic", "claude-sonnet-4-5", {"cache_write": 3.75, "cache_write_1h": 6, "per_search": 0.01}),
        ("google", "models/gemini-2.5-flash", {"per_search": 0.035, "audio_in": 1}),
        ("google", "gemini-2.5-flash-image", {"image_out": 30}),
        ("groq", "whisper-large-v3", {"min_seconds": 10, "per_minute": 0.00185}),
        ("cohere", "rerank-v3.5", {"per_search": 0.002}),
        ("openrouter", "deepseek/deepseek-r1:free", {"input": 0, "output": 0}),
        ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", {"input": 3.3, "cache_write_1h": 6.6}),
        ("aws", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", {"input": 3, "cache_write_1h": 6}),
        ("perplexity", "sonar-pro", {"input": 3, "output": 15, "per_request": 0.006}),
        ("github", "openai/gpt-4.1", {"input": 2, "cache_read": 0.5, "output": 8}),
        ("qwen", "qwen-plus", {"input": 0.4, "output": 1.2}),
    ],
)
def test_a_price_of_the_vendors_own_page_is_in_the_catalog(
    shipped: PriceCatalog, provider: str, model: str, expected: dict[str, float]
):
    listed = shipped.find(provider, model, NOW)
    assert listed is not None
    assert {name: getattr(listed.price, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("provider", "model", "tiers"),
    [
        ("openai", "gpt-5-mini", {"flex": 0.5, "priority": 1.8, "batch": 0.5}),
        ("anthropic", "claude-opus-4-6", {"batch": 0.5, "region:us": 1.1}),
        ("anthropic", "claude-opus-5", {"speed:fast": 2}),
        ("google", "gemini-2.5-flash", {"flex": 0.5, "flex/cache_read": 1, "priority": 1.8, "batch/cache_read": 1}),
        ("openai", "gpt-4.1", {"batch": 0.5, "batch/cache_read": 1}),  # OpenAI lists no batch rate for it
        ("mistral", "mistral-large-4", {"batch": 0.5}),  # of three rates for batches the one that began last
        ("groq", "llama-3.3-70b-versatile", {"flex": 1}),
        ("perplexity", "sonar", {"search_context:high/per_request": 2.4}),
    ],
)
def test_service_tiers_speed_and_region_have_their_factors(
    shipped: PriceCatalog, provider: str, model: str, tiers: dict[str, float]
):
    listed = shipped.find(provider, model, NOW)
    assert listed is not None
    assert {name: listed.price.service_tiers.get(name) for name in tiers} == pytest.approx(tiers)


def test_pictures_have_a_price_for_each_size_and_quality(shipped: PriceCatalog):
    for model, size, quality, usd in (
        ("dall-e-3", "1024x1792", "hd", 0.12),
        ("dall-e-2", "256x256", "", 0.016),
        ("gpt-image-1", "1536x1024", "high", 0.25),
    ):
        listed = shipped.find("openai", model, NOW)
        assert listed is not None
        assert isinstance(listed.price.per_image, tuple)
        assert [one.usd for one in listed.price.per_image if (one.size, one.quality) == (size, quality)] == [usd]


def test_no_model_that_writes_has_a_price_for_the_input_alone(shipped: PriceCatalog):
    assert shipped.find("azure", "model-router", NOW) is None
    davinci = shipped.find("azure", "davinci-002", NOW)
    assert davinci is not None
    assert davinci.price.output == 2


def test_a_snapshot_of_an_audio_model_has_the_audio_rate_of_the_model(shipped: PriceCatalog):
    for model in ("gpt-4o-mini-transcribe", "gpt-4o-mini-tts"):
        first, dated = shipped.find("openai", model, NOW), shipped.find("openai", f"{model}-2025-12-15", NOW)
        assert first is not None
        assert dated is not None
        assert (dated.price.audio_in, dated.price.output) == (first.price.audio_in, first.price.output)


# The table of the second source


def row(provider: str, **fields: Any) -> dict[str, Any]:
    return {"litellm_provider": provider, "mode": "chat", **fields}


def variant(key: str, **fields: Any) -> dict[str, Any]:
    (found,) = read({key: fields})
    return found.variant


def test_rates_of_the_table_are_for_a_million_tokens():
    found = variant("gpt-x", **row("openai", input_cost_per_token=2.5e-06, output_cost_per_token=1e-05))
    assert found == {"input": 2.5, "output": 10}


def test_a_band_of_the_table_becomes_a_tier():
    above = {"input_cost_per_token_above_200k_tokens": 4e-06, "output_cost_per_token_above_200k_tokens": 2e-05}
    found = variant("gpt-x", **row("openai", input_cost_per_token=2e-06, output_cost_per_token=1e-05, **above))
    assert found["tiers"] == [{"above": 200_000, "input": 4, "output": 20}]


def test_rates_of_a_service_tier_become_a_factor_and_a_factor_for_each_rate_that_differs():
    priority = {"input_cost_per_token_priority": 4e-06, "output_cost_per_token_priority": 3e-05}
    found = variant("gpt-x", **row("openai", input_cost_per_token=2e-06, output_cost_per_token=1e-05, **priority))
    assert found["service_tiers"] == {"priority": 2, "priority/output": 3}


def test_a_zero_of_the_table_is_a_gap_and_no_gift():
    assert read({"gpt-x": row("openai", input_cost_per_token=0.0, output_cost_per_token=0.0)}) == []


def test_a_zero_for_what_is_read_from_the_cache_is_a_gap_too():
    priced = row("openai", input_cost_per_token=2e-06, output_cost_per_token=1e-05, cache_read_input_token_cost=0.0)
    assert variant("gpt-x", **priced) == {"input": 2, "output": 10}


def test_a_rate_for_the_output_alone_is_no_price():
    assert read({"gpt-x": row("openai", output_cost_per_token=1e-05)}) == []


def test_an_alias_of_the_tables_own_is_no_name_of_the_vendor():
    priced = row("openai", input_cost_per_token=2e-06, output_cost_per_token=1e-05, alias_of="gpt-x")
    assert read({"gpt-latest": priced}) == []


def test_sizes_and_qualities_of_one_model_become_one_price():
    rows = {
        "low/1024-x-1024/gpt-image-9": row("openai", mode="image_generation", input_cost_per_image=0.01),
        "high/1024-x-1536/gpt-image-9": row("openai", mode="image_generation", input_cost_per_image=0.25),
    }
    (found,) = read(rows)
    assert found.model == "gpt-image-9"
    assert found.variant["per_image"] == [
        {"size": "1024x1536", "quality": "high", "usd": 0.25},
        {"size": "1024x1024", "quality": "low", "usd": 0.01},
    ]


# Both together


def merged(*rows: TableRow) -> tuple[PriceCatalog, list[tuple[str, str]]]:
    made, found = catalog(list(rows), TODAY, "test")
    return PriceCatalog.read(orjson.dumps(made)), [(one.model, one.field) for one in found]


def test_what_the_package_lacks_is_taken_from_the_table():
    made, found = merged(TableRow("openai", "gpt-of-the-table", {"input": 1, "output": 2}))
    listed = made.find("openai", "gpt-of-the-table", NOW)
    assert listed is not None
    assert (listed.price.input, listed.price.output, found) == (1, 2, [])


def test_an_undecided_difference_is_found_and_the_package_holds():
    made, found = merged(TableRow("openai", "gpt-4o", {"input": 99, "output": 10}))
    listed = made.find("openai", "gpt-4o", NOW)
    assert listed is not None
    assert (listed.price.input, found) == (2.5, [("gpt-4o", "input")])


def test_a_difference_within_one_percent_is_a_rounding():
    assert merged(TableRow("openai", "gpt-4o", {"input": 2.51, "output": 10}))[1] == []


def test_a_decision_for_the_table_replaces_every_token_rate():
    made, _ = merged(TableRow("x-ai", "grok-code-fast-1", {"input": 1, "output": 2}))
    listed = made.find("x-ai", "grok-code-fast-1", NOW)
    assert listed is not None
    assert (listed.price.input, listed.price.output, listed.price.cache_read) == (1, 2, None)
