"""The time of day as the program stores it; for durations use `time.monotonic`."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)
