"""The desktop app from start to end: one application, one loop, one window, and one way out."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from conduit_desktop import __version__
from conduit_desktop.actions.house import House
from conduit_desktop.core.paths import APP_NAME, Home
from conduit_desktop.gui import actions
from conduit_desktop.gui.eventloop import make_loop
from conduit_desktop.gui.failures import catch_all
from conduit_desktop.gui.single import Doorbell, raise_first
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.tray import app_icon
from conduit_desktop.gui.window import Window

log = logging.getLogger(__name__)

OpenHouse = Callable[[], AbstractAsyncContextManager[House]]
Announce = Callable[[House], None]


class App(QApplication):
    """An application that never quits by itself: the system's wish to quit becomes `wish`."""

    def __init__(self) -> None:
        QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
        super().__init__(sys.argv[:1])
        self.wish: Callable[[], None] | None = None
        self.setApplicationName(APP_NAME)
        self.setApplicationVersion(__version__)
        self.setDesktopFileName("conduit-desktop")
        self.setWindowIcon(app_icon())
        self.setQuitOnLastWindowClosed(False)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Quit and self.wish is not None:
            self.wish()
            event.ignore()
            return True
        return super().event(event)


def run(home: Home, open_house: OpenHouse, announce: Announce) -> int:
    """Run the app on `home` until the user quits; the exit code.

    `open_house` gives the house without listening; `announce` is called once, when the server first listens. Where a window
    already runs on this home, that one comes forward and this call ends with 0. Raises ConduitError when the house does
    not open.
    """
    app = App()
    if raise_first(home):
        return 0
    loop = make_loop(app)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_live(app, home, open_house, announce))
    finally:
        loop.run_until_complete(_end(loop))
        asyncio.set_event_loop(None)
        loop.close()


async def _live(app: App, home: Home, open_house: OpenHouse, announce: Announce) -> int:
    quit_wish = asyncio.Event()
    app.wish = quit_wish.set
    _obey_signals(quit_wish)
    theme().start("system")
    async with open_house() as house:
        theme().set_mode(house.gateway.snapshot.settings.theme)
        window = Window(house)
        bell = Doorbell(home)
        bell.rung.connect(window.come_forward)
        window.quit_asked.connect(quit_wish.set)
        silence = catch_all(asyncio.get_running_loop(), lambda text: window.notify(text, "error"))
        unsubscribe = _announce_once(house, announce)
        try:
            window.show()
            window.start()
            if house.gateway.snapshot.settings.start_server:
                window.run(actions.start_server(house))
            await quit_wish.wait()
        finally:
            unsubscribe()
            bell.close()
            await _close(window)
            silence()
    return 0


def _announce_once(house: House, announce: Announce) -> Callable[[], None]:
    """Call `announce` when the server listens for the first time."""
    waiting = [announce]

    def on_change(_: object) -> None:
        if waiting and house.server.state == "running":
            waiting.pop()(house)

    return house.bus.subscribe(on_change)


def _obey_signals(quit_wish: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, quit_wish.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(quit_wish.set))


async def _close(window: Window) -> None:
    """The window goes first, so that quitting feels quick; the house then settles what is in flight."""
    window.quitting = True
    window.remember()
    window.tray.hide()
    window.feed.close()
    window.server.close()
    window.close()
    await window.cancel_tasks()


async def _end(loop: asyncio.AbstractEventLoop) -> None:
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
