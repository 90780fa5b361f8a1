"""Which price holds for a model: the operator's own, then free for local servers, then the built-in catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conduit_desktop.core.entities import Price
from conduit_desktop.gateway.accounting.cost import CompiledPrice, compile_price, cost_of
from conduit_desktop.gateway.accounting.price_catalog import CatalogPrice, PriceCatalog
from conduit_desktop.providers import ProviderKind

__all__ = ["CompiledPrice", "PriceQuery", "choose", "compile_price", "compile_prices", "cost_of", "resolve"]


@dataclass(frozen=True, slots=True)
class PriceQuery:
    """What to find the price of: a provider's kind, the provider's name, and its own name of the model."""

    kind: ProviderKind
    provider: str
    model: str

    @property
    def name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"


def compile_prices(
    wanted: Iterable[PriceQuery], prices: Sequence[Price], now_ms: int, use_catalog: bool = True
) -> dict[str, CompiledPrice | None]:
    """The tariffs of what is wanted, by `provider/model`; None where no price is known.

    Blocking: it may read the catalog, so call it in a worker thread. The catalog is read once, only where it is needed,
    and dropped at the end.
    """
    catalog: PriceCatalog | None = None
    found: dict[str, CompiledPrice | None] = {}
    for each in wanted:
        if catalog is None and use_catalog and choose(prices, each, now_ms) is None and not each.kind.free:
            catalog = PriceCatalog.load()
        found[each.name] = _compiled_price(each, prices, now_ms, catalog)
    return found


def resolve(prices: Sequence[Price], wanted: PriceQuery, now_ms: int, catalog: PriceCatalog | None) -> CatalogPrice | None:
    """The price that holds at `now_ms` (epoch ms); None where none is known. See the module's docstring for the order."""
    if own := choose(prices, wanted, now_ms):
        return CatalogPrice(own)
    if wanted.kind.free:
        free = Price(
            pattern=f"{wanted.provider}/*", input=0.0, output=0.0, per_image=0.0, per_minute=0.0, per_1k_chars=0.0, origin="free"
        )
        return CatalogPrice(free)
    if catalog is None:
        return None
    provider = wanted.kind.price_provider or catalog.provider_at(wanted.kind.base_url)
    return catalog.find(provider, wanted.model, now_ms) if provider else None


def choose(prices: Sequence[Price], wanted: PriceQuery, now_ms: int) -> Price | None:
    """The operator's price: exact before the longest `*`, and of the same pattern the newest that has begun.

    Upper and lower case are the same.
    """
    names = (wanted.name.lower(), wanted.model.lower())
    held = [price for price in prices if price.valid_from <= now_ms and _matches(price.pattern.lower(), names)]
    return max(held, key=lambda price: ("*" not in price.pattern, len(price.pattern), price.valid_from), default=None)


def _matches(pattern: str, names: Iterable[str]) -> bool:
    if "*" not in pattern:
        return pattern in names
    expression = re.compile(".*".join(re.escape(piece) for piece in pattern.split("*")), re.DOTALL)
    return any(expression.fullmatch(name) for name in names)


def _compiled_price(wanted: PriceQuery, prices: Sequence[Price], now_ms: int, catalog: PriceCatalog | None) -> CompiledPrice | None:
    listed = resolve(prices, wanted, now_ms, catalog)
    to_come = (price.valid_from for price in prices if price.valid_from > now_ms)
    turns = [turn for turn in (listed.valid_until if listed else None, *to_come) if turn is not None]
    return compile_price(listed.price, min(turns, default=None)) if listed else None
