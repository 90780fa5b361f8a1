"""The tables, one migration after the other; an existing database is copied before it is changed.

A migration that has been released is never edited: the next change is the next function.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conduit_desktop.core.errors import DatabaseTooNew, DatabaseUnusable
from conduit_desktop.store import private_files
from conduit_desktop.store.sqlite.connections import trouble

if TYPE_CHECKING:
    from sqlite_utils import Database

VERSION = 4
"""The newest schema: the number of the last migration, kept in `PRAGMA user_version`."""

APPLICATION_ID = 0x434E4454
"""`CNDT`, in the file's header: this SQLite file is ours."""

COPIES_KEPT = 3


def migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the database to `VERSION`.

    Raises DatabaseTooNew for one made by a newer Conduit Desktop, DatabaseUnusable for a damaged or foreign file.
    """
    try:
        version = check(path, connection)
        if version == VERSION:
            return
        if version:
            _copy(path, connection, version)
        else:
            # Before the first table, which sqlite-utils makes for itself: a start that is killed after it, or that a full disk
            # ends, must leave a file that the next start knows as its own.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        _apply(connection)
    except (sqlite3.Error, OSError) as error:
        raise trouble(path, error) from error


def check(path: Path, connection: sqlite3.Connection) -> int:
    """The version of the database's schema, 0 for an empty file; raises as `migrate`, and sqlite3.Error."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    ours = int(connection.execute("PRAGMA application_id").fetchone()[0]) == APPLICATION_ID
    # Without the list of migrations, which an earlier release made before it marked the file as its own.
    statement = "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlite_migrations'"
    tables = int(connection.execute(statement).fetchone()[0])
    # SQLite makes an empty file when it opens a new path: one without tables and version is not foreign.
    if not ours and (tables or version):
        raise DatabaseUnusable(f"the file {path} is a database of another program. It was left as it is; move it away.")
    if version > VERSION:
        raise DatabaseTooNew(
            f"the database {path} has version {version}, made by a newer Conduit Desktop; this one knows versions up to "
            f"{VERSION}. Update Conduit Desktop, or restore a backup made with this version."
        )
    return version


def _copy(path: Path, connection: sqlite3.Connection, version: int) -> None:
    # A migration cannot be undone; with the copy, the earlier release can be started again.
    target = path.with_name(f"{path.name}.before-v{version + 1}")
    part = private_files.temporary(target)
    # Ahead of SQLite, which would make the file with the umask's mode.
    part.touch(mode=0o600)
    try:
        with contextlib.closing(sqlite3.connect(part)) as copy:
            # Through SQLite, not as a file: the newest pages may still be in the WAL.
            connection.backup(copy)
            # The copied header asks for WAL; the copy is one file, so nothing may be left in a `-wal` file.
            copy.execute("PRAGMA journal_mode = DELETE")
        private_files.sync(part)
        # Whole or not at all: half a copy would be taken for the database before the migration.
        os.replace(part, target)
        private_files.sync_folder(path.parent)
    finally:
        private_files.remove(part)
    copies = sorted(path.parent.glob(f"{path.name}.before-v*"), key=lambda file: file.stat().st_mtime_ns)
    for old in copies[:-COPIES_KEPT]:
        old.unlink()


def _apply(connection: sqlite3.Connection) -> None:
    # Only a start that migrates pays for the import of sqlite-utils.
    with _numpy_hidden():
        from sqlite_utils import Database
        from sqlite_utils.migrations import Migrations

    steps = Migrations("conduit")
    for migration in MIGRATIONS:
        steps()(migration)
    # Without plugins: code installed for sqlite-utils elsewhere on the machine must not run in this process.
    steps.apply(Database(connection, execute_plugins=False))


