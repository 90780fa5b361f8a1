"""Costs of real answers at the catalog's prices, compared with what the package genai-prices computes for the same usage."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import genai_prices
import orjson
import pytest
from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.accounting.compiled_price import CompiledPrice, compile_price
from conduit_desktop.gateway.accounting.cost import Cost, price_answer
from conduit_desktop.gateway.accounting.price_catalog import PriceCatalog
from conduit_desktop.gateway.call import Call, StreamReply, WholeReply
from conduit_desktop.providers.catalog import CATALOG, bind
from conduit_desktop.wire import dialect
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.raw_upstream import http_answer, raw_upstream
from tests.gateway.accounting.reported_answers import (
    ANTHROPIC,
    BEDROCK,
    COHERE,
    DEEPSEEK,
    GEMINI,
    GROQ,
    MISTRAL,
    MOONSHOT,
    OPENAI,
    RESPONSES,
    SHAPES,
    XAI,
    Counts,
    Shape,
    responses,
)
from tools.prices.__main__ import COMPARISON
from tools.prices.merge import Decision, decisions, hand
from tools.prices.package import CONDITIONS

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""A Monday, outside of DeepSeek's peak hours; the day of the catalog."""
PEAK, WEEKEND_PEAK = datetime(2026, 11, 30, 8, tzinfo=UTC), datetime(2026, 11, 29, 8, tzinfo=UTC)

CLASSES = {
    "cache_read": "cache_read_mtok", "cache_write": "cache_write_mtok", "cache_write_1h": "cache_write_1h_mtok",
    "audio_in": "input_audio_mtok", "image_in": "input_image_mtok", "audio_out": "output_audio_mtok",
    "image_out": "output_image_mtok", "input": "input_mtok", "output": "output_mtok", "reasoning": "output_mtok",
}  # fmt: skip
"""The rate of genai-prices that a class must have to be compared. Reasoning without a rate of its own costs what output does."""
SAMPLE = Counts(
    input=12_345, cache_read=777, cache_write=333, cache_write_1h=111, audio_in=55, image_in=67, output=4_321, reasoning=21,
    audio_out=89, image_out=99,
)  # fmt: skip
"""Odd numbers, so that there are halves of nano-dollars to round."""
CURRENT = (
    "openai/gpt-4.1", "openai/gpt-4o", "openai/gpt-4o-mini", "openai/gpt-5", "openai/gpt-5-mini", "openai/gpt-5.1",
    "openai/gpt-5.4", "openai/o3", "openai/o4-mini", "openai/gpt-audio", "openai/gpt-image-1", "openai/gpt-6-sol",
    "openai/gpt-5.6-luna", "anthropic/claude-opus-4-8", "anthropic/claude-sonnet-4-6", "anthropic/claude-haiku-4-5",
    "anthropic/claude-opus-5", "anthropic/claude-haiku-5-5", "google/gemini-2.5-pro", "google/gemini-2.5-flash",
    "google/gemini-2.5-flash-image", "google/gemini-3.1-pro-preview", "google/gemini-2.5-flash-lite",
    "aws/amazon.nova-pro-v1:0", "aws/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "aws/us.anthropic.claude-haiku-4-5-20251001-v1:0", "x-ai/grok-4", "x-ai/grok-4.3", "deepseek/deepseek-v4-flash",
    "mistral/mistral-medium-2604", "mistral/codestral-latest", "groq/llama-3.3-70b-versatile", "groq/openai/gpt-oss-120b",
    "cohere/command-r-plus", "cohere/command-a-03-2025", "moonshotai/kimi-k2.6", "zai/glm-5", "minimax/minimax-m2",
    "cerebras/gpt-oss-120b", "openrouter/anthropic/claude-sonnet-4.5", "openrouter/openai/gpt-5",
)  # fmt: skip
A_VENDOR = 4
"""Models of each vendor that are chosen from the catalog besides: those with the most rates, each of another price."""


@cache
def catalog() -> PriceCatalog:
    """The catalog that ships."""
    return PriceCatalog.load()


