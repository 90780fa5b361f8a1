"""The hot path: many request records and their daily totals, written durably by one single statement."""

from __future__ import annotations

import dataclasses
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson

from conduit_desktop.core.errors import RecordsUnavailable
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.core.tokens import CLASS_NAMES
from conduit_desktop.store.sqlite.connections import explain, is_trouble
from conduit_desktop.store.sqlite.unwritten import UnwrittenRows

log = logging.getLogger(__name__)

MAX_WAITING = 10_000
RETRY_STEP = 250
RETRY_EVERY_S = 2.0

COLUMNS = tuple(field.name for field in dataclasses.fields(RequestRecord))
QUOTED = tuple(f'"{name}"' for name in COLUMNS)
"""Quoted: `user` is a word of SQL elsewhere, and other engines share these names."""
_ATTEMPT_FIELDS = frozenset(field.name for field in dataclasses.fields(AttemptRecord))

# A stranger chooses the model names of refused requests; totals, which are kept for good, must not grow by them.
TOTALS_MODEL = """CASE WHEN {0}status = 'refused' AND {0}error_code IN ('model_not_found', 'missing_api_key', 'invalid_api_key')
    THEN '' ELSE {0}model END"""
# Likewise of clients that nobody knows: a User-Agent is free text.
TOTALS_CLIENT = "CASE WHEN {0}key_id = '' AND {0}status = 'refused' THEN '' ELSE {0}client END"
TOTALS_SLOT = "{0}started_at / 900000"
UNPRICED = "{0}cost_nano IS NULL AND {0}status <> 'refused'"

TOTALS_OF_REQUEST = {
    "slot": TOTALS_SLOT,
    "key_id": "{0}key_id",
    "model": TOTALS_MODEL,
    "provider": "{0}provider",
    "upstream_model": "{0}upstream_model",
    "client": TOTALS_CLIENT,
    "endpoint": "{0}endpoint",
    "status": "{0}status",
    "team": "{0}team",
    "key_name": "{0}key_name",
    "requests": "1",
    "failed": "{0}status IN ('error', 'broken')",
    "refused": "{0}status = 'refused'",
    **{name: f"{{0}}{name}" for name in CLASS_NAMES},
    "cost_nano": "coalesce({0}cost_nano, 0) - {0}attempts_nano",
    "unpriced": UNPRICED,
    "estimated": "{0}cost_state = 'estimated' AND {0}cost_nano IS NOT NULL",
}
"""What one request adds to its slot's totals, by column; `{0}` is what its own columns are called by."""

TOTALS_KEY = ("slot", "key_id", "model", "provider", "upstream_model", "client", "endpoint", "status", "team")
COUNTED = tuple(name for name in TOTALS_OF_REQUEST if name not in (*TOTALS_KEY, "key_name"))

_KEY = ", ".join(TOTALS_KEY)
_ADD = f"key_name = excluded.key_name, {', '.join(f'{name} = {name} + excluded.{name}' for name in COUNTED)}"
_OF_ATTEMPT = {**TOTALS_OF_REQUEST, **dict.fromkeys(COUNTED, "0")} | {
    "provider": "a.value ->> '$.provider'",
    "upstream_model": "a.value ->> '$.model'",
    "cost_nano": "sum(a.value ->> '$.cost_nano')",
}
"""What the failed attempts of one request add to the totals of the providers that were paid for them."""

# One statement is one transaction and one call into SQLite. Each call gives up the interpreter lock, and to get it back from a
# busy loop can take a while: a dozen calls a batch would be felt. So a batch is one INSERT of many rows, and a trigger of this
# connection adds each to its totals. A record that is there already is left alone.
_ADD_TOTALS = f"""
    CREATE TEMP TRIGGER add_totals AFTER INSERT ON main.requests BEGIN
        INSERT INTO totals ({", ".join(TOTALS_OF_REQUEST)})
        VALUES ({", ".join(sql.format("NEW.") for sql in TOTALS_OF_REQUEST.values())})
        ON CONFLICT ({_KEY}) DO UPDATE SET {_ADD};
    END"""
# The last attempt of an answer that broke off or was left is the answer's own, whose cost is counted with the request.
_ADD_ATTEMPTS = f"""
    CREATE TEMP TRIGGER add_attempts AFTER INSERT ON main.requests WHEN NEW.attempts_nano <> 0 BEGIN
        INSERT INTO totals ({", ".join(_OF_ATTEMPT)})
        SELECT {", ".join(sql.format("NEW.") for sql in _OF_ATTEMPT.values())}
        FROM json_each(NEW.attempts) AS a
        WHERE a.value ->> '$.outcome' <> 'ok' AND a.value ->> '$.cost_nano' > 0
            AND NOT (a.key = json_array_length(NEW.attempts) - 1 AND coalesce(NEW.cost_nano, 0) > NEW.attempts_nano)
        GROUP BY a.value ->> '$.provider', a.value ->> '$.model'
        ON CONFLICT ({_KEY}) DO UPDATE SET {_ADD};
    END"""
