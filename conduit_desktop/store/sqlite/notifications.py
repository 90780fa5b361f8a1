"""Notifications to the operator, bounded in number and age."""

from __future__ import annotations

import secrets
import sqlite3
import time

from conduit_desktop.core import clock
from conduit_desktop.core.cursor import page, read_cursor
from conduit_desktop.core.entities import Notification, NotificationKind, Severity
from conduit_desktop.store.sqlite.database import Database

MAX_ROWS = 1000
MAX_AGE_DAYS = 90

_SELECT = "SELECT id, kind, severity, title, text, read, created_at FROM notifications"


class NotificationTable:
    """Notifications, newest first. One of an occasion is kept once; of others, the same kind and title is, while it is unread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, kind: NotificationKind, severity: Severity, title: str, text: str, occasion: str = ""
    ) -> Notification | None:
        """Add one, or update the text of an unread one of the same title; None where that has the same text already.

        An `occasion` (such as a threshold of a budget in one period) is notified once, whether that was read or not.
        """
        now = time.time_ns()
        # The id begins with the time: it orders what came within one millisecond.
        made = Notification(
            id=f"ntf_{now:016x}{secrets.token_hex(4)}",
            kind=kind,
            severity=severity,
            title=title,
            text=text,
            created_at=now // 10**6,
        )
        kept = await self._database.write(lambda connection: _add(connection, made, occasion))
        return made.model_copy(update={"id": kept}) if kept else None

    async def list(self, limit: int = 50, cursor: str | None = None, unread: bool = False) -> tuple[list[Notification], str | None]:
        """Notifications, newest first, and the cursor of the next page; raises Invalid("cursor")."""
        at, id = read_cursor(cursor, int, str) if cursor is not None else (2**63 - 1, "")
        seen = " AND read = 0" if unread else ""
        statement = f"{_SELECT} WHERE (created_at, id) < (?, ?){seen} ORDER BY created_at DESC, id DESC LIMIT ?"
        rows = await self._database.read(lambda c: c.execute(statement, (at, id, limit + 1)).fetchall())
        return page([Notification(**dict(row)) for row in rows], limit, lambda note: (note.created_at, note.id))

    async def get(self, id: str) -> Notification | None:
        """The notification of that id."""
        rows = await self._database.read(lambda c: c.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchall())
        return Notification(**dict(rows[0])) if rows else None

    async def unread(self) -> int:
        """How many were not read."""
        return await self._database.read(
            lambda c: int(c.execute("SELECT count(*) FROM notifications WHERE read = 0").fetchone()[0])
        )

    async def mark_read(self, id: str) -> bool:
        """Mark one as read; False where there is none."""
        return await self._database.write(lambda connection: mark_read_in(connection, id))

    async def mark_all_read(self) -> int:
        """Mark all as read; how many were not."""
        return await self._database.write(mark_all_read_in)

    async def prune(self, now_ms: int | None = None) -> None:
        """Remove those older than `MAX_AGE_DAYS`, and all but the newest `MAX_ROWS`."""
        now = clock.now_ms() if now_ms is None else now_ms
        await self._database.write(lambda connection: _prune(connection, now - MAX_AGE_DAYS * 86_400_000))


def mark_read_in(connection: sqlite3.Connection, id: str) -> bool:
    """Mark one as read, on a connection of `database.write`; False where there is none."""
    return connection.execute("UPDATE notifications SET read = 1 WHERE id = ?", (id,)).rowcount > 0


def mark_all_read_in(connection: sqlite3.Connection) -> int:
    """Mark all as read, on a connection of `database.write`; returns how many were unread."""
    return connection.execute("UPDATE notifications SET read = 1 WHERE read = 0").rowcount


def _add(connection: sqlite3.Connection, note: Notification, occasion: str) -> str | None:
    """The id under which it is kept; None where nothing changed."""
    # The partial indexes on unread rows and on occasions make a repeated warning update its row, or nothing.
    again = "(occasion) WHERE occasion <> '' DO NOTHING"
    if not occasion:
        again = """(kind, title) WHERE read = 0 AND occasion = '' DO UPDATE
            SET severity = excluded.severity, text = excluded.text, created_at = excluded.created_at
            WHERE text <> excluded.text OR severity <> excluded.severity"""
    rows = connection.execute(
        "INSERT INTO notifications (id, kind, severity, title, text, read, created_at, occasion) VALUES (?, ?, ?, ?, ?, 0, ?, ?)"
        f" ON CONFLICT {again} RETURNING id",
        (note.id, note.kind, note.severity, note.title, note.text, note.created_at, occasion),
    ).fetchall()
    return str(rows[0][0]) if rows else None


def _prune(connection: sqlite3.Connection, before_ms: int) -> None:
    connection.execute("DELETE FROM notifications WHERE created_at < ?", (before_ms,))
    connection.execute(
        "DELETE FROM notifications WHERE rowid IN"
        " (SELECT rowid FROM notifications ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET ?)",
        (MAX_ROWS,),
    )
