"""The ledger: every request's record, durable before its answer ends, and the daily totals kept for good."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, tzinfo
from functools import partial

from conduit_desktop.core import clock
from conduit_desktop.core.cursor import read_cursor
from conduit_desktop.core.records import FormerCost, RequestRecord, UsageRow
from conduit_desktop.store.interface import KeyUse, PricedRequests, RequestFilter, Spending, UsageGroup
from conduit_desktop.store.sqlite import pricing, recent_use, summaries
from conduit_desktop.store.sqlite import usage as sums
from conduit_desktop.store.sqlite.database import Database
from conduit_desktop.store.sqlite.pruning import MOST_STEP_S
from conduit_desktop.store.sqlite.records import read_record
from conduit_desktop.store.sqlite.search import SELECT, search
from conduit_desktop.store.sqlite.sources import First

PRUNE_STEP = 100
PRUNE_AT_ONCE = 10
"""Records that are removed by one statement: each is in several indexes, whose pages may have to come from the disk."""
PRUNE_PAUSE_S = 0.01
DAY_MS = 86_400_000

SUMMARY_STEP = 500
"""Rows of summaries that are written at a time."""


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
        rows = await self._database.read(lambda connection: connection.execute(f"{SELECT} WHERE id = ?", (id,)).fetchall())
        return read_record(rows[0]) if rows else None

    async def usage(
        self,
        group_by: Sequence[UsageGroup],
        since_ms: int | None = None,
        until_ms: int | None = None,
        zone: tzinfo = UTC,
        limit: int | None = None,
        after: tuple[str, ...] | None = None,
    ) -> list[UsageRow]:
        """Sums by the requested groups, ordered by them; days and hours of `zone`. With `limit`, the first ones behind `after`."""
        first = None if limit is None else First(limit, after)
        return await self._database.read(lambda connection: sums.usage(connection, group_by, since_ms, until_ms, zone, first))

    async def spent(self, accounts: Sequence[Spending]) -> list[int]:
        """Nano-dollars that each account has spent since its moment, in the accounts' order.

        Exactly the records that were handed to `record` before are in the sums.
        """
        if accounts and all(account.until_ms is not None for account in accounts):
            # Past periods, of which there may be hundreds: once what was handed over before is written, any reader has it all.
            await self._database.write(lambda connection: None)
            return await self._database.read(lambda connection: sums.spent(connection, accounts))
        # On the writer, whose queue is in order: the reader would miss records that wait, or see some that came later.
        return await self._database.write(lambda connection: sums.spent(connection, accounts))

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
        statement = f"{SELECT} WHERE {where} ORDER BY started_at, id LIMIT ?"
        return await self._database.read(lambda c: [read_record(row) for row in c.execute(statement, (*values, limit))])

    async def former_costs(self, id: str) -> list[FormerCost]:
        """What a record's cost was before each of its corrections, the oldest first."""
        return await self._database.read(lambda connection: pricing.former_costs(connection, id))

    async def summarize(self, now_ms: int | None = None) -> int:
        """Sum up the hours and days that are over, in small steps; how many there were."""
        now = clock.now_ms() if now_ms is None else now_ms
        end = (now - summaries.SETTLE_MS) // summaries.HOUR_MS
        done = 0
        while (hour := await self._database.write(partial(summaries.next_hour, end=end))) is not None:
            changes, rows, pairs = await self._database.read(partial(summaries.sums_of_hour, hour=hour))
            await self._put(summaries.HOURLY, rows)
            await self._put(summaries.BLOCKS, pairs)
            await self._database.write(partial(summaries.finish, level="hour", number=hour, changes=changes))
            done += 1
        while (quarter := await self._database.write(summaries.next_quarter)) is not None:
            await self._sum_quarter(quarter)
        while (day := await self._database.write(summaries.next_day)) is not None:
            await self._sum_day(day)
            done += 1
        return done

    async def _sum_quarter(self, quarter: int) -> None:
        changes = await self._database.read(partial(summaries.changes_of, level="quarter", number=quarter))
        for name in summaries.OF_REQUESTS:
            pairs = partial(summaries.pairs_of_quarter, quarter=quarter, first=name)
            await self._put(summaries.BLOCKS, await self._database.read(pairs))
        pairs = partial(summaries.pairs_of_totals_of_quarter, quarter=quarter)
        await self._put(summaries.BLOCKS, await self._database.read(pairs))
        await self._database.write(partial(summaries.finish, level="quarter", number=quarter, changes=changes))

    async def _sum_day(self, day: int) -> None:
        read = self._database.read
        # First of all: of what changes later on, the day is summed up again.
        changes = await read(partial(summaries.changes_of, level="day", number=day))
        await self._put(summaries.COMBINATIONS, await read(partial(summaries.combinations_of_day, day=day)))
        blocks = await read(partial(summaries.groups_of_day, day=day))
        parts: summaries.Rows = []
        for name in summaries.OF_TOTALS:
            blocks += await read(partial(summaries.pairs_of_day, day=day, first=name))
            parts += await read(partial(summaries.parts_of_day, day=day, kind=name))
            # Few large commits rather than many small ones, but not all of a large day in memory.
            blocks, parts = await self._put_whole(summaries.BLOCKS, blocks), await self._put_whole(summaries.PARTIAL, parts)
        await self._put(summaries.PARTIAL, parts)
        for name in summaries.OF_REQUESTS:
            blocks += await read(partial(summaries.pairs_of_requests_of_day, day=day, first=name))
            blocks = await self._put_whole(summaries.BLOCKS, blocks)
        await self._put(summaries.BLOCKS, blocks)
        for days in summaries.BLOCK_DAYS[1:]:
            hours, after = days * summaries.HOURS_A_DAY, None
            while True:
                larger = partial(summaries.sums_of_larger_blocks, day=day, hours=hours, after=after, limit=SUMMARY_STEP)
                rows, after = await read(larger)
                await self._put(summaries.BLOCKS, rows)
                if after is None:
                    break
        await self._database.write(partial(summaries.finish, level="day", number=day, changes=changes))
        for pair in await read(partial(summaries.pairs_with_quarters, day=day)):
            await self._database.write(partial(summaries.forget_quarters, day=day, pair=pair))

    async def _put_whole(self, statement: str, rows: summaries.Rows) -> summaries.Rows:
        """Write whole steps, and return the rest."""
        end = len(rows) - len(rows) % SUMMARY_STEP
        await self._put(statement, rows[:end])
        return rows[end:]

    async def _put(self, statement: str, rows: summaries.Rows) -> None:
        for start in range(0, len(rows), SUMMARY_STEP):
            step = rows[start : start + SUMMARY_STEP]
            await self._database.write(partial(summaries.put, statement=statement, rows=step))

    async def prune(self, max_age_days: int, max_rows: int, now_ms: int | None = None) -> int:
        """Remove records that are too old or too many, the oldest first, a few at a time; how many went. Totals stay.

        Of those too many, refused ones without a key go before any other: a stranger can cause as many as he likes.
        """
        now = clock.now_ms() if now_ms is None else now_ms
        # Sums by session, user and tag are made of requests.
        await self.summarize(now)
        end = await self._database.read(summaries.kept_from_ms)
        surplus, removed = await self._database.read(partial(_surplus, max_rows=max_rows)), 0
        before = min(now - max_age_days * DAY_MS, end)
        place, found = (0, ""), PRUNE_STEP
        while surplus and found == PRUNE_STEP:
            step = partial(_prune_strangers, limit=min(surplus, PRUNE_STEP), end_ms=end, place=place)
            gone, place = await self._database.write(step)
            found = gone if gone < surplus else 0
            removed, surplus = removed + gone, surplus - gone
            await asyncio.sleep(PRUNE_PAUSE_S)
        # Small steps with pauses: the writer thread makes the records of live requests durable between them.
        while gone := await self._database.write(partial(_prune_step, before_ms=before, surplus=surplus, end_ms=end)):
            removed, surplus = removed + gone, max(0, surplus - gone)
            await asyncio.sleep(PRUNE_PAUSE_S)
        forgotten = PRUNE_STEP
        while forgotten == PRUNE_STEP:
            forgotten = await self._database.write(partial(summaries.forget_names, limit=PRUNE_STEP))
            await asyncio.sleep(PRUNE_PAUSE_S)
        return removed

    async def list(
        self, filters: RequestFilter | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[RequestRecord], str | None]:
        """Records, newest first, and the cursor of the next page; raises Invalid("cursor").

        A page may be short, even empty, though there is a cursor: a search looks through a part of the log at a time.
        """
        place = _place(cursor) if cursor is not None else None
        return await self._database.read(lambda connection: search(connection, filters or RequestFilter(), limit, place))


