"""Corrections of costs: a record gets another one, its totals with it, and keeps the former one with its corrector."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import orjson

from conduit_desktop.core.records import CostCorrection, FormerCost, RequestRecord
from conduit_desktop.store.interface import PricedRequests
from conduit_desktop.store.sqlite.records import TOTALS_KEY, TOTALS_OF_REQUEST, UNPRICED


def conditions(wanted: PricedRequests, after: RequestRecord | None) -> tuple[str, list[Any]]:
    """The records to price, as SQL with its values."""
    # UNPRICED as it stands in the index of such records.
    parts: list[str] = [UNPRICED.format("") if wanted.unknown_only else "status <> 'refused'"]
    values: list[Any] = []
    for sign, at in ((">=", wanted.since_ms), ("<", wanted.until_ms)):
        if at is not None:
            parts.append(f"started_at {sign} ?")
            values.append(at)
    if wanted.model is not None:
        parts.append("? IN (model, upstream_model, provider || '/' || upstream_model)")
        values.append(wanted.model)
    if after is not None:
        parts.append("(started_at, id) > (?, ?)")
        values += (after.started_at, after.id)
    return " AND ".join(parts), values


def former_costs(connection: sqlite3.Connection, id: str) -> list[FormerCost]:
    """What a record's cost was before each of its corrections, the oldest first."""
    row = connection.execute("SELECT corrections FROM requests WHERE id = ?", (id,)).fetchone()
    return [FormerCost(**entry) for entry in orjson.loads(row[0])] if row else []


def correct_in(
    connection: sqlite3.Connection, corrections: Iterable[CostCorrection], actor: str, at_ms: int
) -> list[CostCorrection]:
    """Write corrections on a connection of `database.write`; those that were written.

    One is left out whose record has another cost by now: the totals would be wrong by the difference.
    """
    return [one for one in corrections if _correct(connection, one, actor, at_ms)]


_PLACE = ", ".join(TOTALS_OF_REQUEST[name].format("") for name in TOTALS_KEY)
_HAS_ANSWER = "status IN ('success', 'broken', 'cancelled') AND json_array_length(attempts) > 0"
"""Whether the last attempt is the one that answered, and costs what the failed ones do not."""
_IS_PLACE = " AND ".join(f"{name} = ?" for name in TOTALS_KEY)


def _correct(connection: sqlite3.Connection, correction: CostCorrection, actor: str, at_ms: int) -> bool:
    before = connection.execute(
        f"""SELECT cost_state, price_source, price_date, {_PLACE}
        FROM requests WHERE id = ? AND cost_nano IS ?""",
        (correction.id, correction.before_nano),
    ).fetchone()
    if before is None:
        return False
    state, source, date, *place = before
    former = {
        "at": at_ms, "actor": actor, "cost_nano": correction.before_nano, "cost_state": state, "price_source": source,
        "price_date": date,
    }  # fmt: skip
    connection.execute(
        f"""UPDATE requests SET cost_nano = ?, cost_state = ?, cost_breakdown = ?, price_source = ?, price_date = ?,
            corrections = json_insert(corrections, '$[#]', json(?)),
            attempts = CASE WHEN {_HAS_ANSWER} THEN json_set(attempts, '$[#-1].cost_nano', ? - attempts_nano) ELSE attempts END
        WHERE id = ?""",
        (
            correction.cost_nano, correction.cost_state, orjson.dumps(correction.cost_breakdown).decode(), correction.price_source,
            correction.price_date, orjson.dumps(former).decode(), correction.cost_nano, correction.id,
        ),
    )  # fmt: skip
    was_unknown = correction.before_nano is None
    was_estimated = state == "estimated" and not was_unknown
    is_estimated = correction.cost_state == "estimated"
    change = (correction.cost_nano - (correction.before_nano or 0), int(was_unknown), is_estimated - was_estimated)
    add = "SET cost_nano = cost_nano + ?, unpriced = unpriced - ?, estimated = estimated + ?"
    # Sums of the hour and the day are made anew: the change of the record has marked them.
    connection.execute(f"UPDATE totals {add} WHERE {_IS_PLACE}", (*change, *place))
    return True
