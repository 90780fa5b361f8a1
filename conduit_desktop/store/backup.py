"""A consistent copy of both databases in one archive, made while they are in use; secrets are not in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import orjson

from conduit_desktop import __version__
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import ConduitError, DatabaseUnusable, Invalid
from conduit_desktop.core.paths import Home
from conduit_desktop.store import home_files, journal, private_files
from conduit_desktop.store.lock import COMMAND_S, HomeLock
from conduit_desktop.store.sqlite import connections, migrations, payloads

MANIFEST = "backup.json"
PAGES_A_STEP = 256
"""Pages copied at once; between two steps a writer may go on."""

MAX_ENTRIES = 100
"""Files in an archive; a backup has three."""
MAX_RATIO = 200
"""A file that unpacks to more times its packed size, and to more than `ANY_RATIO` bytes, is no database of ours."""
ANY_RATIO = 64_000_000
SQLITE = b"SQLite format 3\0"


async def backup(home: Home, target: Path) -> Path:
    """Write the archive `target` (mode 0600), in place only once it is whole; raises DatabaseUnusable, Invalid("path").

    Only an earlier archive is replaced: any other file, the home's own databases among them, is left alone.
    """
    return await asyncio.to_thread(backup_now, home, target)


def backup_now(home: Home, target: Path) -> Path:
    """As `backup`, blocking."""
    try:
        if not target.name or (target.exists() and not zipfile.is_zipfile(target)):
            raise Invalid(f"path: {target} is there already, and is no backup", "path")
        private_files.sweep(target.parent)
        with _temporary_folder(home, target) as folder:
            # In the target's folder: `os.replace` works only within one file system.
            part = folder / "backup.zip"
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
                for path in (home.database, home.payloads):
                    archive.write(_copy(path, folder), path.name)
                archive.writestr(MANIFEST, _manifest())
            private_files.sync(part)
            # In one step: a reader of `target` sees the earlier archive or the whole new one.
            os.replace(part, target)
            private_files.sync_folder(target.parent)
    except OSError as error:
        raise Invalid(f"cannot write the backup {target}: {error.strerror or error}", "path") from error
    return target


@contextlib.contextmanager
def _temporary_folder(home: Home, target: Path) -> Iterator[Path]:
    """A private folder next to `target`, which no other user can read or prepare, and which goes even if this process is killed."""
    folder = private_files.temporary(target)
    with contextlib.ExitStack() as stack:
        # A full disk of the home must not keep its databases from being saved to another one.
        with contextlib.suppress(OSError):
            stack.enter_context(journal.begin(home.root, folder))
        stack.callback(private_files.remove, folder)
        folder.mkdir(0o700)
        yield folder


def _copy(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    # Ahead of SQLite, which would make it with the umask's mode.
    copy.touch(0o600)
    try:
        with (
            contextlib.closing(connections.reading(path)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.execute("BEGIN")  # one snapshot: without it, each write starts the copy again
            # BEGIN alone takes no snapshot: SQLite takes it at the first read.
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(target, pages=PAGES_A_STEP, sleep=0)
            # The copied header asks for WAL; the archive gets one file, so nothing may be left in a `-wal` file.
            target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise connections.trouble(path, error) from error
    return copy


def _manifest() -> bytes:
    made = {"made_at": now_ms(), "version": __version__, "schema": migrations.VERSION}
    return orjson.dumps(made, option=orjson.OPT_INDENT_2)


def restore(archive: Path, home: Home) -> None:
    """Put the databases of `archive` in the place of the home's own, which are kept as `*.before-restore`, `-2`, `-3` …

    The home must not be in use. Secrets are left alone. Killed at any moment, the home is as before, or its next start finishes
    the restore. Raises HomeHeld, HomeUnusable, Invalid("path") for a file that is no backup, DatabaseTooNew, DatabaseUnusable
    for damaged contents; in each case nothing was changed.
    """
    home.prepare()
    with HomeLock(home).acquire({"command": True}, patience_s=COMMAND_S):
        home_files.recover(home)
        folder = private_files.temporary(home.root / "restore")
        try:
            with journal.begin(home.root, folder) as change:
                folder.mkdir(0o700)
                fresh = _unpack(archive, home, folder)
                # All are verified before the first is replaced: a damaged archive changes nothing.
                for path in fresh:
                    _verify(path)
                change.commit(_moves(home, fresh))
        except OSError as error:
            raise DatabaseUnusable(f"cannot restore {archive} to {home.root}: {error.strerror or error}") from error


def _unpack(archive: Path, home: Home, folder: Path) -> list[Path]:
    """The databases of the archive in `folder`: by name, whatever else an archive contains is not unpacked."""
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = _look_at(archive, opened, home)
            for one in wanted:
                part = folder / one.filename
                part.touch(0o600, exist_ok=False)
                # zipfile gives at most the size that the archive states, which `_look_at` has seen.
                with opened.open(one) as source, part.open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
            return [folder / one.filename for one in wanted]
    # RuntimeError and NotImplementedError: an encrypted archive, or a compression that this Python does not have.
    except (OSError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, NotImplementedError) as error:
        raise Invalid(f"cannot read the backup {archive}: {error}", "path") from error


def _look_at(archive: Path, opened: zipfile.ZipFile, home: Home) -> list[zipfile.ZipInfo]:
    """The databases in the archive; raises Invalid for one that no backup of ours looks like, before anything is unpacked."""
    entries = opened.infolist()
    wanted = [one for one in entries if one.filename in (home.database.name, home.payloads.name)]
    names = [one.filename for one in wanted]
    if home.database.name not in names or len(names) != len(set(names)) or len(entries) > MAX_ENTRIES:
        raise Invalid(f"{archive} is no backup of Conduit Desktop", "path")
    for one in wanted:
        if one.file_size > max(ANY_RATIO, MAX_RATIO * one.compress_size):
            raise Invalid(f"{archive} is no backup: {one.filename} in it would unpack to {one.file_size:,} bytes", "path")
        with opened.open(one) as file:
            start = file.read(len(SQLITE))
        # An empty file is left to `_verify`, whose complaint is clearer.
        if start not in (SQLITE, b""):
            raise DatabaseUnusable(f"the backup's {one.filename} is damaged: it is no SQLite database")
    needed, free = sum(one.file_size for one in wanted), shutil.disk_usage(home.root).free
    if needed > free:
        raise Invalid(f"{archive} needs {needed:,} bytes, and the disk of {home.root} has {free:,} free", "path")
    return wanted


def _verify(path: Path) -> None:
    check = payloads.check if path.name.startswith("payloads") else migrations.check
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            version = check(path, connection)
            if verdict == "ok" and check is migrations.check and version:
                # What else belongs to the home that was saved, such as its vault, need not be here.
                home_files.forget(connection)
                connection.commit()
    except sqlite3.Error as error:
        raise DatabaseUnusable(f"the backup's {path.name} is damaged: {error}") from error
    except ConduitError as error:
        raise type(error)(str(error).replace(str(path), f"{path.name} of the backup")) from error
    # An empty database passes SQLite's check, but restoring it would lose everything.
    if verdict != "ok" or version == 0:
        raise DatabaseUnusable(f"the backup's {path.name} is damaged: {verdict}")


def _moves(home: Home, fresh: list[Path]) -> list[journal.Move]:
    """Each database of the home to a name of its own, then the new one to its place."""
    suffix, number = ".before-restore", 1
    while any(home.root.glob(f"*{suffix}")) or any(home.root.glob(f"*{suffix}-[!0-9]*")):
        number += 1
        suffix = f".before-restore-{number}"
    moves: list[journal.Move] = []
    for path in fresh:
        own = home.root / path.name
        aside = own.with_name(f"{own.name}{suffix}")
        # The WAL that a killed process left holds its newest records, and SQLite finds it by name.
        for end in ("-wal", "-shm", ""):
            if (there := Path(f"{own}{end}")).exists():
                moves.append((there, Path(f"{aside}{end}")))
        moves.append((path, own))
    return moves
