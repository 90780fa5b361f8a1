"""The main window: sidebar, current page, notifications, tray and shortcuts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QSettings, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import NotificationQuery
from conduit_desktop.core.bus import Change
from conduit_desktop.core.entities import Severity
from conduit_desktop.core.errors import ActionError, ConduitError
from conduit_desktop.core.paths import Home
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Page
from conduit_desktop.gui.shell.desktop_notifications import DesktopNotifications
from conduit_desktop.gui.shell.error_reporting import error_text
from conduit_desktop.gui.shell.notifications_panel import NotificationPanel
from conduit_desktop.gui.shell.page_registry import PAGES, page_class
from conduit_desktop.gui.shell.server_controls import ServerControls
from conduit_desktop.gui.shell.sidebar import DIGITS, Sidebar
from conduit_desktop.gui.shell.tray import Tray, app_icon
from conduit_desktop.gui.shell.window_state import WindowState
from conduit_desktop.gui.theme.theme import ZOOMS, px, scaled, theme
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.toast import Toaster

log = logging.getLogger(__name__)


class MainWindow(QWidget):
    """The main window, and the `Ui` of its pages. `quit_requested` is emitted once the user has confirmed quitting."""

    quit_requested = Signal()
    restore_requested = Signal(object)
    """The path of a backup to restore."""

    def __init__(self, client: AdminClient, home: Home) -> None:
        """`home` keeps the geometry of the window."""
        super().__init__()
        self.client = client
        self.home = home
        self.pages: dict[str, Page] = {}
        self.current = ""
        self.quitting = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._tray_hint_shown = False
        self.setObjectName("page")
        self.setWindowTitle("Conduit Desktop")
        self.setWindowIcon(app_icon())
        scaled(self, _set_minimum)
        self._build()
        self._connect()
        self._shortcuts()
        self._restore()

    def _build(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.sidebar = Sidebar(PAGES)
        self.banner = Banner()
        self.stack = QStackedWidget()
        right = QVBoxLayout()
        right.setSpacing(0)
        strip = QVBoxLayout()
        strip.setContentsMargins(24, 12, 24, 0)
        strip.addWidget(self.banner)
        right.addLayout(strip)
        right.addWidget(self.stack, 1)
        row.addWidget(self.sidebar)
        row.addLayout(right, 1)
        self.toaster = Toaster(self)
        self.panel = NotificationPanel(self)
        self.tray = Tray(self)
        self.feed = Feed(self.client)
        self.state = WindowState(self.client, self.run)
        self.server = ServerControls(self)
        self.desktop_notifications = DesktopNotifications(
            self.client, self.run, self._is_unwatched, lambda title, text: self.tray.show_message(title, text)
        )

    def _connect(self) -> None:
        self.feed.batch.connect(self._on_batch)
        self.state.changed.connect(self._apply_theme)
        self.sidebar.picked.connect(self.navigate)
        self.sidebar.bell_requested.connect(self._on_bell)
        self.panel.read_all.connect(lambda: self.run(self._read_all()))
        self.panel.read.connect(lambda note: self.run(self._read(note)))
        self.tray.open_requested.connect(self.come_forward)
        self.tray.quit_requested.connect(self.quit_requested)

    def _shortcuts(self) -> None:
        for place, entry in enumerate(PAGES[:DIGITS], 1):
            self._shortcut(f"Ctrl+{place}", lambda name=entry.name: self.navigate(name))
        self._shortcut("Ctrl+,", lambda: self.navigate("settings"))
        self._shortcut("Ctrl+F", lambda: self.pages[self.current].focus_filter())
        self._shortcut("F5", lambda: self.pages[self.current].request_refresh())
        for keys, step in (("Ctrl++", 1), ("Ctrl+=", 1), ("Ctrl+-", -1), ("Ctrl+0", 0)):
            self._shortcut(keys, lambda step=step: self.run(self.change_zoom(step)))
        self._shortcut("Ctrl+B", lambda: self.sidebar.set_narrow(not self.sidebar.narrow))
        self._shortcut("Ctrl+W", self.close)
        self._shortcut("Ctrl+Q", lambda: self.run(self.server.confirm_quit()))

    def _shortcut(self, keys: str, callback: Any) -> None:
        QShortcut(QKeySequence(keys), self).activated.connect(lambda: callback())

    async def start(self) -> None:
        """Load the state of the gateway and show the first page.

        The welcome page is skipped if there are providers already, from the config file or the command line. The demo, which
        every new home has, does not count.
        """
        # First: pages read the address, which needs the settings.
        await self.state.load()
        welcomed = self.state.settings["welcome_done"] or any(one.kind != "demo" for one in await self.client.providers())
        self.navigate("dashboard" if welcomed else "welcome")
        self.run(self._load_unread())

    @property
    def address(self) -> str:
        """Where the gateway listens, or would listen if it ran."""
        return self.state.address or f"http://127.0.0.1:{self.state.settings['port']}"

    def navigate(self, page: str, **context: Any) -> None:
        """Show a page by name; `context` is passed to its `show_context`."""
        shown = self.page(page)
        self.current = page
        self.sidebar.show_page(page)
        self.stack.setCurrentWidget(shown)
        if context:
            shown.show_context(**context)

    def page(self, name: str) -> Page:
        """A page by name, built on first use."""
        if name not in self.pages:
            made = page_class(name)(self.client, self.feed, self)
            self.pages[name] = made
            self.stack.addWidget(made)
        return self.pages[name]

    def notify(self, text: str, severity: Severity = "info") -> None:
        """Show a short message in the corner."""
        self.toaster.show_text(text, severity)

    def copy(self, text: str) -> None:
        """Copy `text` to the clipboard and show a message."""
        QGuiApplication.clipboard().setText(text)
        self.notify("Copied to the clipboard")

    def restore(self, archive: Path) -> None:
        """Emit `restore_requested`."""
        self.restore_requested.emit(archive)

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task; an exception is shown to the user, an unexpected one is logged too."""
        task = asyncio.get_event_loop().create_task(work)
        # asyncio keeps only weak references to tasks: one without another reference may be collected before it is done.
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    async def settle(self) -> None:
        """Wait until all tasks of the pages are done, including those they start."""
        # Without the calling task, which would wait for itself.
        while pending := [task for task in self._tasks if task is not asyncio.current_task() and not task.done()]:
            await asyncio.wait(pending)

    async def cancel_tasks(self) -> None:
        """Cancel all tasks of the pages, at the end of a session."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def finish(self) -> None:
        """Close the window for good: save its geometry, unsubscribe, remove the tray icon and cancel tasks."""
        self.quitting = True
        self.remember()
        # Windows shows the icon of an ended process until the pointer moves over it.
        self.tray.hide()
        self.desktop_notifications.close()
        self.feed.close()
        self.state.close()
        self.close()
        # A timer would fire after the loop has ended, or start tasks on a closed store.
        for timer in self.findChildren(QTimer):
            timer.stop()
        await self.cancel_tasks()

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if not isinstance(error, ConduitError):
            # An expected error is the user's to correct; in the log it would hide the real faults.
            log.error("unexpected error in the window", exc_info=(type(error), error, error.__traceback__))
        self.notify(error.message if isinstance(error, ActionError) else error_text(error), "error")

    def _on_batch(self, changes: list[Change]) -> None:
        if any(change.topic == "notifications" for change in changes):
            self.run(self._load_unread())

    def _apply_theme(self) -> None:
        # Each new style sheet styles every widget again, and this follows every change of any setting.
        theme().set_zoom(self.state.settings["zoom"])
        if theme().mode != self.state.settings["theme"]:
            theme().set_mode(self.state.settings["theme"])

    async def change_zoom(self, step: int) -> None:
        """The next larger (1) or smaller (-1) zoom, or the usual one (0); kept in the settings."""
        now = theme().zoom
        larger, smaller = [one for one in ZOOMS if one > now], [one for one in ZOOMS if one < now]
        wanted = 100 if step == 0 else (larger or [now])[0] if step > 0 else (smaller or [now])[-1]
        if wanted != now:
            await self.client.change_settings({"zoom": wanted})
            self.notify(f"Zoom {wanted} %")

    def _is_unwatched(self) -> bool:
        """Whether the system shall show what happens: nobody looks at the window, and the setting allows it."""
        return self.tray.available and not self.isActiveWindow() and bool(self.state.settings.get("desktop_notifications", True))

    async def _load_unread(self) -> None:
        self.sidebar.show_unread(await self.client.unread_notifications())

    def _on_bell(self, anchor: QWidget) -> None:
        self.run(self._show_notes(anchor))

    async def _show_notes(self, anchor: QWidget | None) -> None:
        notes, _ = await self.client.notifications(NotificationQuery(limit=50))
        self.panel.show_notes(notes)
        if anchor is not None:
            self.panel.open_at(anchor)

    async def _read_all(self) -> None:
        await self.client.mark_all_read()
        await self._show_notes(None)

    async def _read(self, note: str) -> None:
        await self.client.mark_read(note)
        await self._show_notes(None)

    def come_forward(self) -> None:
        """Show the window and raise it above the others."""
        # `show` alone leaves a minimised window minimised.
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def _window_settings(self) -> QSettings:
        # In the home, not in the registry or the user's settings: two homes have two windows.
        return QSettings(str(self.home.root / "window.ini"), QSettings.Format.IniFormat)

    def _restore(self) -> None:
        geometry = self._window_settings().value("geometry")
        if geometry is None or not self.restoreGeometry(geometry):
            screen = QGuiApplication.primaryScreen().availableSize()
            # A small screen must still show the whole window with its frame.
            self.resize(QSize(min(1280, screen.width() - 40), min(800, screen.height() - 40)))
        self.sidebar.set_narrow(self._window_settings().value("narrow", False, bool) is True)

    def remember(self) -> None:
        """Save geometry and sidebar state for the next start."""
        saved = self._window_settings()
        saved.setValue("geometry", self.saveGeometry())
        saved.setValue("narrow", self.sidebar.narrow)
        # At once: the process ends without the shutdown in which Qt would write the file.
        saved.sync()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.quitting:
            event.accept()
            return
        event.ignore()
        # Without a tray (GNOME) a hidden window could not be opened again.
        if self.tray.available and self.state.settings.get("close_to_tray", False):
            self.hide()
            if not self._tray_hint_shown:
                self._tray_hint_shown = True
                self.tray.show_message("Conduit is still running", "Use the tray icon to open the window or to quit.")
        else:
            self.run(self.server.confirm_quit())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.feed.resume()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.feed.pause()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        # A minimised window stays visible to Qt, and is not hidden by an event.
        if event.type() == QEvent.Type.WindowStateChange and self.isVisible():
            self.feed.pause() if self.isMinimized() else self.feed.resume()


def _set_minimum(window: QWidget) -> None:
    """Below this the pages do not fit, but a window larger than the screen could not be used."""
    screen = QGuiApplication.primaryScreen().availableSize()
    window.setMinimumSize(min(px(860), screen.width() - 40), min(px(560), screen.height() - 60))
