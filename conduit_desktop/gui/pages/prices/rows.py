"""The rows of the prices page: the operator's prices and the models that were used, with where their price is from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from conduit_desktop.actions.schemas.reports import UsageView
from conduit_desktop.actions.schemas.views import PriceView
from conduit_desktop.core.media import UNIT_RATES
from conduit_desktop.core.money import show_usd, to_nano, to_usd
from conduit_desktop.core.price_patterns import matches, names_of, precedence
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.core.tokens import RATE_NAMES
from conduit_desktop.gui.price_text import RATE_LABELS, UNIT_CLASSES, rate_text

PriceOrigin = Literal[
    "unknown", "own", "later", "former", "removed", "catalog", "provider_list", "provider_reported", "free", "priced"
]
ORIGINS: Mapping[PriceOrigin, tuple[str, str, str]] = {
    "unknown": ("No price", "danger", "No price is known: the cost is unknown, and where a budget holds, such calls are refused."),
    "own": ("Own", "accent", "A price that you set. It holds before every other."),
    "later": ("Own, later", "info", "A price that you set, valid from a later date."),
    "former": ("Own, former", "text_muted", "A price that you set, replaced by one with a later date."),
    "removed": ("Removed", "warning", "Your price for it was removed. The next request shows which price holds now."),
    "catalog": ("Catalog", "text_muted", "From the price catalog."),
    "provider_list": ("Provider's list", "text_muted", "From the provider's own list of models."),
    "provider_reported": ("Provider", "text_muted", "The provider reports the cost of each request."),
    "free": ("Free", "success", "Nothing is charged: a server in your own network, or a free model."),
    "priced": ("Known", "text_muted", "Its requests have a cost. They are no longer in the log, so that the source is not known."),
}
"""Short label, colour token and explanation of each origin."""

Rates = Mapping[str, float]


@dataclass(frozen=True)
class UsedModel:
    """A model that was used: its provider, the name in its answers, and totals of the requests."""

    provider: str
    model: str
    requests: int
    unpriced: int
    spend_nano: int

    @property
    def key(self) -> tuple[str, str]:
        """What identifies it."""
        return self.provider, self.model


@dataclass(frozen=True)
class PriceRow:
    """A price of the operator, or a used model without one of its own. Rates in US dollars by name.

    `pattern` is the price's, or `provider/model` as a price for the model would be stored. `date` is `YYYY-MM-DD`. `by_pattern`
    is the operator's pattern with `*` that holds for the model.
    """

    pattern: str
    price: PriceView | None
    origin: PriceOrigin
    date: str = ""
    rates: Rates = field(default_factory=dict)
    by_pattern: str = ""
    requests: int = 0
    unpriced: int = 0
    spend_nano: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the row."""
        if self.price is None:
            return "used", self.pattern.lower(), ""
        return "own", self.pattern.lower(), self.price.valid_from or ""

    @property
    def locked(self) -> bool:
        """The config file defines the price."""
        return self.price is not None and self.price.locked

    @property
    def rank(self) -> float:
        """The order of the table: models without a price first, then those used most."""
        first = 0 if self.origin == "unknown" and self.requests else 1 if self.requests else 2
        return first * 1e12 - self.requests


def used_models(rows: Iterable[UsageView]) -> dict[tuple[str, str], UsedModel]:
    """The models of usage rows; calls that reached no provider are left out."""
    found: dict[tuple[str, str], UsedModel] = {}
    for row in rows:
        if not row.provider or not row.upstream_model:
            continue
        key = row.provider, row.upstream_model
        before = found.get(key, UsedModel(*key, 0, 0, 0))
        found[key] = UsedModel(
            *key,
            before.requests + row.requests,
            before.unpriced + row.unpriced_requests,
            before.spend_nano + to_nano(row.cost_usd or 0),
        )
    return found


def tells_price(record: RequestRecord) -> bool:
    """Whether a record says which price holds for its model: a provider answered."""
    return bool(record.provider and record.upstream_model and record.status not in ("refused", "error"))


def price_rows(
    prices: Sequence[PriceView], used: Iterable[UsedModel], newest: Mapping[tuple[str, str], RequestRecord], now: datetime
) -> list[PriceRow]:
    """Every price of the operator with what it was used for, then each used model that has no price of its own name.

    Compares every model with every pattern: many of both take long enough to call it in a thread.
    """
    holding = _holding(prices, now)
    begun = {id(price) for price in holding}
    rows: dict[tuple[str, str, str], PriceRow] = {}
    for price in prices:
        starts = _moment(price.valid_from)
        origin: PriceOrigin = "own" if id(price) in begun else "later" if starts is not None and starts > now else "former"
        row = PriceRow(price.pattern, price, origin, (price.valid_from or price.updated_at or "")[:10], _rates(price))
        rows[row.key] = row
    for model in used:
        record = newest.get(model.key)
        row = _of_model(model, record, _held(holding, model.provider, record.target_model if record else model.model))
        before = rows.get(row.key)
        # Of one target, several names may have answered.
        rows[row.key] = row if before is None else _joined(before, row)
    return list(rows.values())


