"""The viewer's time zone: days and hours on the pages are its own, wherever the gateway runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from PySide6.QtCore import QTimeZone


def zone_name() -> str:
    """The IANA name of the system's time zone; `UTC` where the system does not tell one."""
    name = bytes(QTimeZone.systemTimeZoneId().data()).decode("ascii", "replace")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"
    return "UTC" if name == "Etc/UTC" else name


def zone() -> tzinfo:
    """The system's time zone."""
    name = zone_name()
    return UTC if name == "UTC" else ZoneInfo(name)


def day_of(at_ms: int) -> date:
    """The viewer's day at a moment in epoch ms."""
    return datetime.fromtimestamp(at_ms / 1000, zone()).date()


def today() -> date:
    """The viewer's present day."""
    return datetime.now(zone()).date()
