"""The window of a gateway elsewhere: it shows the server's state, and does not offer to start or stop it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer

from conduit_desktop.actions import master_key
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.remote_transport import RemoteTransport
from conduit_desktop.core.paths import Home
from conduit_desktop.gui.shell.window import MainWindow
from conduit_desktop.gui.theme.theme import theme
from conduit_desktop.server.application import build
from tests.fakes.waiting import until


@pytest.fixture
async def window(context: AppContext, home: Home) -> AsyncIterator[MainWindow]:
    async with TestServer(build(context)) as server:
        transport = RemoteTransport(str(server.make_url("")), await master_key.current(context))
        client = AdminClient(transport)
        await client.change_settings({"welcome_done": True})
        made = MainWindow(client, home)
        await made.start()
        made.show()
        await transport.connected.wait()
        await made.settle()
        yield made
        await made.finish()
        await client.close()
        theme().set_mode("light")


async def test_the_server_is_shown_and_has_no_buttons(window: MainWindow, context: AppContext):
    card = window.sidebar.server
    assert (card.state.text(), card.address.text()) == ("Running", "127.0.0.1:5000")
    assert window.address == "http://127.0.0.1:5000"
    assert not card.power.isVisible()
    assert not window.tray.toggle.isVisible()
    context.server.state, context.server.address, context.server.error = "failed", None, "Port 5000 is taken."
    context.bus.publish("server", "failed")
    await until(lambda: window.banner.text.text() == "Port 5000 is taken.")
    assert window.banner._buttons.count() == 0


async def test_quitting_asks_nothing(window: MainWindow):
    quits: list[int] = []
    window.quit_requested.connect(lambda: quits.append(1))
    await window.server.confirm_quit()
    assert quits == [1]


async def test_a_setting_changed_elsewhere_changes_the_theme(window: MainWindow, other_client: AdminClient):
    await other_client.change_settings({"theme": "dark"})
    await until(lambda: theme().dark)
