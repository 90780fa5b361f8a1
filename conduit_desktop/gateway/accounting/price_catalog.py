"""The price catalog: `prices.json` among the resources, or a newer one in the home; read for a look-up and dropped afterwards.

Made by `python -m tools.prices`. A provider has `prices` and the names of its `models` with the place of each one's price. A price
is a list of variants, of which the last that holds at the moment, or else the first, counts.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from conduit_desktop.core.entities import Price
from conduit_desktop.core.errors import Conflict, Invalid
from conduit_desktop.core.paths import resource
from conduit_desktop.core.tokens import RATE_NAMES
from conduit_desktop.gateway.accounting.model_spellings import spellings

log = logging.getLogger(__name__)

MAX_CATALOG = 20 * 1024 * 1024
"""Bytes of a catalog that is installed; the one that ships has half a megabyte."""
_CONDITIONS = frozenset({"from", "between", "days", "regions"})
# The date comes first in the file, so that of two files only the newer one has to be read.
_DATE = re.compile(rb'\{"date":"(\d{4}-\d{2}-\d{2})"')
_DATED = re.compile(r"[-@](\d{3,8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{2}|\d{2}-\d{4})")
"""What snapshots have behind the name of their model: `-2024-05-13`, `-20241022`, `-2411`, `-001`."""
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


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
        self.is_built_in = False
        """Whether it is the one that ships."""

    @classmethod
    def load(cls, installed: Path | None = None) -> PriceCatalog:
        """Read the newer of the file that ships and of `installed`, which need not exist (blocking, some ten milliseconds)."""
        shipped = resource("prices.json")
        if installed is not None and _date_of(installed) > _date_of(shipped):
            try:
                return cls.read(installed.read_bytes())
            except (OSError, Invalid) as error:
                # Changed by hand since it was installed: a broken file must not leave every model without a price.
                log.warning("the price catalog that was installed is not used: %s", error)
        built_in = cls(orjson.loads(shipped.read_bytes()))
        built_in.is_built_in = True
        return built_in

    @classmethod
    def read(cls, data: bytes) -> PriceCatalog:
        """A catalog from elsewhere; raises Invalid with what is wrong with it."""
        if len(data) > MAX_CATALOG:
            raise Invalid(f"The price catalog has more than {MAX_CATALOG // 1024 // 1024} MB.")
        try:
            content = orjson.loads(data)
            _check(content)
            return cls(content)
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError, re.error) as error:
            raise Invalid(f"This is no price catalog: {str(error).splitlines()[0][:200]}") from error

    @property
    def models(self) -> int:
        """The number of models' names."""
        return sum(len(row["models"]) for row in self._providers.values())

    def find(self, provider: str, model: str, at_ms: int, region: str = "") -> CatalogPrice | None:
        """The price of a model at a catalog provider (`openai`, `x-ai`) at `at_ms` (epoch ms); None where it has none.

        `region` is that of the address: cloud regions and data residency cost more at some vendors.
        """
        today = datetime.fromtimestamp(at_ms / 1000, UTC).date()
        if provider == "huggingface":
            # The router takes `org/model:provider`; without a provider it chooses one itself.
            model, _, chosen = model.partition(":")
            provider = f"huggingface_{chosen.lower()}"
        if provider == "openrouter" and model.lower().endswith(":free"):
            return _free(f"{provider}/{model}", self.date)
        row = self._providers.get(provider)
        if row is None:
            return None
        # Clouds that resell models of a vendor (Azure: OpenAI's, Vertex AI: Gemini) have that vendor's row as fallback.
        rows = [row, *(self._providers[name] for name in row.get("fallback", ()) if name in self._providers)]
        for name in spellings(provider, model, region, today):
            for each in rows:
                place = each["models"].get(name)
                if place is not None:
                    return _at(f"{provider}/{model}", each["prices"][place], at_ms, region, self.date)
        return None

    def snapshots(self, provider: str, model: str) -> list[str]:
        """The names of a provider's models that are `model`, or its `-latest`, with a date or a version behind it."""
        row = self._providers.get(provider)
        if row is None:
            return []
        base = model.strip().lower().removesuffix("-latest")
        rows = [row, *(self._providers[name] for name in row.get("fallback", ()) if name in self._providers)]
        named = {name for each in rows for name in each["models"] if name.startswith(base)}
        return sorted(name for name in named - {model.strip().lower()} if name == base or _DATED.fullmatch(name[len(base) :]))

    def names(self) -> list[tuple[str, str]]:
        """Provider and name of every model, in alphabetical order."""
        return sorted((provider, model) for provider, row in self._providers.items() for model in row["models"])

    def provider_at(self, base_url: str) -> str | None:
        """The catalog's provider that lives at an address; None for an unknown one."""
        return next((name for name, row in self._providers.items() if re.match(row["url"], base_url)), None)


