"""The prices of the package genai-prices, in the catalog's form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from tools.prices.variants import Variant, number, with_output

RATES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_in",
    "output_audio_mtok": "audio_out",
    "input_image_mtok": "image_in",
    "output_image_mtok": "image_out",
}
UNITS = {
    "audio_hours": ("per_minute", 60),
    "input_audio_hours": ("per_minute", 60),
    "input_mchars": ("per_1k_chars", 1000),
    "web_searches_kcount": ("per_search", 1000),
    "requests_kcount": ("per_request", 1000),
}
DISQUALIFYING = frozenset({"output_video_mtok", "input_text_messages_kcount"})
"""Units charged on every call that Conduit does not count: a model with such a price is left out, its cost would be wrong."""
IGNORED = frozenset(
    {
        "storage_searches_kcount",  # for a hosted tool, whose calls no usage object counts
        "input_video_mtok",  # counted as text
        "output_citation_mtok",  # Perplexity reports its costs
        # `core.events.Usage` has no field for a cached modality: an answer that reports one has an estimated cost.
        "cache_audio_read_mtok",
        "cache_image_read_mtok",
    }
)
MEMBERS = {"or": "or_", "and": "and_"}
# A part of a name that a rule of genai-prices looks for, and not the name of a model: `ft:gpt-4o-2024-`, `claude-sonnet-4-2025`.
_CUT_OFF = re.compile(r"([-.@:/_]|-20\d\d|-\d)$")


@dataclass(slots=True)
class PackageProvider:
    """A provider of genai-prices: its address (a regular expression), and its prices by the model's name in lower case."""

    url: str
    fallback: list[str]
    models: dict[str, list[Variant]]


def read(names: dict[str, set[str]], today: date) -> tuple[dict[str, PackageProvider], list[list[str]]]:
    """Every provider by id, and `[provider, model, reason]` of what cannot be expressed.

    `names` are further names of models by provider, which genai-prices may know through one of its patterns.
    """
    skipped: list[list[str]] = []
    found = {one.id: _provider(one, names.get(one.id, set()), skipped, today) for one in get_snapshot().providers}
    return found, skipped


def _provider(provider: genai.Provider, more: set[str], skipped: list[list[str]], today: date) -> PackageProvider:
    prices: dict[int, list[Variant]] = {}
    for model in provider.models:
        prices[id(model)], why = _variants(model, today)
        if why:
            skipped.append([provider.id, model.id, why])
    models: dict[str, list[Variant]] = {}
    known = {name for model in provider.models for name in (model.id.lower(), *_names(model.match))}
    # genai-prices' own mark at Bedrock for a regional endpoint, whose model ids have no prefix.
    known |= {name.removeprefix("regional.") for name in known}
    if provider.id == "aws":
        known |= {re.sub(r"(-v\d+)?(:\d+)?$", "", name) for name in known}
    for name in sorted(known | more):
        # The first rule that fits names the model. A skipped model keeps its rule: without it, a wider one would price it.
        model = next((one for one in provider.models if one.is_match(name)), None)
        if model is not None and prices[id(model)]:
            models[name] = prices[id(model)]
    return PackageProvider(provider.api_pattern, list(provider.fallback_model_providers or ()), models)


def _names(clause: Any) -> Iterator[str]:
    """The names of models in a rule. A beginning of names is a name itself, where it is not cut off within a word or a date."""
    match clause:
        case genai.ClauseOr():
            yield from (name for one in clause.or_ for name in _names(one))
        case genai.ClauseEquals():
            yield clause.equals.lower()
        case genai.ClauseStartsWith() | genai.ClauseContains() | genai.ClauseEndsWith():
            ((_, text),) = vars(clause).items()
            name = text.lower().lstrip("/")
            if re.search(r"\d", name) and not _CUT_OFF.search(re.sub(r"-\d(?=$)", "", name) if _versioned(name) else name):
                yield name


def _versioned(name: str) -> bool:
    """Whether a name that ends in one digit ends in a version (`claude-opus-5`, `claude-2`), not in the begin of a date."""
    return re.search(r"(?<![-:]ft)[a-z]-\d$|-\d-[1-9]$|\.\d-[1-9]$", name) is not None and not name.endswith("-0")


def _variants(model: genai.ModelInfo, today: date) -> tuple[list[Variant], str]:
    """The prices in genai-prices' own order (the last that holds wins), or why there are none."""
    listed = model.prices if isinstance(model.prices, list) else [genai.ConditionalPrice(prices=model.prices)]
    variants = []
    for conditional in listed:
        if why := _unsayable(conditional.prices):
            return [], why
        variants.append(with_output({**_when(conditional.constraint), **rates_of(conditional.prices)}))
    if not variants or any("output" in one and "input" not in one for one in variants):
        return [], "no price" if not variants else "a price for the output alone"
    starts = [_start(one) for one in listed]
    for index, variant in enumerate(variants):
        # On the last day on which the price holds, or today: a variant of it that began since then counts.
        ends = [start for start in starts[index + 1 :] if start > starts[index]]
        last = min([today, *(start - timedelta(days=1) for start in ends)])
        if factors := _factors(model, variant, max(last, starts[index])):
            variant["service_tiers"] = factors
    return variants, ""


