"""What is remembered: config, records and totals in one SQLite file, payloads in another, secrets apart from both.

Nothing here blocks the loop: each file has a thread that writes in groups and a thread that reads.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from conduit_desktop.core.entities import IpRule, ModelAlias, Provider, VirtualKey
from conduit_desktop.core.paths import Home
from conduit_desktop.core.settings import Settings
from conduit_desktop.store import backup
from conduit_desktop.store.sqlite import connections
from conduit_desktop.store.sqlite.audit import AuditTable
from conduit_desktop.store.sqlite.database import Database
from conduit_desktop.store.sqlite.ledger import Ledger, RequestFilter
from conduit_desktop.store.sqlite.meta import MetaTable
from conduit_desktop.store.sqlite.migrations import migrate
from conduit_desktop.store.sqlite.notifications import NotificationTable
from conduit_desktop.store.sqlite.payloads import Payload, Payloads
from conduit_desktop.store.sqlite.prices import PriceTable
from conduit_desktop.store.sqlite.records import RecordSink
from conduit_desktop.store.sqlite.responses import StoredResponses
from conduit_desktop.store.sqlite.settings import SettingsTable
from conduit_desktop.store.sqlite.tables import EntityTable

__all__ = ["Database", "EntityTable", "Ledger", "Payload", "RequestFilter", "Store"]


class Store:
    """Everything one home remembers, but its secrets."""

    def __init__(self, home: Home, database: Database, payloads: Payloads) -> None:
        self.home = home
        self.database = database
        self.payloads = payloads
        self.responses = StoredResponses(payloads.database)
        self.providers = EntityTable(database, "providers", Provider, key="name", unique="name")
        self.models = EntityTable(database, "models", ModelAlias, key="alias", unique="alias")
        self.keys = EntityTable(database, "keys", VirtualKey, key="id", unique="name")
        self.prices = PriceTable(database)
        self.ip_rules = EntityTable(database, "ip_rules", IpRule, key="id")
        self.settings = SettingsTable(database)
        self.ledger = Ledger(database)
        self.notifications = NotificationTable(database)
        self.audit = AuditTable(database)
        self.meta = MetaTable(database)

    @classmethod
    def open(cls, home: Home) -> Store:
        """Open the home's databases, made or migrated where needed; blocks for some milliseconds.

        Raises HomeUnusable, DatabaseTooNew, DatabaseUnusable.
        """
        home.prepare()
        payloads = Payloads.open(home.payloads)
        try:
            database = _open_database(home)
        except BaseException:
            payloads.database.abandon()
            raise
        return cls(home, database, payloads)

    async def tidy(self, settings: Settings, now_ms: int | None = None) -> None:
        """Remove what is too old or too much, in small steps; to be called now and then."""
        await self.ledger.prune(settings.request_days, settings.request_rows, now_ms)
        await self.payloads.prune(settings.payload_days, settings.payload_mb, now_ms)
        await self.responses.prune(settings.response_days, settings.response_mb, now_ms)
        await self.notifications.prune(now_ms)
        await self.audit.prune(now_ms)

    async def backup(self, target: Path) -> Path:
        """A consistent copy of both databases in one archive, without secrets; raises Invalid("path"), DatabaseUnusable."""
        return await backup.backup(self.home, target)

    async def close(self) -> None:
        """Write what waits and end the threads."""
        await self.database.close()
        await self.payloads.close()


def _open_database(home: Home) -> Database:
    connection: sqlite3.Connection | None = None
    try:
        connection = connections.writing(home.database)
        migrate(home.database, connection)
        sink = RecordSink(home.database)
        database = Database(home.database, connection, sink)
    except (sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        raise connections.trouble(home.database, error) from error
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    sink.report = database.report
    return database
