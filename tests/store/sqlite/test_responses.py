"""Responses kept for their callers."""

from __future__ import annotations

import sqlite3

import pytest

from conduit_desktop.core.paths import Home
from conduit_desktop.store.sqlite import responses
from conduit_desktop.store.sqlite.responses import StoredResponse
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import DAY, NOON

KEPT = StoredResponse([{"role": "user", "content": "hi"}], {"id": "r1", "output": []})


async def test_a_response_is_returned_only_to_its_owner(store: SqliteStore) -> None:
    assert await store.responses.put("r1", "key_a", KEPT, NOON)
    assert await store.responses.get("r1", "key_a") == KEPT
    assert await store.responses.get("r1", "key_b") is None
    assert not await store.responses.delete("r1", "key_b")
    assert await store.responses.delete("r1", "key_a")
    assert await store.responses.get("r1", "key_a") is None


async def test_a_response_of_another_key_is_not_replaced(store: SqliteStore) -> None:
    await store.responses.put("r1", "key_a", KEPT, NOON)
    await store.responses.put("r1", "key_b", StoredResponse([], {}), NOON)
    assert await store.responses.get("r1", "key_a") == KEPT
    assert await store.responses.get("r1", "key_b") is None


async def test_a_conversation_that_is_too_long_is_not_kept(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MAX_BYTES", 20)
    assert not await store.responses.put("r1", "key_a", KEPT, NOON)
    assert await store.responses.get("r1", "key_a") is None


async def test_the_oldest_go_by_age_and_by_size(store: SqliteStore) -> None:
    for day in range(3):
        await store.responses.put(f"r{day}", "key_a", KEPT, NOON + day * DAY)
    assert await store.responses.prune(1, 1, NOON + 2 * DAY + 1) == 2
    assert await store.responses.get("r2", "key_a") == KEPT
    assert await store.responses.prune(100, 0, NOON + 2 * DAY) == 1


async def test_a_file_of_the_first_version_gets_the_table_and_keeps_its_payloads(home: Home) -> None:
    first = SqliteStore.open(home)
    await first.payloads.put("p1", b"request", b"response", NOON)
    await first.close()
    with sqlite3.connect(home.payloads) as connection:
        connection.execute("DROP TABLE responses")
        connection.execute("ALTER TABLE payloads DROP COLUMN pieces")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    second = SqliteStore.open(home)
    try:
        assert await second.responses.put("r1", "key_a", KEPT, NOON)
        kept = await second.payloads.get("p1")
        assert kept is not None
        assert kept.request == b"request"
    finally:
        await second.close()
