"""How a database file is opened: private, in WAL, with the settings every connection shares."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from conduit_desktop.core.errors import DatabaseUnusable

BUSY_TIMEOUT_S = 5.0
SHARED_MEMORY = 32_768
"""Bytes of the smallest `-shm` file."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_CLOSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM}


_CACHE = "PRAGMA cache_size = -512"
"""Kilobytes: the system caches the file anyway, and a walk through the whole log would fill whatever there is."""


def writing(path: Path) -> sqlite3.Connection:
    """The one connection that may write. Transactions are begun and ended by hand. Raises sqlite3.Error, OSError."""
    _make_private(path)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL mode a commit survives a killed process; a power cut or a crash of the system can lose the last ones
        # (https://sqlite.org/pragma.html#pragma_synchronous).
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer thread chooses the moment
        connection.execute(_CACHE)
    except BaseException:
        connection.close()
        raise
    return connection


def reading(path: Path) -> sqlite3.Connection:
    """A connection that can only read; needs an open writing one, or a file that is not in use. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute(_CACHE)
    return connection


def _make_private(path: Path) -> None:
    # SQLite gives the -wal and -shm files the mode of the database itself. A database that is there is not opened here:
    # to close a file gives up every POSIX lock the process has on it, SQLite's included.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if os.name == "posix":
            path.chmod(0o600)


def _without(path: Path) -> str:
    # The payloads can be done without; without the other database, the home is a new one.
    if path.name == "payloads.db":
        return f"move it away and go on without: `conduit-desktop doctor --forget {path.name}`"
    return "move the whole home folder away to start anew"


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < SHARED_MEMORY
    except OSError:
        return False


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code of `error` (https://sqlite.org/rescode.html); 0 where it has none."""
    # The low byte: extended codes such as SQLITE_IOERR_WRITE carry their detail above it.
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def is_trouble(error: BaseException) -> bool:
    """The file or the disk is at fault, not the statement."""
    return isinstance(error, sqlite3.Error) and primary_code(error) in _DAMAGED | _CLOSED | _PASSING


def trouble(path: Path, error: Exception) -> DatabaseUnusable:
    """`error` as one line that names the file and says what to do."""
    return DatabaseUnusable(explain(path, error))


def explain(path: Path, error: Exception) -> str:
    """What is wrong with the file at `path`, and what to do."""
    code = primary_code(error) if isinstance(error, sqlite3.Error) else 0
    if code in _DAMAGED:
        return (
            f"the database {path} is damaged ({error}). It was left as it is: restore a backup with "
            f"`conduit-desktop restore FILE`, or {_without(path)}."
        )
    # Where the file's shared memory finds no room, SQLite calls it an input/output error.
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return f"cannot write the database {path}: the disk is full. Free some space on it."
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"cannot write the database {path}: another program holds it. Close that program."
    return f"cannot use the database {path}: {error}. Check the disk and the permissions of the folder."
