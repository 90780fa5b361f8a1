"""One catalog of both sources, by the decisions of `decisions.toml` and the prices of `hand.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tools.prices import package
from tools.prices.table import TableRow
from tools.prices.variants import Variant, with_output

HERE = Path(__file__).resolve().parent
COMPARED = (
    "input", "output", "cache_read", "cache_write", "cache_write_1h", "audio_in", "audio_out", "image_in", "image_out",
    "per_minute", "per_1k_chars", "per_search",
)  # fmt: skip
TOLERANCE = 0.01
TOKENS = frozenset(
    {"input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_in", "audio_out", "image_in",
     "image_out", "tiers"}
)  # fmt: skip
URLS = {
    "vertex": r"https://([a-z0-9-]+-)?aiplatform\.((us|eu)\.rep\.)?googleapis\.com",
    "deepinfra": r"https://api\.deepinfra\.com",
    "sambanova": r"https://api\.sambanova\.ai",
    "qwen": r"https://dashscope(-intl|-us)?\.aliyuncs\.com",
    "jina": r"https://api\.jina\.ai",
    "nebius": r"https://api\.(studio\.nebius\.(ai|com)|tokenfactory\.nebius\.com)",
    "hyperbolic": r"https://api\.hyperbolic\.xyz",
    "nscale": r"https://inference\.api\.nscale\.com",
    "scaleway": r"https://api\.scaleway\.ai",
    "wandb": r"https://api\.inference\.wandb\.ai",
    "lambda": r"https://api\.lambda\.ai",
    "friendli": r"https://api\.friendli\.ai",
    "vercel": r"https://ai-gateway\.vercel\.sh",
    "stability": r"https://api\.stability\.ai",
    "deepgram": r"https://api\.deepgram\.com",
    "ai21": r"https://api\.ai21\.com",
    "morph": r"https://api\.morphllm\.com",
    "crusoe": r"https://managed-inference-api-proxy\.crusoecloud\.com",
    "replicate": r"https://api\.replicate\.com",
    "github": r"https://models\.github\.ai|https://models\.inference\.ai\.azure\.com",
}
"""Addresses of the providers that genai-prices does not have, as regular expressions."""
REPLACED_URLS = {
    "openai": r"https://((us|eu)\.)?api\.openai\.com",
    "google": r"https://generativelanguage\.googleapis\.com",
    "together": r"https://api\.together\.(xyz|ai)",
    "groq": r"https://api\.groq\.com",
    "aws": r"https://bedrock-(runtime(-fips)?|mantle)\.[a-z0-9-]+\.(amazonaws\.com|api\.aws)",
}
"""Addresses that are more, or fewer, than genai-prices has."""
FALLBACKS = {"vertex": ["google"]}
# One of two rates that belong to another product of the same address.
LEFT_OUT = {"openai-decisions", "cursor", "quicksilverpro", "doubleword", "typesafe", "avian", "modal"}
DROPPED = {
    "azure": ("model-router*", "model_router*", "ada", "babbage*", "curie", "davinci*", "text-curie*", "text-davinci*"),
}
"""Models with a price for the input alone, though their output is billed: the router's answers name the model that wrote them."""
PEAK_DAYS = [1, 2, 3, 4, 5]
"""DeepSeek's peak hours are from Monday to Friday: https://api-docs.deepseek.com/quick_start/pricing"""


@dataclass(frozen=True, slots=True)
class Decision:
    """Which source is right about models of a provider; `models` are patterns, `take` is `package`, `table` or `both`."""

    provider: str
    models: tuple[str, ...]
    take: str
    source: str
    fields: tuple[str, ...] = ()

    def fits(self, provider: str, model: str, field: str) -> bool:
        """Whether it decides about that rate of that model."""
        if provider != self.provider or (self.fields and field not in self.fields):
            return False
        return any(fnmatchcase(model, pattern) for pattern in self.models)


def decisions() -> list[Decision]:
    """The decisions, of which the first that fits counts."""
    data = tomllib.loads((HERE / "decisions.toml").read_text())
    return [
        Decision(one["provider"], tuple(one["models"]), one["take"], one["source"], tuple(one.get("fields", ())))
        for one in data["decision"]
    ]


def hand() -> dict[str, list[dict[str, Any]]]:
    """`price`: the prices that neither source has right; `alias`: names that mean another model."""
    return tomllib.loads((HERE / "hand.toml").read_text())


@dataclass(frozen=True, slots=True)
class Difference:
    """A rate about which the sources disagree by more than 1 %."""

    provider: str
    model: str
    field: str
    package: float
    table: float


def catalog(rows: list[TableRow], today: date, table_version: str) -> tuple[dict[str, Any], list[Difference]]:
    """The whole file as one value, and what the sources disagree about."""
    names: dict[str, set[str]] = {}
    for row in rows:
        names.setdefault(row.provider, set()).add(row.model)
    providers, skipped = package.read(names, today)
    merged: dict[str, dict[str, list[Variant]]] = {name: dict(one.models) for name, one in providers.items()}
    found: list[Difference] = []
    decided = decisions()
    for row in rows:
        models = merged.setdefault(row.provider, {})
        fallbacks = providers[row.provider].fallback if row.provider in providers else FALLBACKS.get(row.provider, [])
        ours = models.get(row.model) or next(
            (merged[one][row.model] for one in fallbacks if row.model in merged.get(one, {})), None
        )
        if ours is None:
            models[row.model] = [row.variant]
            continue
        differences = list(_differences(row, ours, today))
        found += differences
        models[row.model] = _joined(row, ours, differences, decided, today)
    _peak_days(merged["deepseek"])
    for provider, patterns in DROPPED.items():
        kept = {name: one for name, one in merged[provider].items() if not any(fnmatchcase(name, each) for each in patterns)}
        merged[provider] = kept
    _by_hand(merged)
    made = {}
    for name in sorted(merged, key=lambda one: (one not in URLS, one)):
        if merged[name] and name not in LEFT_OUT:
            url = REPLACED_URLS.get(name) or (providers[name].url if name in providers else URLS.get(name))
            if url is not None:
                fallback = providers[name].fallback if name in providers else FALLBACKS.get(name, [])
                made[name] = _packed(url, [*fallback], merged[name])
    source = f"genai-prices {version('genai-prices')}, litellm {table_version}"
    return {"date": today.isoformat(), "source": source, "providers": made, "skipped": skipped}, found


