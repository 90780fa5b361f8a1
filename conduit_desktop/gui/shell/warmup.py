"""Builds the pages ahead of time, in small steps, so that opening one does not delay streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from conduit_desktop.gui.shell.page_registry import PAGES, page_class

if TYPE_CHECKING:
    from conduit_desktop.gui.shell.window import MainWindow

BEFORE_MS = 400
"""Milliseconds until the first step: the window is shown and the server starts first."""

BETWEEN_MS = 25
"""Milliseconds between two steps, for the server and for painting."""


class WarmUp(QObject):
    """Imports, builds and styles one page after another, with pauses for the server."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._steps: deque[Callable[[], object]] = deque()
        for entry in PAGES:
            # Three steps for each page: done as one, they would delay the streams as long as opening the page does.
            self._steps += (
                partial(page_class, entry.name),
                partial(window.page, entry.name),
                partial(self._apply_style, entry.name),
            )
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start(BEFORE_MS)

    def stop(self) -> None:
        """Stop; the remaining pages are built when they are first opened."""
        self._steps.clear()

    def _on_timeout(self) -> None:
        if self._steps:
            self._steps.popleft()()
            self._timer.start(BETWEEN_MS)

    def _apply_style(self, name: str) -> None:
        """Apply the style sheet and the size, which Qt otherwise does when a page is first shown."""
        page = self._window.page(name)
        page.resize(self._window.stack.size())
        for child in page.findChildren(QWidget):
            child.ensurePolished()
        layout = page.layout()
        if layout is not None:
            layout.activate()
