"""The pages, one file each. A page gets the house and a `Ui`, calls actions, and refreshes when its kind of thing changed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from conduit_desktop.core.bus import Change, Topic
from conduit_desktop.core.entities import Severity
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.elided import Elided

if TYPE_CHECKING:
    from conduit_desktop.actions.context import AppContext


class Ui(Protocol):
    """What a page may ask of the window around it."""

    def navigate(self, page: str, **context: Any) -> None:
        """Show another page by name; `context` goes to its `show_context`."""

    def notify(self, text: str, severity: Severity = "info") -> None:
        """A short message that goes away by itself."""

    def copy(self, text: str) -> None:
        """Put `text` on the clipboard and say so."""

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start `work` as a task; what it raises is shown to the user (an ActionError by its message) and logged."""

    def restore(self, archive: Path) -> None:
        """Close the house, put a backup in the place of its databases, and open it again."""


class Page(QWidget):
    """A page: a header with title and actions, a body, and a refresh that is never run twice at once.

    Subclasses set `title`, `icon` (a Phosphor name) and `topics`, build their widgets into `self.body` in `__init__` and
    override `refresh`. Buttons of the page go to `self.add_action(widget)`.
    """

    title: ClassVar[str] = ""
    subtitle: ClassVar[str] = ""
    icon: ClassVar[str] = "circle"
    topics: ClassVar[frozenset[Topic]] = frozenset()
    """A change of one of these makes the page refresh: at once when visible, else when it is next shown."""

    def __init__(self, context: AppContext, ui: Ui) -> None:
        super().__init__()
        self.context = context
        self.ui = ui
        self._stale = True
        self._refreshing: asyncio.Task[Any] | None = None
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
        self.heading = QLabel(self.title)
        self.heading.setObjectName("pageTitle")
        row.addWidget(self.heading)
        if self.subtitle:
            tagline = Elided(self.subtitle, "pageSubtitle")
            tagline.setContentsMargins(theme.XS, theme.XS + 1, 0, 0)
            row.addWidget(tagline, 1)
        else:
            row.addStretch(1)
        self._actions = row
        return row

    def add_action(self, widget: QWidget) -> None:
        """Put a button or a field at the right of the header."""
        self._actions.addWidget(widget)

    async def refresh(self) -> None:
        """Load what the page shows. The base has nothing to load."""

    def show_context(self, **context: Any) -> None:
        """The page was navigated to with a wish: a filter, an entity to open."""

    def focus_filter(self) -> None:
        """Ctrl+F: put the cursor in the page's filter, where it has one."""

    def on_changes(self, changes: Sequence[Change]) -> None:
        """A batch from the feed, while the page is visible; refreshes when one is among `topics`."""
        if any(change.topic in self.topics for change in changes):
            self.ask_refresh()

    def mark_stale(self) -> None:
        """Something changed while the page was hidden: refresh when it is next shown."""
        self._stale = True

    def ask_refresh(self) -> None:
        """Refresh soon; a wish during a running refresh makes one more after it, not ten."""
        self._stale = True
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = self.ui.run(self._refresh_until_fresh())

    async def _refresh_until_fresh(self) -> None:
        while self._stale:
            self._stale = False
            await self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.setFocus()  # else Qt gives the first button a focus ring that nobody asked for
        if self._stale:
            self.ask_refresh()
