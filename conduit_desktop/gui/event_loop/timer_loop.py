"""A qasync loop whose timers are asyncio's own heap, of which one Qt timer serves the earliest entry."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import qasync
from PySide6.QtCore import QCoreApplication, Qt, QTimer

BaseLoop: Any = asyncio.BaseEventLoop
"""Typed as Any: most of what is used of it is private to asyncio."""


class TimerLoop(qasync.QEventLoop):  # type: ignore[misc]
    """asyncio's own methods in place of qasync's, which create a Qt object for every timer.

    It uses `BaseEventLoop._scheduled`. `_due` is the time at which the Qt timer fires, infinite while none is set.
    """

    call_later = BaseLoop.call_later
    run_in_executor = BaseLoop.run_in_executor
    set_default_executor = BaseLoop.set_default_executor
    set_exception_handler = BaseLoop.set_exception_handler
    default_exception_handler = BaseLoop.default_exception_handler
    call_exception_handler = BaseLoop.call_exception_handler

    def __init__(self, app: QCoreApplication | None = None) -> None:
        self._due = math.inf
        super().__init__(app)
        self._alarm = QTimer()
        self._alarm.setSingleShot(True)
        # Qt moves coarse timers by up to 5 %, which is seconds for a long time-out.
        self._alarm.setTimerType(Qt.TimerType.PreciseTimer)
        self._alarm.timeout.connect(self._on_alarm)

    def _on_alarm(self) -> None:
        # The alarm is single-shot: with the old time kept, `_set_alarm` would take a later entry for one already covered.
        self._due = math.inf
        self._run_due()

    def _run_due(self) -> None:
        """Run the timers that are due, and set the alarm for the next one."""
        raise NotImplementedError

    def _set_alarm(self) -> None:
        due = self._scheduled[0].when() if self._scheduled else math.inf
        if due < self._due:
            self._due = due
            # Rounded up: an alarm that came early would find nothing due and be set again.
            self._alarm.start(max(0, math.ceil((due - self.time()) * 1000)))
