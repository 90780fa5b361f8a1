"""Makes `resources/prices.json` from the package genai-prices: `python -m tools.prices`.

The gateway reads that file and not the package, which would cost it a hundred megabytes. What the file cannot express is
left out and listed under `skipped`: a model without a price is shown as unknown, one with half a price would be wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

TARGET = Path(__file__).resolve().parent.parent / "resources" / "prices.json"
RATES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_in",
    "output_audio_mtok": "audio_out",
}
UNITS = {"audio_hours": ("per_minute", 60), "input_audio_hours": ("per_minute", 60), "input_mchars": ("per_1k_chars", 1000)}
DISQUALIFYING = frozenset({"requests_kcount", "output_video_mtok", "output_citation_mtok", "input_text_messages_kcount"})
"""Units charged on every call that Conduit does not count: a model with such a price is left out, its cost would be wrong."""
SURCHARGES = frozenset(
    {
        "web_searches_kcount", "storage_searches_kcount",  # for a hosted tool, where it is used
        "input_image_mtok", "input_video_mtok", "cache_audio_read_mtok", "cache_image_read_mtok",  # counted as text
    }
)  # fmt: skip


def catalog(today: date) -> dict[str, Any]:
    """The whole file as one value."""
    skipped: list[list[str]] = []
    providers = {provider.id: _provider(provider, skipped) for provider in get_snapshot().providers}
    return {
        "date": today.isoformat(),
        "source": f"genai-prices {version('genai-prices')}",
        "providers": {name: row for name, row in providers.items() if row["models"]},
        "skipped": skipped,
    }


def _provider(provider: genai.Provider, skipped: list[list[str]]) -> dict[str, Any]:
    models = []
    for model in provider.models:
        variants, why = _variants(model)
        if why:
            skipped.append([provider.id, model.id, why])
        # A skipped model keeps its rule: without it, a wider rule further down would price it.
        models.append([_match(model.match), [] if why else variants])
    row: dict[str, Any] = {"url": provider.api_pattern, "models": models}
    if provider.fallback_model_providers:
        row["fallback"] = provider.fallback_model_providers
    return row


def _variants(model: genai.ModelInfo) -> tuple[list[dict[str, Any]], str]:
    """The prices in genai-prices' own order (the last that holds wins), or why there are none."""
    listed = model.prices if isinstance(model.prices, list) else [genai.ConditionalPrice(prices=model.prices)]
    variants = []
    for conditional in listed:
        if why := _unsayable(conditional.prices):
            return [], why
        variants.append({**_when(conditional.constraint), **_rates(conditional.prices)})
    return variants, "" if variants else "no price"


def _stated(prices: genai.ModelPrice) -> dict[str, Any]:
    return {key: value for key, value in vars(prices).items() if value is not None}


def _unsayable(prices: genai.ModelPrice) -> str:
    stated = _stated(prices)
    if found := DISQUALIFYING & stated.keys():
        return ", ".join(sorted(found))
    if "output_image_mtok" in stated and stated["output_image_mtok"] != stated.get("output_mtok"):
        return "output_image_mtok"
    unknown = stated.keys() - RATES.keys() - UNITS.keys() - SURCHARGES
    if unknown or not stated.keys() & (RATES.keys() | UNITS.keys()):
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


def _rates(prices: genai.ModelPrice) -> dict[str, Any]:
    stated = _stated(prices)
    rates: dict[str, Any] = {}
    tiers: dict[int, dict[str, float]] = {}
    for key, name in RATES.items():
        value = stated.get(key)
        if isinstance(value, genai.TieredPrices):
            rates[name] = _number(value.base)
            for tier in value.tiers:
                tiers.setdefault(tier.start, {})[name] = _number(tier.price)
        elif value is not None:
            rates[name] = _number(value)
    for key, (name, divisor) in UNITS.items():
        if key in stated:
            rates[name] = _number(stated[key] / divisor)
    if tiers:
        rates["tiers"] = [{"above": start, **tiers[start]} for start in sorted(tiers)]
    return rates


def _number(value: Decimal) -> float:
    """Whole nano-dollars: some of the sources divide, and give a float's twentieth digit."""
    rounded = float(round(value, 9))
    return int(rounded) if rounded.is_integer() else rounded


def _match(clause: Any) -> dict[str, Any]:
    match clause:
        case genai.ClauseOr():
            return {"or": [_match(one) for one in _flat(clause)]}
        case genai.ClauseAnd():
            return {"and": [_match(one) for one in clause.and_]}
    ((word, text),) = vars(clause).items()
    return {word: text if word == "regex" else text.lower()}


def _flat(clause: genai.ClauseOr) -> Iterator[Any]:
    for one in clause.or_:
        if isinstance(one, genai.ClauseOr):
            yield from _flat(one)
        else:
            yield one


def main() -> None:
    """Write the file and print a summary of it."""
    made = catalog(datetime.now(UTC).date())
    TARGET.write_bytes(orjson.dumps(made) + b"\n")
    count = sum(len(provider["models"]) for provider in made["providers"].values())
    sys.stdout.write(
        f"{TARGET.name}: {count} models of {len(made['providers'])} providers, {len(made['skipped'])} without a price\n"
    )


if __name__ == "__main__":
    main()
