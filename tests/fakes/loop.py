"""An event loop with simulated time: it jumps to the next timer as soon as nothing else is ready."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Never sleeps for a timer: it adds the time to the loop's clock. It waits a little for threads and sockets."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.skipped_s += timeout
        return ready if ready or timeout is not None else super().select(None)


class JumpingLoop(asyncio.SelectorEventLoop):
    """For code that only waits for timers; `time()` begins at 0 and is exact to a microsecond."""

    def __init__(self) -> None:
        self._jumping = _Selector()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Seconds that timers have been waited for."""
        return self._jumping.skipped_s


def run_in_jumping_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new loop with simulated time."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)
