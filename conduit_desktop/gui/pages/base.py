"""The base of a page, and what a page may use of the window around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.core.bus import Change, Topic
from conduit_desktop.core.entities import Severity
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.labels import ElidedLabel, label

if TYPE_CHECKING:
    from conduit_desktop.actions.admin_client import AdminClient
    from conduit_desktop.gui.feed import Feed


REQUESTS_MS = 1000
"""Milliseconds between two refreshes that only new requests cause."""


class Ui(Protocol):
    """The window as its pages see it."""

    @property
    def address(self) -> str:
        """Where the gateway listens, or would listen if it ran, such as `http://127.0.0.1:5000`."""

    def navigate(self, page: str, **context: Any) -> None:
        """Show another page by name; `context` goes to its `show_context`."""

    def notify(self, text: str, severity: Severity = "info") -> None:
        """Show a short message that disappears after a few seconds."""

    def copy(self, text: str) -> None:
        """Copy `text` to the clipboard and show a message."""

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start `work` as a task. An exception is shown to the user; an unexpected one is logged with its traceback."""

    def restore(self, archive: Path) -> None:
        """Close everything, replace the databases by the backup `archive`, and open them again."""


class Page(QWidget):
    """A page: a header with title and actions, a body, and a `refresh` that never runs twice at the same time.

    `self.client` reads and changes the gateway, in this process or elsewhere (`client.is_local`). The page follows `feed`.
    Subclasses set `title`, `icon` (a Phosphor name) and `topics`, build their widgets into `self.body` in `__init__` and
    override `refresh`. Buttons in the header are added with `self.add_action(widget)`.
    """

    title: ClassVar[str] = ""
    subtitle: ClassVar[str] = ""
    icon: ClassVar[str] = "circle"
    topics: ClassVar[frozenset[Topic]] = frozenset()
    """A change of one of these refreshes the page: while it is visible, else when it is next shown.

    Every topic whose operations change something that the page shows must be in it. Requests refresh a page at most once
    every REQUESTS_MS, other changes at once.
    """

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__()
        self.client = client
        self.ui = ui
        self._stale = True
        self._refreshing: asyncio.Task[Any] | None = None
        self._requests_timer = QTimer(self)
        self._requests_timer.setSingleShot(True)
        self._requests_timer.setInterval(REQUESTS_MS)
        self._requests_timer.timeout.connect(self.request_refresh)
        self._visible_timers: list[QTimer] = []
        feed.batch.connect(self._on_batch)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(theme.XL, theme.L + 4, theme.XL, theme.L)
        outer.setSpacing(theme.L)
        outer.addLayout(self._header())
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(theme.L)
        outer.addLayout(self.body, 1)

    def _header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.S)
        self.heading = label(self.title, "pageTitle")
        row.addWidget(self.heading)
        if self.subtitle:
            tagline = ElidedLabel(self.subtitle, "pageSubtitle")
            tagline.setContentsMargins(theme.XS, theme.XS + 1, 0, 0)
            row.addWidget(tagline, 1)
        else:
            row.addStretch(1)
        self._actions = row
        return row

    def add_action(self, widget: QWidget) -> None:
        """Add a button or a field at the right of the header."""
        self._actions.addWidget(widget)

    def run_while_visible(self, work: Callable[[], None], interval_ms: int) -> None:
        """Run `work` every `interval_ms` milliseconds while the page is visible."""
        timer = QTimer(self)
        timer.setInterval(interval_ms)
        timer.timeout.connect(work)
        self._visible_timers.append(timer)

    async def refresh(self) -> None:
        """Load what the page shows."""

    def show_context(self, **context: Any) -> None:
        """Apply what `navigate` passed on: a filter, an entity to open."""

    def focus_filter(self) -> None:
        """Ctrl+F: focus the filter of the page, if it has one."""

    def on_changes(self, changes: Sequence[Change]) -> None:
        """A batch of the feed arrived while the page is visible; refreshes if a change is among `topics`."""
        shown = [change for change in changes if change.topic in self.topics]
        if any(not isinstance(change.payload, RequestRecord) for change in shown):
            self.request_refresh()
        # Not restarted by each batch: under constant load the page would otherwise never refresh.
        elif shown and not self._requests_timer.isActive():
            self._requests_timer.start()

    def mark_stale(self) -> None:
        """Refresh when the page is next shown."""
        self._stale = True

    def request_refresh(self) -> None:
        """Refresh soon. Any number of calls during a running refresh cause one more refresh after it."""
        self._stale = True
        # The refresh that starts now includes the requests that the timer waits for.
        self._requests_timer.stop()
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = self.ui.run(self._refresh_until_fresh())

    def _on_batch(self, changes: list[Change]) -> None:
        if self.isVisible():
            self.on_changes(changes)
        # A hidden page queries nothing: it loads once when it is next shown.
        elif any(change.topic in self.topics for change in changes):
            self.mark_stale()

    async def _refresh_until_fresh(self) -> None:
        while self._stale:
            # Before loading: a change that arrives meanwhile may not be in what is loaded, and needs another refresh.
            self._stale = False
            await self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.setFocus()  # else Qt focuses the first button of the page and draws its focus ring
        if self._stale:
            self.request_refresh()
        for timer in self._visible_timers:
            timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._requests_timer.isActive():  # it would refresh a hidden page
            self._requests_timer.stop()
            self.mark_stale()
        for timer in self._visible_timers:
            timer.stop()
