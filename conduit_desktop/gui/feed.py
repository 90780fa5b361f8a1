"""Changes of the gateway, collected into batches for the window: ten a second, and none while it is hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from conduit_desktop.core.bus import Change

if TYPE_CHECKING:
    from conduit_desktop.actions.admin_client import AdminClient

BATCH_MS = 100
MAX_PENDING = 10_000
"""Changes kept between two batches. Of more (a stalled window under full load), the oldest requests are dropped."""


class Feed(QObject):
    """One batch of changes every BATCH_MS. The timer runs only while changes are pending and the window is visible.

    `batch` carries a list of Change, in order. While paused, only the topics are kept; `resume` emits one Change per topic,
    without payload, so that the pages reload.
    """

    batch = Signal(list)

    def __init__(self, client: AdminClient) -> None:
        super().__init__()
        self._pending: list[Change] = []
        self._missed: dict[str, Change] = {}
        self._paused = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        # A few milliseconds are not seen here, and the system can join the wake-ups of coarse timers.
        self._timer.setTimerType(Qt.TimerType.CoarseTimer)
        self._timer.setInterval(BATCH_MS)
        self._timer.timeout.connect(self._on_timeout)
        self._unsubscribe = client.subscribe(self._on_change)

    def close(self) -> None:
        """Stop for good: a page must not refresh from a closed store."""
        self._unsubscribe()
        self._timer.stop()
        self._pending.clear()

    def pause(self) -> None:
        """The window is hidden: keep only the topics of changes."""
        self._paused = True
        self._timer.stop()
        self._keep_topics()

    def resume(self) -> None:
        """The window is visible again: emit the topics that changed in the meantime."""
        self._paused = False
        missed = list(self._missed.values())
        self._missed.clear()
        if missed:
            self.batch.emit(missed)

    def _on_change(self, change: Change) -> None:
        if self._paused:
            self._missed.setdefault(change.topic, Change(change.topic))
            return
        self._pending.append(change)
        if len(self._pending) == 1:
            self._timer.start()
        elif len(self._pending) > MAX_PENDING:
            # Only requests are dropped: a page that misses a change of another topic would go on showing the old state.
            # Half at once: dropping one for each new change would copy the long list every time.
            older, newer = self._pending[: MAX_PENDING // 2], self._pending[MAX_PENDING // 2 :]
            self._pending = [change for change in older if change.topic != "requests"] + newer

    def _on_timeout(self) -> None:
        # Exchanged before the signal: a page may cause further changes while it handles these.
        ready, self._pending = self._pending, []
        self.batch.emit(ready)

    def _keep_topics(self) -> None:
        for change in self._pending:
            self._missed.setdefault(change.topic, Change(change.topic))
        self._pending.clear()
