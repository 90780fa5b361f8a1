"""Prompts and answers of keys with payload logging: a file of their own, compressed, bounded in age and size.

The responses that clients requested to keep are in the same file (`store/sqlite/responses.py`).
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from conduit_desktop.core.errors import DatabaseTooNew
from conduit_desktop.store.interface import Payload
from conduit_desktop.store.sqlite import connections
from conduit_desktop.store.sqlite.database import Database
from conduit_desktop.store.sqlite.pruning import prune

VERSION = 3
MAX_BODY = 1_000_000
"""Bytes kept of one body; the rest is cut off, and a flag marks it."""


class SqlitePayloads:
    """Bodies by request id."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, path: Path) -> SqlitePayloads:
        """Open or make the file; raises DatabaseUnusable, DatabaseTooNew."""
        try:
            connection = connections.writing(path)
            _make_table(path, connection)
            return cls(Database(path, connection))
        except (sqlite3.Error, OSError) as error:
            raise connections.trouble(path, error) from error

    async def put(
        self, request_id: str, request_body: bytes, response_body: bytes, at: int, pieces: Sequence[tuple[float, int]] = ()
    ) -> None:
        """Keep the bodies of one request, made at `at` (epoch ms); `pieces`: see `Payload`."""
        await self.database.write(lambda connection: _put(connection, request_id, request_body, response_body, at, pieces))

    async def get(self, request_id: str) -> Payload | None:
        """The bodies of one request, where they were kept."""
        statement = "SELECT request, response, request_truncated, response_truncated, at, pieces FROM payloads WHERE id = ?"
        row = await self.database.read(lambda connection: connection.execute(statement, (request_id,)).fetchone())
        if row is None:
            return None
        pieces = tuple((at, size) for at, size in orjson.loads(zlib.decompress(row[5]))) if row[5] else ()
        return Payload(zlib.decompress(row[0]), zlib.decompress(row[1]), bool(row[2]), bool(row[3]), row[4], pieces)

    async def prune(self, max_age_days: int, max_mb: int, now_ms: int | None = None) -> int:
        """Remove what is too old, then the oldest until the rest fits into `max_mb`; how many went."""
        return await prune(self.database, "payloads", max_age_days, max_mb, now_ms)

    async def close(self) -> None:
        """End the file's threads."""
        await self.database.close()


def check(path: Path, connection: sqlite3.Connection) -> int:
    """The version of the file's schema, 0 for an empty one; raises DatabaseTooNew, sqlite3.Error."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise DatabaseTooNew(
            f"{path} has version {version}, made by a newer Conduit Desktop; this one knows versions up to {VERSION}. Update it."
        )
    return version


def _make_table(path: Path, connection: sqlite3.Connection) -> None:
    version = check(path, connection)
    if version == 0:
        # Both must be set before the first table.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("VACUUM")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "CREATE TABLE payloads (id TEXT PRIMARY KEY, at INTEGER NOT NULL, bytes INTEGER NOT NULL, request BLOB NOT NULL,"
            " response BLOB NOT NULL, request_truncated INTEGER NOT NULL, response_truncated INTEGER NOT NULL)"
        )
        connection.execute("CREATE INDEX payloads_oldest ON payloads (at, bytes)")
    elif version < VERSION:
        connection.execute("BEGIN IMMEDIATE")
    else:
        return
    if version < 2:
        _add_responses(connection)
    if version < 3:
        connection.execute("ALTER TABLE payloads ADD COLUMN pieces BLOB NOT NULL DEFAULT x''")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _add_responses(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE responses (id TEXT PRIMARY KEY, owner TEXT NOT NULL, at INTEGER NOT NULL, bytes INTEGER NOT NULL,"
        " conversation BLOB NOT NULL, response BLOB NOT NULL)"
    )
    connection.execute("CREATE INDEX responses_oldest ON responses (at, bytes)")


def _put(
    connection: sqlite3.Connection, id: str, request: bytes, response: bytes, at: int, pieces: Sequence[tuple[float, int]]
) -> None:
    # A low level: this runs on the writer thread, behind which the next bodies wait.
    bodies = [zlib.compress(body[:MAX_BODY], 3) for body in (request, response)]
    times = zlib.compress(orjson.dumps([(round(ms, 1), size) for ms, size in pieces]), 3) if pieces else b""
    connection.execute(
        "INSERT OR REPLACE INTO payloads (id, at, bytes, request, response, request_truncated, response_truncated, pieces)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (id, at, sum(map(len, bodies)) + len(times), *bodies, len(request) > MAX_BODY, len(response) > MAX_BODY, times),
    )
