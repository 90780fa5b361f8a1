"""Records survive a full disk and a killed process."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from conduit_desktop.core.errors import DatabaseUnusable, RecordsUnavailable
from conduit_desktop.core.paths import Home
from conduit_desktop.store.sqlite import connections, records
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import record, total, write

LONG = "x" * 3000


async def fill_the_disk(store: SqliteStore) -> None:
    """No page more than there is: SQLite answers as it does on a full disk."""

    def limit(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    await store.database.write(limit)


async def free_space(store: SqliteStore) -> None:
    await store.database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchall())


async def numbers(store: SqliteStore) -> list[int]:
    rows, _ = await store.ledger.list(limit=500)
    return sorted(int(row.id[4:]) for row in rows)


async def write_until_refused(store: SqliteStore, start: int) -> int:
    """The number of the first record that was refused."""
    for number in range(start, start + 100):
        try:
            await store.ledger.record(record(number, error_text=LONG))
        except RecordsUnavailable:
            return number
    raise AssertionError("the disk never was full")


async def test_records_wait_in_memory_while_the_disk_is_full_and_are_written_in_order_later(store: SqliteStore):
    reports: list[tuple[bool, str]] = []
    store.database.on_health = lambda healthy, text: reports.append((healthy, text))
    await write(store, record(0))
    await fill_the_disk(store)
    refused = await write_until_refused(store, 1)
    outcomes = await asyncio.gather(
        *(store.ledger.record(record(number, error_text=LONG)) for number in range(refused + 1, refused + 30)),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, RecordsUnavailable) for outcome in outcomes)
    assert "disk is full" in str(outcomes[0])
    assert "conduit.db" in str(outcomes[0])
    assert not store.database.healthy
    assert await numbers(store) == list(range(refused))
    await free_space(store)
    await write(store, record(refused + 30))
    assert store.database.healthy
    assert await numbers(store) == list(range(refused + 31))
    order = await store.database.read(lambda c: [row[0] for row in c.execute("SELECT id FROM requests ORDER BY rowid")])
    assert order == sorted(order)
    [row] = await store.ledger.usage([])
    assert row.requests == refused + 31
    assert [healthy for healthy, _ in reports] == [False, True]
    assert await store.database.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()[0]) == "ok"


async def test_what_waits_is_written_without_a_next_record(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "RETRY_EVERY_S", 0.01)
    monkeypatch.setattr("conduit_desktop.store.sqlite.threads.IDLE_S", 0.01)
    well = asyncio.Event()
    await fill_the_disk(store)
    refused = await write_until_refused(store, 0)
    store.database.on_health = lambda healthy, text: well.set()
    await free_space(store)
    await asyncio.wait_for(well.wait(), 10)
    assert await numbers(store) == list(range(refused + 1))


async def test_what_waits_is_written_at_the_end(home: Home):
    store = SqliteStore.open(home)
    await fill_the_disk(store)
    refused = await write_until_refused(store, 0)
    await free_space(store)
    await store.close()
    again = SqliteStore.open(home)
    assert await numbers(again) == list(range(refused + 1))
    await again.close()


@contextlib.contextmanager
def held_by_another_program(home: Home) -> Iterator[None]:
    """The write lock of the database, held as a program that browses and edits it would."""
    with contextlib.closing(sqlite3.connect(home.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_records_that_a_held_database_refuses_until_the_end_are_written_at_the_next_start(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.01)
    store = SqliteStore.open(home)
    await write(store, record(0))
    with held_by_another_program(home):
        for number in (1, 2):
            with pytest.raises(RecordsUnavailable, match="another program"):
                await store.ledger.record(record(number))
        await store.close()
    kept = home.root / "unwritten.jsonl"
    assert kept.stat().st_mode & 0o077 == 0 or sys.platform == "win32"
    # Half a line, as a process that was killed leaves it, and one of something else.
    kept.write_bytes(kept.read_bytes() + b'\n{"id": 1}\n{"id": "req_')
    store = SqliteStore.open(home)
    assert await numbers(store) == [0, 1, 2]
    assert not kept.exists()
    assert (await store.ledger.get(record(1).id)) == record(1)
    assert total(await store.ledger.usage([]), "requests") == 3
    await store.close()


async def test_records_that_were_kept_and_written_are_not_counted_twice(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.01)
    store = SqliteStore.open(home)
    with held_by_another_program(home), pytest.raises(RecordsUnavailable):
        await store.ledger.record(record(1))
    kept = (home.root / "unwritten.jsonl").read_bytes()
    await write(store, record(2))
    assert not (home.root / "unwritten.jsonl").exists()
    await store.close()
    # As a process that was killed between the commit and the removal leaves it.
    (home.root / "unwritten.jsonl").write_bytes(kept)
    store = SqliteStore.open(home)
    assert await numbers(store) == [1, 2]
    assert total(await store.ledger.usage([]), "requests") == 2
    await store.close()


async def test_memory_is_bounded_while_the_disk_is_full_and_the_loss_is_logged(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "MAX_WAITING", 10)
    reports: list[str] = []
    store.database.on_health = lambda healthy, text: reports.append(text)
    await fill_the_disk(store)
    refused = await write_until_refused(store, 0)
    futures = [store.ledger.record(record(number, error_text=LONG)) for number in range(refused + 1, refused + 25)]
    await asyncio.gather(*futures, return_exceptions=True)
    await free_space(store)
    await write(store, record(refused + 25))
    assert await numbers(store) == [*range(refused), *range(refused + 15, refused + 26)]
    assert "15 records were lost" in reports[-1]


async def test_while_the_disk_is_full_strangers_push_out_no_record_with_a_key(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_WAITING", 10)
    await fill_the_disk(store)
    refused = await write_until_refused(store, 0)
    strangers = [record(number, error_text=LONG, status="refused", key_id="") for number in range(refused + 1, refused + 25)]
    await asyncio.gather(*(store.ledger.record(one) for one in strangers), return_exceptions=True)
    last = store.ledger.record(record(refused + 25, error_text=LONG))
    await asyncio.gather(last, return_exceptions=True)
    await free_space(store)
    await write(store, record(refused + 26))
    assert set(range(refused + 1)) | {refused + 25, refused + 26} <= set(await numbers(store))


async def test_a_job_on_a_full_disk_is_refused_with_advice_and_undone(store: SqliteStore):
    await fill_the_disk(store)
    with pytest.raises(DatabaseUnusable, match="disk is full"):
        await store.database.write(lambda c: [c.execute("INSERT INTO meta VALUES (?, ?)", (str(n), LONG)) for n in range(50)][:0])
    assert await store.database.read(lambda c: c.execute("SELECT count(*) FROM meta WHERE name <> 'companions'").fetchone()[0]) == 0
    assert await store.database.write(lambda c: c.execute("INSERT INTO meta VALUES ('small', '')").rowcount) == 1


async def test_jobs_and_records_share_the_writer_in_order(store: SqliteStore):
    futures = [store.ledger.record(record(number)) for number in range(5)]
    count = store.database.write(lambda c: c.execute("SELECT count(*) FROM requests").fetchone()[0])
    futures += [store.ledger.record(record(number)) for number in range(5, 10)]
    assert await count >= 5
    await asyncio.gather(*futures)
    assert await numbers(store) == list(range(10))


CHILD = """
import asyncio, sys
from pathlib import Path
from conduit_desktop.core.paths import Home
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import record

