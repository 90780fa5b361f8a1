"""A clock that stands still until it is moved."""

from __future__ import annotations


class Clock:
    """Wall time and monotonic time that move together, except when the wall clock is set.

    Call it for monotonic seconds, where code takes `now: Callable[[], float]`; `wall()` is `time.time()`'s stand-in.
    """

    def __init__(self, wall: float = 1_790_000_000.0, monotonic: float = 1_000.0) -> None:
        self._wall = wall
        self._monotonic = monotonic

    def __call__(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def millis(self) -> int:
        """Whole milliseconds since the epoch."""
        return round(self._wall * 1000)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._wall += seconds
        self._monotonic += seconds

    def set_wall(self, wall: float) -> None:
        """Set the wall clock alone, as a time server or a user does."""
        self._wall = wall

    def sleep(self, seconds: float) -> None:
        """Suspend the machine: the wall clock goes on, the monotonic one stands (Linux's CLOCK_MONOTONIC)."""
        self._wall += seconds
