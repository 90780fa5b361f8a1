"""The tariffs of the targets in use, found once and kept until a price changes or its time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import partial

from conduit_desktop.gateway.accounting.pricing import Priced, Tariff, tariffs
from conduit_desktop.gateway.routing.resolve import BoundTarget
from conduit_desktop.gateway.snapshot import Snapshot

MAX_KEPT = 5000


class Tariffs:
    """Tariffs by `provider/model`; None where no price is known."""

    def __init__(self) -> None:
        self._known: dict[str, Tariff | None] = {}

    def known(self, targets: Sequence[BoundTarget]) -> dict[str, Tariff | None] | None:
        """The tariffs of all targets, or None where one has to be looked up first."""
        found: dict[str, Tariff | None] = {}
        for target in targets:
            name = target.name
            tariff = self._known.get(name)
            if tariff is None and name not in self._known:
                return None
            if tariff is not None and tariff.valid_until is not None and tariff.valid_until <= time.time() * 1000:
                return None
            found[name] = tariff
        return found

    async def find(self, targets: Iterable[BoundTarget], snapshot: Snapshot) -> dict[str, Tariff | None]:
        """Look the targets' tariffs up, in a worker thread: the price catalog is a file."""
        known = self._known  # where a price is changed meanwhile, what is found here holds for this call alone
        wanted = [Priced(target.bound.kind, target.bound.name, target.model) for target in targets]
        now = int(time.time() * 1000)
        job = partial(tariffs, wanted, snapshot.prices, now, snapshot.settings.catalog_prices)
        found = await asyncio.to_thread(job)
        if len(known) + len(found) > MAX_KEPT:
            known.clear()
        known.update(found)
        return found

    def rate(self, name: str) -> int | None:
        """About what a call costs there, to compare targets: nano-dollars for 1,000 tokens in and 500 out."""
        tariff = self._known.get(name)
        return tariff.expected(1000, 500) if tariff is not None else None

    def forget(self) -> None:
        """A price, a provider or an alias was changed."""
        self._known = {}
