"""Which price is valid, that it is kept until a price changes, and that the catalog agrees with its source."""

from __future__ import annotations

import asyncio
import random
import threading
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest

from conduit_desktop.core.entities import OfferedModel, Price, Provider
from conduit_desktop.core.events import Usage
from conduit_desktop.gateway.accounting import pricing
from conduit_desktop.gateway.accounting.compiled_price import compile_price
from conduit_desktop.gateway.accounting.cost import price_answer
from conduit_desktop.gateway.accounting.price_catalog import PriceCatalog
from conduit_desktop.gateway.accounting.price_lists import PriceLists
from conduit_desktop.gateway.accounting.pricing import CompiledPrices, PriceQuery, choose, compile_prices, resolve
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import BoundProvider, Credential, Snapshot
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import bind
from tools.prices.merge import LEFT_OUT, decisions, hand

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)
DAY = 86_400_000


def wanted(model: str, kind: str = "openai", name: str = "main", base_url: str | None = None) -> PriceQuery:
    return PriceQuery(bind(Provider(id="p1", name=name, kind=kind, base_url=base_url)), name, model)


@pytest.fixture(scope="module")
def catalog() -> PriceCatalog:
    return PriceCatalog.load()


def pick(prices: list[Price], model: str = "gpt-x") -> str | None:
    chosen = choose(prices, wanted(model), NOW)
    return chosen.pattern if chosen else None


def test_an_exact_pattern_wins_over_a_longer_one_with_a_star():
    assert pick([Price(pattern="main/gpt-*", input=1), Price(pattern="gpt-x", input=2)]) == "gpt-x"


def test_the_longest_star_wins():
    assert pick([Price(pattern="*", input=1), Price(pattern="gpt-*", input=2), Price(pattern="g*", input=3)]) == "gpt-*"


def test_a_pattern_names_the_provider_and_model_or_the_model_alone():
    assert pick([Price(pattern="main/*", input=1)]) == "main/*"
    assert pick([Price(pattern="other/*", input=1)]) is None
    assert pick([Price(pattern="MAIN/GPT-X", input=1)]) == "MAIN/GPT-X"


def test_a_star_is_any_text_and_nothing_else_is_special():
    assert pick([Price(pattern="gpt.x", input=1)]) is None
    assert pick([Price(pattern="main/*-x", input=1)]) == "main/*-x"


def test_the_newest_price_that_has_begun_holds():
    prices = [Price(pattern="gpt-x", input=n, valid_from=NOW + offset) for n, offset in ((1, -2 * DAY), (2, -DAY), (3, DAY))]
    chosen = choose(prices, wanted("gpt-x"), NOW)
    assert chosen is not None
    assert chosen.input == 2


def test_a_price_that_has_not_begun_leaves_the_place_to_a_wider_one():
    assert pick([Price(pattern="gpt-x", input=1, valid_from=NOW + 1), Price(pattern="*", input=2)]) == "*"


def test_a_tariff_says_until_when_it_holds():
    prices = [Price(pattern="gpt-x", input=1), Price(pattern="gpt-x", input=2, valid_from=NOW + DAY)]
    made = compile_prices([wanted("gpt-x")], prices, NOW)["main/gpt-x"]
    assert made is not None
    assert made.valid_until == NOW + DAY


def test_a_local_server_is_free_unless_a_price_is_set(catalog: PriceCatalog):
    local = wanted("llama3.3:70b", "ollama", "home")
    free = resolve([], local, NOW, catalog)
    assert free is not None
    assert (free.price.origin, free.price.input) == ("free", 0)
    own = resolve([Price(pattern="home/*", input=0.5)], local, NOW, catalog)
    assert own is not None
    assert own.price.input == 0.5


@pytest.mark.parametrize(
    ("kind", "base_url"),
    [
        ("ollama", "https://ollama.com/v1"), ("vllm", "https://llm.example.org/v1"), ("lmstudio", "http://8.8.8.8:1234/v1"),
        ("llamacpp", "https://203.0.113.7/v1"), ("openai-compatible", "http://127.0.0.1:4000/v1"),
    ],
)  # fmt: skip
def test_a_kind_alone_makes_no_call_free(catalog: PriceCatalog, kind: str, base_url: str):
    assert resolve([], wanted("llama3.3:70b", kind, "x", base_url), NOW, catalog) is None
    assert compile_prices([wanted("llama3.3:70b", kind, "x", base_url)], [], NOW) == {"x/llama3.3:70b": None}