# Sums of hours and days that are over are made in the background (`summaries`): a late change makes them stale.
_IS_LATE = "NEW.started_at < (SELECT hours FROM summarized) * 3600000"
_MARK = """
    INSERT INTO stale_hours (hour, changes) VALUES (NEW.started_at / 3600000, 1)
        ON CONFLICT (hour) DO UPDATE SET changes = changes + 1;
    INSERT INTO stale_quarters (quarter, changes) SELECT NEW.started_at / 21600000, 1
        WHERE NEW.started_at < (SELECT quarters FROM summarized) * 21600000
        ON CONFLICT (quarter) DO UPDATE SET changes = changes + 1;
    INSERT INTO stale_days (day, changes) SELECT NEW.started_at / 86400000, 1
        WHERE NEW.started_at < (SELECT days FROM summarized) * 86400000
        ON CONFLICT (day) DO UPDATE SET changes = changes + 1;"""
_MARK_LATE = f"CREATE TEMP TRIGGER mark_late AFTER INSERT ON main.requests WHEN {_IS_LATE} BEGIN {_MARK} END"
_MARK_CORRECTED = f"""
    CREATE TEMP TRIGGER mark_corrected AFTER UPDATE OF cost_nano, cost_state ON main.requests WHEN {_IS_LATE} BEGIN {_MARK} END"""
_ROW = f"({', '.join('?' * len(COLUMNS))})"
_AS_JSON = tuple(COLUMNS.index(name) for name in ("dropped", "attempts", "tags", "units", "cost_breakdown"))
_EMPTY: dict[type, str] = {list: "[]", tuple: "[]", dict: "{}"}
_columns = attrgetter(*COLUMNS)
_REFUSALS = (sqlite3.Error, TypeError, ValueError, OverflowError)
"""What a write raises for a failing disk, and for values that orjson or SQLite cannot take."""


@lru_cache(maxsize=64)
def _insert(count: int) -> str:
    """The statement for `count` records: batches are small, so SQLite's own statement cache knows it too."""
    return f"INSERT INTO requests ({', '.join(QUOTED)}) VALUES {', '.join([_ROW] * count)} ON CONFLICT (id) DO NOTHING"


def _values(records: Sequence[RequestRecord]) -> list[Any]:
    """The values of `_insert`, record after record."""
    values: list[Any] = []
    for record in records:
        row = list(_columns(record))
        for index in _AS_JSON:
            value = row[index]
            # Most of them are empty, mostly.
            row[index] = orjson.dumps(value).decode() if value else _EMPTY[type(value)]
        values += row
    return values


