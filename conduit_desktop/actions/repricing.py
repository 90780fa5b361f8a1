"""Requests of unknown cost, priced anew with what is known today."""

from __future__ import annotations

import asyncio
import time

from conduit_desktop.actions.house import House
from conduit_desktop.core.entities import Provider, RequestRecord
from conduit_desktop.core.events import Usage
from conduit_desktop.gateway.pricing import Priced, Tariff, cost_of, tariffs
from conduit_desktop.providers import ProviderKind

BATCH = 500


async def reprice(house: House) -> int:
    """Give every record of unknown cost the cost today's prices make of it; how many got one."""
    known: dict[str, Tariff | None] = {}
    count = 0
    last: RequestRecord | None = None
    while records := await house.store.ledger.unpriced(BATCH, after=last):
        wanted = {one.name: one for one in (_priced(house, record) for record in records) if one.name not in known}
        if wanted:
            known |= await asyncio.to_thread(_look_up, house, list(wanted.values()))
        costs = ((record.id, cost_of(known[_priced(house, record).name], _usage(record))) for record in records)
        count += await house.store.ledger.reprice([(id, cost) for id, cost in costs if cost is not None])
        last = records[-1]
    if count:
        await house.gateway.reload_spend()
    return count


def _look_up(house: House, wanted: list[Priced]) -> dict[str, Tariff | None]:
    snapshot = house.gateway.snapshot
    return tariffs(wanted, snapshot.prices, int(time.time() * 1000), snapshot.settings.catalog_prices)


def _priced(house: House, record: RequestRecord) -> Priced:
    """A provider that is gone has no kind any more, but the user's own price may still name it."""
    bound = house.gateway.snapshot.providers.get(record.provider.lower())
    kind = bound.kind if bound else ProviderKind(Provider(id="", name=record.provider, kind=""))
    return Priced(kind, record.provider, record.upstream_model)


def _usage(record: RequestRecord) -> Usage:
    return Usage(
        input=record.input,
        cache_read=record.cache_read,
        cache_write_5m=record.cache_write,
        output=record.output,
        reasoning=record.reasoning,
        audio_in=record.audio_in,
        audio_out=record.audio_out,
    )
