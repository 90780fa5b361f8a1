"""Sums of the log, made in the background once an hour or a UTC day is over, so that queries read few rows.

`hourly` has a row for each value of each group. `blocks` has one for each block of 1, 4, 16, 64 and 256 days, and of pairs of
groups too: a long range is a few large blocks with smaller ones at its ends. Pairs with a session, user or tag have blocks of
6 hours, a day and 16 days only: they have many rows. `parts` has the sums of a day up to each slot at
which a day of some time zone begins. `daily_combinations` tells all groups apart. An hour of `stale_hours` was written to after
it was summed up (a late answer, a corrected cost): its rows are not used until it is summed up again. Quarters of a day and days
likewise, with the blocks that they are part of.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from conduit_desktop.store.sqlite.records import COUNTED, TOTALS_KEY, TOTALS_OF_REQUEST

HOUR_MS = 3_600_000
SLOTS_AN_HOUR = 4
HOURS_A_QUARTER = 6
HOURS_A_DAY = 24
QUARTERS_A_DAY = HOURS_A_DAY // HOURS_A_QUARTER
SLOTS_A_DAY = SLOTS_AN_HOUR * HOURS_A_DAY
SETTLE_MS = 600_000
"""An hour is summed up this long after its end: most of the answers that were begun in it are over then."""

OF_TOTALS = {
    "all": "''", "key": "key_id",
    **{name: name for name in ("team", "model", "provider", "upstream_model", "client", "endpoint", "status")},
}  # fmt: skip
"""The groups that totals tell apart, by the column that holds their values."""
OF_REQUESTS = {"session": "r.session", "user": 'r."user"', "tag": "coalesce(tags.value, '')"}
"""The groups that only requests tell apart; '' is that of the requests without one."""
PAIRS = {pair: "+".join(pair) for pair in itertools.combinations([name for name in OF_TOTALS if name != "all"], 2)}
"""The kinds of blocks that two groups share."""
PAIRS_OF_REQUESTS = {
    pair: "+".join(pair)
    for pair in (*itertools.product(OF_REQUESTS, [name for name in OF_TOTALS if name != "all"]), ("session", "user"))
}
"""Likewise of a group that only requests tell apart with another one. A tag with a session or user has as many rows as the log."""
HOURLY_PAIRS = (("key", "model"), ("model", "provider"), ("provider", "upstream_model"))
"""Those that are summed by the hour as well: the ends of a range then need no totals."""
PAIRS_OF_QUARTERS = tuple(pair for pair in PAIRS if pair not in HOURLY_PAIRS)
"""The others are summed by quarters of a day until the day is over."""
BLOCK_STEP = 4
BLOCK_DAYS = tuple(BLOCK_STEP**level for level in range(5))
"""1, 4, 16, 64 and 256 days."""
BLOCK_DAYS_OF_REQUESTS = (1, 16)
"""Those of `PAIRS_OF_REQUESTS`."""
PARTS = tuple(sorted({*range(4, 96, 4), 10, 14, 18, 38, 41, 45, 50, 54, 58, 61, 62, 70, 73, 74, 78, 82}))
"""The slots of a UTC day at which days begin elsewhere (the local midnights of all time zones from 2015 on)."""
ALL_PARTS = tuple(range(1, SLOTS_A_DAY))
"""Those of the sums that tell no groups apart: hours begin at any of them somewhere."""
KEY_NAME, DEAREST = "key_name", "dearest"
"""For the search alone, by hour: names that keys had, and the highest cost of a request."""
REFUSED = {"model": "refused_model", "client": "refused_client"}
"""Likewise: names in refused requests, which strangers choose and totals leave out."""
FOR_SEARCH = (KEY_NAME, DEAREST, *REFUSED.values())

Level = Literal["hour", "quarter", "day"]
Rows = list[tuple[Any, ...]]

_SUMS = ", ".join(f"sum({name})" for name in COUNTED)
_COLUMNS = ", ".join(COUNTED)
_COMBINED = ", ".join(name for name in TOTALS_KEY if name != "slot")
_OF_REQUEST = {name: TOTALS_OF_REQUEST[name].format("r.") for name in COUNTED} | {"cost_nano": "coalesce(r.cost_nano, 0)"}
FIRST_OF_TAG = "NOT EXISTS (SELECT 1 FROM json_each(r.tags) AS b WHERE b.value = tags.value AND b.key < tags.key)"
"""A tag that a request has twice counts once."""
_TAGS = f"LEFT JOIN json_each(r.tags) AS tags ON {FIRST_OF_TAG}"
WITH_TAGS = f"requests AS r {_TAGS}"
"""A request once for each of its tags, and once where it has none."""


@dataclass(frozen=True, slots=True)
class Summarized:
    """What is summed up: the hours, quarters of days and days (numbers since 1970) before these, but for the stale ones.

    Hours before `complete_from` have requests that an older release wrote: their totals do not tell the hour.
    """

    hours: int
    quarters: int
    days: int
    complete_from: int
    stale_hours: tuple[int, ...]
    stale_quarters: tuple[int, ...]
    stale_days: tuple[int, ...]


def summarized(connection: sqlite3.Connection) -> Summarized:
    """What is summed up now."""
    numbers = connection.execute("SELECT hours, quarters, days, complete_from FROM summarized").fetchone()
    stale = (f"SELECT {level} FROM stale_{level}s ORDER BY {level}" for level in get_args(Level))
    return Summarized(*numbers, *(tuple(row[0] for row in connection.execute(statement)) for statement in stale))


def kept_from_ms(connection: sqlite3.Connection) -> int:
    """The time (epoch ms) from which requests are still needed for sums."""
    now = summarized(connection)
    return min(now.hours, *now.stale_hours, *(number * HOURS_A_QUARTER for number in (now.quarters, *now.stale_quarters))) * HOUR_MS


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


def next_quarter(connection: sqlite3.Connection) -> int | None:
    """The same for quarters of a day, of those whose hours are all summed up."""
    now = summarized(connection)
    waiting = {hour // HOURS_A_QUARTER for hour in now.stale_hours}
    return _next(connection, "quarter", HOURS_A_QUARTER, now.quarters, now.hours // HOURS_A_QUARTER, now.stale_quarters, waiting)


def next_day(connection: sqlite3.Connection) -> int | None:
    """The same for days, of those whose hours and quarters are all summed up."""
    now = summarized(connection)
    waiting = {*(hour // HOURS_A_DAY for hour in now.stale_hours), *(number // QUARTERS_A_DAY for number in now.stale_quarters)}
    return _next(connection, "day", HOURS_A_DAY, now.days, now.quarters // QUARTERS_A_DAY, now.stale_days, waiting)


def _next(
    connection: sqlite3.Connection, level: Level, hours: int, first: int, end: int, stale: Sequence[int], waiting: set[int]
) -> int | None:
    """The first stale one, or the first one of `first` to `end`, but none of those that are `waiting` nor one behind them."""
    for number in stale:
        if number not in waiting:
            return number
    end = min([end, *(number for number in waiting if number >= first)])
    if first >= end:
        return None
    hour = connection.execute("SELECT min(hour) FROM hourly WHERE kind = 'all' AND hour >= ?", (first * hours,)).fetchone()[0]
    number = end if hour is None else min(hour // hours, end)
    connection.execute(f"UPDATE summarized SET {level}s = ?", (min(number + 1, end),))
    if number >= end:
        return None
    connection.execute(f"INSERT INTO stale_{level}s ({level}, changes) VALUES (?, 0) ON CONFLICT DO NOTHING", (number,))
    return int(number)


def sums_of_hour(connection: sqlite3.Connection, hour: int) -> tuple[int, Rows, Rows]:
    """The rows of an hour for `hourly` and for `blocks`, and the number of changes they hold."""
    changes = connection.execute("SELECT changes FROM stale_hours WHERE hour = ?", (hour,)).fetchone()[0]
    found = connection.execute(_TOTALS_OF_HOUR, (hour * SLOTS_AN_HOUR, (hour + 1) * SLOTS_AN_HOUR)).fetchall()
    rows: Rows = [(kind, hour, value, name, *counts) for kind, value, name, *counts in found if kind in OF_TOTALS]
    pairs: Rows = [(kind, 1, hour, value, second, *counts) for kind, value, second, *counts in found if kind not in OF_TOTALS]
    span = (hour * HOUR_MS, (hour + 1) * HOUR_MS)
    there = connection.execute("SELECT count(*) FROM requests WHERE started_at >= ? AND started_at < ?", span).fetchone()[0]
    # Where some of its requests are gone already, what was summed of them before stays: a new sum would be too low.
    if there == sum(row[4] for row in rows if row[0] == "all"):
        rows += _sums_of_requests(connection, hour, span)
    elif connection.execute("SELECT 1 FROM hourly WHERE kind = 'session' AND hour = ?", (hour,)).fetchone() is None:
        # An older release's totals do not tell whose they were: without a row, the sums by session would be too low.
        rows += [(kind, *row[1:]) for row in rows if row[0] == "all" for kind in OF_REQUESTS]
    return changes, rows, pairs


def _sums_of_requests(connection: sqlite3.Connection, hour: int, span: tuple[int, int]) -> Rows:
    return [(kind, hour, *row) for kind, *row in connection.execute(_REQUESTS_OF_HOUR, span)]


def _totals_of_hour() -> str:
    # Materialized, so that the hour is read once and not for each group.
    names = ", ".join((*OF_TOTALS.values(), "key_name")[1:])
    parts = [
        f"SELECT '{kind}', {column}, {'max(key_name)' if kind == 'key' else _NONE}, {_SUMS} FROM t GROUP BY {column}"
        for kind, column in OF_TOTALS.items()
    ]
    for pair in HOURLY_PAIRS:
        columns = ", ".join(OF_TOTALS[name] for name in pair)
        parts.append(f"SELECT '{PAIRS[pair]}', {columns}, {_SUMS} FROM t GROUP BY {columns}")
    return f"""WITH t AS MATERIALIZED (SELECT {names}, {_COLUMNS} FROM totals WHERE slot >= ? AND slot < ?)
        {" UNION ALL ".join(parts)}"""


def _requests_of_hour() -> str:
    texts = ("session", "user", "tags", "key_name", "model", "client", "status")
    names = ", ".join(f'r."{name}" AS "{name}"' for name in texts)
    counts = ", ".join(f"{sql} AS {name}" for name, sql in _OF_REQUEST.items())
    parts = []
    for kind, column in OF_REQUESTS.items():
        source = f"r {_TAGS}" if kind == "tag" else "r"
        parts.append(f"SELECT '{kind}', {column}, '', {_SUMS_OF_R} FROM {source} GROUP BY 2")
    nothing = ", ".join("0" for _ in COUNTED)
    conditions = {KEY_NAME: "r.key_name <> ''"} | dict.fromkeys(REFUSED.values(), "r.status = 'refused'")
    for kind, condition in conditions.items():
        parts.append(f"SELECT DISTINCT '{kind}', r.{kind.removeprefix('refused_')}, '', {nothing} FROM r WHERE {condition}")
    dearest = ", ".join("max(r.known_nano)" if name == "cost_nano" else "0" for name in COUNTED)
    # Where no request has a known cost, there is no row.
    parts.append(f"SELECT '{DEAREST}', '', '', {dearest} FROM r HAVING max(r.known_nano) IS NOT NULL")
    return f"""WITH r AS MATERIALIZED (
            SELECT {names}, r.cost_nano AS known_nano, {counts} FROM requests AS r WHERE r.started_at >= ? AND r.started_at < ?
        ) {" UNION ALL ".join(parts)}"""


_NONE = "''"
_SUMS_OF_R = ", ".join(f"sum(r.{name})" for name in COUNTED)
_TOTALS_OF_HOUR, _REQUESTS_OF_HOUR = _totals_of_hour(), _requests_of_hour()


def changes_of(connection: sqlite3.Connection, level: Level, number: int) -> int:
    """How many changes an hour, quarter or day that waits to be summed up has had."""
    return int(connection.execute(f"SELECT changes FROM stale_{level}s WHERE {level} = ?", (number,)).fetchone()[0])


def pairs_of_quarter(connection: sqlite3.Connection, quarter: int, first: str) -> Rows:
    """The rows of a quarter of a day for `blocks`, of the pairs of `first` that only requests tell apart."""
    hours = (quarter * HOURS_A_QUARTER, (quarter + 1) * HOURS_A_QUARTER)
    span = tuple(hour * HOUR_MS for hour in hours)
    there = connection.execute("SELECT count(*) FROM requests WHERE started_at >= ? AND started_at < ?", span).fetchone()[0]
    summed = "SELECT coalesce(sum(requests), 0) FROM hourly WHERE kind = 'all' AND hour >= ? AND hour < ?"
    if there == connection.execute(summed, hours).fetchone()[0]:
        return [(kind, HOURS_A_QUARTER, quarter, *row) for kind, *row in connection.execute(_PAIRS_OF_QUARTER[first], span)]
    # As with hours: what was summed before stays, and an older release's requests count without a session, user or tag.
    known = "SELECT 1 FROM blocks WHERE kind = ? AND hours = ? AND block = ? LIMIT 1"
    rows: Rows = []
    for (name, second), kind in PAIRS_OF_REQUESTS.items():
        if name == first and connection.execute(known, (kind, HOURS_A_QUARTER, quarter)).fetchone() is None:
            statement = f"SELECT value, {_SUMS} FROM hourly WHERE kind = ? AND hour >= ? AND hour < ? GROUP BY value"
            rows += [(kind, HOURS_A_QUARTER, quarter, "", *row) for row in connection.execute(statement, (second, *hours))]
    return rows


def _pairs_of_quarter(first: str) -> str:
    pairs = {second: kind for (name, second), kind in PAIRS_OF_REQUESTS.items() if name == first}
    columns = {
        name: OF_REQUESTS[name] if name in OF_REQUESTS else TOTALS_OF_REQUEST[OF_TOTALS[name]].format("r.")
        for name in (first, *pairs)
    }
    chosen = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
    counts = ", ".join(f"sum({sql}) AS {name}" for name, sql in _OF_REQUEST.items())
    # Materialized, so that the requests are read once; they have few combinations.
    parts = [f"""SELECT '{kind}', "{first}", "{name}", {_SUMS} FROM c GROUP BY 2, 3""" for name, kind in pairs.items()]
    return f"""WITH c AS MATERIALIZED (
            SELECT {chosen}, {counts} FROM {WITH_TAGS if first == "tag" else "requests AS r"}
            WHERE r.started_at >= ? AND r.started_at < ? GROUP BY {", ".join(str(place + 1) for place in range(len(columns)))}
        ) {" UNION ALL ".join(parts)}"""


_PAIRS_OF_QUARTER = {first: _pairs_of_quarter(first) for first in OF_REQUESTS}


def pairs_of_totals_of_quarter(connection: sqlite3.Connection, quarter: int) -> Rows:
    """The rows of a quarter of a day for `blocks`, of the pairs without a row by the hour; none where its day is over."""
    if summarized(connection).hours >= (quarter // QUARTERS_A_DAY + 1) * HOURS_A_DAY:
        return []
    slots = HOURS_A_QUARTER * SLOTS_AN_HOUR
    found = connection.execute(_PAIRS_OF_TOTALS, (quarter * slots, (quarter + 1) * slots))
    return [(kind, HOURS_A_QUARTER, quarter, *row) for kind, *row in found]


def _pairs_of_totals() -> str:
    parts = []
    for pair in PAIRS_OF_QUARTERS:
        columns = ", ".join(OF_TOTALS[name] for name in pair)
        parts.append(f"SELECT '{PAIRS[pair]}', {columns}, {_SUMS} FROM c GROUP BY {columns}")
    counts = ", ".join(f"sum({name}) AS {name}" for name in COUNTED)
    return f"""WITH c AS MATERIALIZED (
            SELECT {_COMBINED}, {counts} FROM totals WHERE slot >= ? AND slot < ? GROUP BY {_COMBINED}
        ) {" UNION ALL ".join(parts)}"""


_PAIRS_OF_TOTALS = _pairs_of_totals()


def pairs_with_quarters(connection: sqlite3.Connection, day: int) -> list[tuple[str, str]]:
    """The pairs of the totals that have rows of quarters of a day."""
    statement = f"SELECT 1 FROM blocks WHERE {_QUARTERS_OF_DAY} LIMIT 1"
    return [pair for pair in PAIRS_OF_QUARTERS if connection.execute(statement, _quarters(day, pair)).fetchone() is not None]


def forget_quarters(connection: sqlite3.Connection, day: int, pair: tuple[str, str]) -> int:
    """Remove the quarters of a day of one pair of the totals: from now on, the day is read; how many rows there were."""
    return connection.execute(f"DELETE FROM blocks WHERE {_QUARTERS_OF_DAY}", _quarters(day, pair)).rowcount


_QUARTERS_OF_DAY = "kind = ? AND hours = ? AND block >= ? AND block < ?"


def _quarters(day: int, pair: tuple[str, str]) -> tuple[str, int, int, int]:
    return PAIRS[pair], HOURS_A_QUARTER, day * QUARTERS_A_DAY, (day + 1) * QUARTERS_A_DAY


def pairs_of_requests_of_day(connection: sqlite3.Connection, day: int, first: str) -> Rows:
    """The rows of a day for `blocks`, of the pairs of `first` that only requests tell apart; its quarters must be written."""
    quarters = QUARTERS_A_DAY
    statement = f"""SELECT value, second, {_SUMS} FROM blocks WHERE kind = ? AND hours = ? AND block >= ? AND block < ?
        GROUP BY value, second"""
    return [
        (kind, HOURS_A_DAY, day, *row)
        for (name, _), kind in PAIRS_OF_REQUESTS.items()
        if name == first
        for row in connection.execute(statement, (kind, HOURS_A_QUARTER, day * quarters, (day + 1) * quarters))
    ]


def combinations_of_day(connection: sqlite3.Connection, day: int) -> Rows:
    """The rows of a day for `daily_combinations`."""
    span = (day * SLOTS_A_DAY, (day + 1) * SLOTS_A_DAY)
    statement = f"SELECT {_COMBINED}, {_SUMS} FROM totals WHERE slot >= ? AND slot < ? GROUP BY {_COMBINED}"
    return [(day, *row) for row in connection.execute(statement, span)]


def groups_of_day(connection: sqlite3.Connection, day: int) -> Rows:
    """The rows of a day for `blocks`, of single groups."""
    hours = (day * HOURS_A_DAY, (day + 1) * HOURS_A_DAY)
    statement = f"SELECT value, '', {_SUMS} FROM hourly WHERE kind = ? AND hour >= ? AND hour < ? GROUP BY value"
    kinds = (*OF_TOTALS, *OF_REQUESTS)
    return [(kind, HOURS_A_DAY, day, *row) for kind in kinds for row in connection.execute(statement, (kind, *hours))]


def pairs_of_day(connection: sqlite3.Connection, day: int, first: str) -> Rows:
    """The rows of a day for `blocks`, of the pairs of `first`; its combinations must be written."""
    rows: Rows = []
    for pair in PAIRS:
        if pair[0] == first:
            columns = ", ".join(OF_TOTALS[name] for name in pair)
            statement = f"SELECT {columns}, {_SUMS} FROM daily_combinations WHERE day = ? GROUP BY {columns}"
            rows += [(PAIRS[pair], HOURS_A_DAY, day, *row) for row in connection.execute(statement, (day,))]
    return rows


def parts_of_day(connection: sqlite3.Connection, day: int, kind: str) -> Rows:
    """The rows of a day for `parts`, of one group of the totals."""
    first = day * HOURS_A_DAY
    statement = f"SELECT hour, value, {_COLUMNS} FROM hourly WHERE kind = ? AND hour >= ? AND hour < ? ORDER BY hour"
    hours: dict[int, Rows] = {}
    for hour, *row in connection.execute(statement, (kind, first, first + HOURS_A_DAY)):
        hours.setdefault(hour - first, []).append(tuple(row))
    sums: dict[str, tuple[int, ...]] = {}
    rows: Rows = []
    for part in ALL_PARTS if kind == "all" else PARTS:
        hour, slots = divmod(part, SLOTS_AN_HOUR)
        if not slots:
            _add(sums, hours.get(hour - 1, ()))
            rows += [(kind, part, day, value, *counts) for value, counts in sums.items()]
            continue
        start = (first + hour) * SLOTS_AN_HOUR
        column = OF_TOTALS[kind]
        statement = f"SELECT {column}, {_SUMS} FROM totals WHERE slot >= ? AND slot < ? GROUP BY {column}"
        within = dict(sums)
        _add(within, connection.execute(statement, (start, start + slots)))
        rows += [(kind, part, day, value, *counts) for value, counts in within.items()]
    return rows


def _add(sums: dict[str, tuple[int, ...]], rows: Iterable[Sequence[Any]]) -> None:
    for value, *counts in rows:
        before = sums.get(value)
        sums[value] = tuple(counts) if before is None else tuple(map(sum, zip(before, counts, strict=True)))


Place = tuple[int, str, str]
"""The last row that was made of a kind of block, the first kind being 0, by its two values."""


def sums_of_larger_blocks(
    connection: sqlite3.Connection, day: int, hours: int, after: Place | None, limit: int
) -> tuple[Rows, Place | None]:
    """The rows of the block of so many hours that a day is part of, for values that the day has: about `limit` behind `after`.

    They are sums of the next smaller blocks. Also returns where to go on; None: that was all.
    """
    block = day * HOURS_A_DAY // hours
    kinds = dict.fromkeys(_KINDS, hours // BLOCK_STEP)
    if hours // HOURS_A_DAY in BLOCK_DAYS_OF_REQUESTS:
        kinds |= dict.fromkeys(PAIRS_OF_REQUESTS.values(), HOURS_A_DAY)
    rows: Rows = []
    number, *values = after or (0,)
    for place, (kind, smaller) in enumerate(kinds.items()):
        if place < number:
            continue
        numbers = str([block * hours // smaller + step for step in range(hours // smaller)])
        behind = "AND (value, second) > (?, ?)" if values else ""
        wanted = limit - len(rows)
        rows += connection.execute(
            f"""WITH of_day AS MATERIALIZED (
                SELECT value, second FROM blocks WHERE kind = ? AND hours = {HOURS_A_DAY} AND block = ? {behind}
                ORDER BY value, second LIMIT ?
            ), numbers (number) AS MATERIALIZED (SELECT value FROM json_each(?))
            SELECT b.kind, ?, ?, b.value, b.second, {_SUMS} FROM of_day AS d CROSS JOIN numbers CROSS JOIN blocks AS b
            WHERE b.kind = ? AND b.hours = ? AND b.block = number AND b.value = d.value AND b.second = d.second
            GROUP BY d.value, d.second ORDER BY d.value, d.second""",
            (kind, day, *values, wanted, numbers, hours, block, kind, smaller),
        ).fetchall()
        values = []
        if len(rows) >= limit:
            return rows, (place, rows[-1][3], rows[-1][4])
    return rows, None


_KINDS = (*OF_TOTALS, *OF_REQUESTS, *PAIRS.values())


HOURLY = f"INSERT OR REPLACE INTO hourly (kind, hour, value, name, {_COLUMNS}) VALUES ({', '.join('?' * (4 + len(COUNTED)))})"
BLOCKS = (
    f"INSERT OR REPLACE INTO blocks (kind, hours, block, value, second, {_COLUMNS}) VALUES ({', '.join('?' * (5 + len(COUNTED)))})"
)
PARTIAL = f"INSERT OR REPLACE INTO parts (kind, part, day, value, {_COLUMNS}) VALUES ({', '.join('?' * (4 + len(COUNTED)))})"
COMBINATIONS = (
    f"INSERT OR REPLACE INTO daily_combinations (day, {_COMBINED}, {_COLUMNS})"
    f" VALUES ({', '.join('?' * (len(TOTALS_KEY) + len(COUNTED)))})"
)


def put(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write some rows with `HOURLY`, `BLOCKS`, `PARTIAL` or `COMBINATIONS`."""
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
