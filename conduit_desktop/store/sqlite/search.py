"""The search of the request log, bounded in time: hours without a match are left out, and a cursor goes on with the rest."""

from __future__ import annotations

import itertools
import re
import sqlite3
import time
from dataclasses import dataclass
from typing import Any, Literal

from conduit_desktop.core.cursor import write_cursor
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.store.interface import RequestFilter
from conduit_desktop.store.sqlite.records import QUOTED, read_record
from conduit_desktop.store.sqlite.summaries import DEAREST, HOUR_MS, KEY_NAME, OF_REQUESTS, REFUSED, Summarized, summarized

STEP = 2000
"""Records that are looked at between two looks at the clock."""
MAX_S = 0.04
"""How long a search goes on once it has looked at `STEP` records; a page then ends with what was found."""

SELECT = f"SELECT {', '.join(QUOTED)} FROM requests"

_EXACT = ("model", "provider", "status", "client", "session", "user", "endpoint", "upstream_model")
SEARCHED = ("model", "upstream_model", "client", "error_text", "error_code")
"""The columns in which a text is searched for."""
_NAMES = SEARCHED[:3]
_WITH_ERROR = "(error_code <> '' OR error_text <> '')"

MOST_VALUES = 20
"""Names that a text is part of, up to which hours are looked up by name: more are found in nearly every hour."""

Place = tuple[int, str]
"""Time (epoch ms) and id of a record."""
Value = tuple[str, str]
"""The kind and value of rows in `hourly`."""
_LATEST_MS = 2**60


@dataclass(slots=True)
class Occurrence:
    """The hours in which a record may fit one filter: those with a row of one of these values, or a cost this high."""

    values: tuple[Value, ...] = ()
    cost_nano: int | None = None

    def newest(self, connection: sqlite3.Connection, hour: int) -> int:
        """The newest such hour, up to `hour`; -1: there is none."""
        if self.cost_nano is not None:
            dear = "SELECT hour FROM hourly WHERE kind = ? AND hour <= ? AND cost_nano >= ? ORDER BY hour DESC LIMIT 1"
            found = connection.execute(dear, (DEAREST, hour, self.cost_nano)).fetchone()
            return -1 if found is None else int(found[0])
        newest = "SELECT max(hour) FROM hourly WHERE kind = ? AND value = ? AND hour <= ?"
        return max((connection.execute(newest, (*one, hour)).fetchone()[0] or -1 for one in self.values), default=-1)


@dataclass(slots=True)
class Scan:
    """One pass through the log, newest first: of all records or of those with an error, in hours that may have a match."""

    index: Literal["requests_newest", "requests_with_errors"]
    where: str
    values: list[Any]
    occurrences: list[Occurrence]
    floor_ms: int
    place: Place
    """All records at or after it were looked at."""
    over: bool = False

    def step(self, connection: sqlite3.Connection, now: Summarized, wanted: int) -> list[sqlite3.Row]:
        """Look at the next records, at most `STEP`; those that fit, at most `wanted`."""
        start, end = self._next_hours(connection, now)
        if start >= end:
            self.over = True
            return []
        head = min(self.place, (end, ""))
        within, span = "started_at >= ? AND (started_at, id) < (?, ?)", (start, *head)
        table = f"requests INDEXED BY {self.index} WHERE {_OF_INDEX[self.index]}"
        order = "ORDER BY started_at DESC, id DESC LIMIT"
        last = connection.execute(f"SELECT started_at, id FROM {table} AND {within} {order} 1 OFFSET {STEP}", span).fetchone()
        if last is not None:
            within, span = "(started_at, id) >= (?, ?) AND (started_at, id) < (?, ?)", (*last, *head)
        statement = f"SELECT {_COLUMNS} FROM {table} AND {within} AND {self.where} {order} ?"
        rows = connection.execute(statement, (*span, *self.values, wanted)).fetchall()
        if len(rows) == wanted:
            self.place = place_of(rows[-1])
        elif last is not None:
            self.place = (last[0], last[1])
        else:
            self.place = (start, "")
            self.over = start <= self.floor_ms
        return rows

    def _next_hours(self, connection: sqlite3.Connection, now: Summarized) -> tuple[int, int]:
        """The next part of the log with a possible match, in ms; empty at the end."""
        at, id = self.place
        # Behind a place without an id come the records of the millisecond before.
        hour = (at if id else at - 1) // HOUR_MS
        if not self.occurrences:
            return self.floor_ms, _LATEST_MS
        if hour >= now.hours:
            return max(self.floor_ms, now.hours * HOUR_MS), _LATEST_MS
        # Downwards until an hour has all of them.
        while hour >= now.complete_from and hour not in now.stale_hours:
            oldest = min(one.newest(connection, hour) for one in self.occurrences)
            if oldest == hour:
                break
            stale = max((one for one in now.stale_hours if one < hour), default=-1)
            hour = max(oldest, stale, now.complete_from - 1)
        if hour < now.complete_from:
            return self.floor_ms, (hour + 1) * HOUR_MS
        return max(self.floor_ms, hour * HOUR_MS), (hour + 1) * HOUR_MS


_COLUMNS = ", ".join(QUOTED)
_OF_INDEX = {"requests_newest": "true", "requests_with_errors": "(error_code <> '' OR error_text <> '')"}


