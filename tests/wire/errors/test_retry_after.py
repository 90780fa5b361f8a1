"""How long a provider asks to be left alone."""

from __future__ import annotations

import pytest

from conduit_desktop.wire.errors.retry_after import LONGEST_S, retry_after, until

NOON = {"date": "Sat, 21 Nov 2026 12:00:00 GMT"}


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
def test_the_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_moment_may_be_said_in_rfc_3339() -> None:
    assert until("2026-11-21T12:00:05Z", NOON) == 5
    assert until("2026-11-21T13:00:05+01:00", NOON) == 5
    assert until(None, NOON) is None
