"""Checkpoints: folding the WAL back into the database without making the writer wait for the disk."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from pathlib import Path

from conduit_desktop.store.sqlite.connections import BUSY_TIMEOUT_S

log = logging.getLogger(__name__)

STEP = 4000
"""Pages (of 4 KB) after which the WAL is folded."""

HARD_LIMIT = 16_000
"""Pages in the WAL after which the writer itself folds, and waits for it."""

WORTH_IT = 250
"""Pages from which on an idle writer folds."""

PAGES_A_BATCH = 4
PAGES_A_RECORD = 1
ROWS_A_PAGE = 4
"""Rows that a job changes for each page that it writes: neighbours share pages."""


class Checkpoints:
    """Decides when; used by the writer thread alone.

    A thread of its own folds while the writer goes on: to wait for the disk can take a tenth of a second. The WAL starts
    anew once all of it is folded, so under load without a gap it grows; then, rarely, the writer folds the rest itself.
    The file keeps its size: to cut it would make the writer wait for the file system.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._helper: threading.Thread | None = None
        self._pages = 0
        """A guess at what was written since the last fold: SQLite reports the length of its WAL only at a checkpoint."""
        self._length = 0
        """Pages in the WAL at the last fold."""
        self.due = False
        """Something was written since the writer was last idle."""

    def wrote(self, connection: sqlite3.Connection, records: int, changes: int = 0) -> None:
        """A batch with so many records was committed on `connection`, and so many rows that jobs changed."""
        self.due = True
        self._pages += PAGES_A_BATCH + PAGES_A_RECORD * records + changes // ROWS_A_PAGE
        too_long = self._length > HARD_LIMIT
        if (self._pages < STEP and not too_long) or self._busy:
            return
        self._pages = 0
        # PASSIVE never waits for readers or the writer; it can fold only what no reader still needs.
        if too_long:
            # At once: what is left is what was written while the thread folded all before.
            self._fold(connection, "PASSIVE")
            self._length = 0  # the next write starts it anew
        else:
            self._start_helper()

    def idle(self) -> None:
        """Nothing is to be written just now: fold, if there is enough."""
        self.due = False
        if self._pages > WORTH_IT and not self._busy:
            self._pages = 0
            self._start_helper()

    def end(self, connection: sqlite3.Connection) -> None:
        """The last checkpoint; leaves an empty WAL."""
        if self._helper is not None:
            # SQLite allows one checkpoint at a time: the last one would fail as busy and leave the WAL.
            self._helper.join()
        self._fold(connection, "TRUNCATE")

    @property
    def _busy(self) -> bool:
        return self._helper is not None and self._helper.is_alive()

    def _start_helper(self) -> None:
        self._helper = threading.Thread(target=self._fold_in_thread, name=f"{self._path.name} checkpoint", daemon=True)
        self._helper.start()

    def _fold_in_thread(self) -> None:
        # A connection of its own: the writer uses the other one at the same time.
        with contextlib.closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
            self._fold(connection, "PASSIVE")

    def _fold(self, connection: sqlite3.Connection, mode: str) -> None:
        try:
            _, self._length, _ = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        except sqlite3.Error as error:
            log.warning("the checkpoint of %s has to wait: %s", self._path.name, error)
