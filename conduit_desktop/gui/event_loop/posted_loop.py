"""A faster qasync loop for systems whose selector has no descriptor that Qt can watch (macOS and Windows).

Sockets are handled by qasync; callbacks share one posted Qt event, and timers one Qt timer.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer

from conduit_desktop.gui.event_loop.timer_loop import BaseLoop, TimerLoop

# As asyncio's `_MIN_SCHEDULED_TIMER_HANDLES`: below it, rebuilding the heap costs more than it frees.
_MANY_CANCELLED = 100


class _Drain(QObject):
    """Runs the pending handles when its posted event arrives.

    Qt also delivers events after the loop has stopped; handles pending then are kept for the next run.
    """

    def __init__(self, is_running: Callable[[], bool]) -> None:
        super().__init__()
        self.pending: deque[asyncio.Handle] = deque()
        self._is_running = is_running
        self._posted = False

    def add(self, handle: asyncio.Handle) -> None:
        """Add a handle; one event serves all pending handles."""
        self.pending.append(handle)
        self.post()

    def post(self) -> None:
        """Post the event, if there are handles and none is posted."""
        if self.pending and not self._posted:
            self._posted = True
            self._post()

    def _post(self) -> None:
        QCoreApplication.postEvent(self, QEvent(QEvent.Type.User))

    def event(self, event: QEvent) -> bool:
        if event.type() != QEvent.Type.User:
            return super().event(event)
        if not self._is_running():
            self._posted = False
            return True
        try:
            # Only the handles pending at the start, as in asyncio: a callback that schedules itself would keep Qt from painting.
            for _ in range(len(self.pending)):
                handle = self.pending.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            self._posted = bool(self.pending)
            if self._posted:
                # Through a timer: an event posted here would be delivered before Qt paints or fires its timers.
                QTimer.singleShot(0, self._post)
        return True


class PostedLoop(TimerLoop):
    """One posted event runs all callbacks since the last one; one Qt timer serves asyncio's heap of timers."""

    def __init__(self, app: QCoreApplication | None = None) -> None:
        self._drain = _Drain(self.is_running)
        self._timer_cancelled_count = 0
        super().__init__(app)

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        """Run `callback` in the next iteration; raises RuntimeError once the loop is closed."""
        self._check_closed()
        handle = asyncio.Handle(callback, args, self, context)
        self._drain.add(handle)
        return handle

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: Any = None) -> None:
        """As in qasync, but raises RuntimeError once the loop is closed, where qasync drops the call."""
        self._check_closed()
        super().call_soon_threadsafe(callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """Push to asyncio's heap and set the Qt timer to its earliest entry."""
        handle: asyncio.TimerHandle = BaseLoop.call_at(self, when, callback, *args, context=context)
        self._drop_cancelled()
        self._set_alarm()
        return handle

    def _run_due(self) -> None:
        now = self.time()
        while self._scheduled and self._scheduled[0].when() <= now:
            handle = heapq.heappop(self._scheduled)
            # As in asyncio: a later cancellation of this handle must not count as one in the heap.
            handle._scheduled = False
            if not handle.cancelled():
                self._drain.add(handle)
        self._set_alarm()

    def _drop_cancelled(self) -> None:
        """Rebuild the heap once half of it is cancelled, as most timers of a server are."""
        if self._timer_cancelled_count > max(_MANY_CANCELLED, len(self._scheduled) // 2):
            self._timer_cancelled_count = 0
            self._scheduled[:] = [handle for handle in self._scheduled if not handle.cancelled()]
            heapq.heapify(self._scheduled)

    def _before_run_forever(self) -> None:
        super()._before_run_forever()
        # Handles that were pending when the last run stopped have no event that would run them.
        self._drain.post()

    def close(self) -> None:
        """Stop the timer and close qasync's loop; pending handles never run."""
        if not self.is_closed() and not self.is_running():
            self._alarm.stop()
            self._drain.pending.clear()
        super().close()
