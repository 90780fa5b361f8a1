"""Changes of several files, killed at every step: the next start finishes or undoes them, and nothing temporary stays."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conduit_desktop.core.errors import DatabaseUnusable
from conduit_desktop.core.paths import Home
from conduit_desktop.store import home_files, journal, private_files
from conduit_desktop.store.backup import backup_now, restore
from conduit_desktop.store.secrets.vault import Vault
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.fakes.killed_steps import kill_at_every_step
from tests.store.samples import record, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL")


def _open_and_close(home: Home) -> None:
    asyncio.run(SqliteStore.open(home).close())


def _home_with(home: Home, records: range) -> None:
    async def run() -> None:
        store = SqliteStore.open(home)
        await write(store, *(record(number) for number in records))
        await store.close()

    asyncio.run(run())


def _records(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM requests").fetchone()[0])
    finally:
        connection.close()


def _next_start(home: Home) -> None:
    home.prepare()
    home_files.recover(home)
    home_files.check_present(home)
    _open_and_close(home)


def _stray(*folders: Path) -> list[str]:
    return sorted(path.name for folder in folders for path in folder.iterdir() if path.name.startswith("."))


def _fresh_copy(template: Path, root: Path) -> Callable[[], None]:
    def prepare() -> None:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(template, root)

    return prepare


def test_moves_that_were_killed_at_any_step_are_all_made_or_none(tmp_path: Path):
    root = tmp_path / "root"
    (template := tmp_path / "template").mkdir()
    for name in ("a", "b"):
        (template / name).write_text(f"old {name}")

    def job() -> None:
        staged = root / f".staged-{os.getpid()}-00000000"
        with journal.begin(root, staged) as change:
            staged.mkdir()
            for name in ("a", "b"):
                (staged / name).write_text(f"new {name}")
            change.commit(
                [(root / "a", root / "a.old"), (staged / "a", root / "a"), (root / "b", root / "b.old"), (staged / "b", root / "b")]
            )

    outcomes = set()
    for _ in kill_at_every_step(job, _fresh_copy(template, root)):
        journal.finish(root)
        private_files.sweep(root)
        found = {path.name: path.read_text() for path in root.iterdir()}
        done = {"a": "new a", "b": "new b", "a.old": "old a", "b.old": "old b"}
        assert found in (done, {"a": "old a", "b": "old b"})
        outcomes.add(len(found))
    assert outcomes == {2, 4}


def test_finishing_that_is_killed_itself_is_finished_by_the_start_after(tmp_path: Path):
    root, template = tmp_path / "root", tmp_path / "template"
    template.mkdir()
    (template / "a").write_text("old")
    staged = template / ".staged-1-00000000"
    staged.mkdir()
    (staged / "a").write_text("new")
    plan = journal._Plan((staged,), ((template / "a", template / "a.old"), (staged / "a", template / "a")))
    journal._write(template / ".change-1-00000000.journal", plan)
    for _ in kill_at_every_step(lambda: journal.finish(root), _fresh_copy(template, root)):
        journal.finish(root)
        private_files.sweep(root)
        assert {path.name: path.read_text() for path in root.iterdir()} == {"a": "new", "a.old": "old"}


def test_a_change_that_fails_before_its_commit_leaves_nothing(tmp_path: Path):
    def fail() -> None:
        with journal.begin(tmp_path, tmp_path / "staged"):
            (tmp_path / "staged").mkdir()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_is_named_and_nothing_is_moved(tmp_path: Path):
    path = tmp_path / ".change-1-00000000.journal"
    path.write_text("{")
    with pytest.raises(DatabaseUnusable, match=path.name):
        journal.finish(tmp_path)
    assert path.exists()


def test_a_restore_killed_at_any_step_leaves_the_home_as_it_was_or_restored(home: Home, tmp_path: Path):
    _home_with(home, range(5))
    archive = backup_now(home, tmp_path / "conduit.zip")
    _home_with(home, range(5, 8))
    # As a killed process leaves it: the newest records are in the WAL alone.
    template = tmp_path / "template"
    shutil.copytree(home.root, template)
    (template / "conduit.db-wal").touch()
    counts = set()
    for _ in kill_at_every_step(lambda: restore(archive, home), _fresh_copy(template, home.root)):
        _next_start(home)
        count = _records(home.database)
        counts.add(count)
        assert count in (5, 8)
        if count == 5:
            assert _records(home.root / "conduit.db.before-restore") == 8
        assert _stray(home.root, tmp_path) == []
    assert counts == {5, 8}


def test_a_restore_after_a_killed_one_deletes_no_original(home: Home, tmp_path: Path):
    _home_with(home, range(5))
    archive = backup_now(home, tmp_path / "conduit.zip")
    _home_with(home, range(5, 8))
    template = tmp_path / "template"
    shutil.copytree(home.root, template)
    for _ in kill_at_every_step(lambda: restore(archive, home), _fresh_copy(template, home.root)):
        restore(archive, home)
        _next_start(home)
        kept = [_records(path) for path in home.root.glob("conduit.db.before-restore*")]
        assert 8 in kept, "the originals are gone"
        assert _records(home.database) == 5
        assert _stray(home.root) == []


def test_a_backup_killed_at_any_step_leaves_the_earlier_archive_or_the_new_one(home: Home, tmp_path: Path):
    _home_with(home, range(5))
    (tmp_path / "elsewhere").mkdir()
    target = backup_now(home, tmp_path / "elsewhere" / "conduit.zip")
    earlier = target.read_bytes()
    _home_with(home, range(5, 8))

    def prepare() -> None:
        target.write_bytes(earlier)

    for step in kill_at_every_step(lambda: backup_now(home, target), prepare):
        _next_start(home)
        restored = Home(tmp_path / f"restored{step}")
        restore(target, restored)
        assert _records(restored.database) in (5, 8)
        assert _stray(home.root, target.parent) == []
    assert _records(restored.database) == 8


def test_a_first_start_killed_at_any_step_starts_the_next_time(tmp_path: Path):
    home = Home(tmp_path / "home")

    def first() -> None:
        home.prepare()
        home_files.recover(home)
        home_files.check_present(home)
        _open_and_close(home)

    for _ in kill_at_every_step(first, lambda: shutil.rmtree(home.root, ignore_errors=True)):
        _next_start(home)
        assert _records(home.database) == 0
        assert _stray(home.root) == []


@pytest.mark.parametrize("change", ["first", "second", "passphrase"])
def test_a_vault_killed_at_any_step_of_a_write_opens_with_the_old_or_the_new_secrets(home: Home, tmp_path: Path, change: str):
    _open_and_close(home)
    if change != "first":
        Vault.open(home, None).set("a", "old")
    template = tmp_path / "template"
    shutil.copytree(home.root, template)

    def job() -> None:
        if change == "passphrase":
            Vault.open(home, "horse")
        else:
            Vault.open(home, None).set("a", "new")

    for _ in kill_at_every_step(job, _fresh_copy(template, home.root)):
        _next_start(home)
        assert _stray(home.root) == []
        found = Vault.open(home, "horse" if change == "passphrase" else None).get("a")
        assert found in {"first": (None, "new"), "second": ("old", "new"), "passphrase": ("old",)}[change]
        if change == "passphrase":
            assert not home.vault_key.exists()
