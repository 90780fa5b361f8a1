"""The prices in litellm's table of models, in the catalog's form.

Of the wheel only the data file is read; nothing of it is imported. Its rows are keyed `provider/model`, with one row for each
region, and for each size and quality of an image model.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from tools.prices.package import factors
from tools.prices.variants import Variant, number, with_output

FILE = "litellm/model_prices_and_context_window_backup.json"
PROVIDERS = {
    "openai": "openai", "text-completion-openai": "openai", "anthropic": "anthropic", "gemini": "google", "mistral": "mistral",
    "xai": "x-ai", "deepseek": "deepseek", "groq": "groq", "cerebras": "cerebras", "together_ai": "together",
    "fireworks_ai": "fireworks", "fireworks_ai-embedding-models": "fireworks", "perplexity": "perplexity", "cohere": "cohere",
    "cohere_chat": "cohere", "moonshot": "moonshotai", "zai": "zai", "minimax": "minimax", "voyage": "voyageai",
    "bedrock": "aws", "bedrock_converse": "aws", "bedrock_mantle": "aws", "azure": "azure", "azure_ai": "azure",
    "cloudflare": "cloudflare", "novita": "novita", "elevenlabs": "elevenlabs", "databricks": "databricks",
    "deepinfra": "deepinfra", "sambanova": "sambanova", "dashscope": "qwen", "jina_ai": "jina", "nebius": "nebius",
    "hyperbolic": "hyperbolic", "nscale": "nscale", "scaleway": "scaleway", "wandb": "wandb", "lambda_ai": "lambda",
    "friendliai": "friendli", "vercel_ai_gateway": "vercel", "stability": "stability", "deepgram": "deepgram", "ai21": "ai21",
    "meta": "meta", "baseten": "baseten", "vertex_ai": "vertex", "morph": "morph", "crusoe": "crusoe", "replicate": "replicate",
}  # fmt: skip
"""Ids of the catalog by litellm's; every `vertex_ai-…` is Vertex AI."""
PREFIXES = {
    "qwen": ("dashscope/",), "vertex": ("vertex_ai/",), "aws": ("bedrock/", "bedrock_mantle/"), "azure": ("azure/", "azure_ai/"),
    "google": ("gemini/",), "x-ai": ("xai/",), "fireworks": ("fireworks_ai/",), "together": ("together_ai/",),
    "moonshotai": ("moonshot/",), "voyageai": ("voyage/",), "jina": ("jina_ai/",), "lambda": ("lambda_ai/",),
    "friendli": ("friendliai/",), "vercel": ("vercel_ai_gateway/",),
}  # fmt: skip
"""Beginnings of keys, where they are not the provider's id."""
RATES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token",
    "audio_in": "input_cost_per_audio_token",
    "audio_out": "output_cost_per_audio_token",
    "image_in": "input_cost_per_image_token",
    "image_out": "output_cost_per_image_token",
}
TIERS = {"flex": "flex", "priority": "priority", "batches": "batch", "ultrafast": "ultrafast"}
"""Ends of fields, and the service tiers that they are for."""
_ABOVE = re.compile(r"_above_(\d+)k_tokens$")
_IMAGE = re.compile(r"(?:(low|medium|high|standard|hd|premium)/)?(?:(\d+)-x-(\d+)|max-x-max)/(?:(\d+|max)-steps/)?(.+)")
_SIZED = re.compile(r"output_cost_per_image_(512|0\.5K|1K|2K|4K)$")
# Stability's and Amazon's prices are by the number of steps: a request without one is of the usual number.
_USUAL_STEPS = "50"
_NO_PRICE_OF_OURS = ("ocr", "video_generation", "search", "evaluation", "guardrail", "vector_store", "extraction", "decisions")


@dataclass(slots=True)
class TableRow:
    """One model of the table: the provider's id in the catalog, its own name for the model, and the price."""

    provider: str
    model: str
    variant: Variant


def load(path: Path) -> dict[str, dict[str, Any]]:
    """The table in a wheel or in a file of its own."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as wheel:
            data = orjson.loads(wheel.read(FILE))
    else:
        data = orjson.loads(path.read_bytes())
    return {key: row for key, row in data.items() if isinstance(row, dict) and row.get("litellm_provider")}


def read(table: dict[str, dict[str, Any]]) -> list[TableRow]:
    """The rows with a price, with the sizes and qualities of an image model in one row."""
    found: dict[tuple[str, str], Variant] = {}
    images: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key, row in table.items():
        provider = _provider(row)
        # An alias of litellm's own (`claude-opus-latest`), which the vendor does not know.
        if provider is None or "alias_of" in row or row.get("mode") in _NO_PRICE_OF_OURS:
            continue
        name = _name(provider, key, row)
        if (sized := _IMAGE.fullmatch(name)) and "/" in name:
            images.setdefault((provider, _without(provider, sized[5])), []).extend(_image_rate(sized, row))
            continue
        if variant := _variant(row, provider):
            found.setdefault((provider, name), variant)
    for (provider, name), rates in images.items():
        if rates:
            variant = found.setdefault((provider, name), {})
            variant["per_image"] = _merged(variant.get("per_image"), rates)
    return [TableRow(provider, name, variant) for (provider, name), variant in found.items() if variant]


def _provider(row: dict[str, Any]) -> str | None:
    provider = str(row["litellm_provider"])
    return "vertex" if provider.startswith("vertex_ai") else PROVIDERS.get(provider)


def _name(provider: str, key: str, row: dict[str, Any]) -> str:
    name = key.lower()
    for prefix in (f"{row['litellm_provider']}/", *PREFIXES.get(provider, (f"{provider}/",))):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _without(provider: str, name: str) -> str:
    """The model in the last part of a key such as `high/1024-x-1024/gpt-image-1`."""
    for prefix in PREFIXES.get(provider, (f"{provider}/",)):
        name = name.removeprefix(prefix)
    return name


def _merged(general: Any, rates: list[dict[str, Any]]) -> Any:
    """The rates by size and quality, with the model's general price for all others."""
    listed = general if isinstance(general, list) else [{"size": "", "quality": "", "usd": general}] if general else []
    every = {(one["quality"], one["size"]): one for one in (*listed, *rates)}
    if len({one["usd"] for one in every.values()}) == 1 and ("", "") in every:
        return every["", ""]["usd"]
    return [every[key] for key in sorted(every)]


