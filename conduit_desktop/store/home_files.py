"""The files of a home that belong together: none may be lost without an error, and a killed process leaves none behind.

An empty database next to a full vault is no new home. The database holds the names of the other files that there were; in a new
home it is made first.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import orjson

from conduit_desktop.core.errors import DatabaseUnusable, HomeUnusable
from conduit_desktop.core.paths import Home
from conduit_desktop.store import journal, private_files
from conduit_desktop.store.sqlite import meta

log = logging.getLogger(__name__)

COMPANIONS = "companions"
"""The value of the table `meta` with the names of the files that belong to the database."""


def recover(home: Home) -> None:
    """Finish or undo what a killed process had begun, and remove its temporary files.

    Only with the home's lock held. Raises HomeUnusable, DatabaseUnusable.
    """
    try:
        for path in journal.finish(home.root):
            log.info("an interrupted change was finished or undone: %s", path.name)
    except OSError as error:
        raise HomeUnusable(home.root, error) from error
    for folder in (home.root, home.root / "backups"):
        for path in private_files.sweep(folder, former=True):
            log.info("a temporary file of a process that was killed was removed: %s", path.name)


def check_present(home: Home) -> None:
    """Raises DatabaseUnusable where the database or the vault is missing or empty, and others of the home are not."""
    if not is_full(home.database):
        # Before SQLite sees it: next to an empty database, it deletes the WAL.
        check_new(home, Path(f"{home.database}-wal"))
    elif home.vault.exists() and not is_full(home.vault):
        raise _lost([home.vault], home)


def check_new(home: Home, *more: Path) -> None:
    """Raises DatabaseUnusable where a home without a database has other files, or those of `more`: a new home has none."""
    others = [path for path in (home.payloads, *more, home.vault, home.identity) if is_full(path)]
    if others:
        raise DatabaseUnusable(
            f"the database {home.database} is {_state(home.database)}, but {_listed(others)} {_be(others)} not: "
            "a file of this home was lost. Nothing was changed. Put it back from a copy, "
            "restore a backup with `conduit-desktop restore FILE`, or move the others away to start anew."
        )


def check_companions(home: Home, connection: sqlite3.Connection) -> None:
    """Raises DatabaseUnusable where a file is missing or empty that belonged to the database."""
    if lost := [path for name in companions(connection) if not is_full(path := home.root / name)]:
        raise _lost(lost, home)


def note_companions(home: Home, connection: sqlite3.Connection) -> None:
    """Keep the names of the files that there are now, on a connection that may write."""
    known = companions(connection)
    if not set(now := present(home)) <= set(known):
        meta.put_in(connection, COMPANIONS, sorted({*known, *now}))


def companions(connection: sqlite3.Connection) -> list[str]:
    """The names of the files that belong to a database; raises sqlite3.Error."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (COMPANIONS,)).fetchone()
    # As a damaged value of any other name: it is made again.
    with contextlib.suppress(orjson.JSONDecodeError, TypeError):
        return [str(name) for name in orjson.loads(row[0])] if row else []
    return []


def present(home: Home) -> list[str]:
    """The names of the files that belong to the home's database and are there."""
    return [path.name for path in (home.payloads, home.vault, home.identity) if is_full(path)]


def forget(connection: sqlite3.Connection, names: Iterable[str] | None = None) -> list[str]:
    """No longer expect the files `names`, or any; the names that were forgotten."""
    known = companions(connection)
    gone = known if names is None else [name for name in known if name in set(names)]
    if gone:
        meta.put_in(connection, COMPANIONS, [name for name in known if name not in gone])
    return gone


def is_full(path: Path) -> bool:
    """Whether there is a file at `path` with anything in it."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _lost(files: list[Path], home: Home) -> DatabaseUnusable:
    names = " ".join(path.name for path in files)
    them = "it" if len(files) == 1 else "them"
    return DatabaseUnusable(
        f"{_listed(files)} {_be(files)} {_state(files[0])}, but the database {home.database}, which belongs to {them}, "
        f"is there. Nothing was changed. Put {them} back from a copy, "
        f"or go on without: `conduit-desktop doctor --forget {names}`."
    )


def _be(files: list[Path]) -> str:
    return "is" if len(files) == 1 else "are"


def _state(path: Path) -> str:
    return "empty" if path.exists() else "missing"


def _listed(paths: list[Path]) -> str:
    return " and ".join(str(path) for path in paths)