def test_the_router_of_hugging_face_has_the_price_of_the_provider_that_the_name_chooses(catalog: PriceCatalog):
    chosen = resolve([], wanted("meta-llama/Llama-3.3-70B-Instruct:together", "huggingface"), NOW, catalog)
    assert chosen is not None
    assert resolve([], wanted("meta-llama/Llama-3.3-70B-Instruct", "huggingface"), NOW, catalog) is None


@pytest.mark.parametrize(("base_url", "factor"), [("https://eu.api.openai.com/v1", 1.1), ("https://api.openai.com/v1", 1.0)])
def test_data_residency_makes_openais_tokens_dearer(catalog: PriceCatalog, base_url: str, factor: float):
    general = catalog.find("openai", "gpt-5.4", NOW)
    listed = resolve([], wanted("gpt-5.4", "openai", "x", base_url), NOW, catalog)
    assert general is not None
    assert listed is not None
    assert listed.price.input == pytest.approx((general.price.input or 0) * factor)


def test_a_region_of_vertex_ai_makes_claude_dearer(catalog: PriceCatalog):
    def at(location: str) -> float:
        kind = bind(Provider(id="p", name="v", kind="vertex", options={"location": location, "project": "p"}))
        listed = resolve([], PriceQuery(kind, "v", "claude-haiku-4-5@20251001"), NOW, catalog)
        assert listed is not None
        assert listed.price.input is not None
        return listed.price.input

    assert at("europe-west1") == pytest.approx(at("global") * 1.1)


def test_a_local_kind_at_a_vendors_address_has_that_vendors_prices(catalog: PriceCatalog):
    listed = resolve([], wanted("llama-3.3-70b-versatile", "vllm", "x", "https://api.groq.com/openai/v1"), NOW, catalog)
    assert listed is not None
    assert (listed.price.origin, listed.price.input) == ("catalog", 0.59)


def test_a_model_that_a_local_ollama_forwards_to_its_cloud_is_not_free(catalog: PriceCatalog):
    for model in ("gpt-oss:120b-cloud", "glm-4.6:cloud"):
        assert resolve([], wanted(model, "ollama", "home"), NOW, catalog) is None


def test_an_unknown_model_has_no_price_and_never_costs_nothing(catalog: PriceCatalog):
    assert resolve([], wanted("nobody-has-heard-of-this"), NOW, catalog) is None
    made = compile_prices([wanted("nobody-has-heard-of-this")], [], NOW)
    assert made == {"main/nobody-has-heard-of-this": None}
    assert price_answer(made["main/nobody-has-heard-of-this"], Usage(input=5)).nano is None


def test_the_operators_price_wins_over_the_catalog(catalog: PriceCatalog):
    listed = resolve([], wanted("gpt-4o-mini"), NOW, catalog)
    assert listed is not None
    assert listed.price.origin == "catalog"
    own = resolve([Price(pattern="gpt-4o*", input=9)], wanted("gpt-4o-mini"), NOW, catalog)
    assert own is not None
    assert own.price.input == 9


def test_without_the_catalog_only_the_operators_prices_count():
    assert compile_prices([wanted("gpt-4o-mini")], [], NOW, use_catalog=False) == {"main/gpt-4o-mini": None}


def test_a_generic_provider_at_a_known_address_has_that_vendors_prices(catalog: PriceCatalog):
    there = resolve([], wanted("gpt-4o-mini", "openai-compatible", "x", "https://api.openai.com/v1"), NOW, catalog)
    assert there is not None
    assert resolve([], wanted("gpt-4o-mini", "openai-compatible", "x", "https://llm.example.org/v1"), NOW, catalog) is None


def test_a_compact_date_means_the_dashed_one(catalog: PriceCatalog):
    assert catalog.find("openai", "gpt-4o-20240806", NOW) is not None


def test_every_price_provider_of_a_kind_is_in_the_catalog(catalog: PriceCatalog):
    from conduit_desktop.providers.catalog import CATALOG

    known = {kind.price_provider for kind in CATALOG.values() if kind.price_provider}
    # Hugging Face's router has a row for each of the providers behind it.
    assert {f"{name}_together" if name == "huggingface" else name for name in known} <= catalog._providers.keys()


