"""The first request that came with a client's key since it was set up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.store.interface import RequestFilter

SEEN = "clients_seen"
"""The name in the store's `meta` of the first requests that were found: they are looked for once."""


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """When it began (epoch ms), and its id."""

    at: int
    request_id: str


async def first_request(context: AppContext, client: str, key_id: str, since_ms: int) -> FirstRequest | None:
    """The first request with this key since then; None where there is none yet."""
    known: dict[str, Any] = await context.store.meta.get(SEEN) or {}
    row = known.get(client)
    if row is not None and row["since"] == since_ms and row["key_id"] == key_id:
        return FirstRequest(row["at"], row["id"])
    found = await _find(context, key_id, since_ms)
    if found is None:
        return None
    kept = {"since": since_ms, "key_id": key_id, "at": found.started_at, "id": found.id}
    await context.store.meta.put(SEEN, {**known, client: kept})
    return FirstRequest(found.started_at, found.id)


async def _find(context: AppContext, key_id: str, since_ms: int) -> RequestRecord | None:
    """By halving: the log is read newest first, and a busy key may have many thousands of requests since."""
    found = await _newest(context, key_id, since_ms, None)
    low = since_ms
    while found is not None and low < found.started_at:
        middle = (low + found.started_at) // 2
        earlier = await _newest(context, key_id, low, middle + 1)
        if earlier is None:
            low = middle + 1
        else:
            found = earlier
    return found


async def _newest(context: AppContext, key_id: str, since_ms: int, until_ms: int | None) -> RequestRecord | None:
    filters = RequestFilter(key=key_id, since_ms=since_ms, until_ms=until_ms)
    cursor = None
    while True:
        rows, cursor = await context.store.ledger.list(filters, 1, cursor)
        if rows or cursor is None:
            return rows[0] if rows else None
