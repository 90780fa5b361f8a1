"""The desktop app with simulated user input: every 250 ms another page, window size or selected row.

python -m benchmarks.driven_desktop [OPTIONS of conduit-desktop]

It uses only Qt's API: pages are chosen by the visible buttons of an exclusive group.
"""

from __future__ import annotations

import sys
import threading
import time

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QTableView, QWidget

EVERY_MS = 250


class UserSimulator(QObject):
    """Acts on the main window from a timer, on the window's thread."""

    def __init__(self) -> None:
        super().__init__()
        self._step = 0
        self._pages = 0
        self._timer: QTimer | None = None

    def act(self) -> None:
        """The next action."""
        self._step += 1
        window = main_window()
        if window is None:
            return
        match self._step % 4:
            case 0 | 2:
                self._next_page(window)
            case 1:
                window.resize(1200 + 40 * (self._step % 5), 800 + 20 * (self._step % 5))
            case _:
                for table in window.findChildren(QTableView):
                    if table.isVisible() and (model := table.model()) and model.rowCount():
                        table.selectRow(self._step % model.rowCount())
        # The benchmark checks this: without a page change every window would look fast.
        print(f"pages shown: {self._pages}", file=sys.stderr, flush=True)

    def _next_page(self, window: QWidget) -> None:
        pages = [button for button in window.findChildren(QAbstractButton) if button.autoExclusive() and button.isCheckable()]
        shown = [button for button in pages if button.isVisible()]
        if shown:
            self._pages += 1
            shown[self._pages % len(shown)].click()

    def event(self, event: QEvent) -> bool:
        if event.type() != QEvent.Type.User:
            return super().event(event)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.act)
        self._timer.start(EVERY_MS)
        return True


def main_window() -> QWidget | None:
    """The app's window, once it shows: the largest there is."""
    shown = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible() and widget.isWindow()]
    return max(shown, key=lambda widget: widget.width() * widget.height(), default=None)


def _start_when_the_app_exists(simulator: UserSimulator) -> None:
    """Runs on another thread: posting an event is the only thing that Qt allows there."""
    while QCoreApplication.instance() is None:
        time.sleep(0.05)
    time.sleep(1)
    QCoreApplication.postEvent(simulator, QEvent(QEvent.Type.User))


if __name__ == "__main__":
    from conduit_desktop.__main__ import main

    sys.argv[0] = "conduit-desktop"
    simulator = UserSimulator()  # kept by this name: the thread drops its arguments when it ends
    threading.Thread(target=_start_when_the_app_exists, args=(simulator,), daemon=True).start()
    main()
