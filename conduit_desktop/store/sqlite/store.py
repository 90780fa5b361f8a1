"""The store on SQLite: configuration, records and totals in one file, payloads and kept responses in another.

Nothing here blocks the loop: each file has a thread that writes in groups and a thread that reads.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from conduit_desktop.core.entities import Budget, IpRule, ModelAlias, Provider, VirtualKey
from conduit_desktop.core.paths import Home
from conduit_desktop.core.settings import Settings
from conduit_desktop.store import home_files
from conduit_desktop.store.interface import HealthListener, Transaction
from conduit_desktop.store.sqlite import connections
from conduit_desktop.store.sqlite.audit import AuditTable
from conduit_desktop.store.sqlite.database import Database
from conduit_desktop.store.sqlite.ledger import SqliteLedger
from conduit_desktop.store.sqlite.meta import MetaTable
from conduit_desktop.store.sqlite.migrations import check, migrate
from conduit_desktop.store.sqlite.notifications import NotificationTable
from conduit_desktop.store.sqlite.payloads import SqlitePayloads
from conduit_desktop.store.sqlite.prices import SqlitePriceTable
from conduit_desktop.store.sqlite.records import RecordSink
from conduit_desktop.store.sqlite.responses import StoredResponses
from conduit_desktop.store.sqlite.retention import RetentionClock
from conduit_desktop.store.sqlite.settings import SqliteSettingsTable
from conduit_desktop.store.sqlite.tables import SqliteEntityTable
from conduit_desktop.store.sqlite.transaction import SqliteTransaction

T = TypeVar("T")


class SqliteStore:
    """Everything one home persists, apart from its secrets; implements `store.interface.Store`."""

    def __init__(self, home: Home, database: Database, payloads: SqlitePayloads) -> None:
        self.home = home
        self.database = database
        self.payloads = payloads
        self.responses = StoredResponses(payloads.database)
        self.providers = SqliteEntityTable(database, "providers", Provider, key="name", unique="name")
        self.models = SqliteEntityTable(database, "models", ModelAlias, key="alias", unique="alias")
        self.keys = SqliteEntityTable(database, "keys", VirtualKey, key="id", unique="name")
        self.prices = SqlitePriceTable(database)
        self.ip_rules = SqliteEntityTable(database, "ip_rules", IpRule, key="id")
        self.budgets = SqliteEntityTable(database, "budgets", Budget, key="id", unique="name")
        self.settings = SqliteSettingsTable(database)
        self.ledger = SqliteLedger(database)
        self.notifications = NotificationTable(database)
        self.audit = AuditTable(database)
        self.meta = MetaTable(database)
        self.retention = RetentionClock(database, self.meta)

    @property
    def price_catalog(self) -> Path:
        """The home's own price catalog."""
        return self.home.prices

    @classmethod
    def open(cls, home: Home) -> SqliteStore:
        """Open the home's databases, made or migrated where needed; blocks for some milliseconds.

        Raises HomeUnusable, DatabaseTooNew, DatabaseUnusable.
        """
        home.prepare()
        # Before the payloads: in a new home, the database is the first file that is whole.
        connection = _open_database(home)
        try:
            payloads = SqlitePayloads.open(home.payloads)
        except BaseException:
            connection.close()
            raise
        try:
            home_files.note_companions(home, connection)
            sink = RecordSink(home.database)
            database = Database(home.database, connection, sink)
        except BaseException as error:
            connection.close()
            # Its threads run already; left alone, they would keep the file open.
            payloads.database.abandon()
            if isinstance(error, (sqlite3.Error, OSError)):
                raise connections.trouble(home.database, error) from error
            raise
        # Last, since each needs the other: the database is built with the sink.
        sink.report = database.report
        return cls(home, database, payloads)

    async def tidy(self, settings: Settings, now_ms: int | None = None) -> None:
        """Remove what is too old or too much, in small steps; call it now and then. By default `now_ms` is that of `retention`."""
        if now_ms is None:
            now_ms = await self.retention.now_ms()
        await self.ledger.prune(settings.request_days, settings.request_rows, now_ms)
        await self.payloads.prune(settings.payload_days, settings.payload_mb, now_ms)
        await self.responses.prune(settings.response_days, settings.response_mb, now_ms)
        await self.notifications.prune(now_ms)
        await self.audit.prune(now_ms)

    @property
    def healthy(self) -> bool:
        """False while records cannot be written."""
        return self.database.healthy

    @property
    def on_health(self) -> HealthListener | None:
        """Called on the loop with (healthy, text) when records stop or start to be writable."""
        return self.database.on_health

    @on_health.setter
    def on_health(self, listener: HealthListener | None) -> None:
        self.database.on_health = listener

    def transact(self, job: Callable[[Transaction], T]) -> asyncio.Future[T]:
        """Run `job` on the writer thread in one transaction; done once its changes are durable.

        What the job raises undoes everything it did. Raises DatabaseUnusable for a full disk and the like.
        """
        return self.database.write(lambda connection: job(self._transaction(connection)))

    def _transaction(self, connection: sqlite3.Connection) -> SqliteTransaction:
        return SqliteTransaction(
            connection, providers=self.providers, models=self.models, keys=self.keys, prices=self.prices, ip_rules=self.ip_rules,
            budgets=self.budgets, settings=self.settings, home=self.home,
        )  # fmt: skip

    async def close(self) -> None:
        """Write what waits and end the threads."""
        await self.database.close()
        await self.payloads.close()


def _open_database(home: Home) -> sqlite3.Connection:
    connection: sqlite3.Connection | None = None
    try:
        connection = connections.writing(home.database)
        if check(home.database, connection) == 0:
            home_files.check_new(home)
        migrate(home.database, connection)
        home_files.check_companions(home, connection)
    except (sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        raise connections.trouble(home.database, error) from error
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    return connection
