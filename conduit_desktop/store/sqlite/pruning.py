"""What is kept of bodies is bounded in age and size: the oldest rows go, in small steps, so that nothing waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Literal

from conduit_desktop.core import clock
from conduit_desktop.store.sqlite.database import Database

MOST_STEP_S = 0.01
"""How long the writer removes rows before it goes on with the records of live requests; a single statement may end later."""
PRUNE_STEP = 50
PRUNE_PAUSE_S = 0.01

Bounded = Literal["payloads", "responses"]
"""Tables whose rows have a time of creation (`at`, epoch milliseconds) and a size (`bytes`)."""


async def prune(database: Database, table: Bounded, max_age_days: int, max_mb: int, now_ms: int | None = None) -> int:
    """Remove what is too old, then the oldest until the rest fits into `max_mb`; how many went."""
    before_ms = (clock.now_ms() if now_ms is None else now_ms) - max_age_days * 86_400_000
    removed = 0
    while gone := await database.write(lambda connection: _step(connection, table, before_ms, max_mb * 1024 * 1024)):
        removed += gone
        await asyncio.sleep(PRUNE_PAUSE_S)
    left = removed > 0
    while left:
        left = await database.write(_shrink)
        await asyncio.sleep(PRUNE_PAUSE_S)
    return removed


def _step(connection: sqlite3.Connection, table: Bounded, before_ms: int, max_bytes: int) -> int:
    # A few rows at a time: the writer thread serves records of live requests between two steps.
    oldest = connection.execute(f"SELECT rowid, at, bytes FROM {table} ORDER BY at LIMIT ?", (PRUNE_STEP,)).fetchall()
    surplus = int(connection.execute(f"SELECT coalesce(sum(bytes), 0) FROM {table}").fetchone()[0]) - max_bytes
    until = time.perf_counter() + MOST_STEP_S
    gone = 0
    for rowid, at, size in oldest:
        if (at >= before_ms and surplus <= 0) or (gone and time.perf_counter() >= until):
            break
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
        gone += 1
        surplus -= size
    if gone:
        _shrink(connection)
    return gone


def _shrink(connection: sqlite3.Connection) -> bool:
    """Give free pages back to the disk, for a bounded time; whether some are left."""
    until = time.perf_counter() + MOST_STEP_S
    free = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
    for _ in range(free):
        # One page at a time: the statement frees a page a step, and the module takes a single step where no columns come.
        connection.execute("PRAGMA incremental_vacuum(1)")
        if time.perf_counter() >= until:
            return True
    return False
