"""Deadlines of many attempts behind one timer of the event loop, because a timer for each costs a small call 1 % of its time."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadlines:
    """The open deadlines of one event loop. The timer runs to the earliest one known when it was set, and is set again there."""

    def __init__(self) -> None:
        self._open: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def at(self, when: float) -> Deadline:
        """A context manager that raises TimeoutError in the task within it at `when` (the event loop's time)."""
        return Deadline(self, when)

    def add(self, deadline: Deadline) -> None:
        """Called by Deadline alone."""
        self._open.add(deadline)
        if self._timer is None or deadline.when < self._timer_at:
            self._set_timer(deadline.when)

    def remove(self, deadline: Deadline) -> None:
        """Called by Deadline alone."""
        self._open.discard(deadline)
        # A timer left behind would keep a loop with nothing else to do awake.
        if not self._open and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = asyncio.get_running_loop().call_at(when, self._expire), when

    def _expire(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for deadline in [one for one in self._open if one.when <= now]:
            self._open.discard(deadline)
            deadline.expire()
        if self._open:
            self._set_timer(min(one.when for one in self._open))


class Deadline:
    """As `asyncio.timeout_at`: a cancellation of its own becomes a TimeoutError, one from outside goes through."""

    __slots__ = ("_cancelling", "_deadlines", "_expired", "_task", "when")

    def __init__(self, deadlines: Deadlines, when: float) -> None:
        self._deadlines = deadlines
        self.when = when
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a deadline needs a task to cancel"
        self._task, self._cancelling = task, task.cancelling()
        self._deadlines.add(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._deadlines.remove(self)
        # Where the task was cancelled from outside as well, that cancellation wins.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Called by Deadlines alone."""
        self._expired = True
        self._task.cancel()
