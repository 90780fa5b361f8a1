"""Long lists in parts: a cursor names the last row shown, so rows added or removed in between do no harm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from conduit_desktop.actions.schemas.inputs import PageQuery
from conduit_desktop.core.cursor import page, read_cursor

T = TypeVar("T")


def part(items: Iterable[T], key: Callable[[T], str], query: PageQuery) -> tuple[list[T], str | None]:
    """The rows after the cursor, in the order of `key` (unique to each), and the cursor of the rest."""
    # All in memory: configuration is small. Records, notifications and audit are paged by the store.
    rows = sorted(items, key=key)
    if query.cursor:
        [last] = read_cursor(query.cursor, str)
        rows = [row for row in rows if key(row) > last]
    # One row more than wanted tells whether there is a rest.
    return page(rows[: query.limit + 1], query.limit, lambda row: (key(row),))
