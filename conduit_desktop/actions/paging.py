"""Long lists in parts: a cursor names the last row shown, so rows that come or go in between do no harm."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import TypeVar

from conduit_desktop.actions.schemas.inputs import PageQuery
from conduit_desktop.core.errors import Invalid

T = TypeVar("T")


def part(items: Iterable[T], key: Callable[[T], str], query: PageQuery) -> tuple[list[T], str | None]:
    """The rows after the cursor, in the order of `key` (unique to each), and the cursor of the rest."""
    rows = sorted(items, key=key)
    if query.cursor:
        last = opened(query.cursor)
        rows = [row for row in rows if key(row) > last]
    shown = rows[: query.limit]
    return shown, sealed(key(shown[-1])) if len(rows) > len(shown) else None


def sealed(text: str) -> str:
    """A cursor: opaque, and safe in a URL."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def opened(cursor: str) -> str:
    """What a cursor holds; raises Invalid for text that never was one."""
    try:
        return b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise Invalid("cursor: is not one that a list gave out", "cursor") from None