def _of_model(model: UsedModel, record: RequestRecord | None, own: PriceView | None) -> PriceRow:
    # By the name that was asked for, which is the one that prices are looked up by; answers may name another.
    target = record.target_model if record else model.model
    name = f"{model.provider}/{target}"
    if own is not None and own.pattern.lower() in names_of(model.provider, target):
        row = PriceRow(own.pattern, own, "own")
    elif own is not None:
        row = PriceRow(name, None, "own", (own.valid_from or own.updated_at or "")[:10], _rates(own), own.pattern)
    elif record is not None:
        row = PriceRow(name, None, _origin(record), record.price_date, _charged(record))
    else:
        row = PriceRow(name, None, "unknown" if model.unpriced == model.requests else "priced")
    return replace(row, requests=model.requests, unpriced=model.unpriced, spend_nano=model.spend_nano)


def _joined(before: PriceRow, row: PriceRow) -> PriceRow:
    """`before` with the counts of `row` added."""
    unknown = before.price is None and "unknown" in (before.origin, row.origin)
    return replace(
        before,
        origin="unknown" if unknown else before.origin,
        requests=before.requests + row.requests,
        unpriced=before.unpriced + row.unpriced,
        spend_nano=before.spend_nano + row.spend_nano,
    )


def _origin(record: RequestRecord) -> PriceOrigin:
    if record.cost_state == "unknown" or record.cost_nano is None:
        return "unknown"
    match record.price_source:
        case "override":
            return "removed"
        case "":
            return "free" if record.cost_nano == 0 else "priced"
        case source:
            return source


def _held(holding: Iterable[PriceView], provider: str, model: str) -> PriceView | None:
    """Of the operator's prices that have begun, the one that holds for a model."""
    names = names_of(provider, model)
    held = [price for price in holding if matches(price.pattern.lower(), names)]
    return max(held, key=lambda price: precedence(price.pattern), default=None)


def _holding(prices: Iterable[PriceView], now: datetime) -> list[PriceView]:
    """Of each pattern, the newest price that has begun."""
    newest: dict[str, tuple[datetime, PriceView]] = {}
    for price in prices:
        starts = _moment(price.valid_from) or datetime.min.replace(tzinfo=UTC)
        kept = newest.get(price.pattern.lower())
        if starts <= now and (kept is None or kept[0] < starts):
            newest[price.pattern.lower()] = (starts, price)
    return [price for _, price in newest.values()]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _rates(price: PriceView) -> dict[str, float]:
    """The rates of a price; of images by size, the lowest."""
    found = {name: getattr(price, name) for name in (*RATE_NAMES, *UNIT_RATES)}
    if isinstance(price.per_image, list):
        found["per_image"] = min((rate.usd for rate in price.per_image), default=None)
    return {name: value for name, value in found.items() if value is not None}


def _charged(record: RequestRecord) -> dict[str, float]:
    """The rates that a request was charged; empty where a tier or a surcharge changed them."""
    if record.units.get("surcharges") or record.service_tier.lower() not in ("", "default", "standard", "auto", "on_demand"):
        return {}
    lines = ((UNIT_CLASSES.get(line["class"], line["class"]), line["price_nano"]) for line in record.cost_breakdown)
    return {name: to_usd(nano) for name, nano in lines if name in RATE_LABELS}


def other_rates(row: PriceRow) -> str:
    """Every rate but those of input and output, and whether there are tiers: `Cache read $0.30 · Image $0.04`."""
    parts = [f"{RATE_LABELS[name]} {rate_text(usd)}" for name, usd in row.rates.items() if name not in ("input", "output")]
    if row.price is not None and isinstance(row.price.per_image, list) and len(row.price.per_image) > 1:
        parts = [part.replace("Image $", "Image from $") for part in parts]
    if row.price is not None and row.price.tiers:
        parts.append("by context length")
    if row.price is not None and row.price.service_tiers:
        parts.append("by service tier")
    return " · ".join(parts)


def spend_text(row: PriceRow) -> str:
    """The known cost of the requests; `unknown` where none has one."""
    if not row.requests:
        return "—"
    return show_usd(None if row.unpriced and not row.spend_nano else row.spend_nano)
