"""Bodies, kept for a while."""

from __future__ import annotations

import os
import sqlite3

import pytest

from conduit_desktop.core.paths import Home
from conduit_desktop.store.sqlite import payloads
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import DAY, NOON


async def test_bodies_come_back_as_they_were(store: SqliteStore):
    await store.payloads.put("r1", b'{"a": 1}', b"\x00\xff" * 10, NOON)
    kept = await store.payloads.get("r1")
    assert (kept.request, kept.response, kept.at) == (b'{"a": 1}', b"\x00\xff" * 10, NOON)
    assert not kept.request_truncated
    assert not kept.response_truncated
    assert await store.payloads.get("r2") is None


async def test_the_pieces_of_a_stream_come_back_in_order(store: SqliteStore):
    await store.payloads.put("r1", b"{}", b"abcde", NOON, [(10.04, 2), (20.5, 3)])
    kept = await store.payloads.get("r1")
    assert kept.pieces == ((10.0, 2), (20.5, 3))


async def test_a_file_of_the_second_version_keeps_its_bodies(home: Home):
    first = SqliteStore.open(home)
    await first.payloads.put("r1", b"request", b"response", NOON)
    await first.close()
    with sqlite3.connect(home.payloads) as connection:
        connection.execute("ALTER TABLE payloads DROP COLUMN pieces")
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    second = SqliteStore.open(home)
    try:
        kept = await second.payloads.get("r1")
        assert (kept.response, kept.pieces) == (b"response", ())
        await second.payloads.put("r2", b"{}", b"ab", NOON, [(1.0, 2)])
        assert (await second.payloads.get("r2")).pieces == ((1.0, 2),)
    finally:
        await second.close()


async def test_a_long_body_is_cut_and_marked_as_cut(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(payloads, "MAX_BODY", 100)
    await store.payloads.put("r1", b"a" * 100, b"b" * 101, NOON)
    kept = await store.payloads.get("r1")
    assert (len(kept.request), kept.request_truncated) == (100, False)
    assert (kept.response, kept.response_truncated) == (b"b" * 100, True)


async def test_the_oldest_go_by_age_then_by_size_and_the_file_shrinks(home: Home, store: SqliteStore):
    for number in range(120):
        await store.payloads.put(f"r{number}", os.urandom(30_000), b"", NOON + number * 60_000)
    before = await store.payloads.database.read(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    assert await store.payloads.prune(max_age_days=1, max_mb=100, now_ms=NOON + DAY + 10 * 60_000) == 10
    assert await store.payloads.get("r9") is None
    assert await store.payloads.get("r10") is not None
    removed = await store.payloads.prune(max_age_days=100, max_mb=1, now_ms=NOON)
    after = await store.payloads.database.read(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    left = await store.payloads.database.read(lambda c: c.execute("SELECT count(*), sum(bytes) FROM payloads").fetchone()[:])
    assert left[0] == 110 - removed
    assert 900_000 < left[1] <= 1024 * 1024
    assert await store.payloads.get("r119") is not None
    assert after < before / 2


def test_nothing_of_a_body_is_in_its_repr():
    assert "secret" not in repr(payloads.Payload(b"secret", b"secret", False, False, 0))
