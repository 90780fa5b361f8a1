"""The two threads of a database: one writes in groups, one reads; both answer through asyncio futures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from conduit_desktop.core.errors import RecordsUnavailable
from conduit_desktop.store.sqlite.checkpoints import Checkpoints
from conduit_desktop.store.sqlite.connections import is_trouble, trouble

log = logging.getLogger(__name__)

MAX_BATCH = 32
"""Entries of one commit. More would not be cheaper each, and would make the first of them wait for the last."""
IDLE_S = 1.0

Job = Callable[[sqlite3.Connection], Any]
Outcome = tuple["asyncio.Future[Any]", Any, "BaseException | None"]


class Sink(Protocol):
    """Takes many small items in one statement; runs on the writer thread."""

    @property
    def waiting(self) -> int:
        """Items that could not be written and wait for the next try."""
        ...

    def prepare(self, connection: sqlite3.Connection) -> None: ...
    def write(self, connection: sqlite3.Connection, items: list[Any]) -> list[BaseException | None] | None:
        """Write all, durably; None where all went well, else each item's error in order."""
        ...

    def retry(self, connection: sqlite3.Connection) -> None:
        """Try what waits once more, if it is time."""
        ...

    def flush(self, connection: sqlite3.Connection) -> None:
        """The last try before the end."""
        ...


ReadQueue = queue.SimpleQueue["tuple[Job, asyncio.Future[Any]] | None"]


