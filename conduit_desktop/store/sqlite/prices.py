"""The user's own prices: several may share a pattern, each valid from its own time."""

from __future__ import annotations

import sqlite3

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Price
from conduit_desktop.core.errors import Conflict
from conduit_desktop.store.sqlite.database import Database
from conduit_desktop.store.sqlite.tables import SqliteEntityTable


class SqlitePriceTable(SqliteEntityTable[Price]):
    """Prices by pattern. What is unique is a pattern together with its `valid_from`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "prices", Price, key="pattern", identity="pattern")

    async def history(self, pattern: str) -> list[Price]:
        """Every price of that pattern, oldest first."""
        return await self.database.read(lambda connection: self.history_in(connection, pattern))

    def get_in(self, connection: sqlite3.Connection, key: str) -> Price | None:
        """The price of that pattern that holds now; the next to come where none holds yet."""
        prices = self.history_in(connection, key)
        now = now_ms()
        holding = [price for price in prices if price.valid_from <= now]
        return holding[-1] if holding else next(iter(prices), None)

    def insert_in(self, connection: sqlite3.Connection, entity: Price) -> None:
        """Add one; raises Conflict where the pattern has a price valid from that very time."""
        if any(price.valid_from == entity.valid_from for price in self.history_in(connection, entity.pattern)):
            raise Conflict(f"there is a price for {entity.pattern!r} already", "pattern")
        super().insert_in(connection, entity)

    def replace_in(self, connection: sqlite3.Connection, entity: Price) -> None:
        """Add `entity`, or put it in the place of the one with its pattern and `valid_from`."""
        # The key of a row is pattern and `valid_from`, which UPDATE by one identity column cannot express.
        connection.execute(
            "DELETE FROM prices WHERE pattern = ? COLLATE NOCASE AND valid_from = ?", (entity.pattern, entity.valid_from)
        )
        super().insert_in(connection, entity)

    def delete_in(self, connection: sqlite3.Connection, key: str) -> bool:
        """Remove every price of that pattern; False where there was none."""
        return connection.execute("DELETE FROM prices WHERE pattern = ? COLLATE NOCASE", (key,)).rowcount > 0

    def history_in(self, connection: sqlite3.Connection, pattern: str) -> list[Price]:
        """Every price of that pattern, oldest first, on a connection of `database`."""
        rows = self._rows(connection, "WHERE pattern = ? COLLATE NOCASE ORDER BY valid_from", (pattern,))
        return [self._read(row) for row in rows]
