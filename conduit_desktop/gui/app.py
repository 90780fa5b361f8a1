"""The desktop app from start to end: one application, one loop, one window, and one way out."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from conduit_desktop import __version__
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import ConduitError
from conduit_desktop.core.paths import APP_NAME, Home
from conduit_desktop.gui.event_loop.selector_loop import make_loop
from conduit_desktop.gui.shell import server_actions as actions
from conduit_desktop.gui.shell.error_reporting import catch_all
from conduit_desktop.gui.shell.single_instance import InstanceListener, raise_first
from conduit_desktop.gui.shell.tray import app_icon
from conduit_desktop.gui.shell.warmup import WarmUp
from conduit_desktop.gui.shell.window import MainWindow
from conduit_desktop.gui.theme.theme import theme
from conduit_desktop.store.backup import restore

log = logging.getLogger(__name__)

OpenHouse = Callable[[], AbstractAsyncContextManager[AppContext]]
Announce = Callable[[AppContext], None]
RESTORED = "The backup was restored. What it replaced is kept beside it as *.before-restore."


class App(QApplication):
    """An application that never quits by itself: the system's wish to quit becomes `media_request`."""

    def __init__(self) -> None:
        QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
        super().__init__(sys.argv[:1])
        self.media_request: Callable[[], None] | None = None
        self.setApplicationName(APP_NAME)
        self.setApplicationVersion(__version__)
        self.setDesktopFileName("conduit-desktop")
        self.setWindowIcon(app_icon())
        self.setQuitOnLastWindowClosed(False)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Quit and self.media_request is not None:
            self.media_request()
            event.ignore()
            return True
        return super().event(event)


def run(home: Home, open_house: OpenHouse, announce: Announce) -> int:
    """Run the app on `home` until the user quits; the exit code.

    `open_house` gives the house without listening; `announce` is called once, when the server first listens. Where a window
    already runs on this home, that one comes forward and this call ends with 0. Raises ConduitError when the house does
    not open, or cannot listen where it was told to.
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
    """One session after another: a restored backup ends one and begins the next."""
    media_request = SessionEnd()
    app.media_request = media_request.quit
    _obey_signals(media_request.quit)
    theme().start("system")
    while True:
        async with open_house() as context:
            await _session(context, home, media_request, announce)
        if media_request.archive is None:
            return 0
        await _restore(media_request, media_request.archive, home)


class SessionEnd:
    """How a session is to end: with the app, or with a backup to be put back."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.archive: Path | None = None
        self.outcome = ""

    def quit(self) -> None:
        """End the app."""
        self.archive = None
        self.asked.set()

    def restore(self, archive: Path) -> None:
        """End the session, and put `archive` back."""
        self.archive = archive
        self.asked.set()


async def _session(context: AppContext, home: Home, media_request: SessionEnd, announce: Announce) -> None:
    unsubscribe = _announce_once(context, announce)
    starts = context.gateway.snapshot.settings.start_server
    if starts and context.gateway.overrides.keys() & {"host", "port"}:
        # An address that somebody named is taken or refused; for the default one, the window offers another.
        await context.server.start()
    theme().set_mode(context.gateway.snapshot.settings.theme)
    window = MainWindow(context)
    bell = InstanceListener(home)
    bell.rung.connect(window.come_forward)
    window.quit_asked.connect(media_request.quit)
    window.restore_asked.connect(media_request.restore)
    silence = catch_all(asyncio.get_running_loop(), lambda text: window.notify(text, "error"))
    warm_up = WarmUp(window)
    try:
        window.show()
        window.start()
        if media_request.outcome:
            window.notify(media_request.outcome, "info" if media_request.outcome == RESTORED else "error")
        if starts:
            window.run(actions.start_server(context))
        await media_request.asked.wait()
    finally:
        unsubscribe()
        warm_up.stop()
        bell.close()
        # The window goes first, so that quitting feels quick; the house then settles what is in flight.
        await window.finish()
        silence()


async def _restore(media_request: SessionEnd, archive: Path, home: Home) -> None:
    """Put the backup back while nobody holds the home; what came of it is said in the next window."""
    media_request.archive = None
    media_request.asked.clear()
    try:
        await asyncio.to_thread(restore, archive, home)
    except ConduitError as error:
        media_request.outcome = f"The backup was not restored: {error}"
    else:
        media_request.outcome = RESTORED


def _announce_once(context: AppContext, announce: Announce) -> Callable[[], None]:
    """Call `announce` when the server listens for the first time."""
    waiting = [announce]

    def on_change(_: object) -> None:
        if waiting and context.server.state == "running":
            waiting.pop()(context)

    return context.bus.subscribe(on_change)


def _obey_signals(leave: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, leave)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(leave))


async def _end(loop: asyncio.AbstractEventLoop) -> None:
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
