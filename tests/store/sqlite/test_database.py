"""One file, a writer thread and reader threads, any loop."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from conduit_desktop.core.errors import DatabaseUnusable, HomeUnusable
from conduit_desktop.core.paths import Home
from conduit_desktop.store.sqlite import checkpoints
from conduit_desktop.store.sqlite.checkpoints import Checkpoints
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import record


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM meta WHERE name <> 'companions'").fetchone()[0])


def _put(name: str) -> object:
    return lambda connection: connection.execute("INSERT INTO meta VALUES (?, 'x')", (name,)).rowcount


async def test_what_is_written_is_read_at_once(store: SqliteStore):
    assert await store.database.write(_put("a")) == 1
    assert await store.database.read(_count) == 1


async def test_a_long_read_holds_up_neither_another_read_nor_a_write(store: SqliteStore):
    go = threading.Event()
    long = [store.database.read(lambda c: go.wait(10)) for _ in range(2)]
    assert await asyncio.wait_for(store.database.write(_put("a")), 10) == 1
    assert await asyncio.wait_for(store.database.read(_count), 10) == 1
    assert not any(one.done() for one in long)
    go.set()
    assert await asyncio.gather(*long) == [True, True]


async def test_reads_one_after_the_other_need_one_thread(store: SqliteStore):
    for _ in range(20):
        await store.database.read(_count)
    assert [thread.name for thread in threading.enumerate()].count("conduit.db reader") == 1


async def test_jobs_that_wait_together_share_one_commit(store: SqliteStore):
    """While the first job holds the writer, the others gather; one wake-up resolves them."""
    go, begun = threading.Event(), threading.Event()
    commits: list[str] = []
    await store.database.write(lambda c: c.set_trace_callback(commits.append))

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        go.wait(10)

    first = store.database.write(slow)
    await asyncio.to_thread(begun.wait, 10)
    rest = [store.database.write(_put(str(number))) for number in range(20)]
    go.set()
    await asyncio.gather(first, *rest)
    await store.database.write(lambda c: c.set_trace_callback(None))
    assert commits.count("COMMIT") <= 3
    assert await store.database.read(_count) == 20


async def test_a_job_that_fails_fails_alone(store: SqliteStore):
    go = threading.Event()
    blocked = store.database.write(lambda c: go.wait(10))

    def half_done(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('half', 'x')")
        raise ValueError("no")

    before, bad, after = store.database.write(_put("a")), store.database.write(half_done), store.database.write(_put("b"))
    go.set()
    await asyncio.gather(blocked, before, after)
    with pytest.raises(ValueError, match="no"):
        await bad
    statement = "SELECT name FROM meta WHERE name <> 'companions' ORDER BY name"
    names = await store.database.read(lambda c: [row[0] for row in c.execute(statement)])
    assert names == ["a", "b"]


async def test_the_reader_cannot_write(store: SqliteStore):
    with pytest.raises(DatabaseUnusable):
        await store.database.read(_put("a"))


async def test_a_read_sees_one_snapshot(store: SqliteStore):
    """A page's two queries agree, whatever is written between them."""
    loop = asyncio.get_running_loop()
    await store.database.write(_put("a"))

    def twice(connection: sqlite3.Connection) -> tuple[int, int]:
        before = _count(connection)
        asyncio.run_coroutine_threadsafe(_await(store.database.write, "b"), loop).result(10)
        return before, _count(connection)

    assert await store.database.read(twice) == (1, 1)
    assert await store.database.read(_count) == 2


async def _await(write, name: str) -> None:
    await write(_put(name))


async def test_a_cancelled_waiter_does_not_affect_others(store: SqliteStore):
    go = threading.Event()
    blocked = store.database.write(lambda c: go.wait(10))
    given_up = store.database.write(_put("a"))
    given_up.cancel()
    go.set()
    await blocked
    assert await store.database.write(_put("b")) == 1
    assert await store.database.read(_count) == 2


async def test_a_closed_store_says_so_and_closes_twice(home: Home):
    store = SqliteStore.open(home)
    await store.close()
    await store.close()
    with pytest.raises(DatabaseUnusable, match="closed"):
        store.ledger.record(record())
    with pytest.raises(DatabaseUnusable, match="closed"):
        store.database.read(_count)


async def test_closing_writes_what_waits(home: Home):
    store = SqliteStore.open(home)
    futures = [store.ledger.record(record(number)) for number in range(300)]
    await store.close()
    assert all(future.done() for future in futures)
    again = SqliteStore.open(home)
    rows, _ = await again.ledger.list(limit=500)
    await again.close()
    assert len(rows) == 300


def test_one_store_serves_several_loops_one_after_another(home: Home):
    store = SqliteStore.open(home)

    async def once(name: str) -> int:
        await store.database.write(_put(name))
        return await store.database.read(_count)

    assert asyncio.run(once("a")) == 1
    assert asyncio.run(once("b")) == 2
    if sys.platform != "win32":
        uvloop = pytest.importorskip("uvloop")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(once("c")) == 3
    asyncio.run(store.close())


