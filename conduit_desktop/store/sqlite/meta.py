"""Internal values by name that are kept over a restart, such as the health of targets."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson

from conduit_desktop.store.sqlite.database import Database


class MetaTable:
    """Names with JSON values."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> Any:
        """The value; None where there is none, or none that can be read."""
        row = await self._database.read(lambda c: c.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone())
        # Health and the like can be learned again: a damaged value must not keep the gateway from starting.
        try:
            return orjson.loads(row[0]) if row else None
        except orjson.JSONDecodeError:
            return None

    async def put(self, name: str, value: Any) -> None:
        """Replace the value of that name."""
        await self._database.write(lambda connection: put_in(connection, name, value))


def put_in(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Replace the value of that name, on a connection of `database.write`."""
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, orjson.dumps(value).decode()),
    )
