"""Read-only inspection of a home's database while it may be in use, for `conduit-desktop doctor`."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import orjson

from conduit_desktop.store.sqlite import connections, migrations


def verdict(path: Path) -> tuple[str, int]:
    """`ok`, or what is damaged, and the schema's version; raises DatabaseTooNew."""
    try:
        with contextlib.closing(connections.reading(path)) as connection:
            return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0]), migrations.check(path, connection)
    except sqlite3.DatabaseError as error:
        return str(error), 0


def provider_secrets(path: Path) -> list[tuple[str, list[str]]] | None:
    """Each enabled provider with the references of its secrets; None where the database cannot be read."""
    try:
        with contextlib.closing(connections.reading(path)) as connection:
            rows = connection.execute("SELECT name, credentials FROM providers WHERE enabled").fetchall()
    except sqlite3.Error:
        return None
    return [(name, [one["secret"] for one in orjson.loads(credentials) if one["secret"]]) for name, credentials in rows]


def stored_port(path: Path) -> int | None:
    """The port set in the database; None where none is, or the database cannot be read."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(connections.reading(path)) as connection:
        row = connection.execute("SELECT value FROM settings WHERE name = 'port'").fetchone()
        return int(row[0]) if row is not None else None
    return None
