"""The tariffs of the targets in use, found once and kept until a price changes or its time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import partial

from conduit_desktop.gateway.accounting.cost import CompiledPrice
from conduit_desktop.gateway.accounting.pricing import PriceQuery, compile_prices
from conduit_desktop.gateway.routing.resolve import BoundTarget
from conduit_desktop.gateway.snapshot import Snapshot

MAX_KEPT = 5000


class CompiledPrices:
    """Tariffs by `provider/model`; None where no price is known."""

    def __init__(self) -> None:
        self._known: dict[str, CompiledPrice | None] = {}

    def known(self, targets: Sequence[BoundTarget]) -> dict[str, CompiledPrice | None] | None:
        """The tariffs of all targets, or None where one has to be looked up first."""
        found: dict[str, CompiledPrice | None] = {}
        for target in targets:
            name = target.name
            compiled_price = self._known.get(name)
            if compiled_price is None and name not in self._known:
                return None
            if (
                compiled_price is not None
                and compiled_price.valid_until is not None
                and compiled_price.valid_until <= time.time() * 1000
            ):
                return None
            found[name] = compiled_price
        return found

    async def find(self, targets: Iterable[BoundTarget], snapshot: Snapshot) -> dict[str, CompiledPrice | None]:
        """Look the targets' tariffs up, in a worker thread: the price catalog is a file."""
        known = self._known  # where a price is changed meanwhile, what is found here holds for this call alone
        wanted = [PriceQuery(target.bound.kind, target.bound.name, target.model) for target in targets]
        now = int(time.time() * 1000)
        job = partial(compile_prices, wanted, snapshot.prices, now, snapshot.settings.catalog_prices)
        found = await asyncio.to_thread(job)
        if len(known) + len(found) > MAX_KEPT:
            known.clear()
        known.update(found)
        return found

    def rate(self, name: str) -> int | None:
        """About what a call costs there, to compare targets: nano-dollars for 1,000 tokens in and 500 out."""
        compiled_price = self._known.get(name)
        return compiled_price.expected(1000, 500) if compiled_price is not None else None

    def forget(self) -> None:
        """A price, a provider or an alias was changed."""
        self._known = {}
