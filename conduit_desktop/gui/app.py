"""The desktop app: one QApplication, one loop for Qt and asyncio, and one window at a time."""

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
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.transport import LocalTransport
from conduit_desktop.core.errors import ConduitError
from conduit_desktop.core.paths import APP_NAME, Home
from conduit_desktop.gui.event_loop.collector import LoopCollector
from conduit_desktop.gui.event_loop.selector_loop import make_loop
from conduit_desktop.gui.shell import server_actions
from conduit_desktop.gui.shell.error_reporting import install_error_handlers
from conduit_desktop.gui.shell.single_instance import InstanceListener, activate_running_instance
from conduit_desktop.gui.shell.tray import app_icon
from conduit_desktop.gui.shell.warmup import WarmUp
from conduit_desktop.gui.shell.window import MainWindow
from conduit_desktop.gui.theme.theme import theme
from conduit_desktop.store.backup import restore

log = logging.getLogger(__name__)

OpenContext = Callable[[], AbstractAsyncContextManager[AppContext]]
Announce = Callable[[AppContext], None]
RESTORED = "The backup was restored. The replaced files were kept as *.before-restore."


class App(QApplication):
    """An application that does not quit on a quit event (session end, dock menu) but calls `on_quit_request`."""

    def __init__(self) -> None:
        # Qt takes this only before the application object exists.
        QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
        super().__init__(sys.argv[:1])
        self.on_quit_request: Callable[[], None] | None = None
        self.setApplicationName(APP_NAME)
        self.setApplicationVersion(__version__)
        self.setDesktopFileName("conduit-desktop")
        self.setWindowIcon(app_icon())
        # Closing the last window would stop the loop and with it the server; quitting is an explicit, awaited shutdown.
        self.setQuitOnLastWindowClosed(False)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Quit and self.on_quit_request is not None:
            self.on_quit_request()
            event.ignore()
            return True
        return super().event(event)


def run(home: Home, open_context: OpenContext, announce: Announce) -> int:
    """Run the app on `home` until the user quits; the exit code.

    `open_context` opens the app context without listening; `announce` is called once, when the server first listens. If the
    app already runs on this home, its window is raised and this call returns 0. Raises ConduitError if the context cannot
    be opened, or if an address given on the command line or in the config file is not available.
    """
    app = App()
    # Before the context is opened: the home's lock is held by the instance that runs.
    if activate_running_instance(home):
        return 0
    loop = make_loop(app)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_run_sessions(app, home, open_context, announce))
    finally:
        loop.run_until_complete(_end(loop))
        asyncio.set_event_loop(None)
        loop.close()


async def _run_sessions(app: App, home: Home, open_context: OpenContext, announce: Announce) -> int:
    """Run sessions until the user quits: restoring a backup ends one session and starts the next."""
    end = SessionEnd()
    app.on_quit_request = end.quit
    _install_signal_handlers(end.quit)
    # The user's choice is known only once the context is open; each session then sets it.
    theme().start("system")
    while True:
        async with open_context() as context:
            await _session(context, home, end, announce)
        if end.archive is None:
            return 0
        await _restore(end, end.archive, home)


class SessionEnd:
    """The request to end a session: quit the app, or restore a backup. `outcome` is the message for the next session."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.archive: Path | None = None
        self.outcome = ""

    def quit(self) -> None:
        """End the app."""
        # Quitting takes precedence over a restore that was requested and has not begun.
        self.archive = None
        self.requested.set()

    def restore(self, archive: Path) -> None:
        """End the session and restore `archive`."""
        self.archive = archive
        self.requested.set()


async def _session(context: AppContext, home: Home, end: SessionEnd, announce: Announce) -> None:
    unsubscribe = _announce_once(context, announce)
    autostart = context.gateway.snapshot.settings.start_server
    if autostart and context.gateway.state.overrides.keys() & {"host", "port"}:
        # A given address must be available, else the app ends; for the default address, the window offers another port.
        await context.server.start()
    # Before the window is built: a new style sheet would style all of its widgets a second time.
    theme().zoom = context.gateway.snapshot.settings.zoom
    theme().set_mode(context.gateway.snapshot.settings.theme)
    client = AdminClient(LocalTransport(context, "gui"))
    window = MainWindow(client, home)
    listener = InstanceListener(home)
    listener.activation_requested.connect(window.come_forward)
    window.quit_requested.connect(end.quit)
    window.restore_requested.connect(end.restore)
    remove_error_handlers = install_error_handlers(asyncio.get_running_loop(), lambda text: window.notify(text, "error"))
    warm_up = WarmUp(window)
    collector = LoopCollector()
    try:
        await window.start()  # before it is shown: else it would be empty for a moment
        window.show()
        if end.outcome:
            window.notify(end.outcome, "info" if end.outcome == RESTORED else "error")
        if autostart:
            # After the window is shown: where the port is taken, the window offers another one.
            window.run(server_actions.start_server(client))
        await end.requested.wait()
    finally:
        unsubscribe()
        warm_up.stop()
        listener.close()
        # The window closes first, so that quitting feels quick; then the server finishes the requests in flight.
        await window.finish()
        collector.close()
        # Last, so that tasks which fail while the window closes are still logged.
        remove_error_handlers()


async def _restore(end: SessionEnd, archive: Path, home: Home) -> None:
    """Restore the backup while the databases are closed; `end.outcome` is shown by the next window."""
    end.archive = None
    end.requested.clear()
    try:
        await asyncio.to_thread(restore, archive, home)
    except ConduitError as error:
        end.outcome = f"The backup was not restored: {error}"
    else:
        end.outcome = RESTORED


def _announce_once(context: AppContext, announce: Announce) -> Callable[[], None]:
    """Call `announce` when the server listens for the first time."""
    waiting = [announce]

    def on_change(_: object) -> None:
        if waiting and context.server.state == "running":
            waiting.pop()(context)

    return context.bus.subscribe(on_change)


def _install_signal_handlers(quit_app: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, quit_app)
        except NotImplementedError:  # Windows
            # Thread-safe: a plain `call_soon` from a signal handler would not wake a waiting loop.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(quit_app))


async def _end(loop: asyncio.AbstractEventLoop) -> None:
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    # Waited for: a thread may still be writing a secret or a file.
    await loop.shutdown_default_executor()
