"""How long a provider asks to be left alone: `Retry-After` and its relatives, read without a clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 31 * 86400.0
"""More than this no provider means, and nobody waits for."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, never negative; None where nothing readable is said. Header names are in lower case.

    `retry-after-ms` (OpenAI, Azure) is the finer one and comes first. A date counts from the answer's own `date`, so
    that a clock that is off here does not matter; without that header a date says nothing.
    """
    fine = _number(headers.get("retry-after-ms"))
    if fine is not None:
        return min(fine / 1000, LONGEST_S)
    said = headers.get("retry-after")
    seconds = _number(said)
    return min(seconds, LONGEST_S) if seconds is not None else until(said, headers)


def until(moment: str | None, headers: Mapping[str, str]) -> float | None:
    """Seconds from the answer's `date` to `moment`, an HTTP date or an RFC 3339 time."""
    then, now = when(moment), when(headers.get("date"))
    return None if then is None or now is None else min(max(0.0, (then - now).total_seconds()), LONGEST_S)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def when(text: str | None) -> datetime | None:
    """An HTTP date or an RFC 3339 time; None for what is neither."""
    if not text:
        return None
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = parse(text.strip())
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
