"""The desktop app with somebody at the mouse: every 250 ms another page, another size, another row.

python -m benchmarks.driven_desktop [OPTIONS of conduit-desktop]

It knows nothing of the window but Qt: pages are chosen by buttons of which one alone is checked.
"""

from __future__ import annotations

import sys
import threading
import time

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QTableView, QWidget

EVERY_MS = 250


class Hand(QObject):
    """Acts on the main window, on its own thread, from a timer."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = 0
        self._pages = 0
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
        # The bench reads this: a hand that finds nothing to click would make every window look fast.
        print(f"pages turned: {self._pages}", file=sys.stderr, flush=True)

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


def _begin_when_there_is_an_app(hand: Hand) -> None:
    """On a thread of its own: posting an event is the one thing Qt allows from there."""
    while QCoreApplication.instance() is None:
        time.sleep(0.05)
    time.sleep(1)
    QCoreApplication.postEvent(hand, QEvent(QEvent.Type.User))


if __name__ == "__main__":
    from conduit_desktop.__main__ import main

    sys.argv[0] = "conduit-desktop"
    hand = Hand()  # a name of its own: the thread lets go of its arguments when it ends
    threading.Thread(target=_begin_when_there_is_an_app, args=(hand,), daemon=True).start()
    main()