async def client(store, number, step):
    while True:
        await store.ledger.record(record(number, model=f"m{number % 3}", cost_nano=number))
        sys.stdout.write(f"{number}\\n")
        number += step

async def main():
    store = SqliteStore.open(Home(Path(sys.argv[1])))
    await asyncio.gather(*(client(store, n, 16) for n in range(16)))

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 700, 3000])
async def test_a_killed_process_loses_no_record_that_was_durable(home: Home, lines: int):
    """Every record that the child reported as written is there, and the totals are the sum of the records."""
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-u", "-c", CHILD, str(home.root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={"PYTHONPATH": str(root)},
    ) as child:
        assert child.stdout is not None
        reported = [int(child.stdout.readline()) for _ in range(lines)]
        child.kill()
        reported += [int(line) for line in child.stdout.read().split("\n")[:-1]]
    store = SqliteStore.open(home)
    there, sums = await store.database.read(_state)
    await store.close()
    assert set(reported) <= set(there)
    assert Counter(there).most_common(1)[0][1] == 1
    expected = Counter({"requests": len(there), "cost_nano": sum(there)})
    assert Counter(sums) == expected


def _state(connection: sqlite3.Connection) -> tuple[list[int], dict[str, int]]:
    there = [int(row[0][4:]) for row in connection.execute("SELECT id FROM requests")]
    requests, cost = connection.execute("SELECT sum(requests), sum(cost_nano) FROM totals").fetchone()
    return there, {"requests": requests, "cost_nano": cost}


async def test_records_do_not_wait_for_a_slow_reader(store: SqliteStore):
    """A page that reads for long delays no record."""
    loop = asyncio.get_running_loop()
    entered, leave = asyncio.Event(), __import__("threading").Event()

    def slow(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT count(*) FROM requests").fetchone()
        loop.call_soon_threadsafe(entered.set)
        leave.wait(10)

    reading = store.database.read(slow)
    await entered.wait()
    start = time.monotonic()
    await write(store, *(record(number) for number in range(100)))
    took = time.monotonic() - start
    leave.set()
    await reading
    assert took < 5
