"""The ledger: every request's record, durable before its answer ends, and the daily totals kept for good."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, tzinfo
from functools import partial
from typing import Any

from conduit_desktop.core import clock
from conduit_desktop.core.cursor import page, read_cursor
from conduit_desktop.core.records import FormerCost, RequestRecord, UsageRow
from conduit_desktop.store.interface import KeyUse, PricedRequests, RequestFilter, Spending, UsageGroup
from conduit_desktop.store.sqlite import pricing, recent_use
from conduit_desktop.store.sqlite import usage as sums
from conduit_desktop.store.sqlite.database import Database
from conduit_desktop.store.sqlite.records import QUOTED, read_record

PRUNE_STEP = 100
PRUNE_PAUSE_S = 0.01
DAY_MS = 86_400_000

_EXACT = ("model", "provider", "status", "client", "session", "user", "endpoint", "upstream_model")
SEARCHED = ("model", "upstream_model", "client", "error_text", "error_code")
"""The columns in which a text is searched for."""

_SELECT = f"SELECT {', '.join(QUOTED)} FROM requests"


class SqliteLedger:
    """Records and totals, in one transaction each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, record: RequestRecord) -> asyncio.Future[None]:
        """Write one record; the future is done once it is durable. The record must not be changed afterwards.

        The future raises RecordsUnavailable where the disk refuses; the record is then kept in memory and tried again.
        """
        return self._database.submit(record)

    async def get(self, id: str) -> RequestRecord | None:
        """The record of one request."""
        rows = await self._database.read(lambda connection: connection.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchall())
        return read_record(rows[0]) if rows else None

    async def usage(
        self, group_by: Sequence[UsageGroup], since_ms: int | None = None, until_ms: int | None = None, zone: tzinfo = UTC
    ) -> list[UsageRow]:
        """Sums by the requested groups, ordered by them; days and hours of `zone`."""
        return await self._database.read(lambda connection: sums.usage(connection, group_by, since_ms, until_ms, zone))

    async def spent(self, accounts: Sequence[Spending]) -> list[int]:
        """Nano-dollars that each account has spent since its moment, in the accounts' order.

        Exactly the records that were handed to `record` before are in the sums.
        """
        # On the writer, whose queue is in order: the reader would miss records that wait, or see some that came later.
        return await self._database.write(lambda connection: [sums.spent(connection, account) for account in accounts])

    async def recent_requests(self, key_ids: Sequence[str], since_ms: int, step_ms: int) -> list[KeyUse]:
        """The requests that keys were admitted with, by steps of time, oldest first."""
        return await self._database.read(lambda connection: recent_use.requests(connection, key_ids, since_ms, step_ms))

    async def recent_tokens(self, key_ids: Sequence[str], since_ms: int, step_ms: int) -> list[KeyUse]:
        """The tokens of the keys' requests by the moment they ended, by steps of time, oldest first."""
        return await self._database.read(lambda connection: recent_use.tokens(connection, key_ids, since_ms, step_ms))

    async def began(self) -> int | None:
        """When the oldest slot of the totals began (epoch ms); None where there is none."""
        return await self._database.read(sums.began)

    async def to_price(self, wanted: PricedRequests, limit: int = 500, after: RequestRecord | None = None) -> list[RequestRecord]:
        """Records that can have a cost, the oldest first, behind `after`."""
        where, values = pricing.conditions(wanted, after)
        statement = f"{_SELECT} WHERE {where} ORDER BY started_at, id LIMIT ?"
        return await self._database.read(lambda c: [read_record(row) for row in c.execute(statement, (*values, limit))])

    async def former_costs(self, id: str) -> list[FormerCost]:
        """What a record's cost was before each of its corrections, the oldest first."""
        return await self._database.read(lambda connection: pricing.former_costs(connection, id))

    async def prune(self, max_age_days: int, max_rows: int, now_ms: int | None = None) -> int:
        """Remove records that are too old or too many, the oldest first, a few at a time; how many went. Totals stay."""
        now = clock.now_ms() if now_ms is None else now_ms
        count = await self._database.read(lambda c: int(c.execute("SELECT count(*) FROM requests").fetchone()[0]))
        before, surplus, removed = now - max_age_days * DAY_MS, max(0, count - max_rows), 0
        # Small steps with pauses: the writer thread makes the records of live requests durable between them.
        while gone := await self._database.write(partial(_prune_step, before_ms=before, surplus=surplus)):
            removed, surplus = removed + gone, max(0, surplus - gone)
            await asyncio.sleep(PRUNE_PAUSE_S)
        return removed

    async def list(
        self, filters: RequestFilter | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[RequestRecord], str | None]:
        """Records, newest first, and the cursor of the next page; raises Invalid("cursor")."""
        where, values = _conditions(filters or RequestFilter(), cursor)
        statement = f"{_SELECT} {where} ORDER BY started_at DESC, id DESC LIMIT ?"
        rows = await self._database.read(lambda c: [read_record(row) for row in c.execute(statement, (*values, limit + 1))])
        return page(rows, limit, lambda record: (record.started_at, record.id))


def _conditions(filters: RequestFilter, cursor: str | None) -> tuple[str, list[Any]]:
    parts: list[tuple[str, tuple[Any, ...]]] = []
    if filters.key is not None:
        # Also by name: that of a removed or renamed key is found in its records alone.
        parts.append(("(key_id = ? OR key_name = ?)", (filters.key, filters.key)))
    for name in _EXACT:
        if (wanted := getattr(filters, name)) is not None:
            parts.append((f'"{name}" = ?', (wanted,)))
    if filters.tag is not None:
        parts.append(("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)", (filters.tag,)))
    if filters.min_cost_nano is not None:
        parts.append(("cost_nano >= ?", (filters.min_cost_nano,)))
    if filters.text is not None:
        # As text, not as a pattern: `%` and `_` are what they are.
        pattern = re.sub(r"([%_\\])", r"\\\1", filters.text)
        found = " OR ".join(f"{name} LIKE ? ESCAPE '\\'" for name in SEARCHED)
        parts.append((f"({found})", (f"%{pattern}%",) * len(SEARCHED)))
    if filters.since_ms is not None:
        parts.append(("started_at >= ?", (filters.since_ms,)))
    if filters.until_ms is not None:
        parts.append(("started_at < ?", (filters.until_ms,)))
    if cursor is not None:
        # A pair: requests may start in the same millisecond, and a page that ends between two must lose neither.
        parts.append(("(started_at, id) < (?, ?)", tuple(read_cursor(cursor, int, str))))
    where = "WHERE " + " AND ".join(sql for sql, _ in parts) if parts else ""
    return where, [value for _, values in parts for value in values]


def _prune_step(connection: sqlite3.Connection, before_ms: int, surplus: int) -> int:
    old = connection.execute(
        "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests WHERE started_at < ? ORDER BY started_at, id LIMIT ?)",
        (before_ms, PRUNE_STEP),
    ).rowcount
    if old or not surplus:
        return old
    return connection.execute(
        "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests ORDER BY started_at, id LIMIT ?)",
        (min(surplus, PRUNE_STEP),),
    ).rowcount
