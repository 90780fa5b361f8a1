"""Re-pricing: the cost of requests of the past from the prices that held when they were made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, PendingChange, change
from conduit_desktop.actions.schemas.inputs import RepriceRequest, epoch_ms
from conduit_desktop.actions.schemas.views import RepricedView
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Price, Provider
from conduit_desktop.core.events import Usage
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.core.media import Units
from conduit_desktop.core.money import to_usd
from conduit_desktop.core.records import CostCorrection, CostState, RequestRecord
from conduit_desktop.core.tokens import CLASSES, total_input, total_output
from conduit_desktop.gateway.accounting.compiled_price import CompiledPrice
from conduit_desktop.gateway.accounting.cost import Cost, price_answer
from conduit_desktop.gateway.accounting.pricing import PriceQuery, compile_prices
from conduit_desktop.gateway.snapshot import Snapshot
from conduit_desktop.providers import ProviderKind
from conduit_desktop.store.interface import PricedRequests

BATCH = 500
_BY_UNITS = frozenset({"images", "image_edits", "speech", "transcriptions", "translations"})
"""Endpoints whose calls are priced by pictures, characters or seconds where no tokens were reported."""
_FAILED_ATTEMPTS = "failed_attempts"
"""The line of the breakdown that no price of today's changes: what attempts cost that failed before the answer."""


@dataclass(slots=True)
class Totals:
    """What was, or in a preview would be, changed: requests, those of them with a known cost before, and both costs."""

    repriced: int = 0
    changed: int = 0
    before_nano: int = 0
    after_nano: int = 0

    def add(self, corrections: Sequence[CostCorrection]) -> None:
        """Count these too."""
        self.repriced += len(corrections)
        self.changed += sum(one.before_nano is not None for one in corrections)
        self.before_nano += sum(one.before_nano or 0 for one in corrections)
        self.after_nano += sum(one.cost_nano for one in corrections)

    def view(self, preview: bool) -> RepricedView:
        """As the API shows them."""
        return RepricedView(
            preview=preview, repriced=self.repriced, changed=self.changed, before_usd=to_usd(self.before_nano),
            after_usd=to_usd(self.after_nano),
        )  # fmt: skip


async def reprice(context: AppContext, request: RepriceRequest, actor: Actor) -> RepricedView:
    """Give records the cost that follows from the prices of their time; with `preview` only say what would change.

    The mode `unknown` prices requests without a cost, `all` also corrects known costs, but for those that the provider itself
    reported. Estimates stay estimates. Each batch is one transaction with the audit entry, which holds the number so far.
    """
    totals = Totals()
    if request.preview:
        async for batch in _corrections(context, request):
            totals.add(batch)
        return totals.view(preview=True)

    async def work(started: PendingChange) -> RepricedView:
        # The entry first: each batch amends it in its own transaction, so it is right even if a later batch fails.
        entry = await started.commit(lambda edit: edit.record("price.reprice", request.model or "requests", {"repriced": 0}))
        async for batch in _corrections(context, request):
            written = await started.commit(partial(_write, batch=batch, before=totals.repriced, entry=entry, actor=actor))
            totals.add(written)
        # Budgets count what records cost: the spend in memory is stale now.
        if totals.repriced:
            await context.gateway.state.reload_spend()
        return totals.view(preview=False)

    return await change(context, actor, work)


def _write(edit: Edit, batch: list[CostCorrection], before: int, entry: int, actor: Actor) -> list[CostCorrection]:
    written = edit.tx.ledger.correct(batch, actor, now_ms())
    edit.tx.audit.amend(entry, {"repriced": before + len(written)})
    return written


async def _corrections(context: AppContext, request: RepriceRequest) -> AsyncIterator[list[CostCorrection]]:
    """The records that get another cost, in batches, the oldest first."""
    wanted = PricedRequests(
        unknown_only=request.mode == "unknown",
        since_ms=epoch_ms(request.since) if request.since else None,
        until_ms=epoch_ms(request.until) if request.until else None,
        model=request.model,
    )
    prices = PricesOverTime(context.gateway.snapshot, context.home.prices)
    last: RequestRecord | None = None
    # In batches: one transaction over millions of records would hold up the durable records of live requests. Behind the last
    # one: records that stay as they are would otherwise be listed again without end.
    while records := await context.store.ledger.to_price(wanted, BATCH, after=last):
        # In a thread: it reads the catalog, and a batch takes some milliseconds.
        batch = await for_operator(_priced, records, prices)
        if batch:
            yield batch
        last = records[-1]


def _priced(records: Sequence[RequestRecord], prices: PricesOverTime) -> list[CostCorrection]:
    return [one for record in records if (one := _correction(record, prices)) is not None]


