"""The built-in price catalog: `resources/prices.json`, read when a price is looked up and dropped afterwards.

Made by `python -m tools.prices`. A provider's models are `[rule, variants]` in order; the first rule that fits names the
model, and of its variants the last that holds at the moment, or else the first, is the price.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson

from conduit_desktop.core.entities import Price
from conduit_desktop.core.paths import resource

_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


@dataclass(frozen=True, slots=True)
class CatalogPrice:
    """A price of the catalog, and the moment (epoch ms) from which another may hold."""

    price: Price
    valid_until: int | None = None


class PriceCatalog:
    """The catalog in memory: some megabytes, so it is not kept longer than needed."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.date = date.fromisoformat(data["date"])
        self.source: str = data["source"]
        self._providers: dict[str, dict[str, Any]] = data["providers"]

    @classmethod
    def load(cls, path: Path | None = None) -> PriceCatalog:
        """Read the file (blocking, some ten milliseconds)."""
        return cls(orjson.loads((path or resource("prices.json")).read_bytes()))

    def find(self, provider: str, model: str, now_ms: int) -> CatalogPrice | None:
        """The price of a model at a catalog provider (`openai`, `x-ai`) at `now_ms`; None where it has none."""
        row = self._providers.get(provider)
        if row is None:
            return None
        name = model.lower()
        # The catalog has some dates with hyphens where a provider may write none (`gpt-4o-20240806`); the exact name comes first.
        for spelled in dict.fromkeys((name, _COMPACT_DATE.sub(r"-\1-\2-\3", name))):
            variants = self._variants(row, spelled)
            if variants is not None:
                return _at(f"{provider}/{model}", variants, now_ms) if variants else None
        return None

    def provider_at(self, base_url: str) -> str | None:
        """The catalog's provider that lives at an address; None for an unknown one."""
        return next((name for name, row in self._providers.items() if re.match(row["url"], base_url)), None)

    def _variants(self, row: dict[str, Any], model: str) -> list[dict[str, Any]] | None:
        # Clouds that resell models of a vendor (Azure: OpenAI's, Google: Anthropic's) have that vendor's row as fallback.
        rows = [row, *(self._providers[name] for name in row.get("fallback", ()) if name in self._providers)]
        for each in rows:
            for rule, variants in each["models"]:
                if fits(rule, model):
                    found: list[dict[str, Any]] = variants
                    return found
        return None


def fits(rule: dict[str, Any], model: str) -> bool:
    """Whether a rule of the catalog names `model` (in lower case)."""
    ((word, value),) = rule.items()
    match word:
        case "equals":
            return bool(model == value)
        case "starts_with":
            return model.startswith(value)
        case "ends_with":
            return model.endswith(value)
        case "contains":
            return value in model
        case "regex":
            return re.search(value, model) is not None
        case "or":
            return any(fits(one, model) for one in value)
        case "and":
            return all(fits(one, model) for one in value)
    # Not skipped: a rule that is passed over would let a later one name a wrong price.
    raise ValueError(f"the price catalog holds a rule of an unknown kind: {word}")


def _at(pattern: str, variants: list[dict[str, Any]], now_ms: int) -> CatalogPrice:
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    held = next((variant for variant in reversed(variants) if _holds(variant, now)), variants[0])
    rates = {name: value for name, value in held.items() if name not in ("from", "between", "tiers")}
    tiers = [
        {"above_input_tokens" if name == "above" else name: value for name, value in tier.items()} for tier in held.get("tiers", ())
    ]
    since = _milliseconds(_midnight(held["from"])) if "from" in held else 0
    price = Price.model_validate({"pattern": pattern, **rates, "tiers": tiers, "valid_from": since, "origin": "catalog"})
    return CatalogPrice(price, min(_changes(variants, now), default=None))


def _holds(variant: dict[str, Any], now: datetime) -> bool:
    if "from" in variant:
        return now >= _midnight(variant["from"])
    if "between" in variant:
        start, end = (time.fromisoformat(text) for text in variant["between"])
        clock = now.time()
        # A span may go over midnight.
        return start <= clock < end if start <= end else clock >= start or clock < end
    return True


def _changes(variants: list[dict[str, Any]], now: datetime) -> Iterable[int]:
    """The future times (epoch ms) at which one of the variants begins or ends."""
    for variant in variants:
        if "from" in variant and _midnight(variant["from"]) > now:
            yield _milliseconds(_midnight(variant["from"]))
        for text in variant.get("between", ()):
            at = datetime.combine(now.date(), time.fromisoformat(text), UTC)
            yield _milliseconds(at if at > now else at + timedelta(days=1))


def _midnight(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time(), UTC)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
