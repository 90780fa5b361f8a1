"""Usage: sums by any group, days and hours of any time zone, with percentiles of the latencies."""

from __future__ import annotations

import dataclasses
import itertools
import math
import sqlite3
import string
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, get_args

from conduit_desktop.core.errors import Invalid
from conduit_desktop.core.records import UsageRow
from conduit_desktop.core.tokens import CLASS_NAMES
from conduit_desktop.store.interface import Spending
from conduit_desktop.store.interface import UsageGroup as Group
from conduit_desktop.store.sqlite.records import TOTALS_OF_REQUEST
from conduit_desktop.store.sqlite.sources import (
    SLOT_MS,
    First,
    Grain,
    columns_of,
    is_summed,
    of_range,
    of_requests,
    request_columns,
)
from conduit_desktop.store.sqlite.summaries import HOUR_MS, HOURS_A_QUARTER, OF_REQUESTS, SLOTS_A_DAY

NEWEST = 5_000
"""The answers that latencies are taken from: the newest of the range. More would take longer than a page may."""

MOST_SINGLE = 100_000
"""The requests that are read one by one for groups without summaries: a fraction of a second."""

_COUNTS = {name: f"sum(t.{name})" for name in ("requests", "failed", "refused", *CLASS_NAMES, "cost_nano")} | {
    "unpriced_requests": "sum(t.unpriced)",
    "estimated_requests": "sum(t.estimated)",
}
_FIELDS = tuple(field.name for field in dataclasses.fields(UsageRow))
Changes = list[tuple[int, int]]
"""The slots from which another offset of a time zone from UTC (seconds) holds, the first one included."""


