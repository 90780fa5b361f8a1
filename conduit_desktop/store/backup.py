"""A consistent copy of both databases in one archive, made while they are in use; secrets are not in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import zipfile
from pathlib import Path

import orjson

from conduit_desktop import __version__
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import ConduitError, DatabaseUnusable, Invalid
from conduit_desktop.core.paths import Home
from conduit_desktop.store.lock import HomeLock
from conduit_desktop.store.sqlite import connections, migrations, payloads

MANIFEST = "backup.json"
PAGES_A_STEP = 256
"""Pages copied at once; between two steps a writer may go on."""


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
        # Made in a private folder, which no other user can read or prepare.
        # In the target's folder: `os.replace` works only within one file system.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".conduit-backup-") as folder:
            part = Path(folder) / "backup.zip"
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
                for path in (home.database, home.payloads):
                    archive.write(_copy(path, Path(folder)), path.name)
                archive.writestr(MANIFEST, _manifest())
            # In one step: a reader of `target` sees the earlier archive or the whole new one.
            os.replace(part, target)
    except OSError as error:
        raise Invalid(f"cannot write the backup {target}: {error.strerror or error}", "path") from error
    return target


def _copy(path: Path, folder: Path) -> Path:
    copy = folder / path.name
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
    """Put the databases of `archive` in the place of the home's own, which are kept as `*.before-restore`.

    The home must not be in use. Secrets are left alone. Raises HomeHeld, HomeUnusable, Invalid("path") for a file that is no
    backup, DatabaseTooNew, DatabaseUnusable for damaged contents; in each case nothing was changed.
    """
    home.prepare()
    with HomeLock(home).acquire({}), tempfile.TemporaryDirectory(dir=home.root, prefix=".restore-") as folder:
        fresh = _unpack(archive, home, Path(folder))
        # All are verified before the first is replaced: a damaged archive changes nothing.
        for path in fresh:
            _verify(path)
        for path in fresh:
            _replace(path, home.root / path.name)


def _unpack(archive: Path, home: Home, folder: Path) -> list[Path]:
    try:
        with zipfile.ZipFile(archive) as opened:
            names = set(opened.namelist())
            if home.database.name not in names:
                raise Invalid(f"{archive} is no backup of Conduit Desktop", "path")
            # By name: whatever else an archive contains is not unpacked.
            wanted = [path.name for path in (home.database, home.payloads) if path.name in names]
            return [Path(opened.extract(name, folder)) for name in wanted]
    except (OSError, zipfile.BadZipFile) as error:
        raise Invalid(f"cannot read the backup {archive}: {error}", "path") from error


def _verify(path: Path) -> None:
    check = payloads.check if path.name.startswith("payloads") else migrations.check
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            version = check(path, connection)
    except sqlite3.Error as error:
        raise DatabaseUnusable(f"the backup's {path.name} is damaged: {error}") from error
    except ConduitError as error:
        raise type(error)(str(error).replace(str(path), f"{path.name} of the backup")) from error
    # An empty database passes SQLite's check, but restoring it would lose everything.
    if verdict != "ok" or version == 0:
        raise DatabaseUnusable(f"the backup's {path.name} is damaged: {verdict}")


def _replace(fresh: Path, path: Path) -> None:
    # zipfile ignores the modes in an archive: the umask might let other users read the file.
    fresh.chmod(0o600)
    aside = path.with_name(f"{path.name}.before-restore")
    # The WAL that a killed process left holds its newest records, and SQLite finds it by name.
    for end in ("-wal", "-shm", ""):
        Path(f"{aside}{end}").unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{end}", f"{aside}{end}")
    os.replace(fresh, path)