def _place(cursor: str) -> tuple[int, str]:
    at, id = read_cursor(cursor, int, str)
    return at, id


def _surplus(connection: sqlite3.Connection, max_rows: int) -> int:
    """How many records there are too many."""
    first, last = connection.execute("SELECT (SELECT min(rowid) FROM requests), (SELECT max(rowid) FROM requests)").fetchone()
    # To count millions takes a second; there are at most as many as row ids.
    if first is None or last - first < max_rows:
        return 0
    return max(0, int(connection.execute("SELECT count(*) FROM requests").fetchone()[0]) - max_rows)


def _prune_strangers(
    connection: sqlite3.Connection, limit: int, end_ms: int, place: tuple[int, str]
) -> tuple[int, tuple[int, str]]:
    """Remove the oldest refused requests without a key from `place` on; how many went, and the place of the last."""
    # The first condition is that of the index `requests_with_errors`: all others need not be looked at.
    rows = connection.execute(
        "SELECT rowid, started_at, id FROM requests WHERE (error_code <> '' OR error_text <> '') AND status = 'refused'"
        " AND key_id = '' AND started_at < ? AND (started_at, id) > (?, ?) ORDER BY started_at, id LIMIT ?",
        (end_ms, *place, limit),
    ).fetchall()
    connection.executemany("DELETE FROM requests WHERE rowid = ?", [(row[0],) for row in rows])
    return len(rows), (rows[-1][1], rows[-1][2]) if rows else place


def _prune_step(connection: sqlite3.Connection, before_ms: int, surplus: int, end_ms: int) -> int:
    """Remove up to `PRUNE_STEP` records, fewer where that takes too long."""
    until = time.perf_counter() + MOST_STEP_S
    removed = 0
    while True:
        gone = _prune(connection, before_ms, max(0, surplus - removed), end_ms)
        removed += gone
        if not gone or removed >= PRUNE_STEP or time.perf_counter() >= until:
            return removed


def _prune(connection: sqlite3.Connection, before_ms: int, surplus: int, end_ms: int) -> int:
    oldest = "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests WHERE started_at < ? ORDER BY started_at, id LIMIT ?)"
    old = connection.execute(oldest, (before_ms, PRUNE_AT_ONCE)).rowcount
    return old or connection.execute(oldest, (end_ms, min(surplus, PRUNE_AT_ONCE))).rowcount
