"""When a provider may be called again: headers, texts and rate-limit resets of real vendors."""

from __future__ import annotations

import pytest

from conduit_desktop.wire.errors.retry_after import LONGEST_S, duration, retry_after, retry_hint, seconds_in_text, until

NOON = {"date": "Sat, 21 Nov 2026 12:00:00 GMT"}
DATE = "Sun, 22 Nov 2026 00:00:00 GMT"
NOW = 1795305600.0
"""`DATE` in epoch seconds."""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:30 GMT", **NOON}, 90.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT", **NOON}, 0.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:30 GMT"}, None),
        ({"retry-after": "9" * 30}, LONGEST_S),
        ({"retry-after-ms": "9" * 30}, LONGEST_S),
        ({"retry-after": "Sat, 21 Nov 9999 12:01:30 GMT", **NOON}, LONGEST_S),
    ],
)
def test_every_form_of_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_time_may_be_in_rfc_3339_form() -> None:
    assert until("2026-11-21T12:00:05Z", NOON) == 5
    assert until("2026-11-21T13:00:05+01:00", NOON) == 5
    assert until(None, NOON) is None


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
def test_a_duration_is_read_in_seconds(text: str, seconds: float | None) -> None:
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
def test_the_wait_in_an_errors_text_is_read(text: str, seconds: float | None) -> None:
    assert seconds_in_text(text) == pytest.approx(seconds)


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
        ({"x-ratelimit-reset": "inf", "date": DATE}, None),
        ({"x-ratelimit-reset": "9" * 400 + "s"}, None),
        ({}, None),
    ],
)
def test_the_wait_in_the_headers_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_hint(headers) == seconds


def test_headers_come_before_the_text_and_the_text_before_resets() -> None:
    assert retry_hint({"retry-after": "3"}, "try again in 1s") == 3
    assert retry_hint({"x-ratelimit-reset-requests": "9s"}, "try again in 1s") == 1


def test_resets_count_from_the_given_time() -> None:
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
def test_the_rate_limit_headers_of_every_vendor_are_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_hint(headers, "", NOW) == pytest.approx(seconds)
