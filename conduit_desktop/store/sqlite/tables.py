"""One table for any kind of entity: scalars are columns, nested values JSON text, names unique whatever their case."""

from __future__ import annotations

import sqlite3
import types
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin

import orjson
from pydantic import ValidationError

from conduit_desktop.core.entities import Entity
from conduit_desktop.core.errors import Conflict, DatabaseUnusable, NotFound
from conduit_desktop.store.sqlite.database import Database

E = TypeVar("E", bound=Entity)

_SCALARS = {str, int, float, bool, type(None)}


class SqliteEntityTable(Generic[E]):
    """The entities of one kind, in the order they were added.

    `key` is the field `get` and `delete` take, `unique` the field no two may share, `identity` the one that never changes.
    The `…_in` methods are the same on a connection, for several steps in one transaction: `database.write(job)`.
    """

    def __init__(
        self, database: Database, table: str, entity: type[E], *, key: str, unique: str | None = None, identity: str = "id"
    ) -> None:
        self.database = database
        self._table = table
        self._entity = entity
        self._key = key
        self._unique = unique
        self._identity = identity
        self._columns = tuple(entity.model_fields)
        self._nested = frozenset(name for name, info in entity.model_fields.items() if not _is_scalar(info.annotation))

    async def all(self) -> list[E]:
        """Every entity."""
        return await self.database.read(self.all_in)

    async def get(self, key: str) -> E | None:
        """The entity of that name or id; names are found whatever their case."""
        return await self.database.read(lambda connection: self.get_in(connection, key))

    async def insert(self, entity: E) -> None:
        """Add one; raises Conflict, naming the field, for a name that is taken."""
        await self.database.write(lambda connection: self.insert_in(connection, entity))

    async def replace(self, entity: E) -> None:
        """Put `entity` in the place of the one with its identity; raises NotFound, Conflict."""
        await self.database.write(lambda connection: self.replace_in(connection, entity))

    async def delete(self, key: str) -> bool:
        """Remove one; False where there was none."""
        return await self.database.write(lambda connection: self.delete_in(connection, key))

    def all_in(self, connection: sqlite3.Connection) -> list[E]:
        """Every entity."""
        return [self._read(row) for row in self._rows(connection, "ORDER BY rowid", ())]

    def get_in(self, connection: sqlite3.Connection, key: str) -> E | None:
        """The entity of that name or id."""
        identity = self._find(connection, self._key, key)
        return None if identity is None else self._read(self._rows(connection, f"WHERE {self._identity} = ?", (identity,))[0])

    def insert_in(self, connection: sqlite3.Connection, entity: E) -> None:
        """Add one; raises Conflict."""
        self._refuse_taken(connection, entity)
        row = self._write(entity)
        places = ", ".join("?" * len(row))
        self._execute(connection, f"INSERT INTO {self._table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))

    def replace_in(self, connection: sqlite3.Connection, entity: E) -> None:
        """Put `entity` in the place of the one with its identity; raises NotFound, Conflict."""
        self._refuse_taken(connection, entity)
        row = self._write(entity)
        identity = getattr(entity, self._identity)
        changes = ", ".join(f"{name} = ?" for name in row)
        statement = f"UPDATE {self._table} SET {changes} WHERE {self._identity} = ?"
        if self._execute(connection, statement, (*row.values(), identity)) == 0:
            raise NotFound(f"there is no {self._name} {getattr(entity, self._key)!r}")

    def delete_in(self, connection: sqlite3.Connection, key: str) -> bool:
        """Remove one; False where there was none."""
        identity = self._find(connection, self._key, key)
        if identity is None:
            return False
        connection.execute(f"DELETE FROM {self._table} WHERE {self._identity} = ?", (identity,))
        return True

    @property
    def _name(self) -> str:
        return {"models": "model", "ip_rules": "IP rule"}.get(self._table, self._table.removesuffix("s"))

    def _refuse_taken(self, connection: sqlite3.Connection, entity: E) -> None:
        if self._unique is None:
            return
        name = getattr(entity, self._unique)
        holder = self._find(connection, self._unique, name)
        if holder is not None and holder != getattr(entity, self._identity):
            raise Conflict(f"there is a {self._name} {name!r} already", self._unique)

    def _find(self, connection: sqlite3.Connection, field: str, wanted: str) -> str | None:
        """The identity of the entity whose `field` is `wanted`."""
        if field != self._unique:
            rows = connection.execute(f"SELECT {self._identity} FROM {self._table} WHERE {field} = ?", (wanted,)).fetchone()
            return None if rows is None else str(rows[0])
        # Not by SQL: SQLite folds the case of ASCII letters alone, and these tables are small.
        folded = wanted.casefold()
        for identity, name in connection.execute(f"SELECT {self._identity}, {field} FROM {self._table}"):
            if name.casefold() == folded:
                return str(identity)
        return None

    def _execute(self, connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> int:
        try:
            # `_refuse_taken` gives the better message; the unique index also covers what it does not compare, such as digests.
            return connection.execute(statement, values).rowcount
        except sqlite3.IntegrityError as error:
            field = _column_at_fault(error)
            raise Conflict(f"there is a {self._name} with this {field} already", field) from error

    def _rows(self, connection: sqlite3.Connection, clause: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return connection.execute(f"SELECT {', '.join(self._columns)} FROM {self._table} {clause}", values).fetchall()

    def _write(self, entity: E) -> dict[str, Any]:
        row = entity.model_dump(mode="json")
        return {name: orjson.dumps(value).decode() if name in self._nested else value for name, value in row.items()}

    def _read(self, row: tuple[Any, ...]) -> E:
        values = dict(zip(self._columns, row, strict=True))
        try:
            return self._entity.model_validate({n: orjson.loads(v) if n in self._nested else v for n, v in values.items()})
        except ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, fault["loc"])) for fault in error.errors()}))
            raise self._unreadable(values, fields) from error
        except orjson.JSONDecodeError as error:
            raise self._unreadable(values, "JSON") from error

    def _unreadable(self, values: dict[str, Any], fields: str) -> DatabaseUnusable:
        # The values stay out of the message: a damaged row may hold a secret.
        return DatabaseUnusable(
            f"the {self._name} {values[self._key]!r} in {self.database.path} cannot be read ({fields}). "
            f"Restore a backup, or correct that row of the table {self._table}."
        )


def _is_scalar(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Literal:
        return True
    if origin in (Union, types.UnionType):
        return all(_is_scalar(part) for part in get_args(annotation))
    return annotation in _SCALARS


def _column_at_fault(error: sqlite3.IntegrityError) -> str:
    # "UNIQUE constraint failed: keys.digest"
    return str(error).rpartition(".")[2].strip() or "id"
