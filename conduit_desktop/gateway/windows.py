"""How much was used in the last minute or day: one by one where limits are small, in two buckets where they are large.

All counting is done on one loop, so nothing is locked. `now` is epoch seconds: the computer's sleep counts as time.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

MINUTE_S, DAY_S = 60, 86_400
EXACT_UP_TO = 600
"""Uses a window may count one by one; wider ones are counted in two buckets, whose cost does not grow with the limit."""


class Window(Protocol):
    """What was used in the last `span_s` seconds."""

    span_s: int

    def used(self, now: float) -> int:
        """The uses that still count."""
        ...

    def add(self, now: float, amount: int = 1) -> None:
        """Count `amount` more, asked or not."""
        ...

    def reset_s(self, now: float) -> float:
        """Seconds until some of what counts now is over."""
        ...

    def wait_s(self, now: float, limit: int, amount: int = 1) -> float:
        """Seconds until `limit` has room for `amount` more, if nothing else is used."""
        ...


class Exact:
    """Every use with its moment."""

    __slots__ = ("_moments", "span_s")

    def __init__(self, span_s: int) -> None:
        self.span_s = span_s
        self._moments: deque[float] = deque()

    def used(self, now: float) -> int:
        moments = self._moments
        # A moment that is still to come was noted before the clock was set back.
        while moments and not now - self.span_s <= moments[0] <= now:
            moments.popleft()
        return len(moments)

    def add(self, now: float, amount: int = 1) -> None:
        self._moments.extend([now] * amount)

    def reset_s(self, now: float) -> float:
        return self._moments[0] + self.span_s - now if self.used(now) else 0.0

    def wait_s(self, now: float, limit: int, amount: int = 1) -> float:
        over = min(self.used(now) + amount - limit, len(self._moments))
        return self._moments[over - 1] + self.span_s - now if over > 0 else 0.0


class Counted:
    """Two buckets: the running stretch counts whole, the one before by the share of it that the window still covers."""

    __slots__ = ("_before", "_bucket", "_current", "span_s")

    def __init__(self, span_s: int) -> None:
        self.span_s = span_s
        self._bucket = self._before = self._current = 0

    def used(self, now: float) -> int:
        covered = self._turn(now)
        return int(self._before * covered) + self._current

    def add(self, now: float, amount: int = 1) -> None:
        self._turn(now)
        self._current += amount

    def reset_s(self, now: float) -> float:
        return self._turn(now) * self.span_s

    def wait_s(self, now: float, limit: int, amount: int = 1) -> float:
        covered = self._turn(now)
        room = limit - amount - self._current
        if room >= 0:
            return max(0.0, covered - room / self._before) * self.span_s if self._before else 0.0
        # Only in the next stretch, once this one counts for little enough.
        return (covered + 1 - max(0, limit - amount) / self._current) * self.span_s

    def _turn(self, now: float) -> float:
        """Begin a new bucket where it is time; the share of the bucket before that still counts."""
        stretches = now / self.span_s
        bucket = int(stretches)
        if bucket != self._bucket:
            if bucket == self._bucket - 1:  # the clock was set back a little
                return 1.0
            self._before = self._current if bucket == self._bucket + 1 else 0
            self._bucket, self._current = bucket, 0
        return 1.0 - (stretches - bucket)


def fitting(window: Window | None, limit: int | None, span_s: int) -> Window | None:
    """The window that counts for `limit`: `window` itself where it is of the right kind; None where nothing is limited."""
    if limit is None:
        return None
    kind = Exact if limit <= EXACT_UP_TO else Counted
    return window if isinstance(window, kind) else kind(span_s)
