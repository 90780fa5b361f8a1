"""Usage: sums over the totals, and over single requests where a range begins or ends within a slot."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from conduit_desktop.core.records import UsageRow
from conduit_desktop.core.tokens import CLASS_NAMES
from conduit_desktop.store.interface import Spending
from conduit_desktop.store.interface import UsageGroup as Group
from conduit_desktop.store.sqlite.records import TOTALS_OF_REQUEST

SLOT_MS = 900_000
"""A slot of the totals: a quarter of an hour."""

_COLUMN: dict[Group, str] = {
    "day": "strftime('%Y-%m-%d', t.slot * 900, 'unixepoch')",
    "hour": "strftime('%Y-%m-%dT%H:00:00Z', t.slot * 900, 'unixepoch')",
    "key": "t.key_id",
    **{name: f"t.{name}" for name in ("model", "upstream_model", "team", "provider", "client", "endpoint", "status")},
}
_SUMS = ("requests", "failed", "refused", *CLASS_NAMES, "cost_nano")
# A removed key has no row any more; its totals keep the name it had last.
_KEY_NAME = """coalesce(
    (SELECT name FROM keys WHERE id = t.key_id),
    (SELECT key_name FROM totals WHERE key_id = t.key_id ORDER BY slot DESC LIMIT 1))"""


def usage(connection: sqlite3.Connection, group_by: Sequence[Group], since_ms: int | None, until_ms: int | None) -> list[UsageRow]:
    """Sums by the requested groups, from since (inclusive) until (exclusive).

    Slots whose requests are no longer all in the log count whole.
    """
    groups = list(dict.fromkeys(group_by))
    columns = {f"{name}_id" if name == "key" else str(name): _COLUMN[name] for name in groups}
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
    return " UNION ALL ".join([*parts, f"{_TOTALS} WHERE {' AND '.join(conditions) or 'true'}"]), values


_R = "r."
_TOTALS = f"SELECT {', '.join(TOTALS_OF_REQUEST)} FROM totals"
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
