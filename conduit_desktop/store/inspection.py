"""Inspection of a home for `conduit-desktop doctor`: read-only while it may be in use, but for what the user has it forget."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import orjson

from conduit_desktop.core.errors import ConduitError, Invalid
from conduit_desktop.core.paths import Home
from conduit_desktop.store import home_files, journal
from conduit_desktop.store.interface import PENDING_SECRETS
from conduit_desktop.store.sqlite import connections, migrations


def verdict(path: Path) -> tuple[str, int]:
    """`ok`, or what is damaged, and the schema's version; raises DatabaseTooNew."""
    try:
        with contextlib.closing(connections.reading(path)) as connection:
            return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0]), migrations.check(path, connection)
    except sqlite3.DatabaseError as error:
        return str(error), 0


def check_home(home: Home) -> None:
    """Raises DatabaseUnusable where a file of the home is missing or empty that belongs to others that are there."""
    # An interrupted restore is finished by the next start, and this is none.
    if journal.unfinished(home.root):
        return
    home_files.check_present(home)
    if home.database.exists():
        with contextlib.suppress(sqlite3.Error), contextlib.closing(connections.reading(home.database)) as connection:
            home_files.check_companions(home, connection)


def forget(home: Home, names: Sequence[str]) -> None:
    """No longer expect the files `names`, which were lost; an empty one is removed. Only with the home's lock held.

    Raises Invalid for a file that is not lost, DatabaseUnusable.
    """
    for name in names:
        if home_files.is_full(home.root / Path(name).name):
            raise Invalid(f"{home.root / name} is not lost: move it away first", "forget")
    try:
        if home_files.is_full(home.database):
            with contextlib.closing(connections.writing(home.database)) as connection:
                home_files.forget(connection, names)
    except (sqlite3.Error, ConduitError) as error:
        raise connections.trouble(home.database, error) from error
    for name in {home.vault.name, home.payloads.name, home.identity.name} & set(names):
        (home.root / name).unlink(missing_ok=True)


def provider_secrets(path: Path) -> list[tuple[str, list[str]]] | None:
    """Each enabled provider with the references of its secrets; None where the database cannot be read."""
    try:
        with contextlib.closing(connections.reading(path)) as connection:
            rows = connection.execute("SELECT name, credentials FROM providers WHERE enabled").fetchall()
    except sqlite3.Error:
        return None
    return [(name, [one["secret"] for one in orjson.loads(credentials) if one["secret"]]) for name, credentials in rows]


def has_pending_secrets(path: Path) -> bool:
    """Whether a change of secrets was interrupted, or is being made; False where the database cannot be read."""
    with contextlib.suppress(sqlite3.Error, ConduitError), contextlib.closing(connections.reading(path)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (PENDING_SECRETS,)).fetchone()
        return row is not None and row[0] != "null"
    return False


def stored_port(path: Path) -> int | None:
    """The port set in the database; None where none is, or the database cannot be read."""
    with contextlib.suppress(sqlite3.Error, ValueError), contextlib.closing(connections.reading(path)) as connection:
        row = connection.execute("SELECT value FROM settings WHERE name = 'port'").fetchone()
        return int(row[0]) if row is not None else None
    return None
