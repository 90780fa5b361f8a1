"""Repricing: computing the cost of requests whose cost is unknown from today's prices."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, PendingChange, change
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.core.tokens import CLASSES, total_input, total_output
from conduit_desktop.gateway.accounting.cost import CompiledPrice, price_answer
from conduit_desktop.gateway.accounting.pricing import PriceQuery, compile_prices
from conduit_desktop.providers import ProviderKind

BATCH = 500


async def reprice(context: AppContext, actor: Actor) -> int:
    """Give every record of unknown cost its cost at today's prices; returns how many got one.

    Each batch is one transaction with the audit entry, which holds the number of records repriced so far.
    """
    return await change(context, actor, _reprice)


async def _reprice(started: PendingChange) -> int:
    context = started.context
    known: dict[str, CompiledPrice | None] = {}
    # The entry first: each batch amends it in its own transaction, so it is right even if a later batch fails.
    count, entry = 0, await started.commit(partial(_record, count=0))
    # In batches: one transaction over millions of records would hold up the durable records of live requests.
    last: RequestRecord | None = None
    # Behind the last one: records that stay unpriced would otherwise be listed again without end.
    while records := await context.store.ledger.unpriced(BATCH, after=last):
        # Each model is looked up once: millions of records name a few models.
        wanted = {one.name: one for one in (_priced(context, record) for record in records) if one.name not in known}
        if wanted:
            known |= await asyncio.to_thread(_look_up, context, list(wanted.values()))
        costs = ((record.id, _cost(record, known[_priced(context, record).name])) for record in records)
        batch = [(id, cost) for id, cost in costs if cost is not None]
        if batch:
            count += await started.commit(partial(_write, batch=batch, count=count, entry=entry))
        last = records[-1]
    # Budgets count what records cost: the spend in memory is stale now.
    if count:
        await context.gateway.state.reload_spend()
    return count


def _record(edit: Edit, count: int) -> int:
    return edit.record("price.reprice", "requests", {"repriced": count})


def _write(edit: Edit, batch: list[tuple[str, int]], count: int, entry: int) -> int:
    done = edit.tx.ledger.reprice(batch)
    edit.tx.audit.amend(entry, {"repriced": count + done})
    return done


def _cost(record: RequestRecord, compiled_price: CompiledPrice | None) -> int | None:
    """The cost in nano-dollars; None where it stays unknown. The record has no images, seconds or characters to price."""
    if record.endpoint in _IN_UNITS:
        counted = total_input(record) + total_output(record)
        return price_answer(compiled_price, _usage(record) if counted else None, Units(seconds=None)).nano
    return price_answer(compiled_price, _usage(record)).nano


# Endpoints priced in images, characters or minutes, which records do not keep: only their tokens can be priced later.
_IN_UNITS = frozenset({"images", "image_edits", "speech", "transcriptions", "translations"})


def _look_up(context: AppContext, wanted: list[PriceQuery]) -> dict[str, CompiledPrice | None]:
    snapshot = context.gateway.snapshot
    return compile_prices(wanted, snapshot.prices, now_ms(), snapshot.settings.catalog_prices)


def _priced(context: AppContext, record: RequestRecord) -> PriceQuery:
    """The price to look up. A removed provider has no kind any more, but a price of the user may still name it."""
    bound = context.gateway.snapshot.providers.get(record.provider.lower())
    kind = bound.kind if bound else ProviderKind(Provider(id="", name=record.provider, kind=""))
    return PriceQuery(kind, record.provider, record.target_model)


def _usage(record: RequestRecord) -> Usage:
    """A record does not tell the lifetimes of a class apart: all its tokens are priced at the first rate."""
    counts: dict[str, Any] = {one.rates[0].usage_field: getattr(record, one.name) for one in CLASSES}
    return Usage(**counts)