def install_catalog(data: bytes, path: Path, now: datetime | None = None) -> PriceCatalog:
    """Check a catalog and write it to `path` (the home's `prices.json`), from where the next look-up takes it (blocking).

    Raises Invalid where it is malformed or from the future, Conflict where it is not newer than the one in use.
    """
    catalog = PriceCatalog.read(data)
    if catalog.date > ((now or datetime.now(UTC)) + timedelta(days=1)).date():
        raise Invalid(f"The price catalog is of {catalog.date}, which is in the future.")
    in_use = max(_date_of(resource("prices.json")), _date_of(path))
    if catalog.date.isoformat() <= in_use:
        raise Conflict(f"The price catalog is of {catalog.date}; the one in use is of {in_use}.")
    content = orjson.loads(data)
    ordered = orjson.dumps({"date": content["date"], **content}) + b"\n"
    # Renamed into place: a look-up never reads half a file.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".prices-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(ordered)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return catalog


def _date_of(path: Path) -> str:
    """The date of a catalog file, empty where there is none."""
    try:
        with path.open("rb") as file:
            found = _DATE.match(file.read(64))
    except OSError:
        return ""
    return found[1].decode() if found else ""


def _check(content: Any) -> None:
    """Raises ValueError or ValidationError for a catalog in which a look-up could fail, or which has a half price."""
    if not isinstance(content, dict) or set(content) - {"skipped"} != {"date", "source", "providers"}:
        raise ValueError("it needs date, source and providers")
    date.fromisoformat(content["date"])
    if not isinstance(content["source"], str) or not isinstance(content["providers"], dict) or not content["providers"]:
        raise ValueError("it needs a source and providers")
    for name, row in content["providers"].items():
        if set(row) - {"fallback"} != {"url", "prices", "models"}:
            raise ValueError(f"{name} needs url, prices and models")
        if len(row["url"]) > 1000:
            raise ValueError(f"the url of {name} is too long")
        re.compile(row["url"])
        if not all(isinstance(one, str) for one in row.get("fallback", [])):
            raise ValueError(f"the fallback of {name} is no list of names")
        for variants in row["prices"]:
            _check_variants(name, variants)
        for model, place in row["models"].items():
            if type(place) is not int or not 0 <= place < len(row["prices"]):
                raise ValueError(f"{name}/{model} has no price")


def _check_variants(name: str, variants: Any) -> None:
    if not isinstance(variants, list) or not variants:
        raise ValueError(f"a price of {name} is empty")
    for variant in variants:
        price = _price(name, variant, 1.0, date(2000, 1, 1))
        if (price.input is None) != (price.output is None):
            raise ValueError(f"a price of {name} has a rate for one of input and output alone")
        date.fromisoformat(variant.get("from", "2000-01-01"))
        between = variant.get("between", ["00:00", "00:00"])
        if len(between) != 2 or not all(_CLOCK.fullmatch(text) for text in between):
            raise ValueError(f"a price of {name} holds between {between}")
        if not all(day in range(1, 8) for day in variant.get("days", [])):
            raise ValueError(f"a price of {name} holds on {variant['days']}")
        if not all(isinstance(factor, int | float) and 0 < factor < 100 for factor in variant.get("regions", {}).values()):
            raise ValueError(f"a price of {name} has a region without a factor")


def _free(pattern: str, listed: date) -> CatalogPrice:
    """The price of a model that the vendor gives away."""
    return CatalogPrice(Price(pattern=pattern, input=0.0, output=0.0, origin="catalog", as_of=listed.isoformat()))


def _at(pattern: str, variants: list[dict[str, Any]], at_ms: int, region: str, listed: date) -> CatalogPrice:
    now = datetime.fromtimestamp(at_ms / 1000, UTC)
    held = next((variant for variant in reversed(variants) if _holds(variant, now)), variants[0])
    regions = held.get("regions", {})
    factor = regions.get(region, regions.get("*", 1.0)) if region else 1.0
    return CatalogPrice(_price(pattern, held, factor, listed), min(_changes(variants, now), default=None))


def _price(pattern: str, held: dict[str, Any], factor: float, listed: date) -> Price:
    rates = _scaled({name: value for name, value in held.items() if name not in _CONDITIONS and name != "tiers"}, factor)
    tiers = [
        {"above_input_tokens" if name == "above" else name: value for name, value in _scaled(tier, factor).items()}
        for tier in held.get("tiers", ())
    ]
    since = _milliseconds(_midnight(held["from"])) if "from" in held else 0
    fixed = {"pattern": pattern, "tiers": tiers, "valid_from": since, "origin": "catalog", "as_of": listed.isoformat()}
    return Price.model_validate({**rates, **fixed})


def _scaled(rates: dict[str, Any], factor: float) -> dict[str, Any]:
    if factor == 1.0:
        return rates
    return {name: round(value * factor, 9) if name in RATE_NAMES else value for name, value in rates.items()}


def _holds(variant: dict[str, Any], now: datetime) -> bool:
    if "from" in variant and now < _midnight(variant["from"]):
        return False
    if "days" in variant and now.isoweekday() not in variant["days"]:
        return False
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
