"""The bus, breathing: changes gathered and told to the window ten times a second, and none while it is hidden."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from conduit_desktop.core.bus import Bus, Change

BREATH_MS = 100
MOST_KEPT = 10_000
"""Changes kept between two breaths. Of more (a stalled window under full load), the oldest requests are let go."""


class Feed(QObject):
    """One batch of changes each 100 ms. The timer runs only while something is waiting and the window is visible.

    `batch` carries a list of Change, in order. While paused, only the topics are remembered, and `resume` gives each
    once, without payload, so that the pages know themselves stale.
    """

    batch = Signal(list)

    def __init__(self, bus: Bus) -> None:
        super().__init__()
        self._waiting: list[Change] = []
        self._missed: dict[str, Change] = {}
        self._paused = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.CoarseTimer)
        self._timer.setInterval(BREATH_MS)
        self._timer.timeout.connect(self._on_breath)
        self._unsubscribe = bus.subscribe(self._on_change)

    def close(self) -> None:
        """Take no more changes, and emit none: nobody may refresh from a closed store."""
        self._unsubscribe()
        self._timer.stop()
        self._waiting.clear()

    def pause(self) -> None:
        """The window is hidden: gather nothing but the topics."""
        self._paused = True
        self._timer.stop()
        self._forget()

    def resume(self) -> None:
        """The window is visible again: say which topics changed in the meantime."""
        self._paused = False
        missed = list(self._missed.values())
        self._missed.clear()
        if missed:
            self.batch.emit(missed)

    def _on_change(self, change: Change) -> None:
        if self._paused:
            self._missed.setdefault(change.topic, Change(change.topic))
            return
        self._waiting.append(change)
        if len(self._waiting) == 1:
            self._timer.start()
        elif len(self._waiting) > MOST_KEPT:
            older, newer = self._waiting[: MOST_KEPT // 2], self._waiting[MOST_KEPT // 2 :]
            self._waiting = [change for change in older if change.topic != "requests"] + newer

    def _on_breath(self) -> None:
        ready, self._waiting = self._waiting, []
        self.batch.emit(ready)

    def _forget(self) -> None:
        for change in self._waiting:
            self._missed.setdefault(change.topic, Change(change.topic))
        self._waiting.clear()