class RecordSink:
    """Writes batches of records on the writer thread.

    Where the disk refuses, the futures get RecordsUnavailable and the newest `MAX_WAITING` records stay in memory, and in a file
    next to the database where there is room; they are written, in order, as soon as it works again, or at the next start.
    `report(healthy, text)` is called when that changes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwritten = UnwrittenRows(path.with_name("unwritten.jsonl"))
        self._backlog: deque[RequestRecord] = deque()
        self._lost = 0
        self._tried_at = 0.0
        self.report: Callable[[bool, str], None] = lambda healthy, text: None

    @property
    def waiting(self) -> int:
        """Records kept in memory for the next try."""
        return len(self._backlog)

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Make the triggers that add to the totals; they live as long as `connection`."""
        for trigger in (_ADD_TOTALS, _ADD_ATTEMPTS, _MARK_LATE, _MARK_CORRECTED):
            connection.execute(trigger)
        # Before the first reader: what is left of a budget depends on them.
        self._backlog.extend(record for row in self._unwritten.read() if (record := _from_row(row)) is not None)
        if self._backlog:
            self._write_backlog(connection)

    def write(self, connection: sqlite3.Connection, items: list[RequestRecord]) -> list[BaseException | None] | None:
        """Write what waits, then `items`."""
        error = self._write_backlog(connection) if self._backlog else None
        if error is None:
            try:
                connection.execute(_insert(len(items)), _values(items))
                return None
            except _REFUSALS as failure:
                if not is_trouble(failure):
                    return self._write_singly(connection, items)
                error = failure
        return self._keep(items, error)

    def retry(self, connection: sqlite3.Connection) -> None:
        """Try what waits, unless that was done a moment ago."""
        if time.monotonic() - self._tried_at >= RETRY_EVERY_S:
            self._write_backlog(connection)

    def flush(self, connection: sqlite3.Connection) -> None:
        """The last try before the end."""
        if self._backlog and self._write_backlog(connection) is not None:
            log.error("%d request records could not be written; %s keeps them", len(self._backlog), self._unwritten.path)

    def _write_backlog(self, connection: sqlite3.Connection) -> BaseException | None:
        self._tried_at = time.monotonic()
        while self._backlog:
            # Copied, not taken: a record leaves the backlog only once it is written or found unwritable.
            step = [self._backlog[i] for i in range(min(RETRY_STEP, len(self._backlog)))]
            for error in self._write_step(connection, step):
                if error is not None and is_trouble(error):
                    return error
                self._backlog.popleft()
        # After the commit: those that are in both are written once. What does not fit in memory is written at the next start.
        if not self._lost:
            self._unwritten.clear()
        lost = f" {self._lost} records were lost: there were too many to keep." if self._lost else ""
        self._lost = 0
        self.report(True, f"request records are written again.{lost}")
        return None

    def _write_step(self, connection: sqlite3.Connection, records: list[RequestRecord]) -> Sequence[BaseException | None]:
        """All at once: each transaction costs some pages of the WAL, and there may be little room yet."""
        try:
            connection.execute(_insert(len(records)), _values(records))
        except _REFUSALS as error:
            return [error] if is_trouble(error) else self._write_singly(connection, records)
        return [None] * len(records)

    def _write_singly(self, connection: sqlite3.Connection, records: Sequence[RequestRecord]) -> list[BaseException | None]:
        """Each record for itself, with odd values mended, so that a bad one spoils no other; stops at a failing disk."""
        outcomes: list[BaseException | None] = []
        trouble: BaseException | None = None
        for record in records:
            if trouble is None:
                try:
                    mended = RequestRecord(**_mend(dataclasses.asdict(record)))
                    connection.execute(_insert(1), _values([mended]))
                    outcomes.append(None)
                    continue
                except _REFUSALS as error:
                    trouble = error if is_trouble(error) else None
                    outcomes.append(error)
                    if trouble is None:
                        log.error("the record of request %s cannot be written: %s", record.id, error)
                    continue
            outcomes.append(trouble)
        return outcomes

    def _keep(self, items: list[RequestRecord], error: BaseException) -> list[BaseException | None]:
        # Durable elsewhere: this process may end, or be killed, before the database can be written again.
        self._unwritten.add(_mend(dataclasses.asdict(record)) for record in items)
        self._backlog.extend(items)
        if len(self._backlog) > MAX_WAITING:
            # A stranger's refused calls, of which there may be any number, must not push out what was paid for.
            kept = [record for record in self._backlog if record.key_id or record.status != "refused"]
            self._lost += len(self._backlog) - len(kept)
            self._backlog = deque(kept)
        while len(self._backlog) > MAX_WAITING:
            self._backlog.popleft()
            self._lost += 1
        assert isinstance(error, Exception)
        text = explain(self._path, error)
        self.report(False, text)
        return [RecordsUnavailable(text) for _ in items]


def _mend(value: Any) -> Any:
    """What orjson or SQLite cannot take: lone surrogates (a header's odd bytes) and numbers beyond any count."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        # Before int, of which bool is a subclass: a flag must stay a flag.
        case bool():
            return value
        case int():
            return max(-(2**53), min(value, 2**53))
        case dict():
            return {_mend(key): _mend(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_mend(inner) for inner in value]
        case _:
            return value


def _from_row(row: dict[str, Any]) -> RequestRecord | None:
    """A record from a line of `UnwrittenRows`; None for a line of something else."""
    values = {name: value for name, value in row.items() if name in COLUMNS}
    try:
        return RequestRecord(**{**values, "attempts": _read_attempts(values.get("attempts", []))})
    except (TypeError, AttributeError) as error:
        log.warning("a record that waited cannot be read: %s", type(error).__name__)
        return None


def _read_attempts(attempts: list[dict[str, Any]]) -> list[AttemptRecord]:
    # Unknown fields are skipped: they may have been written by another release.
    return [AttemptRecord(**{name: value for name, value in one.items() if name in _ATTEMPT_FIELDS}) for one in attempts]


def read_record(row: sqlite3.Row) -> RequestRecord:
    """A row of `requests` as the record it was made from."""
    values: dict[str, Any] = {column: row[column] for column in COLUMNS}
    values["streamed"] = bool(values["streamed"])
    values["dropped"], values["tags"] = (tuple(orjson.loads(values[name])) for name in ("dropped", "tags"))
    values["units"], values["cost_breakdown"] = (orjson.loads(values[name]) for name in ("units", "cost_breakdown"))
    values["attempts"] = _read_attempts(orjson.loads(values["attempts"]))
    return RequestRecord(**values)
