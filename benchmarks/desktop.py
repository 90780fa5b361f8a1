"""The desktop app with somebody at the mouse: every 250 ms another page, another size, another row.

python -m benchmarks.desktop [OPTIONS of conduit-desktop]

It knows nothing of the window but Qt: the widgets that choose pages are the first list or the checkable buttons.
"""

from __future__ import annotations

import sys
import threading
import time

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QListView, QMainWindow, QTableView, QWidget

EVERY_MS = 250


class Hand(QObject):
    """Acts on the main window, on its own thread, from a timer."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = 0
        self._timer: QTimer | None = None

    def act(self) -> None:
        """The next action."""
        self._turn += 1
        window = main_window()
        if window is None:
            return
        match self._turn % 4:
            case 0 | 2:
                self._next_page(window)
            case 1:
                window.resize(1200 + 40 * (self._turn % 5), 800 + 20 * (self._turn % 5))
            case _:
                for table in window.findChildren(QTableView):
                    if table.isVisible() and (model := table.model()) and model.rowCount():
                        table.selectRow(self._turn % model.rowCount())

    def _next_page(self, window: QWidget) -> None:
        for view in window.findChildren(QListView):
            model = view.model()
            if view.isVisible() and model and model.rowCount() > 2:
                view.setCurrentIndex(model.index(self._turn // 2 % model.rowCount(), 0))
                return
        pages = [button for button in window.findChildren(QAbstractButton) if button.isCheckable() and button.isVisible()]
        if pages:
            pages[self._turn // 2 % len(pages)].click()

    def event(self, event: QEvent) -> bool:
        if event.type() != QEvent.Type.User:
            return super().event(event)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.act)
        self._timer.start(EVERY_MS)
        return True


def main_window() -> QWidget | None:
    """The app's window, once it shows."""
    shown = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible() and isinstance(widget, QMainWindow)]
    return shown[0] if shown else None


def _begin_when_there_is_an_app(hand: Hand) -> None:
    """On a thread of its own: posting an event is the one thing Qt allows from there."""
    while QCoreApplication.instance() is None:
        time.sleep(0.05)
    time.sleep(1)
    QCoreApplication.postEvent(hand, QEvent(QEvent.Type.User))


if __name__ == "__main__":
    from conduit_desktop.__main__ import main

    sys.argv[0] = "conduit-desktop"
    threading.Thread(target=_begin_when_there_is_an_app, args=(Hand(),), daemon=True).start()
    main()
