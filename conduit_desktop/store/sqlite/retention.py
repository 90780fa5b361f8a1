"""The clock by which things grow old: it follows the system's, but no jump of that one makes a year pass at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

from conduit_desktop.core import clock
from conduit_desktop.store.sqlite.database import Database
from conduit_desktop.store.sqlite.meta import MetaTable

_NAME = "retention_clock"
HOUR_MS = 3_600_000
TOLERATED_MS = 72 * HOUR_MS
"""A program that was off for so long, over a weekend, is nothing to wonder about."""
CONFIRMED_MS = 24 * HOUR_MS
"""How long the program has to run with a clock that has jumped, until that time is taken for the right one."""


class RetentionClock:
    """What is deleted by age is deleted by this clock. It is kept over a restart.

    Whether the computer was off for months or its clock is wrong looks the same at a start. With a wrong clock nobody works for a
    day: certificates are not valid then. So after a jump the clock goes on from where it was, until the program has run for a day.
    """

    def __init__(
        self, database: Database, meta: MetaTable, wall_ms: Callable[[], int] = clock.now_ms,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._database = database
        self._meta = meta
        self._wall_ms = wall_ms
        self._ticks = ticks
        self._read_at = ticks()

    async def now_ms(self) -> int:
        """Milliseconds since the epoch, at most what the system's clock says."""
        wall, ticks = self._wall_ms(), self._ticks()
        ran, self._read_at = round((ticks - self._read_at) * 1000), ticks
        at, waited = await self._kept(wall)
        at += ran
        if wall - at <= TOLERATED_MS or waited + ran >= CONFIRMED_MS:
            at, waited = wall, 0
        else:
            waited += ran
        await self._meta.put(_NAME, {"at": at, "waited": waited})
        return at

    async def _kept(self, wall: int) -> tuple[int, int]:
        """Where the clock stood, and for how long (ms) the program has run since the system's has jumped."""
        kept: Any = await self._meta.get(_NAME)
        if isinstance(kept, dict) and isinstance(kept.get("at"), int) and isinstance(kept.get("waited"), int):
            return kept["at"], kept["waited"]
        # A home of an earlier release: its newest request shows how late it was.
        newest = await self._database.read(_newest)
        return wall if newest is None else newest, 0


def _newest(connection: sqlite3.Connection) -> int | None:
    newest: int | None = connection.execute("SELECT max(started_at) FROM requests").fetchone()[0]
    return newest
