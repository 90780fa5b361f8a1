"""Responses kept for their callers, with the conversation behind each: bounded in age and size, apart by key."""

from __future__ import annotations

import sqlite3
import zlib
from typing import Any

import orjson

from conduit_desktop.core.heavy_work import in_thread
from conduit_desktop.store.interface import StoredResponse
from conduit_desktop.store.sqlite.database import Database
from conduit_desktop.store.sqlite.pruning import prune
from conduit_desktop.wire import sliced_json

MAX_BYTES = 16 * 1024 * 1024
"""Of one conversation with its response; a longer one is not kept."""
_MOST_VALUES, _MOST_CHARACTERS = 5_000, 512 * 1024
"""Of one that is written at once."""


class StoredResponses:
    """Responses by id. `owner` is the key a response was made for: to others it does not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, id: str, owner: str, kept: StoredResponse, at: int) -> bool:
        """Keep a response made at `at` (epoch ms), durably; False for one that is too long."""
        bodies = (
            await in_thread(_written, kept) if _is_large(kept) else (orjson.dumps(kept.conversation), orjson.dumps(kept.response))
        )
        if sum(map(len, bodies)) > MAX_BYTES:
            return False
        await self._database.write(lambda connection: _put(connection, id, owner, bodies, at))
        return True

    async def get(self, id: str, owner: str) -> StoredResponse | None:
        """The owner's response of that id."""
        statement = "SELECT conversation, response FROM responses WHERE id = ? AND owner = ?"
        row = await self._database.read(lambda connection: connection.execute(statement, (id, owner)).fetchone())
        return StoredResponse(*(orjson.loads(zlib.decompress(body)) for body in row)) if row is not None else None

    async def delete(self, id: str, owner: str) -> bool:
        """Forget the owner's response; False where there is none."""
        statement = "DELETE FROM responses WHERE id = ? AND owner = ?"
        return await self._database.write(lambda connection: connection.execute(statement, (id, owner)).rowcount) > 0

    async def prune(self, max_age_days: int, max_mb: int, now_ms: int | None = None) -> int:
        """Remove what is too old, then the oldest until the rest fits into `max_mb`; how many went."""
        return await prune(self._database, "responses", max_age_days, max_mb, now_ms)


def _is_large(kept: StoredResponse) -> bool:
    """Whether writing it as JSON would hold up other streams."""
    stack: list[Any] = [kept.conversation, kept.response]
    values = characters = 0
    while stack:
        value = stack.pop()
        values += 1
        if type(value) is str:
            characters += len(value)
        elif type(value) is list:
            stack += value
        elif type(value) is dict:
            stack += value.values()
        if values > _MOST_VALUES or characters > _MOST_CHARACTERS:
            return True
    return False


def _written(kept: StoredResponse) -> tuple[bytes, bytes]:
    return bytes(sliced_json.run(sliced_json.write(kept.conversation))), bytes(sliced_json.run(sliced_json.write(kept.response)))


def _put(connection: sqlite3.Connection, id: str, owner: str, bodies: tuple[bytes, bytes], at: int) -> None:
    packed = [zlib.compress(body, 3) for body in bodies]
    # An id belongs to its owner: a response of another owner is never replaced.
    connection.execute(
        "INSERT INTO responses (id, owner, at, bytes, conversation, response) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id)"
        " DO UPDATE SET at = excluded.at, bytes = excluded.bytes, conversation = excluded.conversation,"
        " response = excluded.response WHERE owner = excluded.owner",
        (id, owner, at, sum(map(len, packed)), *packed),
    )
