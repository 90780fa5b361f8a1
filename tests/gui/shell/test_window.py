"""The main window: navigation, server card, notifications, errors, closing and quitting."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from conduit_desktop.actions import notifications, settings
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewProvider, read
from conduit_desktop.core.bus import Change
from conduit_desktop.core.errors import Invalid, PortTaken
from conduit_desktop.core.paths import Home
from conduit_desktop.gui.feed import BATCH_MS
from conduit_desktop.gui.shell.error_reporting import install_error_handlers
from conduit_desktop.gui.shell.page_registry import PAGES
from conduit_desktop.gui.shell.server_actions import next_free_port
from conduit_desktop.gui.shell.sidebar import DIGITS
from conduit_desktop.gui.shell.single_instance import InstanceListener, activate_running_instance
from conduit_desktop.gui.shell.window import MainWindow
from conduit_desktop.gui.theme.theme import theme
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from tests.fakes.waiting import until
from tests.gui.conftest import ShownWindows, child
from tests.gui.samples import record


@pytest.fixture
async def window(client: AdminClient, home: Home) -> AsyncIterator[MainWindow]:
    await client.change_settings({"welcome_done": True})
    made = MainWindow(client, home)
    made.resize(1200, 760)
    await made.start()
    made.show()
    await made.settle()
    yield made
    await made.finish()
    theme().set_mode("light")
    theme().set_zoom(100)


async def test_every_page_opens_by_click_and_by_shortcut(window: MainWindow, qtbot: QtBot, qapp: QApplication):
    strays = ShownWindows()
    qapp.installEventFilter(strays)
    window.activateWindow()
    await until(window.isActiveWindow)
    for place, entry in enumerate(PAGES, 1):
        qtbot.mouseClick(window.sidebar.items[entry.name], Qt.MouseButton.LeftButton)
        await window.settle()
        assert window.stack.currentWidget() is window.pages[entry.name]
        if place <= DIGITS:
            window.navigate("dashboard")
            qtbot.keyClick(window, getattr(Qt.Key, f"Key_{place}"), Qt.KeyboardModifier.ControlModifier)
            await until(lambda entry=entry: window.current == entry.name)
    window.navigate("dashboard")
    qtbot.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: window.current == "settings")
    qapp.removeEventFilter(strays)
    assert window.toaster.toasts == []
    assert strays.seen == []


async def test_the_welcome_page_is_skipped_if_there_are_providers(client: AdminClient, home: Home):
    await client.create_provider(read(NewProvider, {"name": "gpu", "kind": "vllm", "base_url": "http://127.0.0.1:9/v1"}))
    window = MainWindow(client, home)
    await window.start()
    await window.settle()
    assert window.current == "dashboard"
    await window.finish()


async def test_the_first_start_shows_the_welcome_page_also_with_the_demo_of_a_new_home(client: AdminClient, home: Home):
    await client.create_provider(read(NewProvider, {"name": "demo", "kind": "demo"}))
    window = MainWindow(client, home)
    await window.start()
    window.show()
    await window.settle()
    assert window.current == "welcome"
    await window.finish()


async def test_a_page_is_built_when_it_is_first_shown(window: MainWindow):
    assert list(window.pages) == ["dashboard"]


async def test_the_card_shows_the_server_and_starts_and_stops_it(window: MainWindow, context: AppContext, qtbot: QtBot):
    card = window.sidebar.server
    assert card.state.text() == "Running"
    assert card.address.text() == "127.0.0.1:5000"
    qtbot.mouseClick(card.power, Qt.MouseButton.LeftButton)
    await until(lambda: context.server.state == "stopped")
    context.bus.publish("server", "stopped")
    await until(lambda: card.state.text() == "Stopped")
    qtbot.mouseClick(card.power, Qt.MouseButton.LeftButton)
    await until(lambda: context.server.state == "running")


async def test_base_urls_and_client_setup_use_the_current_address(window: MainWindow):
    entries = {entry[0]: entry[2] for entry in await window.server.copy_entries() if entry is not None}
    copy = entries["Base URL (OpenAI)"]
    assert copy is not None
    copy()
    assert QGuiApplication.clipboard().text() == "http://127.0.0.1:5000/v1"
    assert [toast.text for toast in window.toaster.toasts] == ["Copied to the clipboard"]
    copy = entries["OpenAI Python"]
    assert copy is not None
    copy()
    assert "http://127.0.0.1:5000/v1" in QGuiApplication.clipboard().text()


async def test_a_taken_port_is_named_and_one_click_takes_the_next(
    window: MainWindow, context: AppContext, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    context.server.state, context.server.error = "failed", "Port 5000 is held by ControlCenter (pid 412)."
    context.bus.publish("server", "failed")
    await until(window.banner.isVisible)
    assert "ControlCenter" in window.banner.text.text()

    async def start() -> None:
        if context.gateway.snapshot.settings.port == 5000:
            raise PortTaken("taken")
        context.server.state = "running"

    monkeypatch.setattr(context.server, "start", start)
    qtbot.mouseClick(child(window.banner, QPushButton, "Use the next free port"), Qt.MouseButton.LeftButton)
    await until(lambda: context.server.state == "running")
    assert context.gateway.snapshot.settings.port > 5000
    context.bus.publish("server", "running")
    await until(lambda: not window.banner.isVisible())


def test_a_port_in_use_is_not_free():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        assert next_free_port(port) > port


async def test_an_expected_error_shows_its_text_and_a_bug_its_type(window: MainWindow, caplog: pytest.LogCaptureFixture):
    async def refused() -> None:
        raise Invalid("name: is taken", "name")

    async def broken() -> None:
        raise ZeroDivisionError("division by zero")

    window.run(refused())
    window.run(broken())
    await until(lambda: len(window.toaster.toasts) == 2)
    first, second = (toast.text for toast in window.toaster.toasts)
    assert first == "name: is taken"
    assert "ZeroDivisionError" in second
    assert "unexpected error" in caplog.text


async def test_an_unhandled_exception_is_shown_and_the_app_continues(caplog: pytest.LogCaptureFixture):
    messages: list[str] = []
    loop = asyncio.get_running_loop()
    stop = install_error_handlers(loop, messages.append)

    def fail() -> None:
        raise KeyError("lost")

    loop.call_soon(fail)
    await until(lambda: messages)
    stop()
    assert "KeyError" in messages[0]
    assert "unexpected error" in caplog.text


async def test_notifications_are_counted_listed_and_read(window: MainWindow, context: AppContext, qtbot: QtBot):
    await notifications.notify(context, "budget", "warning", "Nearly spent", "80 %")
    await until(lambda: window.sidebar.badge.text() == "1")
    assert window.sidebar.badge.isVisible()
    qtbot.mouseClick(window.sidebar.bell, Qt.MouseButton.LeftButton)
    await until(window.panel.isVisible)
    qtbot.mouseClick(child(window.panel, QPushButton, "Mark all as read"), Qt.MouseButton.LeftButton)
    await until(lambda: not window.sidebar.badge.isVisible())
    assert await notifications.unread(context) == 0
    window.panel.close()


async def test_the_theme_follows_the_setting(window: MainWindow, context: AppContext):
    await settings.change(context, {"theme": "dark"}, "gui")
    await until(lambda: theme().dark)


async def test_a_hidden_page_is_refreshed_when_it_is_shown(window: MainWindow, context: AppContext):
    window.navigate("settings")
    await window.settle()
    window.navigate("dashboard")
    batches: list[object] = []
    window.feed.batch.connect(batches.append)
    await settings.change(context, {"idle_s": 7.0}, "cli")
    await until(lambda: batches)
    page = window.pages["settings"]
    assert page.rows["idle_s"].value() == 60.0  # type: ignore[attr-defined]
    window.navigate("settings")
    await window.settle()
    assert page.rows["idle_s"].value() == 7.0  # type: ignore[attr-defined]


async def test_a_closed_window_starts_no_more_actions(window: MainWindow, context: AppContext):
    window.navigate("keys")
    await window.settle()
    window.pages["keys"]._requests_timer.setInterval(0)  # type: ignore[attr-defined]
    window.pages["keys"].on_changes([Change("requests", record())])
    context.bus.publish("keys")
    await window.finish()
    assert [timer for timer in [*window.findChildren(QTimer), window.feed._timer] if timer.isActive()] == []
    await asyncio.sleep(BATCH_MS / 1000 * 1.5)
    assert not window._tasks


async def test_a_hidden_window_does_no_work_for_the_feed(window: MainWindow, context: AppContext):
    batches: list[object] = []
    window.feed.batch.connect(batches.append)
    window.hide()
    for _ in range(10):
        context.bus.publish("requests")
    await asyncio.sleep(0.15)
    assert batches == []
    window.show()
    assert len(batches) == 1


async def test_without_a_tray_closing_confirms_and_quits(window: MainWindow, qtbot: QtBot):
    window.tray.available = False
    quits: list[int] = []
    window.quit_requested.connect(lambda: quits.append(1))
    window.close()
    assert window.isVisible()
    await until(lambda: QApplication.activeModalWidget() is not None)
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, Dialog)
    qtbot.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    await until(lambda: quits)


async def test_with_a_tray_closing_hides_and_the_tray_reopens(window: MainWindow):
    window.tray.available = True
    window.close()
    assert not window.isVisible()
    window.tray.menu.actions()[0].trigger()
    assert window.isVisible()


async def test_the_tray_is_updated_while_the_window_is_hidden(window: MainWindow, context: AppContext):
    window.hide()
    context.server.state = "stopped"
    context.bus.publish("server", "stopped")
    await until(lambda: [action.text() for action in window.tray.menu.actions()][2] == "Start server")


async def test_geometry_and_sidebar_state_are_saved(window: MainWindow, client: AdminClient, home: Home):
    window.sidebar.set_narrow(True)
    window.resize(880, 620)
    window.remember()
    second = MainWindow(client, home)
    assert second.sidebar.narrow
    assert second.height() == 620
    await second.finish()


async def test_a_second_start_activates_the_first_window(home: Home, tmp_path):
    assert await asyncio.to_thread(activate_running_instance, home) is False
    bell = InstanceListener(home)
    rings: list[int] = []
    bell.activation_requested.connect(lambda: rings.append(1))
    assert await asyncio.to_thread(activate_running_instance, home) is True
    await until(lambda: rings)
    assert await asyncio.to_thread(activate_running_instance, Home(tmp_path / "another")) is False
    bell.close()


async def test_control_plus_minus_and_zero_change_the_zoom_and_keep_it(window: MainWindow, client: AdminClient, qtbot: QtBot):
    async def kept() -> int:
        return next(one.value for one in await client.settings() if one.name == "zoom")

    window.activateWindow()
    await until(window.isActiveWindow)
    narrow = window.sidebar.width()
    qtbot.keyClick(window, Qt.Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: theme().zoom == 110)
    assert await kept() == 110
    assert window.sidebar.width() > narrow
    await window.settle()
    qtbot.keyClick(window, Qt.Key.Key_Minus, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: theme().zoom == 100)
    await window.settle()
    qtbot.keyClick(window, Qt.Key.Key_Minus, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: theme().zoom == 90)
    await window.settle()
    qtbot.keyClick(window, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: theme().zoom == 100)
    assert await kept() == 100
    assert window.sidebar.width() == narrow


async def test_the_zoom_has_bounds(window: MainWindow, client: AdminClient):
    await client.change_settings({"zoom": 200})
    await until(lambda: theme().zoom == 200)
    await window.change_zoom(1)
    assert theme().zoom == 200
    screen = QGuiApplication.primaryScreen().availableSize()
    assert window.minimumWidth() <= screen.width()
    assert window.minimumHeight() <= screen.height()
    with pytest.raises(Invalid):
        await client.change_settings({"zoom": 60})


async def test_a_narrow_sidebar_stays_narrow_when_the_zoom_changes(window: MainWindow):
    window.sidebar.set_narrow(True)
    before = window.sidebar.width()
    theme().set_zoom(150)
    assert window.sidebar.width() == round(before * 1.5)


async def test_in_a_low_window_the_pages_scroll_and_the_server_card_stays_whole(window: MainWindow):
    theme().set_zoom(150)
    window.resize(1300, 700)
    await until(lambda: window.sidebar.server.height() >= window.sidebar.server.minimumSizeHint().height())
    window.navigate("settings")
    await window.settle()
    item = window.sidebar.items["settings"]
    inside = item.mapTo(window.sidebar.pages_area.viewport(), item.rect().bottomLeft()).y()
    assert 0 < inside <= window.sidebar.pages_area.viewport().height()
    assert window.sidebar.server.geometry().bottom() <= window.sidebar.height()