@cache
def differing() -> frozenset[tuple[str, str]]:
    """Models for which decisions.toml or hand.toml takes another price than that of genai-prices."""
    decided = decisions()
    found: set[tuple[str, str]] = set()
    for provider, model, field, *_ in orjson.loads(COMPARISON.read_bytes()):
        decision = next(one for one in decided if one.fits(provider, model, field))
        if decision.take == "table":
            found.add((provider, model))
    return frozenset(found)


_hand = cache(hand)


@cache
def entered_by_hand(provider: str) -> tuple[str, ...]:
    """Patterns of models of which hand.toml has the price, a fee for each request, or another model for the name."""
    given = _hand()
    prices = (row for row in given["price"] if row["provider"] == provider and ("per_request" in row or not row.get("adds")))
    names = (row["name"] for row in given["alias"] if row["provider"] == provider)
    return (*(pattern for row in prices for pattern in row["models"]), *names)


@dataclass(frozen=True)
class Listed:
    """A model of the catalog that genai-prices has at the same provider, and the rates that it states."""

    provider: str
    model: str
    entry: genai.ModelInfo
    rates: dict[str, Any]

    @property
    def classes(self) -> frozenset[str]:
        """The classes that can be compared."""
        return frozenset(name for name, rate in CLASSES.items() if rate in self.rates)

    @property
    def edges(self) -> list[int]:
        """The input tokens above which other rates hold."""
        tiers = [one.tiers for one in self.rates.values() if isinstance(one, genai.TieredPrices)]
        return sorted({tier.start for each in tiers for tier in each})

    def price(self, at: datetime = NOW) -> CompiledPrice:
        """The catalog's price at that time."""
        found = catalog().find(self.provider, self.model, int(at.timestamp() * 1000))
        assert found is not None, f"{self.provider}/{self.model} is not in the catalog"
        made = compile_price(found.price)
        assert made is not None
        return made

    def tiers(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The service tiers and speeds for which genai-prices has other rates now, and its condition for each."""
        for one in self.entry.price_variants or ():
            ((key, value),) = one.when.items() if len(one.when) == 1 else ((("", "")),)
            begun = one.constraint is None or one.constraint.active(NOW)
            if (name := CONDITIONS.get((key, value))) and begun and vars(one.prices):
                yield name, one.when


@cache
def listed(provider: str) -> tuple[Listed, ...]:
    """The models of a provider that can be compared."""
    found = []
    models = (model for name, model in catalog().names() if name == provider)
    here = {id(model) for one in get_snapshot().providers if one.id == provider for model in one.models}
    for model in models:
        if (provider, model) in differing() or any(fnmatchcase(model, pattern) for pattern in entered_by_hand(provider)):
            continue
        try:
            at = genai_prices.calc_price(
                genai_prices.Usage(input_tokens=1), model, provider_id=provider, genai_request_timestamp=NOW
            )
        except LookupError:
            continue  # of the other source alone
        rates = {name: rate for name, rate in vars(at.model_price).items() if rate is not None}
        if "input_mtok" in rates:
            # At a cloud that resells models genai-prices has the price of the vendor, without its tiers.
            entry = at.model if id(at.model) in here else replace(at.model, price_variants=None)
            found.append(Listed(provider, model, entry, rates))
    return tuple(found)


@cache
def chosen() -> dict[str, Listed]:
    """CURRENT, and some models of each vendor."""
    found: dict[str, Listed] = {}
    for provider in SHAPES:
        prices: set[str] = set()
        models = sorted(listed(provider), key=lambda one: (-len(one.rates) - 5 * len(one.edges), one.model))
        taken = 0
        for one in models:
            if f"{provider}/{one.model}" in CURRENT:
                found[f"{provider}/{one.model}"] = one
            elif taken < A_VENDOR and (rates := repr(one.rates)) not in prices:
                prices.add(rates)
                found[f"{provider}/{one.model}"] = one
                taken += 1
    return found


def nano_of_genai(one: Listed, counts: Counts, when: dict[str, str] | None = None, at: datetime = NOW, **units: float) -> int:
    """What genai-prices computes, in nano-dollars, rounded half up; `units` are counts besides tokens, by its names."""
    usage: dict[str, Any] = {"input_tokens": counts.prompt, "output_tokens": counts.completion, **units}
    named = {
        "cache_read_tokens": counts.cache_read, "cache_write_tokens": counts.written,
        "cache_write_5m_tokens": counts.cache_write, "cache_write_1h_tokens": counts.cache_write_1h,
        "input_audio_tokens": counts.audio_in, "input_image_tokens": counts.image_in,
        "output_reasoning_tokens": counts.reasoning, "output_audio_tokens": counts.audio_out,
        "output_image_tokens": counts.image_out,
    }  # fmt: skip
    usage |= {name: count for name, count in named.items() if count}
    # genai-prices wants to know whether some of the cached tokens are sound or pictures.
    usage |= {"cache_audio_read_tokens": 0} if counts.cache_read and counts.audio_in else {}
    usage |= {"cache_image_read_tokens": 0} if counts.cache_read and counts.image_in else {}
    found = genai_prices.calc_price(
        genai_prices.Usage(**usage), one.model, provider_id=one.provider, genai_request_timestamp=at, price_context=when
    )
    return int((found.total_price * 10**9).to_integral_value(ROUND_HALF_UP))


def usages(one: Listed, shape: Shape) -> Iterator[tuple[str, Counts]]:
    """Every class alone, all together, both sides of every edge."""
    able = shape.classes & one.classes
    plain = Counts(input=SAMPLE.input, output=SAMPLE.output if "output" in able else 0)
    yield "plain", plain
    for name in sorted(able - {"input", "output"}):
        yield name, replace(plain, **{name: getattr(SAMPLE, name)})
    everything = SAMPLE.only(able)
    yield "everything", everything
    for edge in one.edges:
        for size in (edge, edge + 1):
            yield f"{size} tokens", replace(everything, input=size - (everything.prompt - everything.input))


CASES = [pytest.param(name, shape, id=f"{name}-{shape.name}") for name, one in chosen().items() for shape in SHAPES[one.provider]]


def test_the_table_holds_enough() -> None:
    assert len(chosen()) >= 60
    assert len({one.provider for one in chosen().values()}) >= 15
    assert sorted(set(CURRENT) - chosen().keys()) == []
    shapes = [(one, shape) for one in chosen().values() for shape in SHAPES[one.provider]]
    used = {name for one, shape in shapes for _, counts in usages(one, shape) for name in counts.used}
    assert used == set(CLASSES)


def test_every_dialect_of_every_kind_of_provider_that_both_know_is_in_the_table() -> None:
    without_chat = {"voyage", "elevenlabs"}
    priced = {one.id for one in get_snapshot().providers}
    for name, kind in CATALOG.items():
        if kind.price_provider in priced and name not in without_chat:
            shapes = {shape.name for shape in SHAPES[kind.price_provider]}
            assert shapes >= set(kind.dialects), name


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_an_answer_costs_what_genai_prices_computes(name: str, shape: Shape) -> None:
    one = chosen()[name]
    price = one.price()
    for case, counts in usages(one, shape):
        expected = nano_of_genai(one, counts)
        for form, usage in shape.make(one.model, counts).usages().items():
            cost = price_answer(price, usage)
            assert (cost.nano, cost.state) == (expected, "final"), (case, form, usage)
            assert sum(line.cost_nano for line in cost.breakdown) == cost.nano


TIERED = [
    pytest.param(name, shape, id=f"{name}-{shape.name}")
    for name, one in chosen().items()
    for shape in SHAPES[one.provider]
    if shape.tiers and any(True for _ in one.tiers())
]
LONG_ONES_HAVE_NO_PRICE = {
    ("openai/gpt-5.4", "priority"), ("openai/gpt-5.4", "fast"), ("openai/gpt-5.4", "flex"), ("openai/gpt-5.4", "batch"),
}  # fmt: skip
"""See `DELIBERATE`: genai-prices has no band for these."""


@pytest.mark.parametrize(("name", "shape"), TIERED)
def test_a_service_tier_or_speed_costs_what_genai_prices_computes(name: str, shape: Shape) -> None:
    one = chosen()[name]
    price = one.price()
    for tier, when in one.tiers():
        kind, _, value = tier.rpartition(":")
        if kind and shape.name != "anthropic_messages":
            continue  # the others report no speed
        for case, counts in usages(one, shape):
            if case.endswith("tokens") and (name, tier) in LONG_ONES_HAVE_NO_PRICE:
                continue
            conditioned = replace(counts, **{"speed" if kind else "tier": value})
            expected = nano_of_genai(one, counts, when)
            for form, usage in shape.make(one.model, conditioned).usages().items():
                cost = price_answer(price, usage)
                assert (cost.nano, cost.state) == (expected, "final"), (tier, case, form, usage)


@cache
def _without_tokens() -> dict[str, list[tuple[str, str]]]:
    """The models without a price for tokens, by the rate of genai-prices that they have."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    units = ("audio_hours", "input_audio_hours", "input_mchars")
    with_units = {
        one.id for one in get_snapshot().providers if any(name in repr(model.prices) for model in one.models for name in units)
    }
    for provider, model in catalog().names():
        if provider not in with_units:
            continue
        try:
            at = genai_prices.calc_price(genai_prices.Usage(), model, provider_id=provider, genai_request_timestamp=NOW)
        except LookupError:
            continue
        if at.model_price.input_mtok is None:
            for rate in vars(at.model_price):
                found[rate].append((provider, model))
    return found


@pytest.mark.parametrize(
    ("rate", "name", "amount", "units"),
    [
        ("audio_hours", "audio_seconds", 3600, Units(seconds=3600.0)),
        ("audio_hours", "audio_seconds", 61.237, Units(seconds=61.237)),
        ("input_audio_hours", "audio_seconds+input_audio_seconds", 1800.5, Units(seconds=1800.5)),
        ("input_mchars", "input_characters", 12_345, Units(characters=12_345)),
    ],
)  # fmt: skip
def test_sound_and_characters_cost_what_genai_prices_computes(rate: str, name: str, amount: float, units: Units) -> None:
    models = _without_tokens()[rate]
    assert models
    for provider, model in models:
        found = catalog().find(provider, model, int(NOW.timestamp() * 1000))
        assert found is not None
        cost = price_answer(compile_price(found.price), None, units)
        expected = genai_prices.calc_price(
            genai_prices.Usage(**dict.fromkeys(name.split("+"), amount)), model, provider_id=provider, genai_request_timestamp=NOW
        ).total_price
        nano = int((expected * 10**9).to_integral_value(ROUND_HALF_UP))
        assert (cost.nano, cost.state) == (nano, "final"), (provider, model)


def _timed() -> list[Listed]:
    found = []
    for one in listed("deepseek"):
        if nano_of_genai(one, SAMPLE.only(one.classes)) != nano_of_genai(one, SAMPLE.only(one.classes), at=PEAK):
            found.append(one)
    return found


@pytest.mark.parametrize("shape", SHAPES["deepseek"], ids=lambda shape: shape.name)
def test_an_answer_costs_the_rate_of_its_hour(shape: Shape) -> None:
    models = _timed()
    assert models
    for one in models:
        counts = SAMPLE.only(shape.classes & one.classes)
        by_hour = set()
        for at in (NOW, PEAK, datetime(2026, 11, 30, 3, 59, 59, tzinfo=UTC), datetime(2026, 11, 30, 4, tzinfo=UTC)):
            expected = nano_of_genai(one, counts, at=at)
            by_hour.add(expected)
            for usage in shape.make(one.model, counts).usages().values():
                assert price_answer(one.price(at), usage).nano == expected, (one.model, at)
        assert len(by_hour) == 2, one.model
        # DeepSeek's peak hours are from Monday to Friday, which genai-prices cannot say:
        # https://api-docs.deepseek.com/quick_start/pricing
        usage = shape.make(one.model, counts).usages()["whole"]
        assert price_answer(one.price(WEEKEND_PEAK), usage).nano == nano_of_genai(one, counts, at=NOW)
        assert nano_of_genai(one, counts, at=WEEKEND_PEAK) == nano_of_genai(one, counts, at=PEAK)


def test_a_price_that_begins_later_holds_from_its_day() -> None:
    later = datetime(2026, 12, 31, 12, tzinfo=UTC)
    changed = 0
    for provider in SHAPES:
        for one in listed(provider):
            counts = SAMPLE.only(one.classes)
            before, after = nano_of_genai(one, counts), nano_of_genai(one, counts, at=later)
            if before == after:
                continue
            changed += 1
            usage = usage_of(counts)
            assert price_answer(one.price(), usage).nano == before, one.model
            assert price_answer(one.price(later), usage).nano == after, one.model
            for tier, when in one.tiers():
                usage.service_tier = tier
                assert price_answer(one.price(later), usage).nano == nano_of_genai(one, counts, when, later), (one.model, tier)
    assert changed >= 1


@pytest.mark.parametrize("provider", sorted({one.id for one in get_snapshot().providers}))
def test_every_model_of_the_catalog_costs_what_genai_prices_computes(provider: str) -> None:
    """All names, with every class that genai-prices prices, below and above the edges and at every service tier."""
    wrong: dict[str, Any] = {}
    for one in listed(provider):
        # A dated model with a row of its own in Azure's price list, which genai-prices takes for V4 Flash.
        if (provider, one.model) == ("azure", "deepseek-v4-flash-0731"):
            continue
        counts = SAMPLE.only(one.classes)
        sizes = [counts, *(replace(counts, input=edge + 1) for edge in one.edges)]
        for size, (tier, when) in itertools.product(sizes, [("", None), *one.tiers()]):
            if tier and size is not counts:
                continue
            usage = usage_of(size)
            if tier.startswith("speed:"):
                usage.surcharges = (tier,)
            else:
                usage.service_tier = tier
            # Azure's search is another one, see DELIBERATE.
            searches = {"web_searches": 3} if "web_searches_kcount" in one.rates and provider != "azure" else {}
            usage.searches = searches.get("web_searches", 0)
            found, expected = price_answer(one.price(), usage).nano, nano_of_genai(one, size, when, **searches)
            # Rates are kept to a nano-dollar for a million tokens; one of more digits may be off by that.
            slack = 1 if any(_digits(rate) > 9 for rate in one.rates.values()) else 0
            if found is None or abs(found - expected) > slack:
                wrong[f"{one.model} {tier} {size.prompt}"] = (found, expected)
    assert wrong == {}


def usage_of(counts: Counts) -> Usage:
    """The counts as the readers give them: parts of a class are within it."""
    return Usage(
        input=counts.input + counts.image_in, cache_read=counts.cache_read, cache_write_5m=counts.cache_write,
        cache_write_1h=counts.cache_write_1h, audio_in=counts.audio_in, image_in=counts.image_in,
        output=counts.output + counts.reasoning + counts.image_out, reasoning=counts.reasoning, audio_out=counts.audio_out,
        image_out=counts.image_out,
    )  # fmt: skip


def _digits(rate: Any) -> int:
    exponent = rate.as_tuple().exponent if isinstance(rate, Decimal) else 0
    return -exponent if isinstance(exponent, int) else 0


# Where the catalog differs from genai-prices on purpose


MANY, FEW = 100_000, 10_000


@dataclass(frozen=True)
class Deliberate:
    """A case in which the catalog differs: the counts, the cost by the source's page, and that source."""

    provider: str
    model: str
    counts: Counts
    nano: int
    source: str
    shape: Shape = OPENAI
    searches: int = 0


PLAIN = Counts(input=MANY, output=FEW)
DELIBERATE = {
    "an alias that means Mistral Large 3": Deliberate(
        "mistral", "mistral-large-latest", PLAIN, 65_000_000, "https://docs.mistral.ai/models/mistral-large-3-25-12", MISTRAL,
    ),
    "the same without the date": Deliberate(
        "mistral", "mistral-large", PLAIN, 65_000_000, "https://docs.mistral.ai/models/mistral-large-3-25-12", MISTRAL,
    ),
    "Magistral Medium is Medium 3.5": Deliberate(
        "mistral", "magistral-medium-latest", PLAIN, 225_000_000,
        "https://docs.mistral.ai/models/model-cards/mistral-medium-3-5-26-04", MISTRAL,
    ),
    "Magistral Small is Small 4": Deliberate(
        "mistral", "magistral-small-latest", PLAIN, 21_000_000,
        "https://docs.mistral.ai/models/model-cards/mistral-small-4-0-26-03", MISTRAL,
    ),
    "an embedding has no output": Deliberate(
        "mistral", "mistral-embed", PLAIN, 10_000_000, "https://docs.mistral.ai/models/mistral-embed-23-12", MISTRAL,
    ),
    "V3.2 under DeepSeek's old name": Deliberate(
        "deepseek", "deepseek-chat", Counts(input=MANY, cache_read=MANY, output=FEW), 28_000_000 + 2_800_000 + 4_200_000,
        "https://api-docs.deepseek.com/quick_start/pricing", DEEPSEEK,
    ),
    "V3.2 under the name of the reasoner": Deliberate(
        "deepseek", "deepseek-reasoner", Counts(input=MANY, output=FEW, reasoning=FEW), 28_000_000 + 8_400_000,
        "https://api-docs.deepseek.com/quick_start/pricing", DEEPSEEK,
    ),
    "Grok Code Fast is served by Grok Build": Deliberate(
        "x-ai", "grok-code-fast-1", PLAIN, 120_000_000, "https://docs.x.ai/developers/migration/may-15-retirement", XAI,
    ),
    "a dated model with a row of its own at Fireworks": Deliberate(
        "fireworks", "accounts/fireworks/models/deepseek-v4-flash-0731", PLAIN, 28_600_000,
        "https://api.fireworks.ai/v1/serverless/models",
    ),
    "a large model without a row of its own at Fireworks": Deliberate(
        "fireworks", "accounts/fireworks/models/gemma-3-27b-it", PLAIN, 99_000_000, "https://fireworks.ai/pricing",
    ),
    "Together's own list": Deliberate(
        "together", "meta-llama/llama-3.3-70b-instruct-turbo", PLAIN, 114_400_000, "https://api.together.ai/v1/models",
    ),
    "the whole line costs more above 272k": Deliberate(
        "openai", "gpt-5.6-cyber", Counts(input=300_000, output=FEW), 300_000 * 25_000 + FEW * 112_500,
        "https://developers.openai.com/api/docs/pricing",
    ),
    "as at OpenAI, GPT-5.4 costs more above 272k at Bedrock": Deliberate(
        "aws", "openai.gpt-5.4", Counts(input=300_000, output=FEW), 300_000 * 5_500 + FEW * 24_750,
        "https://aws.amazon.com/bedrock/pricing/", BEDROCK,
    ),
    "a region outside of North Virginia": Deliberate(
        "aws", "apac.amazon.nova-lite-v1:0", PLAIN, 6_300_000 + 2_520_000,
        "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonBedrockFoundationModels/current/index.json", BEDROCK,
    ),
    "a region in the name": Deliberate(
        "aws", "ap-south-1/meta.llama3-70b-instruct-v1:0", PLAIN, 318_000_000 + 42_000_000,
        "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonBedrockFoundationModels/current/index.json", BEDROCK,
    ),
    "Azure's own retail price": Deliberate(
        "azure", "gpt-oss-120b", PLAIN, 15_000_000 + 6_000_000, "https://prices.azure.com/api/retail/prices",
    ),
    "a data zone of Azure": Deliberate(
        "azure", "us/o4-mini", PLAIN, 121_000_000 + 48_400_000,
        "https://azure.microsoft.com/en-us/pricing/details/azure-openai/",
    ),
    "no band above 200k since the beta ended": Deliberate(
        "azure", "claude-sonnet-4-5", Counts(input=300_000, output=FEW), 300_000 * 3_000 + FEW * 15_000,
        "https://platform.claude.com/docs/en/release-notes/overview",
    ),
    "Bing's search at Azure": Deliberate(
        "azure", "gpt-4.1", PLAIN, 200_000_000 + 80_000_000 + 2 * 14_000_000,
        "https://www.microsoft.com/en-us/bing/apis/grounding-pricing", RESPONSES, 2,
    ),
    "Perplexity's fee for the smallest search": Deliberate(
        "perplexity", "sonar-pro", PLAIN, 300_000_000 + 150_000_000 + 6_000_000,
        "https://docs.perplexity.ai/getting-started/pricing",
    ),
    "the same with the cheapest model": Deliberate(
        "perplexity", "sonar", PLAIN, 100_000_000 + 10_000_000 + 5_000_000, "https://docs.perplexity.ai/getting-started/pricing",
    ),
    # Prompts above 272k cost twice the input and one and a half times the output, "for standard, batch, and flex"; genai-prices
    # has no band for these, and half of $0.25 is on the page as $0.13. Priority has no long prompts: its answers name another tier.
    "a long prompt at flex": Deliberate(
        "openai", "gpt-5.5-pro", Counts(input=300_000, output=FEW, tier="flex"), 300_000 * 30_000 + FEW * 135_000,
        "https://developers.openai.com/api/docs/models/gpt-5.5-pro",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DELIBERATE)
def test_where_the_catalog_differs_the_cost_is_that_of_the_vendors_page(case: str) -> None:
    one = DELIBERATE[case]
    assert one.source.startswith("https://")
    found = catalog().find(one.provider, one.model, int(NOW.timestamp() * 1000))
    assert found is not None
    answer = one.shape.make(one.model, one.counts)
    if one.searches:
        search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
        answer = responses(answer.whole["usage"], one.model, *[search] * one.searches)
    for form, usage in answer.usages().items():
        cost = price_answer(compile_price(found.price), usage)
        assert (cost.nano, cost.state) == (one.nano, "final"), (form, usage)
    # It does differ; where it no longer does, the decision has no reason any more.
    units = {"web_searches": one.searches} if one.searches else {}
    other = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=one.counts.prompt, output_tokens=one.counts.completion, cache_read_tokens=one.counts.cache_read, **units
        ),
        one.model,
        provider_id=one.provider,
        genai_request_timestamp=NOW,
        price_context={"service_tier": one.counts.tier} if one.counts.tier else None,
    )
    assert int((other.total_price * 10**9).to_integral_value(ROUND_HALF_UP)) != one.nano


