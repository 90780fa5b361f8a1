"""Usage: sums over the daily totals, and over single requests where a range begins or ends within a day."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from conduit_desktop.core.records import UsageRow
from conduit_desktop.core.tokens import CLASS_NAMES
from conduit_desktop.store.interface import UsageGroup as Group
from conduit_desktop.store.sqlite.records import TOTALS_OF_REQUEST

DAY_MS = 86_400_000

_COLUMN = {"day": "t.day", "model": "t.model", "key": "t.key_id", "provider": "t.provider"}
_SUMS = ("requests", "errors", *CLASS_NAMES, "cost_nano")
# A removed key has no row any more; its totals keep the name it had last.
_KEY_NAME = """coalesce(
    (SELECT name FROM keys WHERE id = t.key_id),
    (SELECT key_name FROM totals WHERE key_id = t.key_id ORDER BY day DESC LIMIT 1))"""


def day_of(at_ms: int) -> str:
    """The UTC day of a moment, as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def usage(connection: sqlite3.Connection, group_by: Sequence[Group], since_ms: int | None, until_ms: int | None) -> list[UsageRow]:
    """Sums by the requested groups, from since (inclusive) until (exclusive).

    Days whose requests are no longer all in the log count whole.
    """
    groups = list(dict.fromkeys(group_by))
    columns = {f"{name}_id" if name == "key" else name: _COLUMN[name] for name in groups}
    if "key" in groups:
        columns["key_name"] = _KEY_NAME
    columns |= {name: f"sum(t.{name})" for name in _SUMS}
    columns |= {"unpriced_requests": "sum(t.unpriced)", "estimated_requests": "sum(t.estimated)"}
    source, values = _source(connection, since_ms, until_ms)
    keys = ", ".join(_COLUMN[name] for name in groups)
    statement = f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in columns.items())} FROM ({source}) AS t"
    # Without GROUP BY, SQL returns a row of NULLs where nothing matches; HAVING removes it.
    statement += f" GROUP BY {keys} ORDER BY {keys}" if groups else " HAVING count(*) > 0"
    return [UsageRow(**dict(zip(columns, row, strict=True))) for row in connection.execute(statement, values)]


def _source(connection: sqlite3.Connection, since_ms: int | None, until_ms: int | None) -> tuple[str, list[Any]]:
    """The totals of the whole days of a range, and the single requests of its first and last day where it cuts them."""
    # The end is exclusive: a range until midnight does not touch the day that begins then.
    first, last = (None if at is None else at // DAY_MS for at in (since_ms, None if until_ms is None else until_ms - 1))
    parts: list[str] = []
    values: list[Any] = []
    for day in {day for day, at in ((first, since_ms), (last, until_ms)) if day is not None and at is not None and at % DAY_MS}:
        # Pruned records remain in the totals alone: a sum over the rest of their day would be too low.
        if not _is_whole(connection, day):
            continue
        parts.append(_REQUESTS)
        values += [max(day * DAY_MS, since_ms or 0), min((day + 1) * DAY_MS, until_ms if until_ms is not None else 2**62)]
        first = day + 1 if day == first else first
        last = day - 1 if day == last else last
    conditions: list[str] = []
    for sign, bound in ((">=", first), ("<=", last)):
        if bound is not None:
            conditions.append(f"day {sign} ?")
            values.append(day_of(bound * DAY_MS))
    return " UNION ALL ".join([*parts, f"{_TOTALS} WHERE {' AND '.join(conditions) or 'true'}"]), values


_R = "r."
_TOTALS = f"SELECT {', '.join(TOTALS_OF_REQUEST)} FROM totals"
_REQUESTS = (
    f"SELECT {', '.join(f'{sql.format(_R)} AS {name}' for name, sql in TOTALS_OF_REQUEST.items())}"
    " FROM requests AS r WHERE r.started_at >= ? AND r.started_at < ?"
)


def _is_whole(connection: sqlite3.Connection, day: int) -> bool:
    """Whether every request of a day (counted since 1970) is still in the log."""
    there = connection.execute(
        "SELECT count(*) FROM requests WHERE started_at >= ? AND started_at < ?", (day * DAY_MS, (day + 1) * DAY_MS)
    ).fetchone()[0]
    summed = connection.execute("SELECT coalesce(sum(requests), 0) FROM totals WHERE day = ?", (day_of(day * DAY_MS),)).fetchone()[
        0
    ]
    return bool(there == summed)


def spent(connection: sqlite3.Connection, since_day_by_key: Mapping[str, str]) -> dict[str, int]:
    """Nano-dollars each key spent since its day, that day included; 0 for a key without any request."""
    found: dict[str, Any] = dict(
        connection.execute(
            "SELECT t.key_id, sum(t.cost_nano) FROM json_each(?) AS asked JOIN totals AS t"
            " ON t.key_id = asked.key AND t.day >= asked.value GROUP BY t.key_id",
            (orjson.dumps(dict(since_day_by_key)).decode(),),
        ).fetchall()
    )
    return {key_id: int(found.get(key_id, 0)) for key_id in since_day_by_key}
