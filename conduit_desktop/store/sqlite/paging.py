"""Cursors: where a list goes on, as opaque text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson

from conduit_desktop.core.errors import Invalid

T = TypeVar("T")


def write_cursor(at: int, id: str | int) -> str:
    """The place of the last row shown."""
    return base64.urlsafe_b64encode(orjson.dumps([at, id])).rstrip(b"=").decode()


def read_cursor(cursor: str, kind: type[str] | type[int] = str) -> tuple[int, str | int]:
    """Time and id of the last row shown; raises Invalid("cursor")."""
    try:
        at, id = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise Invalid("this is no cursor of ours", "cursor") from error
    if type(at) is not int or type(id) is not kind or not -(2**63) <= at < 2**63:
        raise Invalid("this is no cursor of ours", "cursor")
    return at, id


def page(rows: Sequence[T], limit: int, place: Callable[[T], tuple[int, str | int]]) -> tuple[list[T], str | None]:
    """The first `limit` of `rows` (asked for with one more), and the cursor of what follows."""
    shown = list(rows[:limit])
    return shown, write_cursor(*place(shown[-1])) if len(rows) > limit and shown else None