def test_every_decision_against_genai_prices_has_a_case() -> None:
    shown = [(one.provider, one.model) for one in DELIBERATE.values()]

    def is_shown(decision: Decision) -> bool:
        models = [model for provider, model in shown if provider == decision.provider]
        return any(fnmatchcase(model, pattern) for model in models for pattern in decision.models)

    # genai-prices has no prices of Vertex AI.
    against = [one for one in decisions() if one.take == "table" and one.provider != "vertex"]
    assert [one for one in against if not is_shown(one)] == []


# Through the whole gateway


def _gateway_cases() -> Iterator[Any]:
    for kind, model, shape in (
        ("openai", "gpt-4.1", OPENAI), ("openai", "gpt-5", RESPONSES), ("openai", "gpt-5-pro", RESPONSES),
        ("openai", "gpt-audio", OPENAI),
        ("anthropic", "claude-sonnet-4-6", ANTHROPIC), ("gemini", "gemini-2.5-flash", GEMINI),
        ("gemini", "gemini-2.5-flash-image", GEMINI), ("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", BEDROCK),
        ("cohere", "command-a-03-2025", COHERE), ("mistral", "mistral-medium-2604", MISTRAL),
        ("deepseek", "deepseek-v4-flash", DEEPSEEK), ("deepseek", "deepseek-v4-flash", ANTHROPIC), ("xai", "grok-4.3", XAI),
        ("xai", "grok-4.3", RESPONSES), ("groq", "openai/gpt-oss-120b", GROQ), ("moonshot", "kimi-k2.6", MOONSHOT),
        ("openrouter", "anthropic/claude-sonnet-4.5", OPENAI), ("zai", "glm-5", OPENAI), ("minimax", "minimax-m2", OPENAI),
        ("cerebras", "gpt-oss-120b", OPENAI),
    ):  # fmt: skip
        yield pytest.param(kind, model, shape, id=f"{kind}-{model}-{shape.name}")


