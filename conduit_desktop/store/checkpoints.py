"""Folding the WAL back into the database without making a writer wait for the disk."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from pathlib import Path

from conduit_desktop.store.connections import BUSY_TIMEOUT_S

log = logging.getLogger(__name__)

WAL_LIMIT = 16 * 1024 * 1024
LOOK_EVERY = 50
"""Batches between two looks at the size of the WAL."""


class Checkpoints:
    """Decides when; used by the writer thread alone.

    The bulk is folded by a thread of its own while the writer goes on: copying 16 MB and waiting for the disk takes a
    tenth of a second. What was written meanwhile the writer folds itself, so that the WAL can start anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._helper: threading.Thread | None = None
        self._batches = 0
        self.due = False
        """Something was written since the last checkpoint at rest."""

    def wrote(self, connection: sqlite3.Connection) -> None:
        """A batch was committed on `connection`."""
        self.due = True
        self._batches += 1
        if self._batches % LOOK_EVERY:
            return
        if self._helper is not None:
            if not self._helper.is_alive():
                self._helper = None
                self._fold(connection, "PASSIVE")
        elif self._size() > WAL_LIMIT:
            self._helper = threading.Thread(target=self._help, name=f"{self._path.name} checkpoint", daemon=True)
            self._helper.start()

    def rest(self, connection: sqlite3.Connection) -> None:
        """Nothing is to be written just now."""
        self.due = False
        self._fold(connection, "PASSIVE")

    def end(self, connection: sqlite3.Connection) -> None:
        """The last checkpoint; leaves an empty WAL."""
        if self._helper is not None:
            self._helper.join()
        self._fold(connection, "TRUNCATE")

    def _size(self) -> int:
        try:
            return os.stat(self._wal).st_size
        except OSError:
            return 0

    def _help(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
            self._fold(connection, "PASSIVE")

    def _fold(self, connection: sqlite3.Connection, mode: str) -> None:
        try:
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.Error as error:
            log.warning("the checkpoint of %s has to wait: %s", self._path.name, error)