@pytest.fixture
def two_prices() -> PriceCatalog:
    return PriceCatalog.read(
        b"""{"date": "2026-01-01", "source": "a test", "providers": {"v": {"url": "https://v", "prices": [
        [{"input": 1, "output": 0}, {"from": "2026-11-23", "input": 2, "output": 0}],
        [{"input": 1, "output": 0}, {"between": ["16:30", "00:30"], "input": 0.5, "output": 0}],
        [{"input": 1, "output": 0}, {"between": ["01:00", "04:00"], "days": [1, 2, 3, 4, 5], "input": 2, "output": 0}],
        [{"input": 1, "output": 4, "per_search": 0.01, "tiers": [{"above": 200000, "input": 2, "output": 6}],
          "regions": {"*": 1.1, "eu": 1.2}}]],
        "models": {"day": 0, "hour": 1, "working-day": 2, "by-region": 3}}}}"""
    )


def input_at(catalog: PriceCatalog, model: str, moment: datetime) -> tuple[float | None, datetime | None]:
    listed = catalog.find("v", model, int(moment.timestamp() * 1000))
    assert listed is not None
    until = listed.valid_until
    return listed.price.input, datetime.fromtimestamp(until / 1000, UTC) if until else None


def test_a_price_from_a_day_on_holds_from_its_midnight(two_prices: PriceCatalog):
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    assert input_at(two_prices, "day", datetime(2026, 11, 22, 23, 59, tzinfo=UTC)) == (1, midnight)
    assert input_at(two_prices, "day", midnight) == (2, None)


def test_a_price_by_the_hour_may_pass_midnight(two_prices: PriceCatalog):
    def at(hour: int, minute: int = 0) -> datetime:
        return datetime(2026, 11, 22, hour, minute, tzinfo=UTC)

    assert input_at(two_prices, "hour", at(12)) == (1, at(16, 30))
    assert input_at(two_prices, "hour", at(16, 30)) == (0.5, datetime(2026, 11, 23, 0, 30, tzinfo=UTC))
    assert input_at(two_prices, "hour", at(0, 10)) == (0.5, at(0, 30))
    assert input_at(two_prices, "hour", at(0, 30)) == (1, at(16, 30))


def test_a_price_of_working_days_does_not_hold_at_the_weekend(two_prices: PriceCatalog):
    friday, saturday = datetime(2026, 11, 27, 2, tzinfo=UTC), datetime(2026, 11, 28, 2, tzinfo=UTC)
    assert input_at(two_prices, "working-day", friday)[0] == 2
    assert input_at(two_prices, "working-day", saturday)[0] == 1


@pytest.mark.parametrize(("region", "factor"), [("", 1.0), ("us", 1.1), ("eu", 1.2)])
def test_a_region_makes_the_tokens_dearer_and_nothing_else(two_prices: PriceCatalog, region: str, factor: float):
    listed = two_prices.find("v", "by-region", NOW, region)
    assert listed is not None
    price, (tier,) = listed.price, listed.price.tiers
    assert (price.input, price.output, tier.input, tier.output) == pytest.approx((factor, 4 * factor, 2 * factor, 6 * factor))
    assert (price.per_search, tier.above_input_tokens) == (0.01, 200_000)


def test_a_price_of_the_catalog_has_its_origin_and_date(two_prices: PriceCatalog):
    listed = two_prices.find("v", "day", NOW)
    assert listed is not None
    assert (listed.price.origin, listed.price.as_of) == ("catalog", "2026-01-01")


USAGES = (
    Usage(input=1000, output=500),
    Usage(input=123_457, output=8_191, cache_read=65_536),
    Usage(input=10, output=7, cache_read=11, cache_write_5m=13, cache_write_1h=17),
    Usage(input=250_000, output=3, cache_read=30_000),
    Usage(input=600_000, output=40_000, reasoning=39_000),
)


def theirs(model: Any, provider: Any, usage: Usage, moment: datetime) -> float:
    """genai-prices' own arithmetic, whose input holds every class and whose output holds the thought."""
    from genai_prices.types import Usage as TheirUsage

    counted = {
        "input_tokens": usage.total_input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "output_reasoning_tokens": usage.reasoning,
    }
    price = model.calc_price(TheirUsage(**counted), provider, genai_request_timestamp=moment)
    return float(price.total_price * 10**9)


