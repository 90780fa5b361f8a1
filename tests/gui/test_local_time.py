"""The viewer's time zone, as the system names it."""

from __future__ import annotations

from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest
from PySide6.QtCore import QByteArray

from conduit_desktop.gui import local_time


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("", "UTC"),
        ("UTC+02:00", "UTC"),
        ("Mars/Olympus", "UTC"),
    ],
)
def test_a_zone_that_the_system_does_not_name_properly_is_utc(monkeypatch: pytest.MonkeyPatch, system: str, name: str):
    monkeypatch.setattr(local_time.QTimeZone, "systemTimeZoneId", lambda: QByteArray(system.encode()))
    assert local_time.zone_name() == name
    assert local_time.zone() == (UTC if name == "UTC" else ZoneInfo(name))


def test_a_moment_belongs_to_the_viewers_day(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local_time, "zone", lambda: ZoneInfo("Asia/Kathmandu"))
    assert local_time.day_of(18 * 3_600_000) == date(1970, 1, 1)
    assert local_time.day_of(19 * 3_600_000) == date(1970, 1, 2)
