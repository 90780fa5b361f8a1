"""The audit log: who changed what and when, without secrets, kept for a year."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import orjson

from conduit_desktop.core import clock
from conduit_desktop.core.cursor import page, read_cursor
from conduit_desktop.core.entities import AuditEntry
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.store.sqlite.database import Database

MAX_AGE_DAYS = 365
MAX_ROWS = 100_000


class AuditTable:
    """Changes, newest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, actor: str, action: str, subject: str, changes: Mapping[str, Any] | None = None, at: int | None = None
    ) -> AuditEntry:
        """Write an entry in a transaction of its own. `changes` must not hold secrets."""
        return await self._database.write(lambda connection: add_in(connection, actor, action, subject, changes, at))

    async def list(self, limit: int = 50, cursor: str | None = None) -> tuple[list[AuditEntry], str | None]:
        """Entries, newest first, and the cursor of the next page; raises Invalid("cursor")."""
        before = read_cursor(cursor, int, int)[1] if cursor is not None else 2**63 - 1
        statement = "SELECT id, at, actor, action, subject, changes FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?"
        rows = await self._database.read(lambda c: c.execute(statement, (before, limit + 1)).fetchall())
        entries = [AuditEntry(**{**dict(row), "changes": orjson.loads(row["changes"])}) for row in rows]
        return page(entries, limit, lambda entry: (entry.at, entry.id))

    async def prune(self, now_ms: int | None = None) -> None:
        """Forget what is older than a year, and all but the newest `MAX_ROWS`."""
        before = (clock.now_ms() if now_ms is None else now_ms) - MAX_AGE_DAYS * 86_400_000
        # Ids grow by one for each entry, so the newest MAX_ROWS are found without counting rows.
        statement = "DELETE FROM audit WHERE at < ? OR id <= (SELECT max(id) FROM audit) - ?"
        await self._database.write(lambda c: c.execute(statement, (before, MAX_ROWS)).rowcount)


def add_in(
    connection: sqlite3.Connection,
    actor: str,
    action: str,
    subject: str,
    changes: Mapping[str, Any] | None = None,
    at: int | None = None,
) -> AuditEntry:
    """Write an entry on a connection of `database.write`; `at` is epoch milliseconds, now by default."""
    now = clock.now_ms() if at is None else at
    shown = SECRETS.redact_values(dict(changes or {}))
    subject = SECRETS.redact(subject)
    values = (now, actor, action, subject, orjson.dumps(shown).decode())
    id = connection.execute("INSERT INTO audit (at, actor, action, subject, changes) VALUES (?, ?, ?, ?, ?)", values).lastrowid
    return AuditEntry(id=id or 0, at=now, actor=actor, action=action, subject=subject, changes=shown)


def amend_in(connection: sqlite3.Connection, entry_id: int, changes: Mapping[str, Any]) -> None:
    """Replace the changes of an entry."""
    shown = orjson.dumps(SECRETS.redact_values(dict(changes))).decode()
    connection.execute("UPDATE audit SET changes = ? WHERE id = ?", (shown, entry_id))