def test_a_loop_that_is_gone_does_not_stop_the_writer(home: Home):
    store = SqliteStore.open(home)
    go = threading.Event()

    async def leave() -> None:
        store.database.write(lambda c: go.wait(10))

    asyncio.run(leave())
    go.set()

    async def stay() -> int:
        return await store.database.write(_put("a"))

    assert asyncio.run(stay()) == 1
    asyncio.run(store.close())


@pytest.mark.skipif(sys.platform == "win32", reason="no file modes")
async def test_every_database_file_is_private(home: Home, store: SqliteStore):
    await store.ledger.record(record())
    files = [*home.root.glob("*.db*")]
    assert {file.name for file in files} >= {"conduit.db", "conduit.db-wal", "payloads.db"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


async def test_the_pragmas_hold(store: SqliteStore):
    def pragmas(connection: sqlite3.Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint", "busy_timeout")
        return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}

    expected = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "wal_autocheckpoint": 0, "busy_timeout": 5000}
    assert await store.database.write(pragmas) == expected


def test_a_home_that_is_a_file_is_named(tmp_path: Path):
    (tmp_path / "home").write_text("I am no folder")
    with pytest.raises(HomeUnusable, match="home"):
        SqliteStore.open(Home(tmp_path / "home"))


def test_a_database_that_cannot_be_opened_is_named(home: Home):
    home.database.mkdir()
    with pytest.raises(DatabaseUnusable, match=r"conduit\.db"):
        SqliteStore.open(home)


def _helped(self: Checkpoints) -> None:
    self._fold_in_thread()


def _never_helped(self: Checkpoints) -> None:
    self._length = checkpoints.HARD_LIMIT + 1


@pytest.mark.parametrize("help", [_helped, _never_helped])
async def test_the_wal_starts_anew_while_records_are_written(home: Home, monkeypatch: pytest.MonkeyPatch, help: Callable):
    """Checkpointed by its own thread, or, where that never caught up, by the writer."""
    monkeypatch.setattr(checkpoints, "STEP", 50)
    monkeypatch.setattr(Checkpoints, "_start_helper", help)
    store = SqliteStore.open(home)
    sizes = []
    for number in range(400):
        await store.ledger.record(record(number))
        sizes.append(Path(f"{home.database}-wal").stat().st_size)
    await store.close()
    assert max(sizes) < 1_000_000  # it would be 6 MB
    assert not Path(f"{home.database}-wal").exists()


async def test_the_wal_starts_anew_while_jobs_change_many_rows(home: Home, monkeypatch: pytest.MonkeyPatch):
    """Pruning and sums write far more pages than commits."""
    monkeypatch.setattr(checkpoints, "STEP", 50)
    monkeypatch.setattr(Checkpoints, "_start_helper", _helped)
    store = SqliteStore.open(home)
    sizes = []
    for number in range(30):
        rows = [(f"{number} {place}", "x" * 1000) for place in range(200)]
        await store.database.write(lambda c, rows=rows: c.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", rows))
        sizes.append(Path(f"{home.database}-wal").stat().st_size)
    await store.close()
    assert max(sizes) < 1_500_000  # it would be 3 MB


def test_what_a_checkpoint_thread_left_is_folded_at_once(home: Home, monkeypatch: pytest.MonkeyPatch):
    """The longer the writer waits, the more it has to fold itself."""
    folded: list[str] = []
    monkeypatch.setattr(Checkpoints, "_fold", lambda self, connection, mode: folded.append(mode))
    chosen = Checkpoints(home.database)
    chosen._length = checkpoints.HARD_LIMIT + 1
    connection = sqlite3.connect(":memory:")
    chosen.wrote(connection, 1)
    chosen.wrote(connection, 1)
    assert folded == ["PASSIVE"]


async def test_a_moment_of_rest_is_used_to_fold_the_wal(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoints, "WORTH_IT", 10)
    monkeypatch.setattr("conduit_desktop.store.sqlite.threads.IDLE_S", 0.01)
    store = SqliteStore.open(home)
    small = home.database.stat().st_size
    for number in range(200):
        await store.ledger.record(record(number))
    async with asyncio.timeout(10):
        while home.database.stat().st_size == small:
            await asyncio.sleep(0.01)
    assert await store.database.read(lambda c: c.execute("SELECT count(*) FROM requests").fetchone()[0]) == 200
    await store.close()


async def test_a_job_that_runs_out_of_rows_does_not_block_others(store: SqliteStore):
    """A future cannot hold StopIteration."""
    go = threading.Event()
    blocked = store.database.write(lambda c: go.wait(10))
    bad, good = store.database.write(lambda c: next(iter(()))), store.database.write(_put("a"))
    go.set()
    await blocked
    with pytest.raises(RuntimeError, match="ran out"):
        await bad
    assert await good == 1


async def test_a_home_with_odd_letters_in_its_name_works(tmp_path: Path):
    home = Home(tmp_path / "ho me#1?mode=rw%20ü")
    store = SqliteStore.open(home)
    await store.ledger.record(record())
    rows, _ = await store.ledger.list()
    await store.close()
    assert len(rows) == 1
    assert home.database.exists()
