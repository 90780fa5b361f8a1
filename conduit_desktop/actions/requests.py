"""The request log: model, provider, status, timings, tokens and cost of every request."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import RequestQuery, epoch_ms
from conduit_desktop.actions.schemas.reports import AttemptView, CostLineView, FormerCostView, RequestDetailView, RequestView
from conduit_desktop.actions.schemas.views import rfc3339
from conduit_desktop.actions.timeline import timeline_of
from conduit_desktop.core.cursor import write_cursor
from conduit_desktop.core.errors import NotFound
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.core.money import to_nano, to_usd
from conduit_desktop.core.records import FormerCost, RequestRecord
from conduit_desktop.store.interface import RequestFilter

if TYPE_CHECKING:
    from conduit_desktop.store.interface import Payload

MOST_ON_LOOP = 20
"""Records whose views are made on the event loop; those of more are made in a thread."""


def view(record: RequestRecord) -> RequestView:
    """A record as it is shown."""
    return RequestView(**_shown(record))


def _shown(record: RequestRecord) -> dict[str, Any]:
    values = asdict(record)
    del values["attempts_nano"]
    return values | {
        "started_at": rfc3339(record.started_at),
        "cost_usd": _usd(values.pop("cost_nano")),
        "cost_breakdown": [_cost_line(line) for line in record.cost_breakdown],
        "dropped": list(record.dropped),
        "tags": list(record.tags),
        "attempts": [_attempt(attempt) for attempt in values["attempts"]],
    }


def _attempt(values: dict[str, Any]) -> AttemptView:
    return AttemptView(**{**values, "started_at": rfc3339(values["started_at"]), "cost_usd": _usd(values.pop("cost_nano"))})


def _cost_line(line: dict[str, Any]) -> CostLineView:
    shown = {name: value for name, value in line.items() if name not in ("price_nano", "cost_nano")}
    return CostLineView(**shown, price_usd=to_usd(line["price_nano"]), cost_usd=to_usd(line["cost_nano"]))


def _usd(nano: int | None) -> float | None:
    return None if nano is None else to_usd(nano)


async def page(context: AppContext, query: RequestQuery) -> tuple[list[RequestView], str | None]:
    """The requests that match the query, newest first, and the cursor of the rest.

    A page may be short, even empty, though there is a cursor: a search looks through a part of the log at a time.
    """
    found, cursor = await records(context, query)
    # Five hundred views take a quarter of a second, for which every stream of this loop would stand still.
    if len(found) > MOST_ON_LOOP:
        return await for_operator(lambda: [view(record) for record in found]), cursor
    return [view(record) for record in found], cursor


def cursor_at(at: int) -> str:
    """The cursor of the requests that started at `at` (epoch ms) or before."""
    # A cursor names the last row shown, which is left out; one millisecond later with an empty id sorts just before `at`.
    return write_cursor(at + 1, "")


async def records(context: AppContext, query: RequestQuery) -> tuple[list[RequestRecord], str | None]:
    """The same as records: making hundreds of views at once would delay the streams on this loop."""
    filters = RequestFilter(
        key=query.key,
        model=query.model,
        provider=query.provider,
        status=query.status,
        since_ms=epoch_ms(query.since) if query.since else None,
        until_ms=epoch_ms(query.until) if query.until else None,
        client=query.client,
        session=query.session,
        user=query.user,
        tag=query.tag,
        endpoint=query.endpoint,
        upstream_model=query.upstream_model,
        min_cost_nano=None if query.min_cost_usd is None else to_nano(query.min_cost_usd),
        text=query.q or None,
    )
    return await context.store.ledger.list(filters, query.limit, query.cursor)


async def get(context: AppContext, request_id: str) -> RequestDetailView:
    """One record, with prompt and answer where they were kept; raises NotFound."""
    record = await context.store.ledger.get(request_id)
    if record is None:
        raise NotFound(f"There is no request {request_id!r}.")
    payload = await context.store.payloads.get(request_id)
    corrections = [_former_cost(cost) for cost in await context.store.ledger.former_costs(request_id)]
    if payload is None:
        return RequestDetailView(**_shown(record), corrections=corrections)
    timeline = await for_operator(timeline_of, record, payload) if payload.pieces else []
    return RequestDetailView(**_shown(record), corrections=corrections, timeline=timeline, **_bodies(payload))


def _former_cost(cost: FormerCost) -> FormerCostView:
    return FormerCostView(
        at=rfc3339(cost.at), actor=cost.actor, cost_usd=_usd(cost.cost_nano), cost_state=cost.cost_state,
        price_source=cost.price_source, price_date=cost.price_date,
    )  # fmt: skip


def _bodies(payload: Payload) -> dict[str, Any]:
    return {"request_payload": _body(payload.request), "response_payload": _body(payload.response)}


def _body(body: bytes) -> Any:
    """JSON as it is, anything else (a stream, a body that was cut off) as text."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # A body that was cut off may end in the middle of a character.
        return body.decode("utf-8", "replace")
