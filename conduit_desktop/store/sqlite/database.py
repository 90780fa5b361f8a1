"""One SQLite file with its writer thread and its reader threads, awaited from any asyncio loop."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from conduit_desktop.core.errors import DatabaseUnusable
from conduit_desktop.store.sqlite import connections
from conduit_desktop.store.sqlite.threads import Reader, ReadQueue, Sink, Writer

T = TypeVar("T")
MAX_READERS = 4
"""Long queries at a time, beyond which a short one waits."""
HealthListener = Callable[[bool, str], None]


class Database:
    """Reads and writes of one file. Jobs are plain functions on a connection; they run off the loop.

    `healthy` is False while records cannot be written; `on_health(healthy, text)` is called on the loop when that changes.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, sink: Sink | None = None) -> None:
        """`connection` is a writing one, migrated; it belongs to the writer thread from now on."""
        self.path = path
        self.healthy = True
        self.on_health: HealthListener | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._gathered: list[tuple[Any, asyncio.Future[None]]] = []
        self._writer = Writer(path, connection, sink)
        self._read_jobs: ReadQueue = queue.SimpleQueue()
        self._reads = 0
        self._readers: list[Reader] = []
        self._writer.start()
        self._add_reader()

    def read(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `job` on a reader's connection, within one snapshot; rows are `sqlite3.Row`. A long read holds up no other."""
        future: asyncio.Future[T] = self._future()
        self._hand_over()
        # Most homes never need a second thread, which costs memory: it is started once a read would have to wait.
        if self._reads - sum(reader.done for reader in self._readers) >= len(self._readers) < MAX_READERS:
            self._add_reader()
        self._reads += 1
        self._read_jobs.put((job, future))
        return future

    def _add_reader(self) -> None:
        reader = Reader(self.path, connections.reading(self.path), self._read_jobs)
        self._readers.append(reader)
        reader.start()

    def write(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `job` on the writer's connection; resolves once its changes are durable.

        The job is a transaction of its own: it must not commit, and what it raises undoes all it did. Raises
        DatabaseUnusable for a full disk and the like.
        """
        future: asyncio.Future[T] = self._future()
        # Records submitted earlier go first: a job sees them.
        self._hand_over()
        self._writer.queue.put((None, job, future))
        return future

    def submit(self, item: Any) -> asyncio.Future[None]:
        """Hand `item` to the sink; resolves once it is durable."""
        loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if self._closed:
            raise DatabaseUnusable(f"the database {self.path} is closed")
        # Waking the writer is expensive: once for all records of one iteration of the loop.
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append((item, future))
        return future

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        for item, future in gathered:
            self._writer.queue.put((item, None, future))

    def _future(self) -> asyncio.Future[Any]:
        if self._closed:
            raise DatabaseUnusable(f"the database {self.path} is closed")
        self._loop = asyncio.get_running_loop()
        return self._loop.create_future()

    def report(self, healthy: bool, text: str) -> None:
        """Called by the sink, on the writer thread, when writing stops or starts to work."""
        if healthy == self.healthy:
            return
        self.healthy = healthy
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._call_listener, healthy, text)

    def _call_listener(self, healthy: bool, text: str) -> None:
        if self.on_health is not None:
            self.on_health(healthy, text)

    async def close(self) -> None:
        """Write what waits, fold the WAL into the file, end both threads."""
        await asyncio.to_thread(self.abandon)

    def abandon(self) -> None:
        """Close from outside any loop."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            for _ in self._readers:
                self._read_jobs.put(None)
            # The readers go first, before the writer knows of the end: the last connection to close removes the WAL, and only a
            # writing one can. On a disk the writer's last checkpoint takes longer than they do; in memory it does not.
            for reader in self._readers:
                reader.join()
            self._writer.queue.put(None)
            self._writer.join()
