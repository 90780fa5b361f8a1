"""The options that were set; those that never were keep the default of `core.settings`."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import DatabaseUnusable
from conduit_desktop.core.settings import Settings
from conduit_desktop.store.sqlite.database import Database


class SqliteSettingsTable:
    """Names with JSON values."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, Any]:
        """What was set, by name; raises DatabaseUnusable for a value that its option cannot have."""
        rows = await self._database.read(lambda c: c.execute("SELECT name, value FROM settings ORDER BY name").fetchall())
        values = {}
        for name, value in rows:
            try:
                values[name] = orjson.loads(value)
                Settings.model_validate({name: values[name]})
            # Without its cause: pydantic's error repeats the value.
            except (orjson.JSONDecodeError, ValidationError):
                raise self._unreadable(name) from None
        return values

    def _unreadable(self, name: str | bytes) -> DatabaseUnusable:
        path = self._database.path
        which = "name = '{}'".format(name.replace("'", "''")) if isinstance(name, str) else "typeof(name) <> 'text'"
        statement = f"DELETE FROM settings WHERE {which}"
        return DatabaseUnusable(
            f"the setting {name!r} in {path} has a value that it cannot have. "
            f"Restore a backup with `conduit-desktop restore FILE`, or remove it"
            f': sqlite3 {shlex.quote(str(path))} "{statement}"'
        )

    async def put(self, values: Mapping[str, Any]) -> None:
        """Set every option given, at once; None goes back to the default."""
        await self._database.write(lambda connection: self.put_in(connection, values))

    def put_in(self, connection: sqlite3.Connection, values: Mapping[str, Any]) -> None:
        """Set every option given, on a connection of `database.write`."""
        now = now_ms()
        for name, value in values.items():
            if value is None:
                connection.execute("DELETE FROM settings WHERE name = ?", (name,))
            else:
                connection.execute(
                    "INSERT INTO settings (name, value, updated_at) VALUES (?, ?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
                    (name, orjson.dumps(value).decode(), now),
                )
