"""Usage: sums over the totals, and over single requests where a range begins or ends within a slot."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from conduit_desktop.core.records import UsageRow
from conduit_desktop.core.tokens import CLASS_NAMES
from conduit_desktop.store.interface import Spending
from conduit_desktop.store.interface import UsageGroup as Group
from conduit_desktop.store.sqlite.records import TOTALS_OF_REQUEST

SLOT_MS = 900_000
"""A slot of the totals: a quarter of an hour."""
DAY_MS = 86_400_000
NEWEST = 20_000
"""The answers that latencies are taken from: the newest of the range. More would take longer than a page may."""

_NAMED: tuple[Group, ...] = ("session", "user", "tag")
"""Groups that clients name themselves, each with sums of its own per UTC day."""
_PLAIN: tuple[Group, ...] = ("model", "upstream_model", "team", "provider", "client", "endpoint", "status")
_SUMS = ("requests", "failed", "refused", *CLASS_NAMES, "cost_nano")
# A removed key has no row any more; its totals keep the name it had last.
_KEY_NAME = """coalesce(
    (SELECT name FROM keys WHERE id = t.key_id),
    (SELECT key_name FROM totals WHERE key_id = t.key_id ORDER BY slot DESC LIMIT 1))"""


def usage(
    connection: sqlite3.Connection, group_by: Sequence[Group], since_ms: int | None, until_ms: int | None, zone: tzinfo = UTC
) -> list[UsageRow]:
    """Sums by the requested groups, from since (inclusive) until (exclusive), ordered by the groups; days and hours of `zone`.

    Slots whose requests are no longer all in the log count whole. Percentiles are of the newest answers of the range.
    """
    groups = list(dict.fromkeys(group_by))
    column = _columns_by_group(connection, zone, since_ms, until_ms)
    columns = {f"{name}_id" if name == "key" else str(name): column[name] for name in groups}
    if "key" in groups:
        columns["key_name"] = _KEY_NAME
    columns |= {name: f"sum(t.{name})" for name in _SUMS}
    columns |= {"unpriced_requests": "sum(t.unpriced)", "estimated_requests": "sum(t.estimated)"}
    source, values = _source(connection, groups, since_ms, until_ms, zone)
    keys = ", ".join(column[name] for name in groups)
    names = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
    statement = f"SELECT {names} FROM ({source}) AS t"
    # Without GROUP BY, SQL returns a row of NULLs where nothing matches; HAVING removes it.
    statement += f" GROUP BY {keys} ORDER BY {keys}" if groups else " HAVING count(*) > 0"
    rows = [UsageRow(**dict(zip(columns, row, strict=True))) for row in connection.execute(statement, values)]
    _add_percentiles(connection, rows, groups, column, since_ms, until_ms)
    return rows


def _columns_by_group(connection: sqlite3.Connection, zone: tzinfo, since_ms: int | None, until_ms: int | None) -> dict[Group, str]:
    offset = _offset_sql(connection, zone, since_ms, until_ms)
    local = f"t.slot * 900 + {offset}"
    hour = f"strftime('%Y-%m-%dT%H:00:00', {local}, 'unixepoch')"
    if zone is UTC:
        hour += " || 'Z'"
    else:
        # The offset belongs to it: on the day that clocks are set back, one hour comes twice.
        sign = f"CASE WHEN {offset} < 0 THEN '-' ELSE '+' END"
        hour += f" || {sign} || strftime('%H:%M', abs({offset}), 'unixepoch')"
    return {
        "day": f"strftime('%Y-%m-%d', {local}, 'unixepoch')", "hour": hour, "key": "t.key_id",
        **{name: f't."{name}"' for name in (*_PLAIN, *_NAMED)},
    }  # fmt: skip


def _offset_sql(connection: sqlite3.Connection, zone: tzinfo, since_ms: int | None, until_ms: int | None) -> str:
    """The zone's offset from UTC in seconds at a slot, as SQL."""
    if zone is UTC:
        return "0"
    first, last = (at // SLOT_MS for at in (since_ms or began(connection) or 0, until_ms or _ended(connection) or 0))
    changes = list(_changes(zone, first, last + 1))
    (_, offset), *later = changes
    # Whole quarters of an hour today; those of the past that are not are rounded, as slots are.
    cases = "".join(f" WHEN t.slot >= {slot} THEN {seconds}" for slot, seconds in reversed(later))
    return f"(CASE{cases} ELSE {offset} END)" if cases else str(offset)


def _changes(zone: tzinfo, first: int, last: int) -> Iterable[tuple[int, int]]:
    """The slots from which another offset (seconds) holds, beginning with `first`."""

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


def _source(
    connection: sqlite3.Connection, groups: Sequence[Group], since_ms: int | None, until_ms: int | None, zone: tzinfo
) -> tuple[str, list[Any]]:
    """What is summed, as SQL with its values: totals, single requests, or both."""
    named = [name for name in groups if name in _NAMED]
    if not named:
        return _totals(connection, since_ms, until_ms)
    by_day = set(groups) <= {*named, *(("day",) if zone is UTC else ())}
    whole_days = all(at is None or at % DAY_MS == 0 for at in (since_ms, until_ms))
    if len(named) == 1 and by_day and whole_days:
        return _attributed(named[0], since_ms, until_ms)
    # Their sums do not tell models, keys or hours apart: only the requests that are still in the log do.
    conditions, values = _range("r.started_at", since_ms, until_ms)
    conditions += [f"r.\"{name}\" <> ''" for name in named if name != "tag"]
    return _of_requests(_OF_REQUEST, groups, conditions), values


def _of_requests(columns: Mapping[str, str], groups: Sequence[Group], conditions: Sequence[str]) -> str:
    """SQL of single requests with these columns and what clients name; a request with several tags is there once for each."""
    tagged = "tag" in groups
    chosen = {**columns, "session": "r.session", '"user"': 'r."user"', "tag": "tags.value" if tagged else "''"}
    tags = f" JOIN json_each(r.tags) AS tags ON {_FIRST}" if tagged else ""
    names = ", ".join(f"{sql.format(_R)} AS {name}" for name, sql in chosen.items())
    return f"SELECT {names} FROM requests AS r{tags} WHERE {' AND '.join(conditions) or 'true'}"


_FIRST = "NOT EXISTS (SELECT 1 FROM json_each(r.tags) AS b WHERE b.value = tags.value AND b.key < tags.key)"
"""A tag that a request has twice counts once."""


def _attributed(kind: Group, since_ms: int | None, until_ms: int | None) -> tuple[str, list[Any]]:
    conditions, values = _range("day", *(None if at is None else at // DAY_MS for at in (since_ms, until_ms)))
    sums = ", ".join((*_SUMS, "unpriced", "estimated"))
    where = " AND ".join(["kind = ?", *conditions])
    return f'SELECT value AS "{kind}", day * 96 AS slot, {sums} FROM attributed WHERE {where}', [kind, *values]


def _range(column: str, since: int | None, until: int | None) -> tuple[list[str], list[Any]]:
    bounds = ((">=", since), ("<", until))
    return [f"{column} {sign} ?" for sign, at in bounds if at is not None], [at for _, at in bounds if at is not None]


def _totals(connection: sqlite3.Connection, since_ms: int | None, until_ms: int | None) -> tuple[str, list[Any]]:
    """The totals of the whole slots of a range, and the single requests of its first and last slot where it cuts them."""
    # The end is exclusive: a range until a full quarter does not touch the slot that begins then.
    first, last = (None if at is None else at // SLOT_MS for at in (since_ms, None if until_ms is None else until_ms - 1))
    parts: list[str] = []
    values: list[Any] = []
    cut = ((first, since_ms), (last, until_ms))
    for slot in {slot for slot, at in cut if slot is not None and at is not None and at % SLOT_MS}:
        # Pruned records remain in the totals alone: a sum over the rest of their slot would be too low.
        if not _is_whole(connection, slot):
            continue
        parts.append(_REQUESTS)
        values += [max(slot * SLOT_MS, since_ms or 0), min((slot + 1) * SLOT_MS, until_ms if until_ms is not None else 2**62)]
        first = slot + 1 if slot == first else first
        last = slot - 1 if slot == last else last
    conditions: list[str] = []
    for sign, bound in ((">=", first), ("<=", last)):
        if bound is not None:
            conditions.append(f"slot {sign} ?")
            values.append(bound)
    return " UNION ALL ".join([*parts, f"{_ALL_TOTALS} WHERE {' AND '.join(conditions) or 'true'}"]), values


_R = "r."
_ALL_TOTALS = f"SELECT {', '.join(TOTALS_OF_REQUEST)} FROM totals"
# Whole cost here, attempts included: the totals of one request are several rows, of which these are the sum.
_OF_REQUEST = {**TOTALS_OF_REQUEST, "cost_nano": "coalesce({0}cost_nano, 0)"}
_REQUESTS = (
    f"SELECT {', '.join(f'{sql.format(_R)} AS {name}' for name, sql in _OF_REQUEST.items())}"
    " FROM requests AS r WHERE r.started_at >= ? AND r.started_at < ?"
)


def _is_whole(connection: sqlite3.Connection, slot: int) -> bool:
    """Whether every request of a slot is still in the log."""
    there = connection.execute(
        "SELECT count(*) FROM requests WHERE started_at >= ? AND started_at < ?", (slot * SLOT_MS, (slot + 1) * SLOT_MS)
    ).fetchone()[0]
    summed = connection.execute("SELECT coalesce(sum(requests), 0) FROM totals WHERE slot = ?", (slot,)).fetchone()[0]
    return bool(there == summed)


def _add_percentiles(
    connection: sqlite3.Connection, rows: Sequence[UsageRow], groups: Sequence[Group], column: dict[Group, str],
    since_ms: int | None, until_ms: int | None,
) -> None:  # fmt: skip
    """Set the latencies of `rows`, in ms."""
    if not rows:
        return
    conditions, values = _range("r.started_at", since_ms, until_ms)
    known = {name: sql for name, sql in TOTALS_OF_REQUEST.items() if name in ("slot", "key_id", *_PLAIN)}
    answers = {**known, "duration_ms": "{0}duration_ms", "first_token_ms": "{0}first_token_ms"}
    newest = _of_requests(answers, groups, ["r.status = 'success'", *conditions])
    newest += f" ORDER BY r.started_at DESC LIMIT {NEWEST}"
    keys = ", ".join([*(column[name] for name in groups), "t.duration_ms", "t.first_token_ms"])
    found: dict[tuple[Any, ...], tuple[list[float], list[float]]] = {}
    for *key, latency, first_token in connection.execute(f"SELECT {keys} FROM ({newest}) AS t", values):
        latencies, first_tokens = found.setdefault(tuple(key), ([], []))
        latencies.append(latency)
        if first_token is not None:
            first_tokens.append(first_token)
    for row in rows:
        key = tuple(getattr(row, "key_id" if name == "key" else name) for name in groups)
        latencies, first_tokens = found.get(key, ([], []))
        row.latency_p50, row.latency_p95 = _percentiles(latencies)
        row.first_token_p50, row.first_token_p95 = _percentiles(first_tokens)


def _percentiles(values: list[float]) -> tuple[float | None, float | None]:
    """The median and the 95th percentile by nearest rank; None where there is no value."""
    if not values:
        return None, None
    values.sort()
    p50, p95 = (values[math.ceil(len(values) * part) - 1] for part in (0.5, 0.95))
    return p50, p95


_HOLDER = {"global": "", "provider": "provider", "alias": "model", "key": "key_id", "team": "team"}


def spent(connection: sqlite3.Connection, account: Spending) -> int:
    """Nano-dollars that an account has spent in the slots of its range; 0 where there is none."""
    conditions, values = ["slot >= ?"], [account.since_ms // SLOT_MS]
    holder = _HOLDER[account.scope]
    parameters: list[Any] = [*values]
    if account.until_ms is not None:
        conditions.append("slot < ?")
        parameters.append(account.until_ms // SLOT_MS)
    if holder:
        # Providers, aliases and teams are names, found whatever their case; a key's id is exact, and indexed.
        names = (account.target, *account.former)
        one = f"{holder} = ?" if account.scope == "key" else f"{holder} = ? COLLATE NOCASE"
        conditions.append(f"({' OR '.join([one] * len(names))})")
        parameters += names
    statement = f"SELECT coalesce(sum(cost_nano), 0) FROM totals WHERE {' AND '.join(conditions)}"
    return int(connection.execute(statement, parameters).fetchone()[0])


def began(connection: sqlite3.Connection) -> int | None:
    """When the oldest slot of the totals began (epoch ms); None where there is none."""
    slot = connection.execute("SELECT min(slot) FROM totals").fetchone()[0]
    return None if slot is None else int(slot) * SLOT_MS


def _ended(connection: sqlite3.Connection) -> int | None:
    """When the newest slot of the totals ends (epoch ms); None where there is none."""
    slot = connection.execute("SELECT max(slot) FROM totals").fetchone()[0]
    return None if slot is None else (int(slot) + 1) * SLOT_MS
