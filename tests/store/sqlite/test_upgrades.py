"""Databases of every released schema, with data, opened by this release."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from typing import Any

import pytest
from sqlite_utils import Database as SqliteUtils

from conduit_desktop.core.paths import Home
from conduit_desktop.store.interface import RequestFilter, Spending
from conduit_desktop.store.sqlite import migrations
from conduit_desktop.store.sqlite.migrations import MIGRATIONS
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import DAY, NOON, record, write

RELEASED = (1, 2, 3)
CLASSES = ("input", "cache_read", "cache_write", "output", "reasoning", "audio_in", "audio_out")
_STAMPS = {"source": "user", "created_at": 1, "updated_at": 1}


def old_requests() -> list[dict[str, Any]]:
    """60 requests of three days, of two keys, models and providers, some failed, refused or without a price."""
    rows = []
    for number in range(60):
        status = {5: "error", 7: "refused", 9: "broken"}.get(number % 10, "success")
        rows.append({
            "id": f"old_{number:03}", "started_at": NOON + number * DAY // 20, "key_id": f"key_{number % 2}",
            "key_name": f"app {number % 2}", "model": f"model {number % 3 % 2}", "provider": f"p{number % 2}",
            "upstream_model": "up", "endpoint": "chat", "dialect": "openai_chat", "streamed": 0, "status": status,
            "http_status": 200, "error_code": "" if status == "success" else "odd", "error_text": "", "client": "curl",
            "client_ip": "::1", "duration_ms": 10.0 + number, "first_token_ms": None, "upstream_ms": 9.0,
            **{name: number + place for place, name in enumerate(CLASSES)},
            "cost_nano": None if number % 10 in (3, 7) else 1000 + number,
            "cost_state": "unknown" if number % 10 in (3, 7) else "final",
            "finish": "stop", "dropped": '["top_k"]',
            "attempts": json.dumps([{"provider": "p0", "model": "up", "outcome": "ok", "gone_field": 1}]),
        })  # fmt: skip
    return rows


def _fill(connection: sqlite3.Connection) -> None:
    old = SqliteUtils(connection)
    rows = old_requests()
    old["requests"].insert_all(rows)
    connection.execute(f"""
        INSERT INTO totals (key_id, day, model, provider, key_name, requests, errors, {", ".join(CLASSES)}, cost_nano, unpriced,
            estimated)
        SELECT key_id, strftime('%Y-%m-%d', started_at / 1000, 'unixepoch'), model, provider, key_name, count(*),
            sum(status IN ('error', 'broken', 'refused')), {", ".join(f"sum({name})" for name in CLASSES)},
            sum(coalesce(cost_nano, 0)), sum(cost_nano IS NULL AND status <> 'refused'), 0
        FROM requests GROUP BY 1, 2, 3, 4""")
    # A day whose requests were pruned long ago.
    old["totals"].insert({
        "key_id": "key_gone", "day": "2024-02-29", "model": "model 0", "provider": "p0", "key_name": "former", "requests": 7,
        "errors": 1, **dict.fromkeys(CLASSES, 3), "cost_nano": 70, "unpriced": 0, "estimated": 0,
    })  # fmt: skip
    for number in range(2):
        old["keys"].insert({
            "id": f"key_{number}", "name": f"app {number}", "digest": f"d{number}", "hint": "h", "description": "", "enabled": 1,
            "models": "[]", "budget_nano": None, "budget_period": "total", "unpriced": "allow" if number else "block",
            "log_payloads": 0, "allowed_ips": "[]", "metadata": '{"a":1}', "baseline_nano": 0, "baseline_at": 0, **_STAMPS,
        })  # fmt: skip
    old["models"].insert({
        "id": "m", "alias": "model 0", "strategy": "priority", "targets": "[]", "fallbacks": '["b"]', "retries": 1,
        "timeouts": "{}", "overrides": "{}", "enabled": 1, **_STAMPS,
    })  # fmt: skip
    old["prices"].insert({
        "number": 1, "pattern": "p/m", "input": 1.0, "output": 2.0, "per_image": 0.19,
        "tiers": '[{"above":200000,"rates":{"input":2.0,"output":null}}]', "valid_from": 0, "origin": "user", **_STAMPS,
    })  # fmt: skip
    connection.commit()


@pytest.fixture
def old_home(home: Home, released: int, monkeypatch: pytest.MonkeyPatch) -> Home:
    home.prepare()
    with contextlib.closing(sqlite3.connect(home.database)) as connection:
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "MIGRATIONS", MIGRATIONS[:released])
            migrations._apply(connection)
        _fill(connection)
        assert connection.execute("PRAGMA user_version").fetchone() == (released,)
    return home


async def _check(store: SqliteStore) -> None:
    rows = old_requests()
    kept, cursor = await store.ledger.list(limit=500)
    assert cursor is None
    assert [one.id for one in kept] == [row["id"] for row in reversed(rows)]
    for one, row in zip(reversed(kept), rows, strict=True):
        same = set(row) - {"dropped", "attempts", "streamed"}
        assert {name: getattr(one, name) for name in same} == {name: row[name] for name in same}
        assert (one.dropped, one.attempts[0].model, one.tags, one.session) == (("top_k",), "up", (), "")
    cost = sum(row["cost_nano"] or 0 for row in rows)
    [whole] = await store.ledger.usage([])
    assert (whole.requests, whole.cost_nano) == (67, cost + 70)
    assert whole.errors == 1 + sum(row["status"] != "success" for row in rows)
    assert whole.unpriced_requests == sum(row["cost_nano"] is None and row["status"] != "refused" for row in rows)
    assert [getattr(whole, name) for name in CLASSES] == [3 + sum(row[name] for row in rows) for name in CLASSES]
    by_key = {row.key_id: (row.key_name, row.requests) for row in await store.ledger.usage(["key"])}
    assert by_key == {"key_0": ("app 0", 30), "key_1": ("app 1", 30), "key_gone": ("former", 7)}
    by_day = {row.day: row.requests for row in await store.ledger.usage(["day"])}
    assert by_day == {"2024-02-29": 7, "2026-03-01": 10, "2026-03-02": 20, "2026-03-03": 20, "2026-03-04": 10}
    assert sum(row.cost_nano for row in await store.ledger.usage(["model", "provider"])) == cost + 70
    spent = await store.ledger.spent([Spending("global"), Spending("key", "key_gone"), Spending("alias", "MODEL 0")])
    assert spent[:2] == [cost + 70, 70]
    assert spent[2] == 70 + sum(row["cost_nano"] or 0 for row in rows if row["model"] == "model 0")
    for wanted in ({"model": "model 1"}, {"key": "app 1"}, {"status": "broken"}, {"client": "curl"}, {"text": "oDd"}):
        found, _ = await store.ledger.list(RequestFilter(**wanted), limit=500)
        assert found, wanted
    assert [key.unpriced for key in await store.keys.all()] == ["block", None]
    assert (await store.prices.all())[0].tiers[0].input == 2.0
    assert (await store.models.get("model 0")) is not None


@pytest.mark.parametrize("released", RELEASED)
async def test_nothing_of_a_released_schema_is_lost(old_home: Home, released: int) -> None:
    store = SqliteStore.open(old_home)
    try:
        await _check(store)
        # Summed up or not, the figures are the same.
        assert await store.ledger.summarize(NOON + 10 * DAY) > 4
        await _check(store)
        await write(store, record(1, session="s", started_at=NOON + 20 * DAY))
        assert await store.ledger.summarize(NOON + 30 * DAY) == 2
        [row] = await store.ledger.usage([])
        assert row.requests == 68
        assert await store.database.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()[0]) == "ok"
    finally:
        await store.close()
    with contextlib.closing(sqlite3.connect(old_home.root / f"conduit.db.before-v{released + 1}")) as copy:
        assert copy.execute("SELECT count(*) FROM requests").fetchone() == (60,)


_KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from conduit_desktop.store.sqlite import connections, migrations
def killed(db, real=migrations.{step}):
    real(db)
    os.kill(os.getpid(), signal.SIGKILL)
migrations.{step} = killed
path = Path(sys.argv[1])
migrations.migrate(path, connections.writing(path))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("step", ["_keys_with_teams", "_totals_by_slot", "_summaries"])
@pytest.mark.parametrize("released", RELEASED)
async def test_a_process_killed_in_a_migration_leaves_a_database_that_is_migrated_at_the_next_start(
    old_home: Home, released: int, step: str
) -> None:
    code = _KILLED.format(step=step)
    done = subprocess.run([sys.executable, "-c", code, str(old_home.database)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = SqliteStore.open(old_home)
    try:
        await _check(store)
    finally:
        await store.close()