def within(usage: Usage, prices: Any) -> Usage:
    """Without the classes for which genai-prices has no rate: there the catalog has that of the other source."""
    fields = {
        "cache_read": "cache_read",
        "cache_write_5m": "cache_write",
        "cache_write_1h": "cache_write_1h",
        "reasoning": "output_reasoning",
    }
    return replace(usage, **{field: 0 for field, rate in fields.items() if getattr(prices, f"{rate}_mtok") is None})


def sampled_pairs(count: int) -> list[tuple[Any, Any]]:
    from genai_prices.data_snapshot import get_snapshot

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
    hosted = [pair for pair in pairs if pair[0].id in ("openai", "anthropic", "google", "deepseek", "x-ai", "mistral", "aws")]
    return [*hosted, *random.Random(7).sample(pairs, count)]


# To read them for each of the models took most of the test's time.
_decisions, _hand = cache(decisions), cache(hand)


def overruled(provider: str, model: str) -> bool:
    """Whether a decision, or a price entered by hand, holds in place of genai-prices' own."""
    entered = any(model in row["models"] for row in _hand()["price"] if row["provider"] == provider)
    renamed = any(model == row["name"] for row in _hand()["alias"] if row["provider"] == provider)
    decided = (one for one in _decisions() if one.provider == provider and one.take == "table")
    return entered or renamed or any(fnmatchcase(model, pattern) for one in decided for pattern in one.models)


def test_costs_equal_those_of_genai_prices_where_no_decision_overrules_it(catalog: PriceCatalog):
    compared = 0
    # A Monday: genai-prices does not know that DeepSeek has no peak hours at the weekend.
    for moment in (datetime(2026, 11, 23, 2, 30, tzinfo=UTC), datetime(2025, 6, 1, 20, tzinfo=UTC)):
        now = int(moment.timestamp() * 1000)
        for provider, model in sampled_pairs(400):
            found = provider.find_model(model.id)
            listed = catalog.find(provider.id, model.id, now)
            made = compile_price(listed.price) if listed else None
            if made is None or found is None or not made.by_tokens or overruled(provider.id, model.id.lower()):
                continue
            compared += 1
            for usage in (within(usage, found.get_prices(moment)) for usage in USAGES):
                expected = theirs(found, provider, usage, moment)
                # A tenth of the thousandth of a nano-dollar a token is what rounding the source's rates can make.
                found_nano = price_answer(made, usage).nano
                if found_nano is None:  # half a price, where the source takes the other half as free
                    assert made.price.input is None or made.price.output is None
                    continue
                assert abs(found_nano - expected) <= 0.51 + 1e-6 * usage.total_input, (provider.id, model.id, usage)
    assert compared >= 800


def test_every_model_with_plain_token_prices_is_in_the_catalog(catalog: PriceCatalog):
    from genai_prices.data_snapshot import get_snapshot

    plain = {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"}
    missing = []
    for provider in get_snapshot().providers:
        if provider.id in LEFT_OUT:
            continue
        for model in provider.models:
            given = {name for name, value in getattr(model.prices, "__dict__", {}).items() if value is not None}
            priced = "input_mtok" in given and given <= plain and provider.find_model(model.id) is model
            if priced and catalog.find(provider.id, model.id, NOW) is None:
                missing.append((provider.id, model.id))
    assert missing == []


# Prices in use


def target() -> BoundTarget:
    provider = Provider(id="prov_a", name="a", kind="openai")
    return BoundTarget.of(BoundProvider(provider, bind(provider), (Credential("0", Secrets()),)), "m")


async def no_list(bound: BoundProvider) -> list[OfferedModel]:
    raise AssertionError(f"{bound.name} was asked for its models")


def at(rate: float) -> Snapshot:
    return Snapshot(prices=(Price(pattern="a/m", input=rate, output=rate),))


async def test_a_price_that_changes_while_it_is_looked_up_holds_for_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    one, kept, changed = target(), CompiledPrices(PriceLists(no_list)), threading.Event()

    def late(*args: Any) -> Any:
        found = compile_prices(*args)
        assert changed.wait(10)
        return found

    monkeypatch.setattr(pricing, "compile_prices", late)
    lookup = asyncio.ensure_future(kept.find([one], at(1.0)))
    await asyncio.sleep(0)
    kept.forget()
    changed.set()
    (old,) = (await lookup).values()
    assert old is not None
    assert old.price.input == 1.0
    assert kept.known([one]) is None
    await kept.find([one], at(2.0))
    (new,) = (kept.known([one]) or {}).values()
    assert new is not None
    assert new.price.input == 2.0