def _image_rate(sized: re.Match[str], row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    quality, width, height, steps, name = sized.groups()
    # `standard` and no quality are litellm's defaults for gpt-image, whose own default is `auto`.
    if width is None or steps not in (None, _USUAL_STEPS) or ("gpt-image" in name and quality in (None, "standard")):
        return
    usd = row.get("output_cost_per_image") or row.get("input_cost_per_image")
    if usd is None and (by_pixel := row.get("input_cost_per_pixel") or row.get("output_cost_per_pixel")):
        # The vendors' prices have whole tenths of a cent; the table divided them.
        usd = round(by_pixel * int(width) * int(height), 4)
    if usd:
        yield {"size": f"{width}x{height}", "quality": quality or "", "usd": number(Decimal(str(usd)))}


def _variant(row: dict[str, Any], provider: str) -> Variant:
    rates = _rates(row, "")
    if rates.get("cache_read") == 0 and rates.get("input"):
        # No vendor lists it as free of charge: the table has no price there.
        del rates["cache_read"]
    variant: Variant = {**rates, **_units(row, provider)}
    for one in row.get("tiered_pricing", ())[:1]:
        # The first band of a table with bands is the price of the model.
        variant |= _rates(one, "")
    if "image_out" in variant and "output" not in variant:
        # An image model has no other output, and not every answer tells its output tokens apart.
        variant["output"] = variant["image_out"]
    unpriced = variant.get("input") == variant.get("output", 0) == 0 and not _is_free(row)
    if unpriced or "input" not in variant:
        return {name: value for name, value in variant.items() if name not in RATES}
    for name, value in (("tiers", _bands(row)), ("service_tiers", _service_tiers(row, rates)), ("regions", _regions(row))):
        if value:
            variant[name] = value
    return with_output(variant)


def _bands(row: dict[str, Any]) -> list[Variant]:
    """The rates over a number of input tokens, lowest first."""
    starts = {int(match[1]) for field in row if (match := _ABOVE.search(field)) and isinstance(row[field], int | float)}
    bands = {start * 1000: _rates(row, f"_above_{start}k_tokens") for start in starts}
    for one in row.get("tiered_pricing", ())[1:]:
        if one.get("range"):
            bands[int(one["range"][0])] = _rates(one, "")
    return [{"above": start, **bands[start]} for start in sorted(bands) if bands[start]]


def _is_free(row: dict[str, Any]) -> bool:
    """Zeros of a model that the vendor gives away; other zeros are gaps of the table."""
    return row.get("mode") == "moderation"


def _rates(row: dict[str, Any], end: str) -> Variant:
    return {
        name: number(Decimal(str(value)) * 1_000_000) for name, field in RATES.items() if _is_number(value := row.get(field + end))
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _units(row: dict[str, Any], provider: str) -> Variant:
    units: Variant = {}
    mode = row.get("mode")
    if mode in ("image_generation", "image_edit"):
        sizes = [{"size": match[1], "quality": "", "usd": row[field]} for field in row if (match := _SIZED.match(field))]
        usd = row.get("output_cost_per_image") or (row.get("input_cost_per_image") if "output_cost_per_token" not in row else None)
        if sizes:
            units["per_image"] = sizes
        elif usd:
            units["per_image"] = usd
    if mode == "audio_transcription" and (rate := row.get("input_cost_per_second") or row.get("output_cost_per_second")):
        units["per_minute"] = number(Decimal(str(rate)) * 60, 12)
    if rate := row.get("input_cost_per_character"):
        units["per_1k_chars"] = number(Decimal(str(rate)) * 1000)
    if mode == "rerank" and (rate := row.get("input_cost_per_query")):
        units["per_search"] = number(Decimal(str(rate)))
    if rate := row.get("input_cost_per_request"):
        units["per_request"] = number(Decimal(str(rate)))
    searches = row.get("search_context_cost_per_query")
    if searches and len(set(searches.values())) == 1 and provider != "perplexity":
        units["per_search"] = number(Decimal(str(searches["search_context_size_medium"])))
    return units


def _service_tiers(row: dict[str, Any], rates: Variant) -> dict[str, float]:
    found: dict[str, float] = {}
    for end, name in TIERS.items():
        found |= factors(name, _rates(row, f"_{end}"), rates)
    entry = row.get("provider_specific_entry") or {}
    if "fast" in entry:
        found["speed:fast"] = entry["fast"]
    if "us" in entry:
        found["region:us"] = entry["us"]
    return found


def _regions(row: dict[str, Any]) -> dict[str, float]:
    """Factors of the region of the address that is called; `*` is every region but `global`."""
    regions = {}
    if factor := row.get("regional_endpoint_uplift_multiplier"):
        regions["*"] = factor
    for region in ("us", "eu"):
        if factor := row.get(f"regional_processing_uplift_multiplier_{region}"):
            regions[region] = factor
    return regions