def usage(
    connection: sqlite3.Connection,
    group_by: Sequence[Group],
    since_ms: int | None,
    until_ms: int | None,
    zone: tzinfo = UTC,
    first: First | None = None,
) -> list[UsageRow]:
    """Sums by the requested groups, from since (inclusive) until (exclusive), ordered by the groups; days and hours of `zone`.

    With `first`, only the first rows behind a given one. Slots whose requests are no longer all in the log count whole.
    Percentiles are of the newest answers of the range. Raises Invalid("group_by") where too many requests would have to be read.
    """
    groups = list(dict.fromkeys(group_by))
    start_ms, end_ms = since_ms or began(connection) or 0, until_ms or _ended(connection) or 0
    query = _Query(connection, groups, zone, start_ms // SLOT_MS, end_ms // SLOT_MS)
    if first is not None and groups and groups[0] in ("day", "hour"):
        rows = query.rows_by_days(start_ms, since_ms, until_ms, first)
    else:
        query.refuse_many_requests(since_ms, until_ms)
        if first is not None and len(groups) == 2 and groups[0] not in OF_REQUESTS and groups[1] in OF_REQUESTS:
            rows = query.rows_by_values(since_ms, until_ms, first)
        else:
            rows = query.rows(since_ms, until_ms, first)
    if "key" in groups:
        _name_keys(connection, rows)
    _add_percentiles(connection, rows, groups, query.column, since_ms, until_ms)
    return rows


class _Query:
    """The sums of one set of groups, in which `day` and `hour` are those of a zone; from the slot `first` to `last`."""

    def __init__(self, connection: sqlite3.Connection, groups: Sequence[Group], zone: tzinfo, first: int, last: int) -> None:
        self.connection = connection
        self.groups = groups
        self.zone = zone
        self.last = last
        self.changes = [(first, 0)] if zone is UTC else list(_changes(zone, first, last + 1))
        self.column = _columns_by_group(zone, self.changes)
        """SQL by group, of rows named `t`."""

    def refuse_many_requests(self, since_ms: int | None, until_ms: int | None) -> None:
        """Raise Invalid where no summaries tell the groups apart and more than `MOST_SINGLE` requests would have to be read."""
        not_time = [name for name in self.groups if name not in ("day", "hour")]
        if is_summed(not_time, _grain(self.groups, self.changes, self.last)):
            return
        statement = "SELECT count(*) FROM (SELECT 1 FROM requests WHERE started_at >= ? AND started_at < ? LIMIT ?)"
        span = (since_ms or 0, (self.last + 1) * SLOT_MS if until_ms is None else until_ms)
        if self.connection.execute(statement, (*span, MOST_SINGLE + 1)).fetchone()[0] > MOST_SINGLE:
            raise Invalid(
                f"group_by: {', '.join(self.groups)} together are summed request by request, and this range has more than "
                f"{MOST_SINGLE:,} requests: choose a shorter range or fewer groups",
                "group_by",
            )

    def rows(
        self, since_ms: int | None, until_ms: int | None, first: First | None, only: Sequence[str] | None = None
    ) -> list[UsageRow]:
        """The sums of a range; `first` holds for groups that do not begin with a time. With `only`, those of the first group."""
        groups, column = self.groups, self.column
        chosen = {f"{name}_id" if name == "key" else str(name): column[name] for name in groups} | _COUNTS
        # All fields in their order: a row is made faster of places than of names.
        columns = ", ".join(chosen.get(name, "NULL") for name in _FIELDS)
        not_time = [name for name in groups if name not in ("day", "hour")]
        grain = _grain(groups, self.changes, self.last)
        source, values = of_range(self.connection, not_time, since_ms, until_ms, grain, first if not_time == groups else None)
        keys = ", ".join(column[name] for name in groups)
        statement = f"SELECT {columns} FROM ({source}) AS t WHERE true"
        if only is not None:
            statement += f" AND {column[groups[0]]} IN ({', '.join('?' * len(only))})"
            values = [*values, *only]
        if first is not None and first.after is not None:
            statement += f" AND ({keys}) > ({', '.join('?' * len(groups))})"
            after = zip(groups, first.after, strict=True)
            values = [*values, *((date.fromisoformat(value) - _EPOCH).days if name == "day" else value for name, value in after)]
        if groups:
            statement += f" GROUP BY {keys}"
            if grain.midnights:
                # Of a value that a day of UTC has outside the local day, nothing is left.
                statement += " HAVING sum(t.requests) <> 0 OR sum(t.cost_nano) <> 0"
            statement += f" ORDER BY {keys}"
        else:
            # Without GROUP BY, SQL returns a row of NULLs where nothing matches.
            statement += " HAVING count(*) > 0"
        if first is not None:
            statement += " LIMIT ?"
            values = [*values, first.limit]
        rows = [UsageRow(*row) for row in self.connection.execute(statement, values)]
        if "day" in groups:
            for row in rows:
                row.day = _day(row.day)
        return rows

    def rows_by_values(self, since_ms: int | None, until_ms: int | None, first: First) -> list[UsageRow]:
        """The first sums of a pair whose blocks are sorted by its second group: some values of the first one at a time."""
        quarter = HOURS_A_QUARTER * HOUR_MS
        # As the blocks of the pair can be: quarters of a day whose requests are gone count whole.
        since = None if since_ms is None else since_ms - since_ms % quarter
        until = None if until_ms is None else until_ms + -until_ms % quarter
        single = _Query(self.connection, self.groups[:1], self.zone, self.changes[0][0], self.last)
        names = [single._key(row)[0] for row in single.rows(since, until, None)]
        if first.after is not None:
            names = [name for name in names if name >= first.after[0]]
        found: list[UsageRow] = []
        start, count = 0, 1
        while start < len(names) and len(found) < first.limit:
            part = names[start : start + count]
            found += self.rows(since_ms, until_ms, First(first.limit - len(found), first.after), part)
            start += count
            # As many more as seem to be needed.
            count = min(MOST_NAMES, max(1, -(-(first.limit - len(found)) * start // len(found)) if found else count * 2))
        return found

    def rows_by_days(self, start_ms: int, since_ms: int | None, until_ms: int | None, first: First) -> list[UsageRow]:
        """The first sums by day or hour: some days at a time, until there are enough."""
        found: list[UsageRow] = []
        day = datetime.fromtimestamp(start_ms / 1000, self.zone).date()
        if first.after is not None:
            day = max(day, date.fromisoformat(first.after[0][:10]))
        end_ms = (self.last + 1) * SLOT_MS
        from_ms = since_ms if start_ms >= self._midnight(day) else self._midnight(day)
        days, span = 1, 0
        while from_ms is None or from_ms < end_ms:
            day += timedelta(days=days)
            to_ms: int | None = self._midnight(day)
            if to_ms is None or to_ms >= end_ms:
                to_ms = until_ms
            found += [row for row in self.rows(from_ms, to_ms, None) if first.after is None or self._key(row) > first.after]
            if to_ms == until_ms or len(found) >= first.limit:
                break
            # As many more as seem to be needed.
            span += days
            days = max(1, -(-(first.limit - len(found)) * span // len(found))) if found else days * 2
            from_ms = to_ms
        return found[: first.limit]

    def _midnight(self, day: date) -> int:
        return round(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp() * 1000)

    def _key(self, row: UsageRow) -> tuple[str, ...]:
        return tuple(getattr(row, "key_id" if name == "key" else name) for name in self.groups)


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    """A number of days since 1970 as a date."""
    return (_EPOCH + timedelta(days=number)).isoformat()


_EPOCH = date(1970, 1, 1)


def _grain(groups: Sequence[Group], changes: Changes, last: int) -> Grain:
    """How finely the days or hours of a time zone, up to the slot `last`, need their sums."""
    if "day" not in groups and "hour" not in groups:
        return Grain()
    offsets = {offset for _, offset in changes}
    if offsets == {0} and "hour" not in groups:
        return Grain("day")
    parts = {offset % 3600 for offset in offsets} - {0}
    if parts and "hour" in groups:
        # Without another group there are parts of days for any slot.
        hours = _beginnings(changes, last, 4) if not set(groups) - {"day", "hour"} else []
        return Grain("slot", midnights=tuple(hours))
    midnights = _beginnings(changes, last, SLOTS_A_DAY)
    # Where the clock is half an hour off, a local day begins in the middle of an hour.
    split = [slot // 4 for slot in (*(slot for slot, _ in changes[1:]), *midnights) if slot % 4]
    return Grain("hour", tuple(split), () if "hour" in groups else tuple(midnights))


def _beginnings(changes: Changes, last: int, length: int) -> list[int]:
    """The slots, up to `last`, at which the days or hours of a time zone begin, which are `length` slots long."""
    found: list[int] = []
    ends = [*(slot for slot, _ in changes[1:]), last + 1]
    for (slot, offset), end in zip(changes, ends, strict=True):
        # An hour that begins before a change of the clocks is another one after it.
        found += range(slot + -(slot + offset // 900) % length, end, length)
        found += [end] if end <= last else []
    return found


def _name_keys(connection: sqlite3.Connection, rows: Sequence[UsageRow]) -> None:
    """Set the names of keys: today's, and of a removed key the last one."""
    known: dict[str | None, str | None] = dict(map(tuple, connection.execute("SELECT id, name FROM keys")))
    unknown = {row.key_id for row in rows} - known.keys()
    if unknown:
        (hours,) = connection.execute("SELECT hours FROM summarized").fetchone()
        # All at once, the last one last.
        recent = connection.execute("SELECT key_id, key_name FROM totals WHERE slot >= ? ORDER BY slot", (hours * 4,))
        last: dict[str | None, str | None] = dict(map(tuple, recent))
        known |= {key_id: last[key_id] if key_id in last else _name_before(connection, key_id) for key_id in unknown}
    for row in rows:
        row.key_name = known[row.key_id]


def _name_before(connection: sqlite3.Connection, key_id: str | None) -> str | None:
    found = connection.execute(
        "SELECT name FROM hourly WHERE kind = 'key' AND value = ? ORDER BY hour DESC LIMIT 1", (key_id,)
    ).fetchone()
    return None if found is None else found[0]


def _columns_by_group(zone: tzinfo, changes: Changes) -> dict[str, str]:
    (_, first), *later = changes
    # Whole quarters of an hour today; those of the past that are not are rounded, as slots are.
    cases = "".join(f" WHEN t.slot >= {slot} THEN {seconds}" for slot, seconds in reversed(later))
    offset = f"(CASE{cases} ELSE {first} END)" if cases else str(first)
    local = f"t.slot * 900 + {offset}"
    hour = f"strftime('%Y-%m-%dT%H:00:00', {local}, 'unixepoch')"
    if zone is UTC:
        hour += " || 'Z'"
    else:
        # The offset belongs to it: on the day that clocks are set back, one hour comes twice.
        sign = f"CASE WHEN {offset} < 0 THEN '-' ELSE '+' END"
        hour += f" || {sign} || strftime('%H:%M', abs({offset}), 'unixepoch')"
    # As a number: it is written as text once, not for each row.
    day = f"({local}) / 86400"
    return {name: f"t.{column}" for name, column in columns_of(get_args(Group)).items()} | {"day": day, "hour": hour}


def _changes(zone: tzinfo, first: int, last: int) -> Iterable[tuple[int, int]]:
    def offset(slot: int) -> int:
        at = datetime.fromtimestamp(slot * 900, UTC).astimezone(zone).utcoffset() or timedelta()
        return round(at.total_seconds() / 900) * 900

    yield first, offset(first)
    slot, week = first, 7 * 96
    while slot < last:
        after = min(slot + week, last)
        if offset(after) != offset(slot):
            low, high = slot, after
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(slot) else (low, middle)
            yield high, offset(high)
        slot = after


def _add_percentiles(
    connection: sqlite3.Connection, rows: Sequence[UsageRow], groups: Sequence[Group], column: Mapping[str, str],
    since_ms: int | None, until_ms: int | None,
) -> None:  # fmt: skip
    """Set the latencies of `rows`, in ms."""
    if not rows:
        return
    bounds = ((">=", since_ms), ("<", until_ms))
    conditions = [f"r.started_at {sign} ?" for sign, at in bounds if at is not None]
    values = [at for _, at in bounds if at is not None]
    not_time = [name for name in groups if name not in ("day", "hour")]
    columns = {
        "slot": TOTALS_OF_REQUEST["slot"].format("r."), **request_columns(not_time),
        "duration_ms": "r.duration_ms", "first_token_ms": "r.first_token_ms",
    }  # fmt: skip
    newest = of_requests(columns, groups, ["r.status = 'success'", *conditions])
    newest += f" ORDER BY r.started_at DESC LIMIT {NEWEST}"
    keys = ", ".join([*(column[name] for name in groups), "t.duration_ms", "t.first_token_ms"])
    names = ["key_id" if name == "key" else name for name in groups]
    day = names.index("day") if "day" in names else None
    found: dict[tuple[Any, ...], tuple[list[float], list[float]]] = {}
    for *key, latency, first_token in connection.execute(f"SELECT {keys} FROM ({newest}) AS t", values):
        if day is not None:
            key[day] = _day(key[day])
        latencies, first_tokens = found.setdefault(tuple(key), ([], []))
        latencies.append(latency)
        if first_token is not None:
            first_tokens.append(first_token)
    for row in rows:
        key = tuple(map(getattr, itertools.repeat(row), names))
        if key not in found:
            continue
        latencies, first_tokens = found[key]
        row.latency_p50, row.latency_p95 = _percentiles(latencies)
        row.first_token_p50, row.first_token_p95 = _percentiles(first_tokens)


def _percentiles(values: list[float]) -> tuple[float | None, float | None]:
    """The median and the 95th percentile by nearest rank; None where there is no value."""
    if not values:
        return None, None
    values.sort()
    p50, p95 = (values[math.ceil(len(values) * part) - 1] for part in (0.5, 0.95))
    return p50, p95


_GROUP_OF_SCOPE: dict[str, Group] = {"provider": "provider", "alias": "model", "key": "key", "team": "team"}

MOST_NAMES = 1000
"""Names in one statement: SQLite takes a limited number of values."""


def spent(connection: sqlite3.Connection, accounts: Sequence[Spending]) -> list[int]:
    """Nano-dollars that each account has spent in the slots of its range, in the accounts' order; 0 where there is none.

    Accounts of one scope and range are summed together, `MOST_NAMES` names at a time.
    """
    together: dict[tuple[str, int, int | None], list[int]] = {}
    for place, account in enumerate(accounts):
        together.setdefault((account.scope, account.since_ms, account.until_ms), []).append(place)
    sums = [0] * len(accounts)
    for (scope, since_ms, until_ms), places in together.items():
        groups = [_GROUP_OF_SCOPE[scope]] if scope in _GROUP_OF_SCOPE else []
        source, values = of_range(connection, groups, since_ms, until_ms)
        if not groups:
            whole = connection.execute(f"SELECT coalesce(sum(cost_nano), 0) FROM ({source}) AS t", values).fetchone()[0]
            for place in places:
                sums[place] = int(whole)
            continue
        (column,) = columns_of(groups).values()
        # A set: an account whose former name differs in case alone must not count twice.
        names = {place: {_same(scope, name) for name in (accounts[place].target, *accounts[place].former)} for place in places}
        by_name = _spent_by_name(connection, source, values, column, scope, sorted(set().union(*names.values())))
        for place in places:
            sums[place] = sum(by_name.get(name, 0) for name in names[place])
    return sums


def _spent_by_name(
    connection: sqlite3.Connection, source: str, values: Sequence[Any], column: str, scope: str, names: Sequence[str]
) -> dict[str, int]:
    """The spend of a source by name; without those that have no row."""
    # Providers, aliases and teams are names, found whatever their case; a key's id is exact, and indexed.
    wanted = f"t.{column}" if scope == "key" else f"t.{column} COLLATE NOCASE"
    found: dict[str, int] = {}
    for start in range(0, len(names), MOST_NAMES):
        part = names[start : start + MOST_NAMES]
        statement = f"SELECT t.{column}, sum(cost_nano) FROM ({source}) AS t WHERE {wanted} IN ({', '.join('?' * len(part))})"
        for name, nano in connection.execute(f"{statement} GROUP BY 1", (*values, *part)):
            found[_same(scope, name)] = found.get(_same(scope, name), 0) + int(nano)
    return found


_FOLDED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _same(scope: str, name: str) -> str:
    """The same text for all names that are the same to a scope: NOCASE of SQLite knows the case of ASCII alone."""
    return name if scope == "key" else name.translate(_FOLDED)


def began(connection: sqlite3.Connection) -> int | None:
    """When the oldest slot of the totals began (epoch ms); None where there is none."""
    slot = connection.execute("SELECT min(slot) FROM totals").fetchone()[0]
    return None if slot is None else int(slot) * SLOT_MS


def _ended(connection: sqlite3.Connection) -> int | None:
    """When the newest slot of the totals ends (epoch ms); None where there is none."""
    slot = connection.execute("SELECT max(slot) FROM totals").fetchone()[0]
    return None if slot is None else (int(slot) + 1) * SLOT_MS
