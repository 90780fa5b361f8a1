"""Requests of unknown cost, priced anew with what is known today."""

from __future__ import annotations

import asyncio
import time

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.accounting.cost import CompiledPrice, cost_of, cost_of_units
from conduit_desktop.gateway.accounting.pricing import PriceQuery, compile_prices
from conduit_desktop.providers import ProviderKind

BATCH = 500


async def reprice(context: AppContext) -> int:
    """Give every record of unknown cost the cost today's prices make of it; how many got one."""
    known: dict[str, CompiledPrice | None] = {}
    count = 0
    last: RequestRecord | None = None
    while records := await context.store.ledger.unpriced(BATCH, after=last):
        wanted = {one.name: one for one in (_priced(context, record) for record in records) if one.name not in known}
        if wanted:
            known |= await asyncio.to_thread(_look_up, context, list(wanted.values()))
        costs = ((record.id, _cost(record, known[_priced(context, record).name])) for record in records)
        count += await context.store.ledger.reprice([(id, cost) for id, cost in costs if cost is not None])
        last = records[-1]
    if count:
        await context.gateway.reload_spend()
    return count


def _cost(record: RequestRecord, compiled_price: CompiledPrice | None) -> int | None:
    """Pictures, seconds and characters are not in the record: what they cost stays unknown, unless all of it is free."""
    if record.endpoint in _IN_UNITS:
        counted = record.input + record.cache_read + record.output + record.audio_in
        return cost_of_units(compiled_price, _usage(record) if counted else None, Units(seconds=None))
    return cost_of(compiled_price, _usage(record))


_IN_UNITS = frozenset({"images", "image_edits", "speech", "transcriptions", "translations"})


def _look_up(context: AppContext, wanted: list[PriceQuery]) -> dict[str, CompiledPrice | None]:
    snapshot = context.gateway.snapshot
    return compile_prices(wanted, snapshot.prices, int(time.time() * 1000), snapshot.settings.catalog_prices)


def _priced(context: AppContext, record: RequestRecord) -> PriceQuery:
    """A provider that is gone has no kind any more, but the user's own price may still name it."""
    bound = context.gateway.snapshot.providers.get(record.provider.lower())
    kind = bound.kind if bound else ProviderKind(Provider(id="", name=record.provider, kind=""))
    return PriceQuery(kind, record.provider, record.upstream_model)


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
