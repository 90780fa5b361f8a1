"""The price of a model: the operator's, free on the user's own servers, that of the vendor's list of models, the catalog's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Price
from conduit_desktop.core.media import UNIT_RATES, Units
from conduit_desktop.core.price_patterns import matches, names_of, precedence
from conduit_desktop.core.tokens import RATE_NAMES
from conduit_desktop.gateway.accounting.compiled_price import CompiledPrice, compile_price
from conduit_desktop.gateway.accounting.price_catalog import CatalogPrice, PriceCatalog
from conduit_desktop.gateway.accounting.price_lists import ListedPrice, PriceLists
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import Snapshot
from conduit_desktop.providers import ProviderKind

MAX_KEPT = 5000
"""Prices kept in memory."""
MAX_ANSWERED = 500
"""Names of models that were looked up because an answer named them: a server that makes names up must not keep the gateway busy."""
_LONGEST_NAME = 200
_MOST_OTHERS = 20
"""Prices that are kept of the models that answered for one target."""


@dataclass(frozen=True, slots=True)
class PriceQuery:
    """The model whose price is looked up: the provider's kind and name, and its own name of the model."""

    kind: ProviderKind
    provider: str
    model: str
    listed: ListedPrice | None = None
    """The price in the provider's own list of models, where one was fetched."""

    @property
    def name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"


def compile_prices(
    queries: Iterable[PriceQuery],
    prices: Sequence[Price],
    at_ms: int,
    use_catalog: bool = True,
    installed: Path | None = None,
) -> dict[str, CompiledPrice | None]:
    """The prices that are valid at `at_ms` (epoch ms), by `provider/model`; None where no price is known.

    Blocking: it may read the catalog, so call it in a worker thread. The catalog is read at most once, only where it is
    needed, and released at the end; `installed` is the file of a newer one, where there is one.
    """
    catalog: PriceCatalog | None = None
    found: dict[str, CompiledPrice | None] = {}
    for query in queries:
        if catalog is None and use_catalog and choose(prices, query, at_ms) is None and not query.kind.is_free(query.model):
            catalog = PriceCatalog.load(installed)
        found[query.name] = _compiled_price(query, prices, at_ms, catalog)
    return found


def resolve(prices: Sequence[Price], query: PriceQuery, at_ms: int, catalog: PriceCatalog | None) -> CatalogPrice | None:
    """The price that holds at `at_ms` (epoch ms); None where none is known. See the module's docstring for the order."""
    if own := choose(prices, query, at_ms):
        return CatalogPrice(own)
    if query.kind.is_free(query.model):
        free = Price(
            pattern=f"{query.provider}/*",
            input=0.0,
            output=0.0,
            per_image=0.0,
            per_minute=0.0,
            per_1k_chars=0.0,
            per_search=0.0,
            origin="free",
        )
        return CatalogPrice(free)
    found = _in_catalog(catalog, query, at_ms) if catalog is not None else None
    return _with_list(found, query.listed) if query.listed is not None else found


def _in_catalog(catalog: PriceCatalog, query: PriceQuery, at_ms: int) -> CatalogPrice | None:
    # By the address first: a provider of any kind may point at a vendor that the catalog knows.
    provider = catalog.provider_at(query.kind.base_url) or query.kind.price_provider
    return catalog.find(provider, query.model, at_ms, query.kind.price_region) if provider else None


def _with_list(found: CatalogPrice | None, listed: ListedPrice) -> CatalogPrice:
    """The price in the provider's own list: it is the newer one. Where the catalog agrees with it, it has what the list lacks."""
    own = listed.price
    if found is None or not (_agree(own.input, found.price.input) and _agree(own.output, found.price.output)):
        return CatalogPrice(own, listed.valid_until)
    rates = {name: value for name in (*RATE_NAMES, *UNIT_RATES) if (value := getattr(own, name)) is not None}
    price = found.price.model_copy(update={**rates, "pattern": own.pattern, "origin": own.origin, "as_of": own.as_of})
    return CatalogPrice(price, min(found.valid_until or listed.valid_until, listed.valid_until))


