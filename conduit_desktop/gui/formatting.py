"""Times, durations, counts, sizes and costs as short texts."""

from __future__ import annotations

from datetime import UTC, datetime

from conduit_desktop.core.money import show_usd, to_nano


def parse(time: str | None) -> datetime | None:
    """An RFC 3339 time in the local zone; None for None."""
    return None if time is None else datetime.fromisoformat(time).astimezone()


def ago(time: str | None, now: datetime | None = None) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `Nov 12, 14:03`; `never` for None."""
    at = parse(time)
    if at is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    # The day apart: `%-d`, the day without a leading zero, does not exist on Windows.
    return f"{int(seconds // 3600)} h ago" if seconds < 86_400 else f"{at:%b} {at.day}, {at:%H:%M}"


def clock(epoch_ms: int) -> str:
    """The local time of day, with the date unless it is today."""
    at = datetime.fromtimestamp(epoch_ms / 1000).astimezone()
    today = datetime.now().astimezone().date()
    return f"{at:%H:%M:%S}" if at.date() == today else f"{at:%b} {at.day} {at:%H:%M}"


def duration(ms: float | None) -> str:
    """`340 ms`, `2.4 s`, `3 min 20 s`; a dash for None."""
    if ms is None:
        return "–"
    if ms < 10:
        return f"{ms:.1f} ms"
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s" if ms < 10_000 else f"{ms / 1000:.0f} s"
    return f"{int(ms // 60_000)} min {int(ms % 60_000 // 1000)} s"


def count(number: int) -> str:
    """`940`, `12,400`, `1.2M`."""
    if number < 100_000:
        return f"{number:,}"
    return (
        f"{number / 1000:.0f}k" if number < 1_000_000 else f"{number / 1_000_000:.1f}M" if number < 1e9 else f"{number / 1e9:.1f}B"
    )


def size(number: int) -> str:
    """`512 B`, `3.4 MB`: bytes in the largest unit that fits."""
    for unit in ("B", "KB", "MB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024  # type: ignore[assignment]
    return f"{number:.1f} GB"


def cost(usd: float | None) -> str:
    """US dollars; `unknown` for None, never $0."""
    return show_usd(None if usd is None else to_nano(usd))