def request(client: str, target: str, stream: bool) -> Call:
    """A call of a client in its dialect."""
    messages = [{"role": "user", "content": "hello"}]
    bodies: dict[str, Any] = {
        "openai_chat": {"messages": messages},
        "anthropic_messages": {"messages": messages, "max_tokens": 900},
        "openai_responses": {"input": "hello"},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    }
    body = bodies[client] if client == "gemini" else {"model": target, "stream": stream, **bodies[client]}
    return Call(dialect(client), body, target, stream=stream, credential=KEY, path={"model": target} if client == "gemini" else {})


async def cost_of(gateway: GatewayFixture, call: Call) -> tuple[Cost, str]:
    """The cost in the record, and in the header of a whole answer."""
    reply = await gateway.answer(call)
    header = ""
    if isinstance(reply, StreamReply):
        assert [data async for data in reply.frames]
        await reply.close()
    else:
        assert isinstance(reply, WholeReply)
        header = reply.headers["x-conduit-cost-usd"]
    record = gateway.records[-1]
    assert record.status == "success"
    assert sum(line["cost_nano"] for line in record.cost_breakdown) == record.cost_nano
    return Cost(record.cost_nano, record.cost_state, source=record.price_source, date=record.price_date), header


@pytest.mark.parametrize(("kind", "model", "shape"), [*_gateway_cases()])
async def test_the_gateway_records_the_same_cost_whole_and_streamed_native_and_translated(
    home: Home, kind: str, model: str, shape: Shape
) -> None:
    provider = CATALOG[kind].price_provider
    one = next(each for each in listed(provider) if each.model == model) if provider else None
    assert one is not None
    now = datetime.now(UTC)
    counts = SAMPLE.only(shape.classes & one.classes)
    # Catalog and package both at the time of the call.
    expected = nano_of_genai(one, counts, at=now)
    answer = shape.make(model, counts)
    native = shape.name if shape.name in ("openai_chat", "openai_responses", "anthropic_messages", "gemini") else "gemini"
    # What is translated reaches a target of several dialects in its first one, which is not always this upstream's.
    own = bind(Provider(id="prov_p", name="p", kind=kind, base_url="http://127.0.0.1:1")).dialects_for(model)
    others = [each for each in ("openai_chat", "anthropic_messages", "gemini") if each not in (*own, native)]
    clients = [native, *(others if own[0] == shape.name else [])]
    async with (
        raw_upstream(http_answer(answer.body, "application/json", "length")) as whole,
        raw_upstream(http_answer(answer.stream, answer.content_type, "chunked")) as streamed,
        open_gateway(home) as gateway,
    ):
        await gateway.add_provider("w", whole, kind=kind)
        await gateway.add_provider("s", streamed, kind=kind)
        await gateway.add_key()
        for client in clients:
            cost, header = await cost_of(gateway, request(client, f"w/{model}", stream=False))
            assert (cost.nano, cost.state, cost.source) == (expected, "final", "catalog"), client
            assert Decimal(header) * 10**9 == expected
            cost, _ = await cost_of(gateway, request(client, f"s/{model}", stream=True))
            assert (cost.nano, cost.state, cost.source) == (expected, "final", "catalog"), client
