"""One open write transaction: the tables of `interface.Transaction` on the writer thread's connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from conduit_desktop.core.entities import Budget, Entity, IpRule, ModelAlias, Price, Provider, VirtualKey
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import CostCorrection
from conduit_desktop.store import home_files
from conduit_desktop.store.sqlite import audit, meta, notifications, pricing
from conduit_desktop.store.sqlite.prices import SqlitePriceTable
from conduit_desktop.store.sqlite.settings import SqliteSettingsTable
from conduit_desktop.store.sqlite.tables import SqliteEntityTable

E = TypeVar("E", bound=Entity)


class SqliteRows(Generic[E]):
    """The rows of one entity table."""

    def __init__(self, table: SqliteEntityTable[E], connection: sqlite3.Connection) -> None:
        self._table = table
        self._connection = connection

    def all(self) -> list[E]:
        return self._table.all_in(self._connection)

    def get(self, key: str) -> E | None:
        return self._table.get_in(self._connection, key)

    def insert(self, entity: E) -> None:
        self._table.insert_in(self._connection, entity)

    def replace(self, entity: E) -> None:
        self._table.replace_in(self._connection, entity)

    def delete(self, key: str) -> bool:
        return self._table.delete_in(self._connection, key)


class SqlitePriceRows(SqliteRows[Price]):
    """The rows of the price table."""

    def __init__(self, table: SqlitePriceTable, connection: sqlite3.Connection) -> None:
        super().__init__(table, connection)
        self._prices = table

    def history(self, pattern: str) -> list[Price]:
        return self._prices.history_in(self._connection, pattern)


class SqliteSettingRows:
    """The rows of the settings table."""

    def __init__(self, table: SqliteSettingsTable, connection: sqlite3.Connection) -> None:
        self._table = table
        self._connection = connection

    def put(self, values: Mapping[str, Any]) -> None:
        self._table.put_in(self._connection, values)


class SqliteAuditRows:
    """The rows of the audit log."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, actor: str, action: str, subject: str, changes: Mapping[str, Any] | None = None) -> int:
        return audit.add_in(self._connection, actor, action, subject, changes).id

    def amend(self, entry_id: int, changes: Mapping[str, Any]) -> None:
        audit.amend_in(self._connection, entry_id, changes)


class SqliteMetaRows:
    """The rows of the table of internal values."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, name: str, value: Any) -> None:
        meta.put_in(self._connection, name, value)


class SqliteNotificationRows:
    """The rows of the notifications."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def mark_read(self, id: str) -> bool:
        return notifications.mark_read_in(self._connection, id)

    def mark_all_read(self) -> int:
        return notifications.mark_all_read_in(self._connection)


class SqliteLedgerRows:
    """The rows of the request log and its totals."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def correct(self, corrections: Iterable[CostCorrection], actor: str, at_ms: int) -> list[CostCorrection]:
        return pricing.correct_in(self._connection, corrections, actor, at_ms)


class SqliteTransaction:
    """Implements `store.interface.Transaction`. Valid only while the job that got it runs."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        providers: SqliteEntityTable[Provider],
        models: SqliteEntityTable[ModelAlias],
        keys: SqliteEntityTable[VirtualKey],
        prices: SqlitePriceTable,
        ip_rules: SqliteEntityTable[IpRule],
        budgets: SqliteEntityTable[Budget],
        settings: SqliteSettingsTable,
        home: Home,
    ) -> None:
        self._connection = connection
        self._home = home
        self.providers = SqliteRows(providers, connection)
        self.models = SqliteRows(models, connection)
        self.keys = SqliteRows(keys, connection)
        self.prices = SqlitePriceRows(prices, connection)
        self.ip_rules = SqliteRows(ip_rules, connection)
        self.budgets = SqliteRows(budgets, connection)
        self.settings = SqliteSettingRows(settings, connection)
        self.audit = SqliteAuditRows(connection)
        self.meta = SqliteMetaRows(connection)
        self.notifications = SqliteNotificationRows(connection)
        self.ledger = SqliteLedgerRows(connection)

    def note_files(self) -> None:
        home_files.note_companions(self._home, self._connection)