def _agree(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= 0.01 * max(one, other)


def choose(prices: Sequence[Price], query: PriceQuery, at_ms: int) -> Price | None:
    """The operator's price: exact before the longest `*`, and of the same pattern the newest that has begun.

    Upper and lower case are the same.
    """
    names = names_of(query.provider, query.model)
    held = [price for price in prices if price.valid_from <= at_ms and matches(price.pattern.lower(), names)]
    return max(held, key=lambda price: (*precedence(price.pattern), price.valid_from), default=None)


def _compiled_price(query: PriceQuery, prices: Sequence[Price], at_ms: int, catalog: PriceCatalog | None) -> CompiledPrice | None:
    listed = resolve(prices, query, at_ms, catalog)
    # Of every pattern: a price that begins later may be the one that holds from then on.
    to_come = (price.valid_from for price in prices if price.valid_from > at_ms)
    changes = [at for at in (listed.valid_until if listed else None, *to_come) if at is not None]
    if listed is None:
        return None
    compiled_price = compile_price(listed.price, min(changes, default=None))
    if compiled_price is None or catalog is None or not _varies(compiled_price, query.kind):
        return compiled_price
    provider = catalog.provider_at(query.kind.base_url) or query.kind.price_provider
    names = catalog.snapshots(provider, query.model) if provider else []
    found = (resolve(prices, replace(query, model=name, listed=None), at_ms, catalog) for name in names)
    others = [one for one in (compile_price(each.price) for each in found if each is not None) if one is not None]
    return replace(compiled_price, others=_dearer(others, compiled_price))


def _varies(price: CompiledPrice, kind: ProviderKind) -> bool:
    """Whether an answer may have another price, by the model that it names."""
    return price.price.origin != "user" and not price.is_free and kind.answers_name_price


def _dearer(others: Iterable[CompiledPrice], price: CompiledPrice) -> tuple[CompiledPrice, ...]:
    """Those that can cost more, each once."""
    own = _extremes(price)
    dearer = {_extremes(one): one for one in others}
    return tuple(one for cost, one in dearer.items() if any(more > less for more, less in zip(cost, own, strict=True)))


def _extremes(price: CompiledPrice) -> tuple[int, ...]:
    """The worst cases of input alone and of output alone, of many tokens, and of a picture, a minute and a text read out."""
    units = Units(images=1, seconds=60.0, characters=1000)
    return price.worst(10**6, 0), price.worst(0, 10**6), price.worst(10**6, 10**6), price.worst(0, 0, units)


class CompiledPrices:
    """The prices of the targets in use, by `provider/model`, looked up once and kept until a price changes or its time is over."""

    def __init__(self, lists: PriceLists, installed: Path | None = None) -> None:
        self._lists, self._installed = lists, installed
        self._known: dict[str, CompiledPrice | None] = {}
        self._answered: set[str] = set()
        self._compared: set[tuple[str, str]] = set()
        """Targets with the models that answered for them, whose prices were compared."""

    def known(self, targets: Sequence[BoundTarget]) -> dict[str, CompiledPrice | None] | None:
        """The prices of all targets (None: unknown price); None where one has to be looked up first."""
        found: dict[str, CompiledPrice | None] = {}
        for target in targets:
            name = target.name
            compiled_price = self._known.get(name)
            if compiled_price is None and name not in self._known:
                return None
            if compiled_price is not None and compiled_price.valid_until is not None and compiled_price.valid_until <= now_ms():
                return None
            found[name] = compiled_price
        return found

    async def find(self, targets: Iterable[BoundTarget], snapshot: Snapshot) -> dict[str, CompiledPrice | None]:
        """Look up the targets' prices in a worker thread: the price catalog is a file.

        For a model that it does not have, a vendor whose list of models has prices is asked for the list first.
        """
        wanted = list(targets)
        for bound in {id(target.bound): target.bound for target in wanted}.values():
            if self._lists.is_old(bound) and self._lists.may_help(bound):
                self._lists.begin(bound)
        found = await self._look_up(wanted, snapshot)
        unpriced = [target for target in wanted if found[target.name] is None]
        unlisted = {id(one.bound): one.bound for one in unpriced if self._lists.may_help(one.bound)}
        await asyncio.gather(*(self._lists.wait_for(bound) for bound in unlisted.values()))
        # Another request's fetch may have ended while the catalog was read.
        if any(self._lists.find(target.bound, target.model) is not None for target in unpriced):
            found = await self._look_up(wanted, snapshot)
        return found

    async def _look_up(self, targets: Sequence[BoundTarget], snapshot: Snapshot) -> dict[str, CompiledPrice | None]:
        queries = [
            PriceQuery(target.bound.kind, target.bound.name, target.model, self._lists.find(target.bound, target.model))
            for target in targets
        ]
        known = self._known  # `forget` swaps it: where a price is changed meanwhile, what is found here is for this call alone
        job = partial(compile_prices, queries, snapshot.prices, now_ms(), snapshot.settings.catalog_prices, self._installed)
        found = await asyncio.to_thread(job)
        if len(known) + len(found) > MAX_KEPT:
            known.clear()
        known.update(found)
        self._compared.clear()  # what the new prices do not know yet of the models that answer
        return found

    def of_answer(self, target: BoundTarget, model: str, price: CompiledPrice | None) -> tuple[CompiledPrice | None, bool]:
        """The price of an answer of `target` that names `model`, and whether that is known: else `find_answered` looks it up.

        `price` is the target's. The operator's holds, and what is free stays free. Else the price is that of the answer's own
        name, where it has one: it is the model that an Azure deployment, an alias such as `-latest`, or a router stands for.
        """
        if price is not None and not _varies(price, target.bound.kind):
            return price, True
        name = f"{target.bound.name}/{model}"
        found = self._known.get(name)
        if found is None:
            return price, name in self._known or not self._may_look_up(name)
        if (target.name, name) not in self._compared:
            self._compare(target.name, name, found)
        return found, found.valid_until is None or found.valid_until > now_ms()

    def _compare(self, name: str, answered: str, found: CompiledPrice) -> None:
        """Remember the price of a model that answered for the target `name`, where it is dearer: it may answer again."""
        self._compared.add((name, answered))
        known = self._known.get(name)
        if known is not None and (dearer := _dearer([found], known)):
            self._known[name] = replace(known, others=(*known.others, *dearer)[-_MOST_OTHERS:])

    def _may_look_up(self, name: str) -> bool:
        return len(name) <= _LONGEST_NAME and (name in self._answered or len(self._answered) < MAX_ANSWERED)

    async def find_answered(self, target: BoundTarget, model: str, snapshot: Snapshot) -> None:
        """Look up the price of the `model` that an answer of `target` named, for the next `of_answer`.

        A target without a price has that one from then on, so that a budget can admit calls of a deployment.
        """
        answered = BoundTarget.of(target.bound, model)
        self._answered.add(answered.name)
        found = (await self._look_up([answered], snapshot))[answered.name]
        if found is not None and target.name in self._known and self._known[target.name] is None:
            self._known[target.name] = found

    def rate(self, name: str) -> int | None:
        """The cost of a typical call, to compare targets: nano-dollars for 1,000 tokens in and 500 out; None where unknown."""
        compiled_price = self._known.get(name)
        return compiled_price.expected(1000, 500) if compiled_price is not None else None

    def forget(self) -> None:
        """A price, a provider or an alias was changed: look everything up again."""
        self._known = {}
        self._answered = set()
        self._compared = set()
