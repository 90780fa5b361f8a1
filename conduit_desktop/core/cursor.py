"""The cursor of a list: the place of the last row shown, as opaque text that is safe in a URL."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson

from conduit_desktop.core.errors import Invalid

T = TypeVar("T")


def write_cursor(*place: str | int) -> str:
    """The cursor of a place, such as the time and id of the last row shown."""
    # Without padding: `=` would have to be quoted in a URL.
    return base64.urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()


def read_cursor(cursor: str, *kinds: type[str] | type[int]) -> list[Any]:
    """The parts of a place, whose types are `kinds`; raises Invalid("cursor") for any other text."""
    try:
        # Without `validate` b64decode skips foreign characters, and a damaged cursor could be taken for another one.
        place = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise Invalid("cursor: is not one that a list returned", "cursor") from error
    # The exact type, because isinstance would accept a bool as an int.
    if not isinstance(place, list) or [type(part) for part in place] != list(kinds) or not all(map(_fits, place)):
        raise Invalid("cursor: is not one that a list returned", "cursor")
    return place


def page(rows: Sequence[T], limit: int, place: Callable[[T], tuple[str | int, ...]]) -> tuple[list[T], str | None]:
    """The first `limit` of `rows` (queried with one more), and the cursor of the rest; None at the end."""
    shown = list(rows[:limit])
    return shown, write_cursor(*place(shown[-1])) if len(rows) > limit and shown else None


def _fits(part: str | int) -> bool:
    """SQLite's integers have 64 bits; JSON's may have more."""
    return isinstance(part, str) or -(2**63) <= part < 2**63
