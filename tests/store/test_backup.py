"""Copies made in use, and put back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
import sys
import warnings
import zipfile
from pathlib import Path

import pytest

from conduit_desktop.core.errors import DatabaseTooNew, DatabaseUnusable, HomeHeld, Invalid
from conduit_desktop.core.paths import Home
from conduit_desktop.store.backup import backup, restore
from conduit_desktop.store.lock import HomeLock
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import NOON, record, total, write


async def _backup(home: Home, target: Path, count: int = 50) -> Path:
    store = SqliteStore.open(home)
    await write(store, *(record(number) for number in range(count)))
    await store.payloads.put("r1", b"request", b"response", NOON)
    await backup(home, target)
    await store.close()
    return target


async def test_a_backup_goes_to_a_new_home_whole(home: Home, tmp_path: Path):
    target = await _backup(home, tmp_path / "conduit.zip")
    other = Home(tmp_path / "other")
    restore(target, other)
    store = SqliteStore.open(other)
    rows, _ = await store.ledger.list(limit=500)
    usage = await store.ledger.usage([])
    payload = await store.payloads.get("r1")
    await store.close()
    assert len(rows) == total(usage, "requests") == 50
    assert payload.response == b"response"
    assert not list(other.root.glob(".restore*"))


async def test_no_secret_is_in_a_backup(home: Home, tmp_path: Path):
    await SqliteStore.open(home).close()
    for path in (home.vault, home.vault_key, home.identity, home.lock, home.logs / "conduit.log"):
        path.write_text("hunter2 hunter2")
    target = await _backup(home, tmp_path / "conduit.zip")
    with zipfile.ZipFile(target) as archive:
        assert sorted(archive.namelist()) == ["backup.json", "conduit.db", "payloads.db"]
        assert not any(b"hunter2" in archive.read(name) for name in archive.namelist())
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["conduit.zip"]


@pytest.mark.skipif(sys.platform == "win32", reason="no file modes")
async def test_a_backup_is_private(home: Home, tmp_path: Path):
    target = await _backup(home, tmp_path / "conduit.zip")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own")
async def test_a_link_at_the_temporary_name_of_a_backup_is_not_followed(home: Home, tmp_path: Path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / ".conduit.zip.part").symlink_to(mine)
    await _backup(home, tmp_path / "conduit.zip")
    assert mine.read_text() == "mine"


async def test_a_backup_made_under_load_is_consistent(home: Home, tmp_path: Path):
    store = SqliteStore.open(home)
    going = True

    async def client(start: int) -> None:
        number = start
        while going:
            await store.ledger.record(record(number))
            number += 8

    clients = [asyncio.ensure_future(client(start)) for start in range(8)]
    while len((await store.ledger.list())[0]) < 8:
        await asyncio.sleep(0)
    target = await backup(home, tmp_path / "conduit.zip")
    going = False
    await asyncio.gather(*clients)
    await store.close()
    restore(target, Home(tmp_path / "other"))
    with sqlite3.connect(tmp_path / "other" / "conduit.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        records, requests = connection.execute(
            "SELECT (SELECT count(*) FROM requests), (SELECT sum(requests) FROM totals)"
        ).fetchone()
    connection.close()
    assert records == requests > 0


async def test_restoring_keeps_the_replaced_files(home: Home, tmp_path: Path):
    target = await _backup(home, tmp_path / "conduit.zip", 10)
    store = SqliteStore.open(home)
    await write(store, record(99))
    await store.close()
    restore(target, home)
    store = SqliteStore.open(home)
    rows, _ = await store.ledger.list()
    await store.close()
    assert len(rows) == 10
    with sqlite3.connect(home.root / "conduit.db.before-restore") as before:
        assert before.execute("SELECT count(*) FROM requests").fetchone() == (11,)
    before.close()


async def test_a_home_in_use_is_not_overwritten(home: Home, tmp_path: Path):
    target = await _backup(home, tmp_path / "conduit.zip")
    before = home.database.read_bytes()
    with HomeLock(home).acquire({"address": "http://x"}), pytest.raises(HomeHeld, match="http://x"):
        restore(target, home)
    assert home.database.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_file_that_is_no_backup_changes_nothing(home: Home, tmp_path: Path, content: bytes | None):
    target = tmp_path / "some.zip"
    if content is None:
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("../conduit.db", "x")
    else:
        target.write_bytes(content)
    home.database.write_bytes(b"mine")
    with pytest.raises(Invalid) as caught:
        restore(target, home)
    assert caught.value.field == "path"
    assert home.database.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("change", "error"), [("damage", DatabaseUnusable), ("newer", DatabaseTooNew), ("empty", DatabaseUnusable)]
)
async def test_a_damaged_or_newer_backup_changes_nothing(home: Home, tmp_path: Path, change: str, error: type[Exception]):
    target = await _backup(home, tmp_path / "conduit.zip")
    with zipfile.ZipFile(target) as archive:
        archive.extract("conduit.db", tmp_path)
    database = tmp_path / "conduit.db"
    content = database.read_bytes()
    if change == "newer":
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA user_version = 7")
        connection.close()
    else:
        database.write_bytes(content[:5000] + b"\xff" * 9000 + content[14000:] if change == "damage" else b"")
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(database, "conduit.db")
    before = home.database.read_bytes()
    with pytest.raises(error, match="backup") as caught:
        restore(target, home)
    assert ".restore-" not in str(caught.value)
    assert home.database.read_bytes() == before


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("bomb", "would unpack to"),
        ("twice", "no backup"),
        ("many", "no backup"),
        ("text", "no SQLite"),
        ("large", "bytes, and the disk"),
    ],
)
def test_an_archive_is_looked_at_before_it_is_unpacked(
    home: Home, tmp_path: Path, kind: str, text: str, monkeypatch: pytest.MonkeyPatch
):
    target = tmp_path / "some.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore", UserWarning)  # of zipfile, for a name that is there twice
        archive.writestr("conduit.db", b"SQLite format 3\0" + bytes(80_000_000 if kind == "bomb" else 4000))
        for number in range({"twice": 1, "many": 200}.get(kind, 0)):
            archive.writestr("conduit.db" if kind == "twice" else f"{number}", b"SQLite format 3\0")
        if kind == "text":
            archive.writestr("payloads.db", b"this is text")
    if kind == "large":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    unpacked: list[object] = []
    monkeypatch.setattr(shutil, "copyfileobj", lambda *_: unpacked.append(1))
    with pytest.raises((Invalid, DatabaseUnusable), match=text):
        restore(target, home)
    assert not unpacked
    assert not home.database.exists()


async def test_a_second_restore_keeps_the_originals_of_the_first(home: Home, tmp_path: Path):
    target = await _backup(home, tmp_path / "conduit.zip", 10)
    for number in (98, 99):
        store = SqliteStore.open(home)
        await write(store, record(number))
        await store.close()
        restore(target, home)
    for name in ("conduit.db.before-restore", "conduit.db.before-restore-2"):
        with sqlite3.connect(home.root / name) as before:
            assert before.execute("SELECT count(*) FROM requests").fetchone() == (11,)
        before.close()


async def test_a_backup_starts_in_a_new_home_that_has_no_vault(home: Home, tmp_path: Path):
    await SqliteStore.open(home).close()
    home.vault.write_text("secrets")
    target = await _backup(home, tmp_path / "conduit.zip")
    other = Home(tmp_path / "other")
    restore(target, other)
    await SqliteStore.open(other).close()


async def test_a_backup_takes_the_place_of_an_earlier_one_and_of_nothing_else(home: Home, tmp_path: Path):
    target = await _backup(home, tmp_path / "conduit.zip")
    earlier = target.read_bytes()
    mine = tmp_path / "notes.txt"
    mine.write_text("mine")
    store = SqliteStore.open(home)
    await write(store, record(999))
    await backup(home, target)
    assert target.read_bytes() != earlier
    for taken in (home.database, home.payloads, mine, tmp_path, Path("/")):
        with pytest.raises(Invalid, match="is there already"):
            await backup(home, taken)
    assert mine.read_text() == "mine"
    assert len((await store.ledger.list(limit=500))[0]) == 51
    await store.close()


async def test_a_backup_to_a_place_that_cannot_be_written_is_named(home: Home, tmp_path: Path):
    store = SqliteStore.open(home)
    with pytest.raises(Invalid, match="nowhere") as caught:
        await backup(home, tmp_path / "nowhere" / "conduit.zip")
    await store.close()
    assert caught.value.field == "path"
