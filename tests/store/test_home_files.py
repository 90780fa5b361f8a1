"""Files of a home that belong together, and what killed processes leave in it."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys

import pytest

from conduit_desktop.core.errors import DatabaseUnusable, HomeUnusable, Invalid
from conduit_desktop.core.paths import Home
from conduit_desktop.store import home_files, inspection
from conduit_desktop.store.lock import HomeLock
from conduit_desktop.store.secrets.vault import Vault
from conduit_desktop.store.sqlite.store import SqliteStore

FILES = ("conduit.db", "payloads.db", "secrets.vault")


@pytest.fixture
def full(home: Home) -> Home:
    """A home with a database, payloads and a vault, opened once more since."""
    _open(home)
    Vault.open(home, None).set("provider/1/key", "sk-1")
    _open(home)
    return home


def _open(home: Home) -> None:
    home_files.recover(home)
    home_files.check_present(home)
    asyncio.run(SqliteStore.open(home).close())


@pytest.mark.parametrize("loss", ["missing", "empty"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_or_empty_next_to_full_ones_is_an_error_that_names_both(full: Home, name: str, loss: str):
    lost = full.root / name
    lost.unlink() if loss == "missing" else lost.write_bytes(b"")
    before = {path.name: path.read_bytes() for path in full.root.iterdir() if path.name in FILES}
    with pytest.raises(DatabaseUnusable, match=rf"{name} (is|are) {loss}") as caught:
        _open(full)
    text = str(caught.value)
    assert str(full.vault if name == "conduit.db" else full.database) in text
    assert "Put it back" in text
    assert before == {path.name: path.read_bytes() for path in full.root.iterdir() if path.name in FILES}
    with pytest.raises(DatabaseUnusable, match=name):
        inspection.check_home(full)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_home_goes_on_without_a_lost_file_once_the_user_says_so(full: Home, name: str):
    (full.root / name).write_bytes(b"")
    inspection.forget(full, [name])
    _open(full)
    with pytest.raises(Invalid, match="not lost"):
        inspection.forget(full, ["conduit.db"])


def test_a_wal_next_to_an_empty_database_is_not_deleted(full: Home):
    for path in (full.payloads, full.vault, full.vault_key):
        path.unlink()
    full.database.write_bytes(b"")
    wal = full.root / "conduit.db-wal"
    wal.write_bytes(b"the newest records")
    with pytest.raises(DatabaseUnusable, match=r"conduit\.db-wal"):
        _open(full)
    assert wal.read_bytes() == b"the newest records"


def test_a_database_with_a_header_and_no_tables_next_to_a_full_vault_is_an_error(full: Home):
    full.database.unlink()
    full.payloads.unlink()
    connection = sqlite3.connect(full.database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    assert full.database.stat().st_size > 0
    with pytest.raises(DatabaseUnusable, match=r"secrets\.vault"):
        _open(full)


def _dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    return child.pid


@pytest.mark.skipif(sys.platform == "win32", reason="no way to ask for a process")
def test_temporary_files_of_dead_processes_are_removed_and_nothing_else(home: Home):
    dead = _dead_pid()
    stray = [f".secrets.vault-{dead}-0123abcd", f".writable-{dead}", ".prices-ab12_cd3"]
    folders = [f".restore-{dead}-0123abcd", ".restore-ab12cd34", ".conduit-backup-ab12cd34"]
    kept = [f".secrets.vault-{os.getppid()}-0123abcd", ".hidden", "notes-1-0123abcd", "conduit.db.before-restore"]
    for name in (*stray, *kept):
        (home.root / name).write_text("x")
    for name in folders:
        (home.root / name).mkdir()
        (home.root / name / "conduit.db").write_text("a copy")
    home_files.recover(home)
    assert sorted(path.name for path in home.root.iterdir() if path.name != "logs") == sorted(kept)


def test_a_file_of_the_home_that_cannot_be_used_is_named(home: Home):
    (home.root / "conduit.lock").mkdir()
    with pytest.raises(HomeUnusable, match=re.escape(str(home.root / "conduit.lock"))):
        HomeLock(home).acquire({})