@contextmanager
def _numpy_hidden() -> Iterator[None]:
    """sqlite-utils imports numpy where it can, 10 MB and a tenth of a second for nothing that we store.

    In the desktop app the charts may be importing it at this very moment: there it is left alone.
    """
    if "numpy" in sys.modules or "PySide6" in sys.modules:
        yield
        return
    sys.modules["numpy"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["numpy"]


def _create(db: Database, name: str, columns: dict[str, Any], pk: str, optional: frozenset[str] = frozenset()) -> None:
    db.create_table(name, columns, pk=pk, not_null=set(columns) - optional - {pk})


def m001_everything(db: Database) -> None:
    """Providers, models, keys, prices, settings, rules, requests, totals, notifications, audit."""
    _entities(db)
    _requests(db)
    _totals(db)
    _notes(db)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")


def m002_sticky_and_trim(db: Database) -> None:
    """Aliases that keep sessions at one target, and that trim what is too long."""
    db.execute("ALTER TABLE models ADD COLUMN sticky TEXT")
    db.execute("ALTER TABLE models ADD COLUMN trim INTEGER NOT NULL DEFAULT 0")
    db.execute("PRAGMA user_version = 2")


def m003_fallbacks_by_cause(db: Database) -> None:
    """Aliases that fall back otherwise where a request is too long, or was filtered."""
    for name in ("context_fallbacks", "content_filter_fallbacks"):
        db.execute(f"ALTER TABLE models ADD COLUMN {name} TEXT NOT NULL DEFAULT '[]'")
    db.execute("PRAGMA user_version = 3")


def m004_money(db: Database) -> None:
    """Budgets of every scope, prices with every dimension, records with what was used, totals by quarter of an hour."""
    _create(db, "budgets", {
        "id": str, "name": str, "scope": str, "target": str, "former": str, "limit_nano": int, "period": str, "thresholds": str,
        "action": str, **_STAMPS,
    }, "id")  # fmt: skip
    db.execute("CREATE UNIQUE INDEX budgets_name ON budgets (name COLLATE NOCASE)")
    _keys_with_teams(db)
    _prices_with_every_dimension(db)
    _records_with_units(db)
    _totals_by_slot(db)
    _notifications_by_occasion(db)
    _summaries(db)
    db.execute("PRAGMA user_version = 4")


MIGRATIONS = (m001_everything, m002_sticky_and_trim, m003_fallbacks_by_cause, m004_money)


def _keys_with_teams(db: Database) -> None:
    # The column must hold NULL now, which SQLite cannot change in place. `allow` was the default that nobody chose: where a
    # budget holds, calls without a price would pass it in silence.
    db.execute("ALTER TABLE keys RENAME COLUMN unpriced TO unpriced_before")
    for column in ("team TEXT", "tags TEXT NOT NULL DEFAULT '[]'", "unpriced TEXT"):
        db.execute(f"ALTER TABLE keys ADD COLUMN {column}")
    db.execute("UPDATE keys SET unpriced = nullif(unpriced_before, 'allow')")
    db.execute("ALTER TABLE keys DROP COLUMN unpriced_before")


def _prices_with_every_dimension(db: Database) -> None:
    for column in ("image_in", "image_out", "min_seconds", "per_search", "per_request"):
        db.execute(f"ALTER TABLE prices ADD COLUMN {column} REAL")
    # One number, or a list by size and quality: JSON text.
    db.execute("ALTER TABLE prices RENAME COLUMN per_image TO per_image_before")
    db.execute("ALTER TABLE prices ADD COLUMN per_image TEXT NOT NULL DEFAULT 'null'")
    db.execute("UPDATE prices SET per_image = json(per_image_before) WHERE per_image_before IS NOT NULL")
    db.execute("ALTER TABLE prices DROP COLUMN per_image_before")
    db.execute("ALTER TABLE prices ADD COLUMN service_tiers TEXT NOT NULL DEFAULT '{}'")
    db.execute("ALTER TABLE prices ADD COLUMN as_of TEXT NOT NULL DEFAULT ''")
    # `{"above": 200000, "rates": {"input": 2}}` was what is `{"above_input_tokens": 200000, "input": 2}` now.
    db.execute("""
        UPDATE prices SET tiers = (
            SELECT json_group_array(json(json_set(value -> '$.rates', '$.above_input_tokens', value -> '$.above')))
            FROM json_each(prices.tiers)
        ) WHERE tiers <> '[]'""")


def _records_with_units(db: Database) -> None:
    texts = ("team", "session", '"user"', "service_tier", "price_source", "price_date")
    for column in texts:
        db.execute(f"ALTER TABLE requests ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
    for column in ("image_in", "image_out", "attempts_nano"):
        db.execute(f"ALTER TABLE requests ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    for column, empty in (("tags", "[]"), ("units", "{}"), ("cost_breakdown", "[]"), ("corrections", "[]")):
        db.execute(f"ALTER TABLE requests ADD COLUMN {column} TEXT NOT NULL DEFAULT '{empty}'")


_COUNTS = ("requests", "failed", "refused", "input", "cache_read", "cache_write", "output", "reasoning", "audio_in", "audio_out",
           "image_in", "image_out", "cost_nano", "unpriced", "estimated")  # fmt: skip


def _totals_by_slot(db: Database) -> None:
    # A slot is a quarter of an hour, counted since 1970: every time zone's days begin at one. WITHOUT ROWID as before.
    db.execute("ALTER TABLE totals RENAME TO totals_by_day")
    db.execute("DROP INDEX totals_day")
    db.execute(f"""
        CREATE TABLE totals (
            key_id TEXT NOT NULL, slot INTEGER NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
            upstream_model TEXT NOT NULL, client TEXT NOT NULL, endpoint TEXT NOT NULL, status TEXT NOT NULL, team TEXT NOT NULL,
            key_name TEXT NOT NULL, {", ".join(f"{name} INTEGER NOT NULL" for name in _COUNTS)},
            PRIMARY KEY (slot, key_id, model, provider, upstream_model, client, endpoint, status, team)
        ) WITHOUT ROWID""")
    # Totals of a day lie in its first slot. They do not tell failed from refused.
    db.execute(f"""
        INSERT INTO totals (key_id, slot, model, provider, upstream_model, client, endpoint, status, team, key_name,
            {", ".join(_COUNTS)})
        SELECT key_id, strftime('%s', day) / 900, model, provider, '', '', '', '', '', key_name,
            requests, errors, 0, input, cache_read, cache_write, output, reasoning, audio_in, audio_out, 0, 0,
            cost_nano, unpriced, estimated
        FROM totals_by_day""")
    db.execute("DROP TABLE totals_by_day")


def _summaries(db: Database) -> None:
    # Sorted by time, then by value: what is added lies together, what a query reads too, and its first rows are those of a page.
    sums = f"{', '.join(f'{name} INTEGER NOT NULL' for name in _COUNTS)}"
    db.execute(f"""
        CREATE TABLE hourly (
            kind TEXT NOT NULL, hour INTEGER NOT NULL, value TEXT NOT NULL, name TEXT NOT NULL, {sums},
            PRIMARY KEY (kind, hour, value)
        ) WITHOUT ROWID""")
    # The other order is for one value over time.
    db.execute("CREATE INDEX hourly_value ON hourly (kind, value, hour)")
    # Of pairs of groups by hour, of pairs with sessions, users and tags by 6 hours, 1 and 16 days, and of single groups and other
    # pairs by 1, 4, 16, 64 and 256 days.
    db.execute(f"""
        CREATE TABLE blocks (
            kind TEXT NOT NULL, hours INTEGER NOT NULL, block INTEGER NOT NULL, value TEXT NOT NULL, second TEXT NOT NULL, {sums},
            PRIMARY KEY (kind, hours, block, value, second)
        ) WITHOUT ROWID""")
    # Of a day up to its slot `part`: where a day of some time zone begins.
    db.execute(f"""
        CREATE TABLE parts (
            kind TEXT NOT NULL, part INTEGER NOT NULL, day INTEGER NOT NULL, value TEXT NOT NULL, {sums},
            PRIMARY KEY (kind, part, day, value)
        ) WITHOUT ROWID""")
    for unit in ("hour", "quarter", "day"):
        db.execute(f"CREATE TABLE stale_{unit}s ({unit} INTEGER PRIMARY KEY, changes INTEGER NOT NULL)")
    db.execute(f"""
        CREATE TABLE daily_combinations (
            day INTEGER NOT NULL, key_id TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, upstream_model TEXT NOT NULL,
            client TEXT NOT NULL, endpoint TEXT NOT NULL, status TEXT NOT NULL, team TEXT NOT NULL, {sums},
            PRIMARY KEY (day, key_id, model, provider, upstream_model, client, endpoint, status, team)
        ) WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE summarized (
            hours INTEGER NOT NULL, quarters INTEGER NOT NULL, days INTEGER NOT NULL, complete_from INTEGER NOT NULL
        )""")
    db.execute("INSERT INTO summarized SELECT 0, 0, 0, coalesce(max(started_at) / 3600000 + 1, 0) FROM requests")
    # In the order in which they are read: without the id, each page would sort all of them.
    db.execute("DROP INDEX requests_unpriced")
    db.execute("CREATE INDEX requests_unpriced ON requests (started_at, id) WHERE cost_nano IS NULL AND status <> 'refused'")
    # Few requests have an error: a text is searched for in theirs alone.
    db.execute("CREATE INDEX requests_with_errors ON requests (started_at, id) WHERE error_code <> '' OR error_text <> ''")


def _notifications_by_occasion(db: Database) -> None:
    db.execute("ALTER TABLE notifications ADD COLUMN occasion TEXT NOT NULL DEFAULT ''")
    db.execute("DROP INDEX notifications_unread")
    db.execute("CREATE UNIQUE INDEX notifications_unread ON notifications (kind, title) WHERE read = 0 AND occasion = ''")
    db.execute("CREATE UNIQUE INDEX notifications_occasion ON notifications (occasion) WHERE occasion <> ''")


_STAMPS = {"source": str, "created_at": int, "updated_at": int}


def _entities(db: Database) -> None:
    _create(db, "providers", {
        "id": str, "name": str, "kind": str, "base_url": str, "credentials": str, "headers": str, "options": str,
        "accept_client_keys": int, "enabled": int, **_STAMPS,
    }, "id", frozenset({"base_url"}))  # fmt: skip
    _create(db, "models", {
        "id": str, "alias": str, "strategy": str, "targets": str, "fallbacks": str, "retries": int, "timeouts": str,
        "max_context_tokens": int, "overrides": str, "enabled": int, **_STAMPS,
    }, "id", frozenset({"max_context_tokens"}))  # fmt: skip
    _create(db, "keys", {
        "id": str, "name": str, "digest": str, "hint": str, "description": str, "enabled": int, "models": str,
        "budget_nano": int, "budget_period": str, "rpm": int, "rpd": int, "tpm": int, "max_parallel": int,
        "expires_at": int, "unpriced": str, "log_payloads": int, "allowed_ips": str, "metadata": str,
        "baseline_nano": int, "baseline_at": int, **_STAMPS,
    }, "id", frozenset({"budget_nano", "rpm", "rpd", "tpm", "max_parallel", "expires_at"}))  # fmt: skip
    rates = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_in", "audio_out",
             "per_image", "per_minute", "per_1k_chars")  # fmt: skip
    columns = {
        "number": int,
        "pattern": str,
        **dict.fromkeys(rates, float),
        "tiers": str,
        "valid_from": int,
        "origin": str,
        **_STAMPS,
    }
    _create(db, "prices", columns, "number", frozenset(rates))
    _create(db, "ip_rules", {"id": str, "action": str, "network": str, "created_at": int}, "id")
    _create(db, "settings", {"name": str, "value": str, "updated_at": int}, "name")
    for table, column in (("providers", "name"), ("models", "alias"), ("keys", "name")):
        db.execute(f"CREATE UNIQUE INDEX {table}_{column} ON {table} ({column} COLLATE NOCASE)")
    db.execute("CREATE UNIQUE INDEX keys_digest ON keys (digest)")
    db.execute("CREATE UNIQUE INDEX prices_pattern ON prices (pattern COLLATE NOCASE, valid_from)")


def _requests(db: Database) -> None:
    columns: dict[str, Any] = {
        "id": str, "started_at": int, "key_id": str, "key_name": str, "model": str, "provider": str, "upstream_model": str,
        "endpoint": str, "dialect": str, "streamed": int, "status": str, "http_status": int, "error_code": str,
        "error_text": str, "client": str, "client_ip": str, "duration_ms": float, "first_token_ms": float,
        "upstream_ms": float, "input": int, "cache_read": int, "cache_write": int, "output": int, "reasoning": int,
        "audio_in": int, "audio_out": int, "cost_nano": int, "cost_state": str, "finish": str, "dropped": str,
        "attempts": str,
    }  # fmt: skip
    _create(db, "requests", columns, "id", frozenset({"first_token_ms", "upstream_ms", "cost_nano"}))
    db.execute("CREATE INDEX requests_newest ON requests (started_at, id)")
    db.execute("CREATE INDEX requests_unpriced ON requests (started_at) WHERE cost_nano IS NULL AND status <> 'refused'")


def _totals(db: Database) -> None:
    # WITHOUT ROWID, which sqlite-utils cannot express: a batch then touches one tree, sorted as budgets ask for it.
    db.execute("""
        CREATE TABLE totals (
            key_id TEXT NOT NULL, day TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, key_name TEXT NOT NULL,
            requests INTEGER NOT NULL, errors INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL,
            cache_write INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL, audio_in INTEGER NOT NULL,
            audio_out INTEGER NOT NULL, cost_nano INTEGER NOT NULL, unpriced INTEGER NOT NULL, estimated INTEGER NOT NULL,
            PRIMARY KEY (key_id, day, model, provider)
        ) WITHOUT ROWID""")
    db.execute("CREATE INDEX totals_day ON totals (day)")


def _notes(db: Database) -> None:
    _create(db, "notifications", {
        "id": str, "kind": str, "severity": str, "title": str, "text": str, "read": int, "created_at": int,
    }, "id")  # fmt: skip
    db.execute("CREATE UNIQUE INDEX notifications_unread ON notifications (kind, title) WHERE read = 0")
    db.execute("CREATE INDEX notifications_newest ON notifications (created_at, id)")
    _create(db, "audit", {
        "id": int, "at": int, "actor": str, "action": str, "subject": str, "changes": str,
    }, "id")  # fmt: skip
    _create(db, "meta", {"name": str, "value": str}, "name")