def stated(prices: genai.ModelPrice) -> dict[str, Any]:
    """The prices that are given, by genai-prices' own names."""
    return {key: value for key, value in vars(prices).items() if value is not None}


def _unsayable(prices: genai.ModelPrice) -> str:
    given = stated(prices)
    if found := DISQUALIFYING & given.keys():
        return ", ".join(sorted(found))
    unknown = given.keys() - RATES.keys() - UNITS.keys() - IGNORED
    if unknown or not given.keys() & (RATES.keys() | UNITS.keys()):
        return ", ".join(sorted(unknown)) or "no price by token, minute or character"
    return ""


def _when(constraint: Any) -> dict[str, Any]:
    match constraint:
        case None:
            return {}
        case genai.StartDateConstraint():
            return {"from": constraint.start_date.isoformat()}
        case genai.TimeOfDateConstraint():
            return {"between": [_utc(constraint.start_time), _utc(constraint.end_time)]}
    raise TypeError(f"a condition of another kind: {constraint!r}")


def _utc(value: Any) -> str:
    if value.tzinfo is not None:
        value = datetime.combine(date(2000, 1, 1), value).astimezone(UTC).time()
    return str(value.strftime("%H:%M"))


def rates_of(prices: genai.ModelPrice) -> Variant:
    """The rates of a price by the names of the catalog, with `tiers`."""
    given = stated(prices)
    rates: Variant = {}
    tiers: dict[int, dict[str, float]] = {}
    for key, name in RATES.items():
        value = given.get(key)
        if isinstance(value, genai.TieredPrices):
            rates[name] = number(value.base)
            for tier in value.tiers:
                tiers.setdefault(tier.start, {})[name] = number(tier.price)
        elif value is not None:
            rates[name] = number(value)
    for key, (name, divisor) in UNITS.items():
        if key in given:
            # A sixtieth of an hour's price is no whole number of nano-dollars.
            rates[name] = number(given[key] / divisor, 12 if name == "per_minute" else 9)
    if tiers:
        rates["tiers"] = [{"above": start, **tiers[start]} for start in sorted(tiers)]
    return rates


CONDITIONS = {("service_tier", "flex"): "flex", ("service_tier", "priority"): "priority", ("service_tier", "fast"): "fast",
    ("processing", "batch"): "batch", ("speed", "fast"): "speed:fast"}  # fmt: skip
"""The conditions of genai-prices' variants of a price, and the service tiers that they are here."""


def _start(one: Any) -> date:
    return one.constraint.start_date if isinstance(one.constraint, genai.StartDateConstraint) else date.min


def _factors(model: genai.ModelInfo, variant: Variant, day: date) -> dict[str, float]:
    """The factors of every tier that `day` has; of several variants for one tier the first that has begun counts."""
    found: dict[str, dict[str, float]] = {}
    base = _flat(variant)
    for one in model.price_variants or ():
        ((key, value),) = one.when.items() if len(one.when) == 1 else ((("", "")),)
        name = CONDITIONS.get((key, value))
        if name and name not in found and _start(one) <= day and stated(one.prices):
            # A rate that the tier does not state is the usual one.
            found[name] = factors(
                name, {**{rate: base[rate] for rate in RATES.values() if rate in base}, **_flat(rates_of(one.prices))}, base
            )
    return {name: factor for each in found.values() for name, factor in each.items()}


def _flat(rates: Variant) -> dict[str, float]:
    return {name: value for name, value in rates.items() if isinstance(value, int | float)}


def factors(tier: str, rates: dict[str, float], base: dict[str, float]) -> dict[str, float]:
    """`{tier: factor}`, and `{tier/rate: factor}` for each rate whose factor is another than that of the input.

    A rate times its factor, rounded to a nano-dollar, is exactly the tier's rate.
    """
    ratios = {name: decimal(rates[name]) / decimal(base[name]) for name in rates if base.get(name)}
    if not ratios:
        return {}
    general = ratios.get("input", next(iter(ratios.values())))
    usual = _factor(general)
    others = {
        f"{tier}/{name}": _factor(ratio)
        for name, ratio in ratios.items()
        if number(decimal(base[name]) * decimal(usual), 11) != number(decimal(rates[name]), 11)
    }
    return {tier: usual, **others}


def _factor(ratio: Decimal) -> float:
    """Twelve digits: a rate is at most some thousand dollars, and is kept in nano-dollars."""
    rounded = float(round(ratio, 12))
    return int(rounded) if rounded.is_integer() else rounded


def active(variants: Iterable[Variant], today: date) -> list[Variant]:
    """The variants of a price that hold at some time of `today`."""
    listed = list(variants)
    begun = [one for one in listed if one.get("from", "") <= today.isoformat()]
    dated = [one for one in begun if "between" not in one]
    return [*dated[-1:], *(one for one in begun if "between" in one)] or listed[:1]


def decimal(value: float) -> Decimal:
    """The number as it is written."""
    return Decimal(str(value))
