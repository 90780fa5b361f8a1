"""Garbage collection on the window's thread: Qt objects must not be destroyed on any other."""

from __future__ import annotations

import gc

from PySide6.QtCore import QTimer

EVERY_MS = 500


class LoopCollector:
    """Collects by a timer of the event loop, at Python's own thresholds, until it is closed.

    Python collects on whichever thread allocates. The database's threads do, and a widget that is part of a reference cycle
    would be destroyed there: Qt does not allow that (https://doc.qt.io/qt-6/threads-qobject.html), and the app crashes.
    """

    def __init__(self) -> None:
        self._enabled = gc.isenabled()
        gc.disable()
        self._timer = QTimer()
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(collect_due)
        self._timer.start()

    def close(self) -> None:
        """Leave collecting to Python again, if it was."""
        self._timer.stop()
        if self._enabled:
            gc.enable()


def collect_due() -> None:
    """Collect the generations whose thresholds have been passed."""
    # An older generation is due only with the younger ones, as in Python's own collector: it takes longer.
    oldest = -1
    for count, limit in zip(gc.get_count(), gc.get_threshold(), strict=True):
        if count <= limit:
            break
        oldest += 1
    if oldest >= 0:
        gc.collect(oldest)