def _correction(record: RequestRecord, prices: PricesOverTime) -> CostCorrection | None:
    """The record's cost by its own prices; None where it has that already, or stays unknown."""
    if record.price_source == "provider_reported":
        return None  # what the provider billed is true, whatever a list says
    cost = _cost(record, prices.of(record))
    if cost.nano is None:
        return None
    nano = cost.nano + record.attempts_nano
    breakdown = [line.as_dict() for line in cost.breakdown]
    breakdown += [line for line in record.cost_breakdown if line.get("class") == _FAILED_ATTEMPTS]
    state: CostState = "estimated" if _is_estimate(record) else cost.state
    if (nano, state, cost.source) == (record.cost_nano, record.cost_state, record.price_source):
        return None
    return CostCorrection(record.id, record.cost_nano, nano, state, breakdown, cost.source, cost.date)


def _is_estimate(record: RequestRecord) -> bool:
    """Whether the tokens were counted by the gateway: no price makes such a cost final."""
    return record.cost_state == "estimated" or record.status in ("broken", "cancelled") or "estimated" in record.units


def _cost(record: RequestRecord, compiled_price: CompiledPrice | None) -> Cost:
    usage, units = _usage(record), _units(record)
    counted = bool(total_input(record) + total_output(record))
    if not counted and not units.known and not usage.searches:
        # Nothing that was used is known: only what is free has a cost. Of audio the length was not kept.
        return price_answer(compiled_price, None, Units(seconds=None))
    by_units = record.endpoint in _BY_UNITS and not counted
    return price_answer(compiled_price, None if by_units else usage, units)


def _usage(record: RequestRecord) -> Usage:
    counts: dict[str, Any] = {one.rates[0].usage_field: getattr(record, one.name) for one in CLASSES}
    lasting = min(int(record.units.get("cache_write_1h", 0)), record.cache_write)
    counts |= {"cache_write_5m": record.cache_write - lasting, "cache_write_1h": lasting}
    return Usage(
        **counts,
        searches=int(record.units.get("searches", 0)),
        service_tier=record.service_tier,
        surcharges=tuple(record.units.get("surcharges", ())),
        unclear=tuple(record.units.get("unclear", ())),
    )


def _units(record: RequestRecord) -> Units:
    names = ("images", "seconds", "characters", "searches", "image_size", "image_quality")
    return Units(**{name: record.units[name] for name in names if name in record.units})


@dataclass(slots=True)
class _Held:
    """A price that was looked up for a moment, and the end of its time (epoch ms)."""

    compiled_price: CompiledPrice | None
    since_ms: int
    until_ms: int | None


@dataclass(slots=True)
class PricesOverTime:
    """The prices of records, each at its own time. Blocking: use it in a worker thread.

    Records come in the order of time, so that each price is looked up once for as long as it holds.
    """

    snapshot: Snapshot
    installed: Path | None = None
    """The file of an installed price catalog."""
    _held: dict[str, _Held] = field(default_factory=dict)

    def of(self, record: RequestRecord) -> CompiledPrice | None:
        """The price by which the record is billed, as `CompiledPrices.of_answer` chooses it; None where none is known."""
        # A removed provider has no kind any more, but a price of the user may still name it.
        bound = self.snapshot.providers.get(record.provider.lower())
        kind = bound.kind if bound else ProviderKind(Provider(id="", name=record.provider, kind=""))
        price = self._at(PriceQuery(kind, record.provider, record.target_model), record.started_at)
        settled = price is not None and (price.price.origin == "user" or price.is_free or not kind.answers_name_price)
        if settled or record.upstream_model in ("", record.target_model):
            return price
        return self._at(PriceQuery(kind, record.provider, record.upstream_model), record.started_at) or price

    def _at(self, query: PriceQuery, at_ms: int) -> CompiledPrice | None:
        held = self._held.get(query.name)
        if held is None or not held.since_ms <= at_ms < (held.until_ms or at_ms + 1):
            snapshot = self.snapshot
            use_catalog = snapshot.settings.catalog_prices
            found = compile_prices([query], snapshot.prices, at_ms, use_catalog, self.installed)[query.name]
            until = found.valid_until if found is not None else _next_start(snapshot.prices, at_ms)
            held = self._held[query.name] = _Held(found, at_ms, until)
        return held.compiled_price


def _next_start(prices: Sequence[Price], at_ms: int) -> int | None:
    """When the next price begins (epoch ms): until then a model without one stays without."""
    return min((price.valid_from for price in prices if price.valid_from > at_ms), default=None)
