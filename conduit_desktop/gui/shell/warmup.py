"""The pages made ahead, a little at a time, so that the first visit to one costs no stream a frame."""

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
"""First the window shows and the server listens."""

BETWEEN_MS = 25


class WarmUp(QObject):
    """Imports, builds and dresses one page after the other, with pauses in which the streams have their turn."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._steps: deque[Callable[[], object]] = deque()
        for entry in PAGES:
            self._steps += (partial(page_class, entry.name), partial(window.page, entry.name), partial(self._dress, entry.name))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start(BEFORE_MS)

    def stop(self) -> None:
        """Leave the rest to be made when it is asked for."""
        self._steps.clear()

    def _on_timeout(self) -> None:
        if self._steps:
            self._steps.popleft()()
            self._timer.start(BETWEEN_MS)

    def _dress(self, name: str) -> None:
        """Apply the style sheet and the size now: Qt leaves both until a page is shown."""
        page = self._window.page(name)
        page.resize(self._window.stack.size())
        for child in page.findChildren(QWidget):
            child.ensurePolished()
        layout = page.layout()
        if layout is not None:
            layout.activate()
