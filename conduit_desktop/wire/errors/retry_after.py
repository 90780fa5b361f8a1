"""When a provider can be asked again: `Retry-After` and its variants, the error's text, and rate-limit resets.

Nothing here reads the clock: times are counted from the answer's own `date` header, so that a wrong local clock does not matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from conduit_desktop.wire.errors.classify import SEARCHED

LONGEST_S = 31 * 86400.0
"""The longest wait, in seconds: any longer one is a mistake."""

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d)(?![a-z]))"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_IN_TEXT = re.compile(
    r"(?:again|retry|retrying|wait|available|resets?)(?: after| in| for)?[: ]+(?:about |at least |~)?"
    rf"(?:(?P<span>(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))*{_SPAN})"
    r"|(?P<count>\d+(?:\.\d+)?) ?(?P<unit>milliseconds?|seconds?|minutes?|hours?))",
    re.IGNORECASE,
)
_DELAY_FIELD = re.compile(r'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')
_RESETS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),  # OpenRouter, Together
    ("x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day"),  # Cerebras, SambaNova
    ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute"),  # Cerebras
    ("x-ratelimit-remaining-tokens-day", "x-ratelimit-reset-tokens-day"),  # SambaNova
    ("ratelimit-remaining", "ratelimit-reset"),  # Replicate
    ("ratelimitbysize-remaining", "ratelimitbysize-reset"),  # Mistral
    ("", "x-ratelimit-timeremaining"),  # GitHub Models
)
"""The headers with what remains of a limit and when it is full again."""
_STRUCTURED = re.compile(r"\br=(\d+)\s*;\s*t=(\d+)")
"""Hugging Face's `RateLimit: "api";r=0;t=55`: what remains, and seconds until there is more."""


def retry_hint(headers: Mapping[str, str], text: str = "", now: float | None = None, limited: bool = True) -> float | None:
    """Seconds to wait by every source, or None.

    `headers` have lower-case names. `now` is in epoch seconds; without it the answer's own `date` counts. `Retry-After` and its
    variants come first, then the error's `text`, then the resets of exhausted limits, else the nearest reset. Vendors send
    the reset headers with every answer, so they count only if the error is about a rate limit (`limited`).
    """
    if now is None:
        now = _epoch(headers)
    # From the most to the least reliable source: the header, its non-standard form, then the text of the error.
    found = retry_after(headers)
    if found is None:
        found = duration(headers.get("retry-after", ""))
    if found is None:
        found = seconds_in_text(text)
    if found is None:
        return _resets(headers, now) if limited else None
    return _capped(found)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `Retry-After`, never negative; None without a readable one. Header names are in lower case.

    `retry-after-ms` (OpenAI, Azure) is finer and comes first. A date counts from the answer's own `date`; without that
    header it is ignored.
    """
    milliseconds = _non_negative(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, LONGEST_S)
    value = headers.get("retry-after")
    seconds = _non_negative(value)
    # The header may hold seconds or a date, and a date never parses as a number.
    return min(seconds, LONGEST_S) if seconds is not None else until(value, headers)


def until(time: str | None, headers: Mapping[str, str]) -> float | None:
    """Seconds from the answer's `date` to `time`, an HTTP date or an RFC 3339 time."""
    then, now = _parse_time(time), _parse_time(headers.get("date"))
    return None if then is None or now is None else min(max(0.0, (then - now).total_seconds()), LONGEST_S)


def seconds_in_text(text: str) -> float | None:
    """The wait in an error's text: "try again in 1m2.5s", "retry after 20 seconds", Google's `retryDelay`."""
    delay = _DELAY_FIELD.search(text, 0, SEARCHED)
    if delay:
        return _capped(float(delay[1]))
    found = _IN_TEXT.search(text, 0, SEARCHED)
    if found is None:
        return None
    if found["span"]:
        return duration(found["span"].lower())
    unit = found["unit"].lower()
    return _capped(float(found["count"]) * _UNIT_S["ms" if unit.startswith("milli") else unit[0]])


def duration(text: str) -> float | None:
    """Seconds in "1s", "6m0s", "120ms", or a bare number of seconds; None for anything else."""
    text = text.strip()
    if _WHOLE_DURATION.fullmatch(text):
        return _capped(sum(float(count) * _UNIT_S[unit] for count, unit in _DURATION.findall(text)))
    number = _number(text)
    return None if number is None else _capped(number)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _non_negative(text: str | None) -> float | None:
    number = _number(text)
    return None if number is None else max(0.0, number)


def _capped(seconds: float) -> float | None:
    return min(seconds, LONGEST_S) if math.isfinite(seconds) and seconds >= 0 else None


def _parse_time(text: str | None) -> datetime | None:
    """An HTTP date or an RFC 3339 time; None for anything else."""
    if not text:
        return None
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = parse(text.strip())
        except ValueError:
            continue
        # `parsedate_to_datetime` returns a time without zone for `-0000`; HTTP dates are always GMT.
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _epoch(headers: Mapping[str, str]) -> float | None:
    """The answer's own `date` in epoch seconds."""
    date = _parse_time(headers.get("date"))
    return None if date is None else date.timestamp()


def _resets(headers: Mapping[str, str], now: float | None) -> float | None:
    """The longest wait among the exhausted limits; if none is exhausted, the shortest of all."""
    exhausted: list[float] = []
    others: list[float] = []
    for remaining, reset in _RESETS:
        wait = _reset(headers[reset], now, headers) if reset in headers else None
        if wait is not None:
            (exhausted if _number(headers.get(remaining)) == 0 else others).append(wait)
    for left, seconds in _STRUCTURED.findall(headers.get("ratelimit", "")):
        (exhausted if left == "0" else others).append(min(float(seconds), LONGEST_S))
    # All exhausted limits must be full again; without any, the cause is unknown and the shortest wait costs the least.
    return max(exhausted) if exhausted else min(others, default=None)


def _reset(text: str, now: float | None, headers: Mapping[str, str]) -> float | None:
    """The wait in a reset header: a duration, epoch seconds, epoch milliseconds (OpenRouter), or a time."""
    try:
        number = float(text)
    except ValueError:
        found = duration(text)
        return found if found is not None else until(text, headers)
    if number < 1e9:
        return _capped(number)
    # 1e9 s is the year 2001 and 1e11 s the year 5138: numbers tell durations, seconds and milliseconds apart.
    at = number / 1000 if number > 1e11 else number
    return None if now is None else _capped(max(0.0, at - now))
