"""Where the sums of a range come from: as much as possible from blocks of days and hours, the rest from totals and requests."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from conduit_desktop.store.sqlite.intervals import Interval, aligned, before, scaled, without
from conduit_desktop.store.sqlite.records import COUNTED, TOTALS_OF_REQUEST
from conduit_desktop.store.sqlite.summaries import (
    ALL_PARTS,
    BLOCK_DAYS,
    BLOCK_DAYS_OF_REQUESTS,
    HOUR_MS,
    HOURLY_PAIRS,
    HOURS_A_DAY,
    HOURS_A_QUARTER,
    OF_REQUESTS,
    OF_TOTALS,
    PAIRS,
    PAIRS_OF_QUARTERS,
    PAIRS_OF_REQUESTS,
    PARTS,
    QUARTERS_A_DAY,
    SLOTS_A_DAY,
    SLOTS_AN_HOUR,
    WITH_TAGS,
    Summarized,
    summarized,
)

SLOT_MS = 900_000
"""A slot of the totals: a quarter of an hour."""
_END = 2**33
"""A slot that never comes; its end in milliseconds still fits into 64 bits."""

Unit = Literal["range", "day", "hour", "slot"]
Source = tuple[str, list[Any]]
"""SQL that yields a row for each sum, with `slot`, the columns of the groups, and the counts; and its values."""

# Whole cost here, attempts included: the totals of one request are several rows, of which these are the sum.
OF_REQUEST = {**TOTALS_OF_REQUEST, "cost_nano": "coalesce({0}cost_nano, 0)"}


@dataclass(frozen=True, slots=True)
class Grain:
    """How finely a query needs its sums: no coarser than `unit`, and not those of the hours in `split`.

    `midnights` are the slots at which days of another time zone begin, or hours that are not those of UTC.
    """

    unit: Unit = "range"
    split: tuple[int, ...] = ()
    midnights: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class First:
    """The rows that are needed, in the order of the groups: at most `limit`, behind the values `after`."""

    limit: int
    after: tuple[str, ...] | None = None


MOST_BLOCKS = 100
"""Blocks that are read each for itself: SQLite takes a limited number of them in one statement."""


def of_range(
    connection: sqlite3.Connection,
    groups: Sequence[str],
    since_ms: int | None,
    until_ms: int | None,
    grain: Grain = Grain(),
    first: First | None = None,
) -> Source:
    """The sums from since (inclusive) until (exclusive) that tell these groups apart, days and hours aside.

    With `first`, rows are left out that are not among the first: blocks are sorted by value.
    """
    of_log = any(name in OF_REQUESTS for name in groups)
    if of_log and len(groups) > 1:
        if not is_summed(groups, grain):
            return _log(groups, [(since_ms or 0, _END * SLOT_MS if until_ms is None else until_ms)])
        return _pairs_of_requests(connection, groups, since_ms, until_ms, grain, first)
    slots, cut = _slots_of_log(connection, since_ms, until_ms) if of_log else _slots(connection, since_ms, until_ms)
    if of_log and grain.split:
        # An hour whose requests are gone cannot be divided: it counts whole, from its first slot.
        oldest = _oldest(connection)
        grain = replace(grain, split=tuple(hour for hour in grain.split if oldest is not None and hour >= oldest // HOUR_MS))
    now = summarized(connection)
    sources: list[Source] = []
    kind, columns = _kind(groups)
    if grain.midnights and len(groups) <= 1 and not of_log:
        days, parts, slots = _local_days(now, slots, grain.midnights, {0, *(PARTS if columns else ALL_PARTS)})
        sources += _days_elsewhere(kind, columns, days, parts)
    days, hours, slots = _by_unit(now, slots, grain)
    if kind is None:
        # There are no combinations by hour.
        slots = sorted([*slots, *scaled(hours, SLOTS_AN_HOUR)])
        sources.append(_rows(groups, "daily_combinations", "day", SLOTS_A_DAY, days))
    else:
        quarters, hours = _quarters_of_running_day(now, kind, hours, grain)
        blocks = [*_blocks(days, grain), *((HOURS_A_QUARTER, *one) for one in quarters)]
        sources += _of_first_blocks(kind, columns, blocks, first)
        if len(groups) <= 1:
            sources.append(_hourly(kind, columns, hours))
        elif kind in _HOURLY_KINDS:
            sources.append(_of_blocks(kind, columns, [(1, *one) for one in hours]))
        else:
            slots = sorted([*slots, *scaled(hours, SLOTS_AN_HOUR)])
    if of_log:
        cut = sorted([*cut, *scaled(slots, SLOT_MS)])
    elif slots:
        sources.append(_rows(groups, "totals", "slot", 1, slots))
    if cut:
        sources.append(_log(groups, cut))
    if not sources:
        sources.append(_rows(groups, "totals", "slot", 1, []))
    return _together(sources)


def is_summed(groups: Sequence[str], grain: Grain) -> bool:
    """Whether there are summaries that tell the groups apart; else only the requests that are still in the log do."""
    if len(groups) < 2 or not any(name in OF_REQUESTS for name in groups):
        return True
    return _kind(groups)[0] is not None and grain.unit in ("range", "day")


def _pairs_of_requests(
    connection: sqlite3.Connection, groups: Sequence[str], since_ms: int | None, until_ms: int | None, grain: Grain,
    first: First | None,
) -> Source:  # fmt: skip
    """The sums of a pair that only requests tell apart: blocks of days and of quarters of a day, and single requests."""
    kind, columns = _kind(groups)
    assert kind is not None
    slots, cut = _slots_of_log(connection, since_ms, until_ms, HOURS_A_QUARTER)
    began = connection.execute("SELECT min(slot) FROM totals").fetchone()[0]
    if began is not None:
        # The blocks before the first one are not read each for itself.
        largest = BLOCK_DAYS_OF_REQUESTS[-1] * SLOTS_A_DAY
        slots = without(slots, [(0, began // largest * largest)])
    now = summarized(connection)
    days = without(before(aligned(slots, SLOTS_A_DAY), now.days), [(day, day + 1) for day in now.stale_days])
    slots = without(slots, scaled(days, SLOTS_A_DAY))
    slots_a_quarter = HOURS_A_QUARTER * SLOTS_AN_HOUR
    stale = [(quarter, quarter + 1) for quarter in now.stale_quarters]
    quarters = without(before(aligned(slots, slots_a_quarter), now.quarters), stale)
    slots = without(slots, scaled(quarters, slots_a_quarter))
    blocks = [*_blocks(days, grain, BLOCK_DAYS_OF_REQUESTS), *((HOURS_A_QUARTER, *one) for one in quarters)]
    sources = _of_first_blocks(kind, columns, blocks, first)
    sources.append(_log(groups, sorted([*cut, *scaled(slots, SLOT_MS)])))
    return _together(sources)


def _together(sources: Sequence[Source]) -> Source:
    return " UNION ALL ".join(sql for sql, _ in sources), [value for _, values in sources for value in values]


_KINDS_OF_QUARTERS = {PAIRS[pair] for pair in PAIRS_OF_QUARTERS}
_HOURLY_KINDS = {PAIRS[pair] for pair in HOURLY_PAIRS}


def _kind(groups: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """The kind of the rows of `blocks` that tell the groups apart, and where their columns are; None: there are none."""
    names = [name for name in groups if name != "all"]
    if len(names) < 2:
        return (names or ["all"])[0], dict.fromkeys(columns_of(names).values(), "value")
    pair = [name for name in (*OF_REQUESTS, *OF_TOTALS) if name in names]
    kind = (PAIRS | PAIRS_OF_REQUESTS).get((pair[0], pair[1])) if len(pair) == 2 else None
    # In the order of the groups, as in all sources.
    return kind, {column: "value" if name == pair[0] else "second" for name, column in columns_of(names).items()}


def _by_unit(now: Summarized, slots: list[Interval], grain: Grain) -> tuple[list[Interval], ...]:
    """The range as days, hours and slots: days and hours where they are summed up."""
    days: list[Interval] = []
    hours: list[Interval] = []
    if grain.unit in ("range", "day"):
        stale = [(day, day + 1) for day in now.stale_days]
        days = without(before(aligned(slots, SLOTS_A_DAY), now.days), stale)
        slots = without(slots, scaled(days, SLOTS_A_DAY))
    if grain.unit != "slot":
        loose = [(hour, hour + 1) for hour in sorted({*now.stale_hours, *grain.split})]
        hours = without(before(aligned(slots, SLOTS_AN_HOUR), now.hours), loose)
        slots = without(slots, scaled(hours, SLOTS_AN_HOUR))
    return days, hours, slots


def _quarters_of_running_day(
    now: Summarized, kind: str, hours: list[Interval], grain: Grain
) -> tuple[list[Interval], list[Interval]]:
    """Summed up quarters of a day that is not over, for pairs without rows by the hour; and the other hours."""
    if kind not in _KINDS_OF_QUARTERS or grain.unit not in ("range", "day"):
        return [], hours
    start = max(now.days, now.hours // HOURS_A_DAY) * QUARTERS_A_DAY
    holes = [(0, start), *((quarter, quarter + 1) for quarter in now.stale_quarters if quarter >= start)]
    quarters = without(before(aligned(hours, HOURS_A_QUARTER), now.quarters), holes)
    return quarters, without(hours, scaled(quarters, HOURS_A_QUARTER))


Blocks = list[tuple[int, int, int]]
"""Blocks of so many hours, from the first (inclusive) to the last (exclusive)."""


def _blocks(days: list[Interval], grain: Grain, sizes: Sequence[int] = BLOCK_DAYS) -> Blocks:
    """As few blocks as possible."""
    found: Blocks = []
    for size in reversed(sizes[1:] if grain.unit == "range" else ()):
        whole = aligned(days, size)
        found += [(size * HOURS_A_DAY, *one) for one in whole]
        days = without(days, scaled(whole, size))
    return found + [(HOURS_A_DAY, *one) for one in days]


def _local_days(
    now: Summarized, slots: list[Interval], midnights: Sequence[int], known: set[int]
) -> tuple[list[Interval], list[tuple[int, int, int, int]], list[Interval]]:
    """The days of another time zone by days of UTC and parts of them: (first slot, UTC day), (sign, first slot, part, UTC day).

    `known` are the slots of a day at which parts end. What is left are the slots of days that are not summed up yet, and of those
    that begin where no part ends.
    """
    days: list[Interval] = []
    parts: list[tuple[int, int, int, int]] = []
    left: list[Interval] = []
    stale = set(now.stale_days)
    for start, end in slots:
        edges = [start, *(at for at in midnights if start < at < end), end]
        for first, last in itertools.pairwise(edges):
            (day, part), (last_day, last_part) = divmod(first, SLOTS_A_DAY), divmod(last, SLOTS_A_DAY)
            whole = range(day, last_day)
            used = {*whole, *([day] if part else []), *([last_day] if last_part else [])} if last_day - day < 3 else set()
            if not used or stale & used or max(used) >= now.days or {part, last_part} - known:
                left.append((first, last))
                continue
            days += [(first, one) for one in whole]
            parts += [(-1, first, part, day)] if part else []
            parts += [(1, first, last_part, last_day)] if last_part else []
    return days, parts, left


def _slots(connection: sqlite3.Connection, since_ms: int | None, until_ms: int | None) -> tuple[list[Interval], list[Interval]]:
    """The slots of a range; and in milliseconds those parts of its first and last slot that single requests are needed for."""
    # The end is exclusive: a range until a full quarter does not touch the slot that begins then.
    first, last = (None if at is None else at // SLOT_MS for at in (since_ms, None if until_ms is None else until_ms - 1))
    cut: list[Interval] = []
    start, end = first or 0, _END if last is None else last + 1
    last_ms = _END * SLOT_MS if until_ms is None else until_ms
    cuts = ((first, since_ms), (last, until_ms))
    for slot in sorted({slot for slot, at in cuts if slot is not None and at is not None and at % SLOT_MS}):
        # Pruned records remain in the totals alone: a sum over the rest of their slot would be too low.
        if _is_whole(connection, slot):
            cut.append((max(slot * SLOT_MS, since_ms or 0), min((slot + 1) * SLOT_MS, last_ms)))
            start, end = slot + 1 if slot == first else start, slot if slot == last else end
    return [(start, end)] if start < end else [], [one for one in cut if one[0] < one[1]]


def _slots_of_log(
    connection: sqlite3.Connection, since_ms: int | None, until_ms: int | None, hours: int = 1
) -> tuple[list[Interval], list[Interval]]:
    """The same for groups that totals do not tell apart; so many `hours` whose requests are gone count whole."""
    whole = hours * HOUR_MS
    start, end = since_ms or 0, _END * SLOT_MS if until_ms is None else until_ms
    oldest = _oldest(connection)
    if oldest is None or start < oldest:
        start -= start % whole
    if oldest is None or end < oldest:
        end += -end % whole
    slots = aligned([(start, end)], SLOT_MS)
    return slots, without([(start, end)] if start < end else [], scaled(slots, SLOT_MS))


def _oldest(connection: sqlite3.Connection) -> int | None:
    """When the oldest request of the log started (epoch ms)."""
    oldest: int | None = connection.execute("SELECT min(started_at) FROM requests").fetchone()[0]
    return oldest


def _is_whole(connection: sqlite3.Connection, slot: int) -> bool:
    """Whether every request of a slot is still in the log."""
    there = connection.execute(
        "SELECT count(*) FROM requests WHERE started_at >= ? AND started_at < ?", (slot * SLOT_MS, (slot + 1) * SLOT_MS)
    ).fetchone()[0]
    summed = connection.execute("SELECT coalesce(sum(requests), 0) FROM totals WHERE slot = ?", (slot,)).fetchone()[0]
    return bool(there == summed)


_COUNTS = ", ".join(COUNTED)


def columns_of(groups: Sequence[str]) -> dict[str, str]:
    """The columns of a source by group; `all` has none."""
    return {name: OF_TOTALS.get(name, f'"{name}"') for name in groups if name != "all"}


def of_requests(columns: Mapping[str, str], groups: Sequence[str], conditions: Sequence[str], outer: str = "") -> str:
    """SQL of single requests with these columns, `r` by name; one with several tags is there once for each, if they are grouped."""
    source = WITH_TAGS if "tag" in groups else "requests AS r"
    names = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    return f"SELECT {names} FROM {outer}{source} WHERE {' AND '.join(conditions) or 'true'}"


def request_columns(groups: Sequence[str]) -> dict[str, str]:
    """The groups of a single request, as SQL by column."""
    return {
        column: OF_REQUESTS[name] if name in OF_REQUESTS else TOTALS_OF_REQUEST[column].format("r.")
        for name, column in columns_of(groups).items()
    }


def _log(groups: Sequence[str], intervals: Sequence[Interval]) -> Source:
    counts = {name: OF_REQUEST[name].format("r.") for name in COUNTED}
    columns = {"slot": TOTALS_OF_REQUEST["slot"].format("r."), **request_columns(groups), **counts}
    return of_requests(columns, groups, [_WITHIN.format("r.started_at")], _INTERVALS), [_json(intervals)]


def _of_blocks(kind: str, columns: Mapping[str, str], blocks: Blocks) -> Source:
    names = _values_as(columns)
    within = f"b.kind = ? AND b.hours = x.value ->> 0 AND {_WITHIN_BLOCKS}"
    sql = f"SELECT b.block * b.hours * {SLOTS_AN_HOUR} AS slot{names}, {_COUNTS} FROM {_INTERVALS}blocks AS b WHERE {within}"
    return sql, [_json(blocks), kind]


_WITHIN_BLOCKS = "b.block >= x.value ->> 1 AND b.block < x.value ->> 2"


def _of_first_blocks(kind: str, columns: Mapping[str, str], blocks: Blocks, first: First | None) -> list[Source]:
    in_order = list(columns.values()) == ["value", "second"][: len(columns)]
    return _first_of_blocks(kind, columns, blocks, first) if first and in_order else [_of_blocks(kind, columns, blocks)]


def _first_of_blocks(kind: str, columns: Mapping[str, str], blocks: Blocks, first: First) -> list[Source]:
    """Each block for itself, with no more than its first rows: they are sorted by value."""
    single = [(hours, block) for hours, start, end in blocks for block in range(start, end)]
    if len(single) > MOST_BLOCKS:
        return [_of_blocks(kind, columns, blocks)]
    after = "" if first.after is None else f"AND {_row(columns.values())} > {_row('?' * len(columns))}"
    sql = f"""SELECT * FROM (SELECT b.block * b.hours * {SLOTS_AN_HOUR} AS slot{_values_as(columns)}, {_COUNTS} FROM blocks AS b
        WHERE b.kind = ? AND b.hours = ? AND b.block = ? {after} ORDER BY b.value, b.second LIMIT ?)"""
    return [(sql, [kind, hours, block, *(first.after or ()), first.limit]) for hours, block in single]


def _values_as(columns: Mapping[str, str]) -> str:
    return "".join(f", b.{value} AS {column}" for column, value in columns.items())


def _row(parts: Iterable[str]) -> str:
    return f"({', '.join(parts)})"


def _hourly(kind: str, columns: Mapping[str, str], hours: Sequence[Interval]) -> Source:
    names = _values_as(columns)
    within = f"b.kind = ? AND {_WITHIN.format('b.hour')}"
    sql = f"SELECT b.hour * {SLOTS_AN_HOUR} AS slot{names}, {_COUNTS} FROM {_INTERVALS}hourly AS b WHERE {within}"
    return sql, [_json(hours), kind]


def _days_elsewhere(
    kind: str | None, columns: Mapping[str, str], days: Sequence[Interval], parts: Sequence[tuple[int, int, int, int]]
) -> list[Source]:
    """A day of another time zone: whole days of UTC, less the part before its first slot, and with the part before its last."""
    if not days and not parts:
        return []
    names = _values_as(columns)
    sources: list[Source] = []
    # Materialized: else the JSON would be read again for each row.
    numbers = "WITH x AS MATERIALIZED (SELECT value ->> 0 AS slot, value ->> 1 AS part, value ->> 2 AS day FROM json_each(?))"
    tables = (
        ("blocks", "b.hours = x.part AND b.block = x.day", "", [(slot, HOURS_A_DAY, day) for slot, day in days]),
        ("parts", "b.part = x.part AND b.day = x.day", "", [one for sign, *one in parts if sign > 0]),
        ("parts", "b.part = x.part AND b.day = x.day", "-", [one for sign, *one in parts if sign < 0]),
    )
    for table, condition, sign, found in tables:
        counts = ", ".join(f"{sign}b.{name} AS {name}" for name in COUNTED)
        sql = f"""SELECT * FROM ({numbers} SELECT x.slot{names}, {counts} FROM x CROSS JOIN {table} AS b
            WHERE b.kind = ? AND {condition})"""
        sources.append((sql, [_json(found), kind]))
    return sources


def _rows(groups: Sequence[str], table: str, unit: str, slots: int, intervals: Sequence[Interval]) -> Source:
    names = "".join(f", {column}" for column in columns_of(groups).values())
    sql = f"SELECT {unit} * {slots} AS slot{names}, {_COUNTS} FROM {_INTERVALS}{table} WHERE {_WITHIN.format(unit)}"
    return sql, [_json(intervals)]


# CROSS JOIN keeps the order: for each interval, its rows.
_INTERVALS = "json_each(?) AS x CROSS JOIN "
_WITHIN = "{0} >= x.value ->> 0 AND {0} < x.value ->> 1"


def _json(intervals: Sequence[Sequence[int]]) -> str:
    return orjson.dumps(intervals).decode()
