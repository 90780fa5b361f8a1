"""Fills a home's log with many requests as months of use leave them: 200 keys, 60 models, 12 providers, 100,000 sessions."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

from conduit_desktop.store.sqlite import connections
from conduit_desktop.store.sqlite.records import COUNTED, QUOTED, TOTALS_KEY, TOTALS_OF_REQUEST

DAYS, KEYS, MODELS, PROVIDERS, CLIENTS, TEAMS, USERS, SESSIONS = 90, 200, 60, 12, 20, 15, 2000, 100_000
PROFILES = 1000
"""Which key calls which model with which client: most keys use a few models."""
CHUNK = 100_000
RARE = "rare"
"""The key, model, provider, client and so on of a single request, in the middle of the log."""

_ATTEMPTS = """[{"provider":"provider-00","model":"vendor-model-00-2026-05-01","credential":"default","outcome":"ok","status":200,\
"detail":"","started_at":1772366400000,"duration_ms":811.0,"tokens":{},"cost_nano":null}]"""
_BREAKDOWN = """[{"class":"input","units":812,"per":1000000,"price_nano":250000000,"cost_nano":203000},{"class":"output",\
"units":204,"per":1000000,"price_nano":2000000000,"cost_nano":408000}]"""

# A session lasts for some requests in a row, with one profile and one user; every fifth request has none.
_DRAWN = f"""
    WITH RECURSIVE numbers(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ?),
    dice AS MATERIALIZED (SELECT i, abs(random() / 2) AS draw FROM numbers),
    sessions AS MATERIALIZED (
        SELECT *, CASE WHEN draw / 7 % 5 = 0 THEN -1 ELSE i / (SELECT block FROM span) * 40 + draw / 31 % 40 END AS session
        FROM dice
    ),
    drawn AS MATERIALIZED (
        SELECT *, draw / 1000003 % 1000 AS odds, CASE WHEN session >= 0 THEN session * 7919 ELSE draw END % {PROFILES} AS profile,
            (SELECT first_ms FROM span) + CAST(i * (SELECT step_ms FROM span) AS INTEGER) AS at
        FROM sessions
    )"""
_VALUES = {
    "id": "printf('req_%011x', at) || lower(hex(randomblob(8)))",
    "started_at": "at",
    "key_id": "p.key_id",
    "key_name": "p.key_name",
    "team": "p.team",
    "model": "p.model",
    "provider": "CASE WHEN odds < 10 THEN '' ELSE p.provider END",
    "upstream_model": "CASE WHEN odds < 10 THEN '' ELSE p.upstream_model END",
    "endpoint": "p.endpoint",
    "dialect": "'openai_chat'",
    "streamed": "draw % 2",
    "status": """CASE WHEN odds < 10 THEN 'refused' WHEN odds < 25 THEN 'error' WHEN odds < 30 THEN 'broken'
        WHEN odds < 40 THEN 'cancelled' ELSE 'success' END""",
    "http_status": "CASE WHEN odds < 10 THEN 404 WHEN odds < 30 THEN 502 ELSE 200 END",
    "error_code": """CASE WHEN odds < 5 THEN 'model_not_found' WHEN odds < 10 THEN 'rate_limit_exceeded'
        WHEN odds < 30 THEN 'provider_error' ELSE '' END""",
    "error_text": "CASE WHEN odds < 30 THEN 'the provider answered with an error: overloaded (request ' || i || ')' ELSE '' END",
    "client": "p.client",
    "session": "CASE WHEN session >= 0 THEN printf('session-%06d', session) ELSE '' END",
    "user": f"CASE WHEN session >= 0 THEN 'user-' || (session % {USERS}) ELSE '' END",
    "tags": """CASE draw / 13 % 4
        WHEN 0 THEN '["prod","eu"]' WHEN 1 THEN '["batch"]' WHEN 2 THEN '["team-' || (draw / 17 % 18) || '"]'
        ELSE '[]' END""",
    "client_ip": "'127.0.0.1'",
    "duration_ms": "200.0 + draw / 3 % 20000",
    "first_token_ms": "CASE WHEN draw % 2 THEN 100.0 + draw / 5 % 3000 END",
    "upstream_ms": "190.0 + draw / 3 % 20000",
    "input": "draw / 11 % 20000",
    "cache_read": "draw / 19 % 9000",
    "output": "draw / 23 % 2000",
    "cost_nano": "CASE WHEN odds < 10 OR draw / 29 % 1000 = 0 THEN NULL ELSE draw / 37 % 50000000 END",
    "cost_state": "CASE WHEN odds < 10 OR draw / 29 % 1000 = 0 THEN 'unknown' WHEN odds < 40 THEN 'estimated' ELSE 'final' END",
    "cost_breakdown": f"'{_BREAKDOWN}'",
    "price_source": "'catalog'",
    "price_date": "'2026-11-01'",
    "finish": "'stop'",
    "attempts": f"'{_ATTEMPTS}'",
}  # fmt: skip
_EMPTY = {"dropped": "'[]'", "units": "'{}'", "service_tier": "''"}


def fill(path: Path, count: int, until_ms: int) -> None:
    """Add `count` requests and their totals to the database at `path`, evenly over `DAYS` days that end at `until_ms`."""
    with contextlib.closing(connections.writing(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        _prepare(connection, count, until_ms)
        written, began = 0, until_ms - DAYS * 86_400_000
        names = [name.strip('"') for name in QUOTED]
        values = ", ".join(_VALUES.get(name, _EMPTY.get(name, "0")) for name in names)
        insert = f"""INSERT INTO requests ({", ".join(QUOTED)}) {_DRAWN}
            SELECT {values} FROM drawn JOIN profiles AS p ON p.number = profile"""
        while written < count:
            end = min(written + CHUNK, count)
            connection.execute("BEGIN")
            connection.execute(insert, (written, end))
            if written <= count // 2 < end:
                _add_rare(connection, (began + until_ms) // 2)
            _add_totals(connection, began + written * DAYS * 86_400_000 // count, began + end * DAYS * 86_400_000 // count)
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            written = end


def _prepare(connection: sqlite3.Connection, count: int, until_ms: int) -> None:
    draw = random.Random(10)
    connection.execute("CREATE TEMP TABLE span (first_ms INTEGER, step_ms REAL, block INTEGER)")
    span = DAYS * 86_400_000
    connection.execute("INSERT INTO span VALUES (?, ?, ?)", (until_ms - span, span / count, max(1, 40 * count // SESSIONS)))
    connection.execute(
        "CREATE TEMP TABLE profiles (number INTEGER PRIMARY KEY, key_id, key_name, team, model, provider, upstream_model, client,"
        " endpoint)"
    )
    for number in range(PROFILES):
        key, model = number % KEYS, min(int(draw.expovariate(1 / 15)), MODELS - 1)
        connection.execute(
            "INSERT INTO profiles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number, f"key_{key:03}", f"app {key}", f"team {key % TEAMS}", f"model-{model:02}",
                f"provider-{model % PROVIDERS:02}", f"vendor-model-{model:02}-2026-05-01",
                f"client-{draw.randrange(CLIENTS)}", draw.choice(["chat"] * 9 + ["embeddings"]),
            ),
        )  # fmt: skip


def _add_rare(connection: sqlite3.Connection, at: int) -> None:
    named = ("key_id", "key_name", "team", "model", "provider", "upstream_model", "client", "endpoint", "session", "user")
    row = {
        **dict.fromkeys(named, RARE),
        "id": "req_rare", "started_at": at, "status": "success", "error_text": "", "tags": f'["{RARE}"]', "attempts": "[]",
        "cost_nano": 10**12, "cost_state": "final", "cost_breakdown": "[]", "units": "{}", "dropped": "[]",
    }  # fmt: skip
    zero = {"duration_ms", "input", "cache_read", "cache_write", "output", "reasoning", "audio_in", "audio_out", "image_in",
            "image_out", "attempts_nano", "streamed", "http_status"}  # fmt: skip
    names = [name.strip('"') for name in QUOTED]
    values = [row.get(name, 0 if name in zero else None if name in ("first_token_ms", "upstream_ms") else "") for name in names]
    connection.execute(f"INSERT INTO requests ({', '.join(QUOTED)}) VALUES ({', '.join('?' * len(values))})", values)


def _add_totals(connection: sqlite3.Connection, since_ms: int, until_ms: int) -> None:
    # The sums of a chunk: what the trigger of a serving process adds record by record.
    keys = ", ".join(TOTALS_KEY)
    columns = {name: sql.format("r.") for name, sql in TOTALS_OF_REQUEST.items()}
    chosen = [f"sum({sql})" if name in COUNTED else sql for name, sql in columns.items()]
    connection.execute(
        f"""INSERT INTO totals ({", ".join(columns)}) SELECT {", ".join(chosen)} FROM requests AS r
            WHERE r.started_at >= ? AND r.started_at < ? GROUP BY {", ".join(columns[name] for name in TOTALS_KEY)}
            ON CONFLICT ({keys}) DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTED)}""",
        (since_ms, until_ms),
    )
