"""What was spent: sums over the daily totals."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from conduit_desktop.core.entities import UsageRow

Group = Literal["day", "model", "key", "provider"]

_COLUMN = {"day": "t.day", "model": "t.model", "key": "t.key_id", "provider": "t.provider"}
_SUMS = ("requests", "errors", "input", "cache_read", "cache_write", "output", "reasoning", "audio_in", "audio_out", "cost_nano")
_KEY_NAME = """coalesce(
    (SELECT name FROM keys WHERE id = t.key_id),
    (SELECT key_name FROM totals WHERE key_id = t.key_id ORDER BY day DESC LIMIT 1))"""


def day_of(at_ms: int) -> str:
    """The UTC day of a moment, as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def usage(connection: sqlite3.Connection, group_by: Sequence[Group], since_ms: int | None, until_ms: int | None) -> list[UsageRow]:
    """Sums by the groups asked for, over the whole UTC days touched by since (inclusive) and until (exclusive)."""
    groups = list(dict.fromkeys(group_by))
    columns = {f"{name}_id" if name == "key" else name: _COLUMN[name] for name in groups}
    if "key" in groups:
        columns["key_name"] = _KEY_NAME
    columns |= {name: f"sum(t.{name})" for name in _SUMS}
    columns |= {"unpriced_requests": "sum(t.unpriced)", "estimated_requests": "sum(t.estimated)"}
    where, values = _days(since_ms, until_ms)
    keys = ", ".join(_COLUMN[name] for name in groups)
    statement = f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in columns.items())} FROM totals AS t {where}"
    statement += f" GROUP BY {keys} ORDER BY {keys}" if groups else " HAVING count(*) > 0"
    return [UsageRow(**dict(zip(columns, row, strict=True))) for row in connection.execute(statement, values)]


def _days(since_ms: int | None, until_ms: int | None) -> tuple[str, list[str]]:
    conditions: list[str] = []
    values: list[str] = []
    if since_ms is not None:
        conditions.append("t.day >= ?")
        values.append(day_of(since_ms))
    if until_ms is not None:
        conditions.append("t.day <= ?")
        values.append(day_of(until_ms - 1))
    return ("WHERE " + " AND ".join(conditions) if conditions else ""), values


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
