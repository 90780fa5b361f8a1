"""Sums of the log by hour and by UTC day, made in the background once an hour or a day is over, so that queries read few rows.

`hourly` and `daily` have a row for each value of each group. An hour of `stale_hours` was written to after it was summed up
(a late answer, a corrected cost): its rows are not used until it is summed up again. Days likewise.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from conduit_desktop.store.sqlite.records import COUNTED, TOTALS_KEY, TOTALS_OF_REQUEST

HOUR_MS = 3_600_000
SLOTS_AN_HOUR = 4
HOURS_A_DAY = 24
SETTLE_MS = 600_000
"""An hour is summed up this long after its end: most of the answers that were begun in it are over then."""

OF_TOTALS = {
    "all": "''", "key": "key_id",
    **{name: name for name in ("team", "model", "provider", "upstream_model", "client", "endpoint", "status")},
}  # fmt: skip
"""The groups that totals tell apart, by the column that holds their values."""
OF_REQUESTS = {"session": "r.session", "user": 'r."user"', "tag": "coalesce(tags.value, '')"}
"""The groups that only requests tell apart; '' is that of the requests without one."""
KEY_NAME, DEAREST = "key_name", "dearest"
"""For the search alone, by hour: names that keys had, and the highest cost of a request."""
REFUSED = {"model": "refused_model", "client": "refused_client"}
"""Likewise: names in refused requests, which strangers choose and totals leave out."""
FOR_SEARCH = (KEY_NAME, DEAREST, *REFUSED.values())

Level = Literal["hour", "day"]
Rows = list[tuple[Any, ...]]

_SUMS = ", ".join(f"sum({name})" for name in COUNTED)
_COLUMNS = ", ".join(COUNTED)
_OF_REQUEST = {name: TOTALS_OF_REQUEST[name].format("r.") for name in COUNTED} | {"cost_nano": "coalesce(r.cost_nano, 0)"}
_REQUEST_SUMS = ", ".join(f"sum({sql})" for sql in _OF_REQUEST.values())
FIRST_OF_TAG = "NOT EXISTS (SELECT 1 FROM json_each(r.tags) AS b WHERE b.value = tags.value AND b.key < tags.key)"
"""A tag that a request has twice counts once."""
WITH_TAGS = f"requests AS r LEFT JOIN json_each(r.tags) AS tags ON {FIRST_OF_TAG}"
"""A request once for each of its tags, and once where it has none."""


@dataclass(frozen=True, slots=True)
class Summarized:
    """What is summed up: the hours and days (numbers since 1970) before `hours` and `days`, but for the stale ones.

    Hours before `complete_from` have requests that an older release wrote: their totals do not tell the hour.
    """

    hours: int
    days: int
    complete_from: int
    stale_hours: tuple[int, ...]
    stale_days: tuple[int, ...]


def summarized(connection: sqlite3.Connection) -> Summarized:
    """What is summed up now."""
    hours, days, complete_from = connection.execute("SELECT hours, days, complete_from FROM summarized").fetchone()
    stale_hours = tuple(row[0] for row in connection.execute("SELECT hour FROM stale_hours ORDER BY hour"))
    stale_days = tuple(row[0] for row in connection.execute("SELECT day FROM stale_days ORDER BY day"))
    return Summarized(hours, days, complete_from, stale_hours, stale_days)


def kept_from_ms(connection: sqlite3.Connection) -> int:
    """The time (epoch ms) from which requests are still needed for sums."""
    now = summarized(connection)
    return min((now.hours, *now.stale_hours)) * HOUR_MS


def next_hour(connection: sqlite3.Connection, end: int) -> int | None:
    """The next hour to sum up before `end`: a stale one, or the next one, which is marked as stale until it is; None: all are."""
    stale = connection.execute("SELECT min(hour) FROM stale_hours WHERE hour < ?", (end,)).fetchone()[0]
    if stale is not None:
        return int(stale)
    (hours,) = connection.execute("SELECT hours FROM summarized").fetchone()
    if hours >= end:
        return None
    slot = connection.execute("SELECT min(slot) FROM totals WHERE slot >= ?", (hours * SLOTS_AN_HOUR,)).fetchone()[0]
    hour = None if slot is None else slot // SLOTS_AN_HOUR
    if hour is None or hour >= end:
        connection.execute("UPDATE summarized SET hours = ?", (end,))
        return None
    connection.execute("UPDATE summarized SET hours = ?", (hour + 1,))
    connection.execute("INSERT INTO stale_hours (hour, changes) VALUES (?, 0) ON CONFLICT DO NOTHING", (hour,))
    return int(hour)


def next_day(connection: sqlite3.Connection) -> int | None:
    """The same for days, of those whose hours are all summed up."""
    now = summarized(connection)
    end = now.hours // HOURS_A_DAY
    waiting = {hour // HOURS_A_DAY for hour in now.stale_hours}
    stale = [day for day in now.stale_days if day not in waiting]
    if stale:
        return stale[0]
    if now.days >= end or now.days in waiting:
        return None
    hour = connection.execute(
        "SELECT min(hour) FROM hourly WHERE kind = 'all' AND hour >= ?", (now.days * HOURS_A_DAY,)
    ).fetchone()[0]
    day = None if hour is None else hour // HOURS_A_DAY
    if day is None or day >= end or day in waiting:
        connection.execute("UPDATE summarized SET days = ?", (min([end, *waiting]),))
        return None
    connection.execute("UPDATE summarized SET days = ?", (day + 1,))
    connection.execute("INSERT INTO stale_days (day, changes) VALUES (?, 0) ON CONFLICT DO NOTHING", (day,))
    return int(day)


def sums_of_hour(connection: sqlite3.Connection, hour: int) -> tuple[int, Rows]:
    """The rows of an hour, and the number of changes they hold."""
    changes = connection.execute("SELECT changes FROM stale_hours WHERE hour = ?", (hour,)).fetchone()[0]
    slots = (hour * SLOTS_AN_HOUR, (hour + 1) * SLOTS_AN_HOUR)
    rows: Rows = []
    for kind, column in OF_TOTALS.items():
        name = "max(key_name)" if kind == "key" else "''"
        statement = f"SELECT {column}, {name}, {_SUMS} FROM totals WHERE slot >= ? AND slot < ? GROUP BY {column}"
        rows += [(kind, hour, *row) for row in connection.execute(statement, slots)]
    span = (hour * HOUR_MS, (hour + 1) * HOUR_MS)
    where = "r.started_at >= ? AND r.started_at < ?"
    there = connection.execute(f"SELECT count(*) FROM requests AS r WHERE {where}", span).fetchone()[0]
    # Where some of its requests are gone already, what was summed of them before stays: a new sum would be too low.
    if there == sum(row[4] for row in rows if row[0] == "all"):
        rows += _sums_of_requests(connection, hour, where, span)
    elif connection.execute("SELECT 1 FROM hourly WHERE kind = 'session' AND hour = ?", (hour,)).fetchone() is None:
        # An older release's totals do not tell whose they were: without a row, the sums by session would be too low.
        rows += [(kind, *row[1:]) for row in rows if row[0] == "all" for kind in OF_REQUESTS]
    return changes, rows


def _sums_of_requests(connection: sqlite3.Connection, hour: int, where: str, span: tuple[int, int]) -> Rows:
    rows: Rows = []
    for kind, column in OF_REQUESTS.items():
        source = WITH_TAGS if kind == "tag" else "requests AS r"
        statement = f"SELECT {column}, '', {_REQUEST_SUMS} FROM {source} WHERE {where} GROUP BY 1"
        rows += [(kind, hour, *row) for row in connection.execute(statement, span)]
    nothing = (0,) * len(COUNTED)
    names = {KEY_NAME: "r.key_name <> ''"} | dict.fromkeys(REFUSED.values(), "r.status = 'refused'")
    for kind, condition in names.items():
        column = kind.removeprefix("refused_")
        found = connection.execute(f"SELECT DISTINCT r.{column} FROM requests AS r WHERE {where} AND {condition}", span)
        rows += [(kind, hour, name, "", *nothing) for (name,) in found]
    dearest = connection.execute(f"SELECT max(r.cost_nano) FROM requests AS r WHERE {where}", span).fetchone()[0]
    costs = (int(dearest if name == "cost_nano" else 0) for name in COUNTED)
    return [*rows, (DEAREST, hour, "", "", *costs)] if dearest is not None else rows


def sums_of_day(connection: sqlite3.Connection, day: int) -> tuple[int, Rows, Rows]:
    """The rows of a day and of its combinations, and the number of changes they hold."""
    changes = connection.execute("SELECT changes FROM stale_days WHERE day = ?", (day,)).fetchone()[0]
    hours, slots = ((day * size, (day + 1) * size) for size in (HOURS_A_DAY, HOURS_A_DAY * SLOTS_AN_HOUR))
    statement = f"SELECT value, {_SUMS} FROM hourly WHERE kind = ? AND hour >= ? AND hour < ? GROUP BY value"
    rows = [(kind, day, *row) for kind in (*OF_TOTALS, *OF_REQUESTS) for row in connection.execute(statement, (kind, *hours))]
    names = ", ".join(name for name in TOTALS_KEY if name != "slot")
    statement = f"SELECT {names}, {_SUMS} FROM totals WHERE slot >= ? AND slot < ? GROUP BY {names}"
    return changes, rows, [(day, *row) for row in connection.execute(statement, slots)]


HOURLY = f"INSERT OR REPLACE INTO hourly (kind, hour, value, name, {_COLUMNS}) VALUES ({', '.join('?' * (4 + len(COUNTED)))})"
DAILY = f"INSERT OR REPLACE INTO daily (kind, day, value, {_COLUMNS}) VALUES ({', '.join('?' * (3 + len(COUNTED)))})"
_COMBINED = ", ".join(name for name in TOTALS_KEY if name != "slot")
COMBINATIONS = (
    f"INSERT OR REPLACE INTO daily_combinations (day, {_COMBINED}, {_COLUMNS})"
    f" VALUES ({', '.join('?' * (len(TOTALS_KEY) + len(COUNTED)))})"
)


def put(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write some rows with `HOURLY`, `DAILY` or `COMBINATIONS`."""
    connection.executemany(statement, rows)


def forget_names(connection: sqlite3.Connection, limit: int) -> int:
    """Remove `limit` rows of those that are for the search alone, of hours whose requests are gone; how many there were."""
    oldest = connection.execute("SELECT min(started_at) FROM requests").fetchone()[0]
    if oldest is None:
        return 0
    removed = 0
    for kind in FOR_SEARCH:
        old = "SELECT hour, value FROM hourly WHERE kind = ? AND hour < ? ORDER BY hour LIMIT ?"
        rows = [(kind, *row) for row in connection.execute(old, (kind, oldest // HOUR_MS, limit - removed))]
        connection.executemany("DELETE FROM hourly WHERE kind = ? AND hour = ? AND value = ?", rows)
        removed += len(rows)
    return removed


def finish(connection: sqlite3.Connection, level: Level, number: int, changes: int) -> None:
    """The hour or day is summed up, unless there were more than `changes` changes meanwhile."""
    connection.execute(f"DELETE FROM stale_{level}s WHERE {level} = ? AND changes = ?", (number, changes))
