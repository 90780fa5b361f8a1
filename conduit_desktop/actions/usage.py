"""Usage: requests, tokens and cost, summed by any of the groups that the ledger knows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, cast, get_args

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import UsageQuery, epoch_ms
from conduit_desktop.actions.schemas.reports import UsageView
from conduit_desktop.core import suggestions
from conduit_desktop.core.csv_cells import as_cell
from conduit_desktop.core.cursor import page as cut
from conduit_desktop.core.cursor import read_cursor
from conduit_desktop.core.errors import Invalid
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.core.money import to_usd
from conduit_desktop.core.records import UsageRow
from conduit_desktop.core.tokens import CLASS_NAMES
from conduit_desktop.store.interface import UsageGroup as Group

MOST_ON_LOOP = 500
"""Rows whose views are made on the event loop; those of more are made in a thread."""

CSV_ROWS = 20_000
"""Rows of a CSV file that are read and written at a time."""

_COUNTS = ("requests", "errors", *CLASS_NAMES)


def groups(text: str) -> list[Group]:
    """`day,model` as a list; raises Invalid for any other name."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in get_args(Group):
            meant = suggestions.likely(name, get_args(Group))
            likely = f"; did you mean {meant!r}?" if meant is not None else ""
            raise Invalid(f"group_by: {name!r} is none of {', '.join(get_args(Group))}{likely}", "group_by")
    return cast("list[Group]", list(dict.fromkeys(names)))


def view(row: UsageRow, group_by: Sequence[Group]) -> dict[str, Any]:
    """One row of sums: the requested groups (`key` is the key's id, with `key_name`), counts, tokens by class, cost in US dollars.

    The cost is that of the requests with a known price; null where there are only others.
    """
    shown: dict[str, Any] = {}
    for group in group_by:
        shown[group] = _value(row, group)
        if group == "key":
            shown["key_name"] = row.key_name
    shown |= {name: getattr(row, name) for name in _COUNTS}
    return shown | {
        # Nothing of it has a known price: unknown, which is not the same as free.
        "cost_usd": None if row.unpriced_requests and not row.cost_nano else to_usd(row.cost_nano),
        "unpriced_requests": row.unpriced_requests,
        "estimated_requests": row.estimated_requests,
        "failed": row.failed,
        "refused": row.refused,
        "latency_ms": {"p50": row.latency_p50, "p95": row.latency_p95},
        "first_token_ms": {"p50": row.first_token_p50, "p95": row.first_token_p95},
    }


async def rows(context: AppContext, query: UsageQuery) -> list[UsageView]:
    """Sums by the requested groups; one row of totals without any. Raises Invalid."""
    group_by = groups(query.group_by)
    return await _views(await _sums(context, query, group_by), group_by)


async def page(context: AppContext, query: UsageQuery, limit: int) -> tuple[list[UsageView], str | None]:
    """The first rows behind the query's cursor, and the cursor of the rest; None at the end. Raises Invalid."""
    group_by = groups(query.group_by)
    after = (_place(query.cursor, group_by) or None) if query.cursor else None
    # One row more than wanted tells whether there is a rest.
    found = await _sums(context, query, group_by, limit + 1, after)
    shown, cursor = cut(found, limit, lambda row: tuple(_value(row, group) or "" for group in group_by))
    return await _views(shown, group_by), cursor


def _place(cursor: str, group_by: Sequence[Group]) -> tuple[str, ...]:
    place = tuple(read_cursor(cursor, *[str] * len(group_by)))
    for group, value in zip(group_by, place, strict=True):
        if group in ("day", "hour"):
            try:
                date.fromisoformat(value[:10])
            except ValueError as error:
                raise Invalid("cursor: is not one that a list returned", "cursor") from error
    return place


async def _sums(
    context: AppContext,
    query: UsageQuery,
    group_by: Sequence[Group],
    limit: int | None = None,
    after: tuple[str, ...] | None = None,
) -> list[UsageRow]:
    return await context.store.ledger.usage(
        group_by,
        since_ms=epoch_ms(query.since) if query.since else None,
        until_ms=epoch_ms(query.until) if query.until else None,
        zone=query.zone,
        limit=limit,
        after=after,
    )


async def _views(rows: Sequence[UsageRow], group_by: Sequence[Group]) -> list[UsageView]:
    def make() -> list[UsageView]:
        return [UsageView(**view(row, group_by)) for row in rows]

    # Of many rows, this would hold up the streams on this loop.
    return make() if len(rows) <= MOST_ON_LOOP else await for_operator(make)


def _value(row: UsageRow, group: Group) -> str | None:
    value: str | None = row.key_id if group == "key" else getattr(row, group)
    return value


async def csv_file(context: AppContext, query: UsageQuery) -> str:
    """All rows as CSV with a heading. Raises Invalid."""
    group_by = groups(query.group_by)
    parts: list[str] = []
    after: tuple[str, ...] | None = None
    while True:
        found = await _sums(context, query, group_by, CSV_ROWS, after)
        # In a thread: this would hold up the streams on this loop.
        shown = (view(row, group_by) for row in found)
        parts.append(await for_operator(as_csv, shown, query.group_by, not parts))
        if len(found) < CSV_ROWS or not group_by:
            return "".join(parts)
        after = tuple(_value(found[-1], group) or "" for group in group_by)


def as_csv(rows: Iterable[dict[str, Any]], group_by: str, heading: bool = True) -> str:
    """The rows as CSV; text that a spreadsheet would read as a formula is quoted."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(_flat(view(UsageRow(), groups(group_by)))), lineterminator="\n")
    if heading:
        writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in _flat(row).items()} for row in rows)
    return out.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """`{"latency_ms": {"p50": 1}}` as `{"latency_ms_p50": 1}`: a cell holds one value."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= {f"{name}_{part}": one for part, one in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _cell(value: Any) -> Any:
    if value is None:
        # Not an empty cell, which a spreadsheet adds up as zero.
        return "unknown"
    return as_cell(value)
