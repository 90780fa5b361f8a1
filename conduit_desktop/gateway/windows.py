"""Where rate windows are counted: the field's own arithmetic (`limits`) over plain dictionaries.

limits' MemoryStorage takes a lock for every look and starts a thread every ten milliseconds to clear up. All our counting is
done on one loop, so neither is needed: what is over is cleared as new entries come.
"""

from __future__ import annotations

import math
import time
from collections import deque

from limits.storage import MovingWindowSupport, Storage
from limits.storage.base import SlidingWindowCounterSupport, TimestampedSlidingWindow

SWEEP_EVERY_S = 60.0


class LoopStorage(Storage, MovingWindowSupport, SlidingWindowCounterSupport, TimestampedSlidingWindow):
    """Counters with an end, and the moments of single entries, oldest first. For one thread."""

    STORAGE_SCHEME = None
    base_exceptions = ValueError

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, int] = {}
        self._ends: dict[str, float] = {}
        self._moments: dict[str, deque[float]] = {}
        self._sweep_at = 0.0

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count `amount` more; a counter ends `expiry` seconds after it began."""
        now = time.time()
        if now >= self._sweep_at:
            self._sweep(now)
        count = self._at(key, now) + amount
        if count == amount:
            self._ends[key] = now + expiry
        self._counts[key] = count
        return count

    def get(self, key: str) -> int:
        """What has been counted."""
        return self._at(key, time.time())

    def _at(self, key: str, now: float) -> int:
        return self._counts.get(key, 0) if self._ends.get(key, 0.0) > now else 0

    def get_expiry(self, key: str) -> float:
        """When the counter ends, in epoch seconds."""
        return self._ends.get(key, time.time())

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Note `amount` entries now, if the last `expiry` seconds have room for them."""
        now = time.time()
        moments = self._moments.setdefault(key, deque())
        while moments and moments[0] < now - expiry:
            moments.popleft()
        if len(moments) + amount > limit:
            return False
        moments.extend([now] * amount)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest entry that still counts was noted, and how many there are."""
        now = time.time()
        held = [moment for moment in self._moments.get(key, ()) if moment >= now - expiry]
        return (held[0], len(held)) if held else (now, 0)

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` in the current bucket, if the weighted window has room for it."""
        before, before_ttl, current, _ = self.get_sliding_window(key, expiry)
        if math.floor(before * before_ttl / expiry + current) + amount > limit:
            return False
        self.incr(self.sliding_window_keys(key, expiry, time.time())[1], 2 * expiry, amount)
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Count and seconds left of the previous bucket and of the current one."""
        now = time.time()
        before_key, current_key = self.sliding_window_keys(key, expiry, now)
        left = (1 - (now / expiry) % 1) * expiry
        before = self._at(before_key, now)
        return before, left if before else 0.0, self._at(current_key, now), left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget both buckets."""
        for bucket in self.sliding_window_keys(key, expiry, time.time()):
            self.clear(bucket)

    def clear(self, key: str) -> None:
        """Forget a key."""
        self._counts.pop(key, None)
        self._ends.pop(key, None)
        self._moments.pop(key, None)

    def check(self) -> bool:
        """Always there."""
        return True

    def reset(self) -> int:
        """Forget everything; how many keys there were."""
        known = len(self._counts) + len(self._moments)
        self._counts.clear()
        self._ends.clear()
        self._moments.clear()
        return known

    def _sweep(self, now: float) -> None:
        self._sweep_at = now + SWEEP_EVERY_S
        for key in [key for key, end in self._ends.items() if end <= now]:
            self.clear(key)