def _differences(row: TableRow, ours: list[Variant], today: date) -> Iterable[Difference]:
    # A price by the hour agrees where one of its hours does.
    held = package.active(ours, today)
    for field in COMPARED:
        theirs, own = row.variant.get(field), [one[field] for one in held if field in one]
        if isinstance(theirs, int | float) and own and all(abs(one - theirs) > TOLERANCE * max(one, theirs) for one in own):
            yield Difference(row.provider, row.model, field, own[-1], theirs)
    theirs, own = _bands(row.variant), _bands(held[-1])
    if {"input", "output"} <= row.variant.keys() and "input" in held[-1] and theirs != own:
        yield Difference(row.provider, row.model, "tiers", own, theirs)


def _bands(variant: Variant) -> float:
    """The input at which the first dearer band begins, in thousands of tokens; 0 where there is none."""
    return round(variant["tiers"][0]["above"] / 1000) if variant.get("tiers") else 0


def _joined(
    row: TableRow, ours: list[Variant], differences: list[Difference], decided: list[Decision], today: date
) -> list[Variant]:
    """The price of both sources: the package's, or the table's where it is decided; what one of them lacks is the other's."""
    takes = {one.field: _take(decided, one) for one in differences}
    if any(take == "table" for field, take in takes.items() if field in TOKENS):
        fresh = dict(row.variant)
        for field, value in package.active(ours, today)[-1].items():
            if field not in TOKENS and field not in ("from", "between", "service_tiers") and takes.get(field) != "table":
                fresh[field] = value
        return [fresh]
    joined = deepcopy(ours)
    disputed = any(field in TOKENS for field in takes)
    for variant in joined:
        if variant.get("from", "") > today.isoformat() or not any(_same(variant, one) for one in package.active(ours, today)):
            continue
        for field, value in row.variant.items():
            if takes.get(field) == "table":
                variant[field] = value
            elif field == "service_tiers":
                variant[field] = _tiers(value, variant.get(field, {})) if not disputed else variant.get(field, value)
            elif field in TOKENS:
                # A rate that belongs to another input rate would be wrong.
                if not disputed and "input" in variant and len(joined) - joined.index(variant) == 1:
                    variant.setdefault(field, value)
            else:
                variant.setdefault(field, value)
    return joined


def _tiers(theirs: dict[str, float], ours: dict[str, float]) -> dict[str, float]:
    """The factors of both; a tier that the package has is the package's with all its rates."""
    known = {name.partition("/")[0] for name in ours}
    return {**{name: value for name, value in theirs.items() if name.partition("/")[0] not in known}, **ours}


def _same(one: Variant, other: Variant) -> bool:
    return one.get("from") == other.get("from") and one.get("between") == other.get("between")


def _take(decided: list[Decision], one: Difference) -> str:
    return next((decision.take for decision in decided if decision.fits(one.provider, one.model, one.field)), "package")


def _peak_days(models: dict[str, list[Variant]]) -> None:
    for variants in models.values():
        for variant in variants:
            if variant.get("between") in (["01:00", "04:00"], ["06:00", "10:00"]):
                variant["days"] = PEAK_DAYS


def _by_hand(merged: dict[str, dict[str, list[Variant]]]) -> None:
    data = hand()
    for price in data["price"]:
        rates = {key: value for key, value in price.items() if key not in ("provider", "models", "source", "adds", "only")}
        models = merged.setdefault(price["provider"], {})
        for pattern in price["models"]:
            names = [name for name in models if fnmatchcase(name, pattern)] if "*" in pattern else [pattern]
            for name in names:
                if not price.get("adds"):
                    models[name] = [with_output(dict(rates))]
                    continue
                changed = deepcopy(models[name])
                for variant in changed:
                    tiers = {**variant.get("service_tiers", {}), **rates.get("service_tiers", {})}
                    variant.update(deepcopy(rates), **({"service_tiers": tiers} if tiers else {}))
                models[name] = changed
    for alias in data["alias"]:
        models = merged[alias["provider"]]
        models[alias["name"]] = models[alias["model"]]


def _packed(url: str, fallback: list[str], models: Mapping[str, list[Variant]]) -> dict[str, Any]:
    """Each price once, and the names of the models with its place."""
    prices: list[list[Variant]] = []
    places: dict[str, int] = {}
    names: dict[str, int] = {}
    for name, variants in sorted(models.items()):
        key = repr(variants)
        if key not in places:
            places[key] = len(prices)
            prices.append(variants)
        names[name] = places[key]
    row: dict[str, Any] = {"url": url, "prices": prices, "models": names}
    if fallback:
        row["fallback"] = fallback
    return row
