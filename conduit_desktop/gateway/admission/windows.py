"""How much was used in the last minute or day: one by one where limits are small, by slices of time where they are large.

All counting is done on one loop, so nothing is locked. `now` is epoch seconds: the computer's sleep counts as time.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

MINUTE_S, DAY_S = 60, 86_400
EXACT_UP_TO = 600
"""Uses a window may count one by one; wider ones are counted in slices, whose cost does not grow with the limit."""
SLICES = 120
"""Of a window: so exact it is, and so many numbers it keeps at most."""


class UsageWindow(Protocol):
    """What was used in the last `span_s` seconds."""

    span_s: int

    def used(self, now: float) -> int:
        """The uses that still count."""
        ...

    def add(self, now: float, amount: int = 1) -> None:
        """Count `amount` more, without checking a limit."""
        ...

    def reset_s(self, now: float) -> float:
        """Seconds until some of what counts now is over."""
        ...

    def wait_s(self, now: float, limit: int, amount: int = 1) -> float:
        """Seconds until `limit` has room for `amount` more, if nothing else is used."""
        ...


class ExactWindow:
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


class SlicedWindow:
    """Uses by the slice of time they came in. A slice goes as a whole, when its first moment is `span_s` ago."""

    __slots__ = ("_counting", "_ends", "_running", "_slices", "_starts", "_total", "_width", "span_s")

    def __init__(self, span_s: int) -> None:
        self.span_s = span_s
        self._width = span_s / SLICES
        self._slices: deque[list[int]] = deque()
        """Each slice's number since the epoch, and what was used in it."""
        self._total = 0
        self._running = 0
        """The slice of the last look. Until it ends, nothing else goes."""
        self._starts = self._ends = 0.0
        self._counting: list[int] | None = None
        """The slice that is counted in until the running one ends; None: nothing was used in it yet."""

    def used(self, now: float) -> int:
        # Compared, not divided: this runs ten times a request.
        if not self._starts <= now < self._ends:
            running, slices = int(now // self._width), self._slices
            self._running, self._starts, self._ends = running, running * self._width, (running + 1) * self._width
            self._counting = None
            # A slice that is still to come was begun before the clock was set back: by a little, it is kept.
            while slices and not running - SLICES < slices[0][0] <= running + SLICES // 2:
                self._total -= slices.popleft()[1]
        return self._total

    def add(self, now: float, amount: int = 1) -> None:
        if not self._starts <= now < self._ends:
            self.used(now)
        self._total += amount
        counting = self._counting
        if counting is None:
            slices = self._slices
            if not slices or slices[-1][0] < self._running:
                slices.append([self._running, 0])
            self._counting = counting = slices[-1]
        counting[1] += amount

    def reset_s(self, now: float) -> float:
        # `used`, without a call in the usual case.
        used = self._total if self._starts <= now < self._ends else self.used(now)
        return max(0.0, (self._slices[0][0] + SLICES) * self._width - now) if used else 0.0

    def wait_s(self, now: float, limit: int, amount: int = 1) -> float:
        over, wait = self.used(now) + amount - limit, 0.0
        for number, used in self._slices:
            if over <= 0:
                break
            over -= used
            wait = self._over(number, now)
        return wait

    def _over(self, number: int, now: float) -> float:
        """Seconds until that slice no longer counts."""
        return max(0.0, (number + SLICES) * self._width - now)


def fitting(window: UsageWindow | None, limit: int | None, span_s: int) -> UsageWindow | None:
    """The window that counts for `limit`: `window` itself where it is of the right kind; None where nothing is limited."""
    if limit is None:
        return None
    kind = ExactWindow if limit <= EXACT_UP_TO else SlicedWindow
    return window if isinstance(window, kind) else kind(span_s)