class Reader(threading.Thread):
    """Runs read jobs of a shared queue one after the other, each on one snapshot of the database."""

    def __init__(self, path: Path, connection: sqlite3.Connection, jobs: ReadQueue) -> None:
        super().__init__(name=f"{path.name} reader", daemon=True)
        self._path = path
        self._connection = connection
        self._jobs = jobs
        self.done = 0
        """Jobs that this thread has finished."""

    def run(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, future = item
            outcome = self._attempt(job)
            self.done += 1
            settle([(future, *outcome)])
        self._connection.close()

    def _attempt(self, job: Job) -> tuple[Any, BaseException | None]:
        try:
            # A read transaction: all statements of a job see the same snapshot, whatever the writer commits meanwhile.
            self._connection.execute("BEGIN")
            try:
                return job(self._connection), None
            finally:
                # Nothing was written; the end of the snapshot lets checkpoints fold the pages that it held.
                self._connection.execute("ROLLBACK")
        except Exception as error:
            return None, trouble(self._path, error) if is_trouble(error) else error


class Writer(threading.Thread):
    """Takes all that waits, commits it as one group, then resolves every waiting future at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection, sink: Sink | None) -> None:
        super().__init__(name=f"{path.name} writer", daemon=True)
        self._path = path
        self._checkpoints = Checkpoints(path)
        self._connection = connection
        self._sink = sink
        self.queue: queue.SimpleQueue[tuple[Any, Job | None, asyncio.Future[Any]] | None] = queue.SimpleQueue()
        """`(item, None, future)` is for the sink, `(None, job, future)` a job, None the end."""
        if sink is not None:
            sink.prepare(connection)

    def run(self) -> None:
        going = True
        while going:
            try:
                going = self._round()
            except Exception:  # the thread must not die: every request waits for it
                log.exception("a round of the writer failed")
        self._checkpoints.end(self._connection)
        self._connection.close()

    def _round(self) -> bool:
        try:
            # No timeout where nothing is due: an idle process does not wake up once a second.
            first = self.queue.get(timeout=IDLE_S if self._checkpoints.due or self._waiting else None)
        except queue.Empty:
            self._on_idle()
            return True
        batch = [first]
        # This thread alone takes from the queue, so what qsize counts is there.
        batch.extend(self.queue.get_nowait() for _ in range(min(self.queue.qsize(), MAX_BATCH)))
        ending = None in batch
        self._write([entry for entry in batch if entry is not None] if ending else batch)  # type: ignore[arg-type]
        if ending and self._sink is not None:
            self._sink.flush(self._connection)
        return not ending

    @property
    def _waiting(self) -> int:
        return self._sink.waiting if self._sink is not None else 0

    def _write(self, batch: list[tuple[Any, Job | None, asyncio.Future[Any]]]) -> None:
        items = [(item, future) for item, job, future in batch if job is None]
        changes = 0
        if items and len(items) == len(batch):
            self._write_items(items)
        else:
            before = self._connection.total_changes
            # In order: a job that sums up the records sees those submitted before it and no later ones.
            for is_item, group in groupby(batch, key=lambda entry: entry[1] is None):
                if is_item:
                    self._write_items([(item, future) for item, _, future in group])
                else:
                    settle(self._run_jobs([(job, future) for _, job, future in group if job is not None]))
            changes = self._connection.total_changes - before
        self._checkpoints.wrote(self._connection, len(items), changes)

    def _write_items(self, items: list[tuple[Any, asyncio.Future[Any]]]) -> None:
        assert self._sink is not None
        try:
            errors = self._sink.write(self._connection, [item for item, _ in items])
        except Exception as error:
            log.exception("writing a batch failed")
            errors = [error] * len(items)
        if errors is None:
            settle_done([future for _, future in items])
        else:
            settle([(future, None, error) for (_, future), error in zip(items, errors, strict=True)])

    def _run_jobs(self, jobs: Sequence[tuple[Job, asyncio.Future[Any]]]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        try:
            for job, future in jobs:
                if not self._connection.in_transaction:
                    # IMMEDIATE takes the write lock now: a deferred transaction could fail with SQLITE_BUSY in its middle.
                    self._connection.execute("BEGIN IMMEDIATE")
                self._run_job(job, future, outcomes)
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            reason = trouble(self._path, error) if is_trouble(error) else error
            return [(future, None, reason) for _, future in jobs]
        return outcomes

    def _run_job(self, job: Job, future: asyncio.Future[Any], outcomes: list[Outcome]) -> None:
        # Jobs of one batch share a commit; the savepoint keeps a failing one from undoing the others.
        self._connection.execute("SAVEPOINT job")
        try:
            result = job(self._connection)
            self._connection.execute("RELEASE job")
            outcomes.append((future, result, None))
        except Exception as error:
            reason = trouble(self._path, error) if is_trouble(error) else error
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO job")
                self._connection.execute("RELEASE job")
            else:  # SQLite gave up the whole transaction, as it does on a full disk: nothing before is written either
                outcomes[:] = [(earlier, None, failed or reason) for earlier, _, failed in outcomes]
            outcomes.append((future, None, reason))

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _on_idle(self) -> None:
        if self._waiting and self._sink is not None:
            self._sink.retry(self._connection)
        elif self._checkpoints.due:
            self._checkpoints.idle()


def settle_done(futures: Iterable[asyncio.Future[None]]) -> None:
    """Resolve all with None."""
    settle([(future, None, None) for future in futures])


def settle(outcomes: list[Outcome]) -> None:
    """Resolve futures from another thread, with one wake-up for each loop they belong to."""
    # call_soon_threadsafe wakes the loop through a socket: once for a group, not once for each record.
    loops = {outcome[0].get_loop() for outcome in outcomes}
    for loop in loops:
        mine = outcomes if len(loops) == 1 else [outcome for outcome in outcomes if outcome[0].get_loop() is loop]
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits any more
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(outcomes: list[Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():  # its waiter was cancelled
            continue
        if error is None:
            future.set_result(result)
        elif isinstance(error, RecordsUnavailable):
            future.set_exception(error)
            # Retrieved, so that asyncio does not log it as lost where nobody waits: the record is kept, and the store reports it.
            future.exception()
        elif isinstance(error, StopIteration):  # a future refuses it, and the others behind it would wait for ever
            future.set_exception(RuntimeError("the job ran out of rows"))
        else:
            future.set_exception(error)
