"""Old, new, foreign and damaged files."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys

import pytest
from sqlite_utils import Database as SqliteUtils

from conduit_desktop.core.entities import IpRule, ModelAlias, Price, Provider, Tier, VirtualKey
from conduit_desktop.core.errors import DatabaseTooNew, DatabaseUnusable
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.store.interface import Spending
from conduit_desktop.store.sqlite import migrations
from conduit_desktop.store.sqlite.migrations import MIGRATIONS
from conduit_desktop.store.sqlite.records import COLUMNS
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import record


def _open_and_close(home: Home) -> None:
    async def run() -> None:
        store = SqliteStore.open(home)
        await store.close()

    asyncio.run(run())


@contextlib.contextmanager
def _connection(home: Home):
    connection = sqlite3.connect(home.database)
    yield connection
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("table", "entity"),
    [("providers", Provider), ("models", ModelAlias), ("keys", VirtualKey), ("prices", Price), ("ip_rules", IpRule)],
)
def test_every_field_of_an_entity_has_its_column(home: Home, table: str, entity: type):
    _open_and_close(home)
    with _connection(home) as connection:
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    assert columns - {"number"} == set(entity.model_fields)


def test_every_field_of_a_record_has_its_column(home: Home):
    _open_and_close(home)
    with _connection(home) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(requests)")}
    # A new record has no correction; later ones are added in the table.
    assert columns - {"corrections"} == set(COLUMNS) == set(RequestRecord.__slots__)


def test_a_newer_database_is_left_alone_and_named(home: Home):
    _open_and_close(home)
    with _connection(home) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = home.database.read_bytes()
    with pytest.raises(DatabaseTooNew, match=r"conduit\.db has version 99.*up to 4.*Update") as caught:
        SqliteStore.open(home)
    assert "\n" not in str(caught.value)
    assert home.database.read_bytes() == before


def test_a_foreign_database_is_left_alone(home: Home):
    with _connection(home) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    with pytest.raises(DatabaseUnusable, match="another program"):
        SqliteStore.open(home)
    with _connection(home) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("recipes",)]


@pytest.mark.parametrize("marked", [True, False])
def test_a_first_start_that_ended_before_its_first_migration_is_gone_on_with(home: Home, marked: bool):
    with _connection(home) as connection:
        # What sqlite-utils makes before all of ours; earlier releases marked the file only after it.
        connection.execute(
            "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
        )
        connection.execute("CREATE UNIQUE INDEX set_name ON _sqlite_migrations (migration_set, name)")
        if marked:
            connection.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
    _open_and_close(home)
    with _connection(home) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (migrations.APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (migrations.VERSION,)


@pytest.mark.parametrize("name", ["conduit.db", "payloads.db"])
def test_a_file_that_is_no_database_is_left_alone_with_advice(home: Home, name: str):
    _open_and_close(home)
    (home.root / name).write_bytes(b"this was a database once" * 500)
    with pytest.raises(DatabaseUnusable, match=rf"{name} is damaged.*restore"):
        SqliteStore.open(home)
    assert (home.root / name).read_bytes() == b"this was a database once" * 500


def test_a_damaged_database_is_left_alone_with_advice(home: Home):
    _open_and_close(home)
    content = bytearray(home.database.read_bytes())
    content[100:4000] = b"\xff" * 3900
    home.database.write_bytes(content)
    with pytest.raises(DatabaseUnusable, match=r"damaged.*restore"):
        SqliteStore.open(home)
    assert home.database.read_bytes() == content


def test_a_migration_copies_the_database_first_and_keeps_three_copies(home: Home, monkeypatch: pytest.MonkeyPatch):
    async def write() -> None:
        store = SqliteStore.open(home)
        await store.ledger.record(record())
        await store.close()

    asyncio.run(write())
    steps = list(migrations.MIGRATIONS)
    for version in range(migrations.VERSION + 1, 9):

        def step(db, version: int = version) -> None:
            db.execute(f"ALTER TABLE meta ADD COLUMN added_{version}")
            db.execute(f"PRAGMA user_version = {version}")

        step.__name__ = f"m{version:03d}"
        steps.append(step)
        monkeypatch.setattr(migrations, "MIGRATIONS", tuple(steps))
        monkeypatch.setattr(migrations, "VERSION", version)
        _open_and_close(home)
    copies = sorted(file.name for file in home.root.glob("conduit.db.before-*"))
    assert copies == ["conduit.db.before-v6", "conduit.db.before-v7", "conduit.db.before-v8"]
    with contextlib.closing(sqlite3.connect(home.root / copies[0])) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (5,)
        assert copy.execute("SELECT id FROM requests").fetchall() == [("req_00000000",)]
    with _connection(home) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (8,)


def test_a_migration_that_fails_changes_nothing(home: Home, monkeypatch: pytest.MonkeyPatch):
    _open_and_close(home)

    broken = migrations.VERSION + 1

    def breaks(db) -> None:
        db.execute("DROP TABLE meta")
        db.execute(f"PRAGMA user_version = {broken}")
        db.execute("SELECT * FROM nowhere")

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, breaks))
        patched.setattr(migrations, "VERSION", broken)
        with pytest.raises(DatabaseUnusable, match="nowhere"):
            SqliteStore.open(home)
    _open_and_close(home)
    with _connection(home) as connection:
        assert connection.execute("SELECT count(*) FROM meta WHERE name <> 'companions'").fetchone() == (0,)


def imported_by_a_start(home: Home) -> str:
    """Which of the dear packages a start on `home` leaves loaded."""
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom conduit_desktop.core.paths import Home\n"
        "from conduit_desktop.store.sqlite.store import SqliteStore\n"
        "asyncio.run(SqliteStore.open(Home(Path(sys.argv[1]))).close())\n"
        "print([name for name in ('sqlite_utils', 'numpy', 'click') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(home.root)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_start_without_a_migration_does_not_import_sqlite_utils(home: Home):
    _open_and_close(home)
    assert imported_by_a_start(home) == "[]"


def test_the_first_start_does_not_import_numpy(home: Home):
    """It would cost 10 MB and 0.1 s for nothing."""
    home.prepare()
    assert "'numpy'" not in imported_by_a_start(home)


def test_an_alias_of_the_first_schema_is_read_by_the_newest(home: Home, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        patched.setattr(migrations, "VERSION", 1)
        _open_and_close_database(home)
    row = ("m", "a", "priority", "[]", '["b"]', 1, "{}", "{}", 1, "user", 0, 0)
    columns = "id, alias, strategy, targets, fallbacks, retries, timeouts, overrides, enabled, source, created_at, updated_at"
    with _connection(home) as connection:
        connection.execute(f"INSERT INTO models ({columns}) VALUES ({', '.join('?' * len(row))})", row)

    async def read() -> list[ModelAlias]:
        store = SqliteStore.open(home)
        try:
            return await store.models.all()
        finally:
            await store.close()

    assert asyncio.run(read()) == [ModelAlias(id="m", alias="a", fallbacks=("b",))]


def _open_and_close_database(home: Home) -> None:
    home.prepare()
    with contextlib.closing(sqlite3.connect(home.database)) as connection:
        migrations.migrate(home.database, connection)


async def test_a_database_of_version_3_keeps_its_keys_prices_records_and_totals(home: Home, monkeypatch: pytest.MonkeyPatch):
    """Written as version 3 wrote them: a key that allows unpriced models, a price with tiers, one request, one day's totals."""
    home.prepare()
    connection = sqlite3.connect(home.database)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", MIGRATIONS[:3])
        migrations._apply(connection)
    with connection:
        old = SqliteUtils(connection)
        old["keys"].insert({
            "id": "key_a", "name": "app", "digest": "d", "hint": "h", "description": "", "enabled": 1, "models": "[]",
            "budget_nano": 5, "budget_period": "total", "unpriced": "allow", "log_payloads": 0, "allowed_ips": "[]",
            "metadata": "{}", "baseline_nano": 0, "baseline_at": 0, "source": "user", "created_at": 1, "updated_at": 1,
        })  # fmt: skip
        old["prices"].insert({
            "number": 1, "pattern": "p/m", "input": 1.0, "output": 2.0, "per_image": 0.19,
            "tiers": '[{"above":200000,"rates":{"input":2.0,"output":null}}]', "valid_from": 0, "origin": "user", "source": "user",
            "created_at": 1, "updated_at": 1,
        })  # fmt: skip
        old["totals"].insert({
            "key_id": "key_a", "day": "2026-03-01", "model": "m", "provider": "p", "key_name": "app", "requests": 3, "errors": 1,
            **dict.fromkeys(("input", "cache_read", "cache_write", "output", "reasoning", "audio_in", "audio_out"), 7),
            "cost_nano": 900, "unpriced": 1, "estimated": 0,
        })  # fmt: skip
    connection.close()
    store = SqliteStore.open(home)
    try:
        [key], [price] = await store.keys.all(), await store.prices.all()
        assert (key.name, key.unpriced, key.team, key.tags, key.budget_nano) == ("app", None, None, (), 5)
        assert (price.per_image, price.tiers) == (0.19, (Tier(above_input_tokens=200_000, input=2.0),))
        [row] = await store.ledger.usage(["day", "key", "model", "provider"])
        assert (row.day, row.key_id, row.requests, row.failed, row.cost_nano) == ("2026-03-01", "key_a", 3, 1, 900)
        day = 1_772_323_200_000
        asked = [Spending("key", "key_a"), Spending("key", "key_a", day), Spending("key", "key_a", day + 86_400_000)]
        assert await store.ledger.spent(asked) == [900, 900, 0]
    finally:
        await store.close()
