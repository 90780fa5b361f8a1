"""When to ask again, where no `Retry-After` says so: rate-limit resets and the words of the error."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from conduit_desktop.wire.errors.classify import LOOKED_AT
from conduit_desktop.wire.errors.retry_after import LONGEST_S, retry_after, until, when

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d)(?![a-z]))"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_IN_WORDS = re.compile(
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
_STRUCTURED = re.compile(r"\br=(\d+)\s*;\s*t=(\d+)")
"""Hugging Face's `RateLimit: "api";r=0;t=55`: what remains, and seconds until there is more."""


def retry_hint(headers: Mapping[str, str], text: str = "", now: float | None = None, limited: bool = True) -> float | None:
    """Seconds to wait, or None where nothing says so.

    `headers` have lower-case names. `now` is epoch seconds; without it the answer's own `date` counts. `Retry-After` and
    its relatives win, then the words of the error, then the resets of the limits that are used up, else the nearest: every
    answer tells of its limits, so those say nothing where the error is not about them (not `limited`).
    """
    if now is None:
        now = _epoch(headers)
    found = retry_after(headers)
    if found is None:
        found = duration(headers.get("retry-after", ""))
    if found is None:
        found = seconds_in_words(text)
    if found is None:
        return _resets(headers, now) if limited else None
    return _sane(found)


def seconds_in_words(text: str) -> float | None:
    """The wait in an error's text: "try again in 1m2.5s", "retry after 20 seconds", Google's `retryDelay`."""
    delay = _DELAY_FIELD.search(text, 0, LOOKED_AT)
    if delay:
        return _sane(float(delay[1]))
    found = _IN_WORDS.search(text, 0, LOOKED_AT)
    if found is None:
        return None
    if found["span"]:
        return duration(found["span"].lower())
    unit = found["unit"].lower()
    return _sane(float(found["count"]) * _UNIT_S["ms" if unit.startswith("milli") else unit[0]])


def duration(text: str) -> float | None:
    """Seconds in "1s", "6m0s", "120ms", or a bare number of seconds; None for anything else."""
    text = text.strip()
    if _WHOLE_DURATION.fullmatch(text):
        return _sane(sum(float(count) * _UNIT_S[unit] for count, unit in _DURATION.findall(text)))
    return _number(text)


def _number(text: str) -> float | None:
    try:
        return _sane(float(text))
    except ValueError:
        return None


def _sane(seconds: float) -> float | None:
    return min(seconds, LONGEST_S) if math.isfinite(seconds) and seconds >= 0 else None


def _epoch(headers: Mapping[str, str]) -> float | None:
    """The answer's own `date` in epoch seconds."""
    date = when(headers.get("date"))
    return None if date is None else date.timestamp()


def _resets(headers: Mapping[str, str], now: float | None) -> float | None:
    """The longest wait among the limits that are used up; where none is, the shortest of all."""
    used_up: list[float] = []
    others: list[float] = []
    for remaining, reset in _RESETS:
        wait = _reset(headers[reset], now, headers) if reset in headers else None
        if wait is not None:
            (used_up if _number(headers.get(remaining, "")) == 0 else others).append(wait)
    for left, seconds in _STRUCTURED.findall(headers.get("ratelimit", "")):
        (used_up if left == "0" else others).append(min(float(seconds), LONGEST_S))
    return max(used_up) if used_up else min(others, default=None)


def _reset(text: str, now: float | None, headers: Mapping[str, str]) -> float | None:
    """A duration, an epoch in seconds or milliseconds (OpenRouter), or a point in time."""
    try:
        number = float(text)
    except ValueError:
        found = duration(text)
        return found if found is not None else until(text, headers)
    if number < 1e9:
        return _sane(number)
    at = number / 1000 if number > 1e11 else number
    return None if now is None else _sane(max(0.0, at - now))
