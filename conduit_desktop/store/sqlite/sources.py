"""Where the sums of a range come from: as much as possible from summaries of days and hours, the rest from totals and requests."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from conduit_desktop.store.sqlite.intervals import Interval, aligned, before, scaled, without
from conduit_desktop.store.sqlite.records import COUNTED, TOTALS_OF_REQUEST
from conduit_desktop.store.sqlite.summaries import HOURS_A_DAY, OF_REQUESTS, OF_TOTALS, SLOTS_AN_HOUR, WITH_TAGS, summarized

SLOT_MS = 900_000
"""A slot of the totals: a quarter of an hour."""
SLOTS_A_DAY = SLOTS_AN_HOUR * HOURS_A_DAY
_END = 2**33
"""A slot that never comes; its end in milliseconds still fits into 64 bits."""

Unit = Literal["day", "hour", "slot"]
Source = tuple[str, list[Any]]
"""SQL that yields a row for each sum, with `slot`, the columns of the groups, and the counts; and its values."""

# Whole cost here, attempts included: the totals of one request are several rows, of which these are the sum.
OF_REQUEST = {**TOTALS_OF_REQUEST, "cost_nano": "coalesce({0}cost_nano, 0)"}


@dataclass(frozen=True, slots=True)
class Grain:
    """How finely a query needs its sums: no coarser than `unit`, and not those of the hours in `split`."""

    unit: Unit = "day"
    split: tuple[int, ...] = ()


def of_range(
    connection: sqlite3.Connection, groups: Sequence[str], since_ms: int | None, until_ms: int | None, grain: Grain = Grain()
) -> Source:
    """The sums from since (inclusive) until (exclusive) that tell these groups apart, days and hours aside."""
    of_log = any(name in OF_REQUESTS for name in groups)
    if of_log and len(groups) > 1:
        # Their summaries do not tell models or keys apart: only the requests that are still in the log do.
        return _log(groups, [(since_ms or 0, _END * SLOT_MS if until_ms is None else until_ms)])
    slots, cut = (_slots_of_log if of_log else _slots)(connection, since_ms, until_ms)
    days, hours, slots = _by_unit(connection, slots, grain)
    sources: list[Source] = []
    if len(groups) > 1:
        # There are no combinations by hour.
        slots = sorted([*slots, *scaled(hours, SLOTS_AN_HOUR)])
        sources.append(_rows(groups, "daily_combinations", "day", SLOTS_A_DAY, days))
    else:
        sources.append(_summary(groups, "daily", "day", SLOTS_A_DAY, days))
        sources.append(_summary(groups, "hourly", "hour", SLOTS_AN_HOUR, hours))
    if of_log:
        cut = sorted([*cut, *scaled(slots, SLOT_MS)])
    else:
        sources.append(_rows(groups, "totals", "slot", 1, slots))
    if cut:
        sources.append(_log(groups, cut))
    return " UNION ALL ".join(sql for sql, _ in sources), [value for _, values in sources for value in values]


def _by_unit(connection: sqlite3.Connection, slots: list[Interval], grain: Grain) -> tuple[list[Interval], ...]:
    """The range as days, hours and slots: days and hours where they are summed up."""
    now = summarized(connection)
    days: list[Interval] = []
    hours: list[Interval] = []
    if grain.unit == "day":
        stale = [(day, day + 1) for day in now.stale_days]
        days = without(before(aligned(slots, SLOTS_A_DAY), now.days), stale)
        slots = without(slots, scaled(days, SLOTS_A_DAY))
    if grain.unit != "slot":
        loose = [(hour, hour + 1) for hour in sorted({*now.stale_hours, *grain.split})]
        hours = without(before(aligned(slots, SLOTS_AN_HOUR), now.hours), loose)
        slots = without(slots, scaled(hours, SLOTS_AN_HOUR))
    return days, hours, slots


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
    connection: sqlite3.Connection, since_ms: int | None, until_ms: int | None
) -> tuple[list[Interval], list[Interval]]:
    """The same for groups that totals do not tell apart; hours whose requests are gone count whole."""
    hour = SLOTS_AN_HOUR * SLOT_MS
    start, end = since_ms or 0, _END * SLOT_MS if until_ms is None else until_ms
    oldest = connection.execute("SELECT min(started_at) FROM requests").fetchone()[0]
    if oldest is None or start < oldest:
        start -= start % hour
    if oldest is None or end < oldest:
        end += -end % hour
    slots = aligned([(start, end)], SLOT_MS)
    return slots, without([(start, end)] if start < end else [], scaled(slots, SLOT_MS))


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


def _summary(groups: Sequence[str], table: str, unit: str, slots: int, intervals: Sequence[Interval]) -> Source:
    names = "".join(f", s.value AS {column}" for column in columns_of(groups).values())
    within = f"s.kind = ? AND {_WITHIN.format(f's.{unit}')}"
    sql = f"SELECT s.{unit} * {slots} AS slot{names}, {_COUNTS} FROM {_INTERVALS}{table} AS s WHERE {within}"
    return sql, [_json(intervals), *(groups or ["all"])]


def _rows(groups: Sequence[str], table: str, unit: str, slots: int, intervals: Sequence[Interval]) -> Source:
    names = "".join(f", {column}" for column in columns_of(groups).values())
    sql = f"SELECT {unit} * {slots} AS slot{names}, {_COUNTS} FROM {_INTERVALS}{table} WHERE {_WITHIN.format(unit)}"
    return sql, [_json(intervals)]


# CROSS JOIN keeps the order: for each interval, its rows.
_INTERVALS = "json_each(?) AS x CROSS JOIN "
_WITHIN = "{0} >= x.value ->> 0 AND {0} < x.value ->> 1"


def _json(intervals: Sequence[Interval]) -> str:
    return orjson.dumps(intervals).decode()
