"""Async tests of the window run on the app's own loop; pages get a client of a gateway without a server, and a recording `Ui`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.transport import LocalTransport
from conduit_desktop.core.entities import Severity
from conduit_desktop.core.paths import Home
from conduit_desktop.gui.event_loop.selector_loop import make_loop
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Page
from conduit_desktop.gui.theme.theme import theme
from tests.fakes.app_context import open_context
from tests.fakes.waiting import until


def _loop() -> asyncio.AbstractEventLoop:
    app = QApplication.instance() or QApplication([])
    return make_loop(app)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], Any]]:
    return {"qt": _loop}


@pytest.fixture(scope="session", autouse=True)
def _theme(qapp: QApplication) -> None:
    qapp.setQuitOnLastWindowClosed(False)  # as the app does: a closed dialog must not stop the loop
    theme().start("light")


@pytest.fixture(autouse=True)
def _no_window_left() -> Iterator[None]:
    """Delete the widgets of a test before the next one starts."""
    yield
    for widget in QApplication.topLevelWidgets():
        widget.close()
        widget.deleteLater()
    QApplication.processEvents()
    # processEvents() leaves deleteLater() to the next exec(), which is another test's: the timers would fire there.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
async def context(home: Home) -> AsyncIterator[AppContext]:
    async with open_context(home) as opened:
        yield opened


@pytest.fixture
def client(context: AppContext) -> AdminClient:
    """The client of the window."""
    return AdminClient(LocalTransport(context, "gui"))


@pytest.fixture
def other_client(context: AppContext) -> AdminClient:
    """A second client of the same gateway, as the command line is one."""
    return AdminClient(LocalTransport(context, "cli"))


@pytest.fixture
async def feed(client: AdminClient, ui: RecordingUi) -> AsyncIterator[Feed]:
    """Closed before `ui`: a batch after the end of a test would start a refresh that nothing awaits."""
    made = Feed(client)
    yield made
    made.close()


class RecordingUi:
    """Records what a page requests of its window; `settle` raises the exceptions of tasks."""

    def __init__(self) -> None:
        self.visited: list[tuple[str, dict[str, Any]]] = []
        self.notes: list[tuple[str, str]] = []
        self.copied: list[str] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.restored: list[Path] = []
        self.address = "http://127.0.0.1:5000"
        # Kept, as it may not be running: between set-up, call and teardown of a test, pytest-qt processes events without it,
        # and the timer of the feed may fire there.
        self._loop = asyncio.get_running_loop()

    def navigate(self, page: str, **context: Any) -> None:
        self.visited.append((page, context))

    def notify(self, text: str, severity: Severity = "info") -> None:
        self.notes.append((text, severity))

    def copy(self, text: str) -> None:
        self.copied.append(text)

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self.tasks.append(task)
        return task

    def restore(self, archive: Path) -> None:
        self.restored.append(archive)

    async def settle(self) -> None:
        """Wait until all tasks are done, including those they start."""
        while self.tasks:
            await self.tasks.pop()


@pytest.fixture
async def ui() -> AsyncIterator[RecordingUi]:
    recording = RecordingUi()
    yield recording
    for widget in QApplication.topLevelWidgets():
        widget.hide()  # stops the timers of pages: they would start tasks after the loop has ended
    for task in recording.tasks:
        task.cancel()
    await asyncio.gather(*recording.tasks, return_exceptions=True)


PageT = TypeVar("PageT", bound=Page)


async def shown_page(page: PageT, ui: RecordingUi, width: int, height: int) -> PageT:
    """The page in that size, visible, with its data loaded."""
    page.resize(width, height)
    page.show()
    await until(lambda: not page._stale)
    await ui.settle()
    return page


def child(parent: QWidget, kind: type[Any], text: str) -> Any:
    """The visible widget of a kind with this text (stripped)."""
    found = [one for one in parent.findChildren(kind) if one.text().strip() == text]
    assert found, f"no {kind.__name__} {text!r} among {[one.text() for one in parent.findChildren(kind)]}"
    return found[0]


async def opened(kind: type[Any]) -> Any:
    """The visible window of that kind; waits until there is one."""

    def find() -> list[Any]:
        return [one for one in QApplication.topLevelWidgets() if isinstance(one, kind) and one.isVisible()]

    await until(find)
    return find()[0]


class ShownWindows(QObject):
    """Records the windows that open while it is an event filter: a widget shown before it has a parent is one for a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.seen.append(f"{type(watched).__name__} {watched.objectName()}")
        return False
