"""The prices in vendors' own lists of models, fetched when a model is used whose price the catalog does not have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import OfferedModel, Price
from conduit_desktop.core.errors import ConduitError
from conduit_desktop.gateway.snapshot import BoundProvider

VALID_MS = 24 * 3600 * 1000
"""How long a list's prices hold before they are read again."""
RETRY_MS = 10 * 60 * 1000
"""How long a list is not fetched again after it failed, or lacked a model."""
WAIT_S = 5.0
"""Seconds that a request waits for a list; the fetch goes on without it."""

Fetch = Callable[[BoundProvider], Awaitable[list[OfferedModel]]]


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """A price of a vendor's list, and the moment (epoch ms) at which the list is to be read again."""

    price: Price
    valid_until: int


class PriceLists:
    """The lists by provider; each is fetched once at a time, whoever waits for it."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._prices: dict[str, tuple[int, Mapping[str, Price]]] = {}
        self._tried: dict[str, int] = {}
        self._running: dict[str, asyncio.Task[list[OfferedModel]]] = {}

    def find(self, bound: BoundProvider, model: str) -> ListedPrice | None:
        """The price of a model in the list that was fetched last; None where there is none."""
        if (kept := self._prices.get(bound.name)) is None:
            return None
        at_ms, prices = kept
        price = prices.get(model.lower())
        return ListedPrice(price, max(at_ms + VALID_MS, now_ms() + RETRY_MS)) if price is not None else None

    def may_help(self, bound: BoundProvider) -> bool:
        """Whether to wait for the provider's list: it has prices, and is being fetched or was not lately."""
        # A server of a general kind need not have such a list, and is not asked for one unless the operator looks at it.
        vendor = bool(bound.kind.default_base_url) and bound.kind.lists_prices() and bool(bound.credentials) and not bound.problem
        return vendor and (bound.name in self._running or self._tried.get(bound.name, 0) + RETRY_MS <= now_ms())

    def is_old(self, bound: BoundProvider) -> bool:
        """Whether the list that was fetched last is to be read again."""
        kept = self._prices.get(bound.name)
        return kept is not None and kept[0] + VALID_MS <= now_ms()

    async def wait_for(self, bound: BoundProvider) -> None:
        """Fetch the provider's list, and wait for it, WAIT_S at most. A failure leaves what there was."""
        # The fetch that was to be waited for may have ended since.
        if not self.may_help(bound):
            return
        with suppress(TimeoutError, ConduitError, ValueError):
            async with asyncio.timeout(WAIT_S):
                await self.refresh(bound)

    async def refresh(self, bound: BoundProvider) -> list[OfferedModel]:
        """Fetch the provider's list and keep its prices; returns its models. Raises what the fetch raises."""
        # Shielded: a caller that gives up must not end the fetch for the others.
        return await asyncio.shield(self.begin(bound))

    def begin(self, bound: BoundProvider) -> asyncio.Task[list[OfferedModel]]:
        """Fetch the provider's list in the background, unless it is being fetched."""
        running = self._running.get(bound.name)
        if running is None:
            self._tried[bound.name] = now_ms()
            running = self._running[bound.name] = asyncio.ensure_future(self._read(bound))
            running.add_done_callback(lambda task: self._done(bound.name, task))
        return running

    async def stop(self) -> None:
        """End what is being fetched."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _read(self, bound: BoundProvider) -> list[OfferedModel]:
        models = await self._fetch(bound)
        if bound.kind.lists_prices():
            date = datetime.now(UTC).date().isoformat()
            prices = ((one.id.lower(), price_of(bound.name, one, date)) for one in models)
            self._prices[bound.name] = (now_ms(), {name: price for name, price in prices if price is not None})
        return models

    def _done(self, name: str, task: asyncio.Task[list[OfferedModel]]) -> None:
        if self._running.get(name) is task:
            del self._running[name]
        if not task.cancelled():
            task.exception()  # whoever waits for it gets it; without a waiter asyncio would report it as lost

    def forget(self, name: str) -> None:
        """The provider was changed or removed."""
        self._prices.pop(name, None)
        self._tried.pop(name, None)
        self._running.pop(name, None)


def price_of(provider: str, offered: OfferedModel, date: str) -> Price | None:
    """The price of a listed model, as of `date`; None where the list does not have both sides of it."""
    rates = (offered.input_usd, offered.output_usd)
    if offered.output_usd is None and "embeddings" in offered.features:
        rates = (offered.input_usd, 0.0)
    if rates[0] is None or rates[1] is None:
        return None
    # Lists have zeros for what is not billed by tokens, too; OpenRouter's models without a price say so in their name.
    if not any(rates) and not offered.id.endswith(":free"):
        return None
    fixed = {"pattern": f"{provider}/{offered.id}", "input": rates[0], "output": rates[1]}
    return Price.model_validate({**offered.rates, **fixed, "origin": "provider_list", "as_of": date})
