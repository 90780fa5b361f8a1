"""When to ask again, as vendors say it."""

from __future__ import annotations

import pytest

from conduit_desktop.wire.errors.retry_hints import duration, retry_hint, seconds_in_words

DATE = "Sun, 22 Nov 2026 00:00:00 GMT"
NOW = 1795305600.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("120ms", 0.12),
        ("1m30.5s", 90.5),
        ("1h", 3600),
        ("2", 2),
        ("", None),
        ("soon", None),
        ("-1", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Rate limit reached. Please try again in 1.2s. Visit …", 1.2),
        ("Please try again in 6m0s.", 360),
        ("try again in 86ms", 0.086),
        ("Please retry after 20 seconds.", 20),
        ("Retry after: 5 seconds", 5),
        ("Please wait 2 minutes", 120),
        ('{"retryDelay": "33s"}', 33),
        ("Please retry in 33.5s.", 33.5),
        ("Request was throttled. Your rate limit resets in ~30s.", 30),
        ("Please try again later.", None),
        ("Try again in 3 steps", None),
    ],
)
def test_words(text: str, seconds: float | None) -> None:
    assert seconds_in_words(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7", "x-ratelimit-reset-requests": "1s"}, 7),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "1m30s"}, 90),
        ({"retry-after": "Sun, 22 Nov 2026 00:00:30 GMT", "date": DATE}, 30),
        ({"retry-after": "Sun, 22 Nov 2026 00:00:30 GMT"}, None),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 1),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}, 360),
        ({"x-ratelimit-reset": "12"}, 12),
        ({"x-ratelimit-reset": str(int(NOW * 1000) + 5000), "date": DATE}, 5),
        ({"x-ratelimit-reset": str(int(NOW) + 5), "date": DATE}, 5),
        ({"x-ratelimit-reset": str(int(NOW) + 5)}, None),
        ({"x-ratelimit-reset-requests": "2026-11-22T00:00:10Z", "date": DATE}, 10),
        ({"retry-after": "1e30"}, 31 * 86400),
        ({}, None),
    ],
)
def test_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_hint(headers) == seconds


def test_headers_come_before_words_and_words_before_resets() -> None:
    assert retry_hint({"retry-after": "3"}, "try again in 1s") == 3
    assert retry_hint({"x-ratelimit-reset-requests": "9s"}, "try again in 1s") == 1


def test_the_time_can_be_given() -> None:
    assert retry_hint({"x-ratelimit-reset": str(int(NOW) + 5)}, now=NOW) == 5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-requests-day": "33011.38"}, 33011.38),  # Cerebras
        ({"x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "11.38"}, 11.38),
        ({"x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-requests-day": str(int(NOW) + 90)}, 90),  # SambaNova
        ({"ratelimit-remaining": "0", "ratelimit-reset": "12"}, 12),  # Replicate
        ({"ratelimitbysize-remaining": "0", "ratelimitbysize-reset": "48"}, 48),  # Mistral
        ({"x-ratelimit-timeremaining": "23"}, 23),  # GitHub Models
        ({"ratelimit": '"api";r=0;t=55'}, 55),  # Hugging Face
        ({"ratelimit": '"api";r=12;t=55', "x-ratelimit-reset": "7", "x-ratelimit-remaining": "0"}, 7),
        ({"ratelimit": "limit=10, remaining=0"}, None),
    ],
)
def test_the_headers_of_vendors(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_hint(headers, "", NOW) == pytest.approx(seconds)