def search(
    connection: sqlite3.Connection, filters: RequestFilter, limit: int, after: Place | None
) -> tuple[list[RequestRecord], str | None]:
    """The newest records behind `after` that fit, at most `limit`, and the cursor of the rest; None at the end."""
    now = summarized(connection)
    scans = _scans(connection, filters, after)
    found: dict[str, sqlite3.Row] = {}
    deadline = time.monotonic() + MAX_S
    for number in itertools.count():
        waiting = [scan for scan in scans if not scan.over]
        # A record behind the place of one scan may be preceded by others that it has not come to.
        reached = max((scan.place for scan in waiting), default=None)
        certain = [row for row in found.values() if reached is None or place_of(row) >= reached]
        if reached is None or len(certain) > limit or (number >= len(scans) and time.monotonic() > deadline):
            break
        ahead = max(waiting, key=lambda scan: scan.place)
        found |= {row["id"]: row for row in ahead.step(connection, now, limit + 1)}
    rows = sorted(certain, key=place_of, reverse=True)
    if len(rows) > limit:
        rows, reached = rows[:limit], place_of(rows[limit - 1])
    return [read_record(row) for row in rows], None if reached is None else write_cursor(*reached)


def place_of(row: sqlite3.Row) -> Place:
    """Where a record stands in the log."""
    return row["started_at"], row["id"]


def _scans(connection: sqlite3.Connection, filters: RequestFilter, after: Place | None) -> list[Scan]:
    (oldest,) = connection.execute("SELECT min(started_at) FROM requests").fetchone()
    if oldest is None:
        return []
    floor_ms = max(oldest, filters.since_ms or oldest)
    until = (_LATEST_MS if filters.until_ms is None else min(filters.until_ms, _LATEST_MS), "")
    place = until if after is None else min(until, after)
    where, values = _conditions(filters)
    occurrences = _occurrences(filters)
    if filters.text is None:
        return [Scan("requests_newest", where, values, occurrences, floor_ms, place)]
    named = _named_like(connection, filters.text)
    # The text of an error is in no summary: all requests with an error are looked at.
    return [
        Scan("requests_newest", where, values, [*occurrences, *named], floor_ms, place),
        Scan("requests_with_errors", where, values, occurrences, floor_ms, place),
    ]


def _occurrences(filters: RequestFilter) -> list[Occurrence]:
    """Where records occur that fit the filters, text aside."""
    found: list[Occurrence] = []
    if filters.key:
        found.append(Occurrence((("key", filters.key), (KEY_NAME, filters.key))))
    for name in (*_EXACT, "tag"):
        wanted = getattr(filters, name)
        # Requests without a session, user or tag have no row for it.
        if wanted is not None and (wanted or name not in OF_REQUESTS):
            others = ((REFUSED[name], wanted),) if name in REFUSED else ()
            found.append(Occurrence(((name, wanted), *others)))
    if filters.min_cost_nano is not None:
        found.append(Occurrence(cost_nano=filters.min_cost_nano))
    return found


def _named_like(connection: sqlite3.Connection, text: str) -> list[Occurrence]:
    """Where models and clients occur that have the text in their names."""
    pattern = _pattern(text)
    values = [(kind, row[0]) for kind in _NAMES for row in connection.execute(_MATCHING, {"kind": kind, "pattern": pattern})]
    return [Occurrence(tuple(values))] if len(values) <= MOST_VALUES else []


# Each name once, by jumps through the index: a plain DISTINCT would read every hour's rows.
_MATCHING = """
    WITH RECURSIVE found(text) AS (
        SELECT min(value) FROM hourly INDEXED BY hourly_value WHERE kind = :kind
        UNION ALL
        SELECT (SELECT min(h.value) FROM hourly AS h INDEXED BY hourly_value WHERE h.kind = :kind AND h.value > found.text)
        FROM found WHERE found.text IS NOT NULL
    ) SELECT text FROM found WHERE text LIKE :pattern ESCAPE '\\'"""


def _pattern(text: str) -> str:
    # As text, not as a pattern: `%` and `_` are what they are.
    escaped = re.sub(r"([%_\\])", r"\\\1", text)
    return f"%{escaped}%"


def _conditions(filters: RequestFilter) -> tuple[str, list[Any]]:
    parts: list[tuple[str, tuple[Any, ...]]] = []
    if filters.key is not None:
        # Also by name: that of a removed or renamed key is found in its records alone.
        parts.append(("(key_id = ? OR key_name = ?)", (filters.key, filters.key)))
    for name in _EXACT:
        if (wanted := getattr(filters, name)) is not None:
            parts.append((f'"{name}" = ?', (wanted,)))
    if filters.tag is not None:
        parts.append(("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)", (filters.tag,)))
    if filters.min_cost_nano is not None:
        parts.append(("cost_nano >= ?", (filters.min_cost_nano,)))
    if filters.text is not None:
        found = " OR ".join(f"{name} LIKE ? ESCAPE '\\'" for name in SEARCHED)
        parts.append((f"({found})", (_pattern(filters.text),) * len(SEARCHED)))
    return " AND ".join(sql for sql, _ in parts) or "true", [value for _, values in parts for value in values]
