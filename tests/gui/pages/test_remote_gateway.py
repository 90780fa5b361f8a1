"""The pages with a gateway elsewhere: all of them load, follow its changes, and leave out what only works locally."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from conduit_desktop.actions import master_key
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding import first_steps
from conduit_desktop.actions.onboarding.discovery import FoundServer
from conduit_desktop.actions.remote_transport import RemoteTransport
from conduit_desktop.actions.schemas.inputs import NewKey, NewModel, NewProvider, read
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.chat.page import ChatPage
from conduit_desktop.gui.pages.providers.page import ProvidersPage
from conduit_desktop.gui.pages.settings.page import SettingsPage
from conduit_desktop.gui.shell.page_registry import PAGES, page_class
from conduit_desktop.gui.widgets.chat.cards import ErrorCard
from conduit_desktop.server.application import build
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi
from tests.gui.samples import keep, record


@pytest.fixture
async def server(context: AppContext) -> AsyncIterator[TestServer]:
    async with TestServer(build(context)) as made:
        yield made


@pytest.fixture
async def remote(context: AppContext, server: TestServer) -> AsyncIterator[AdminClient]:
    made = AdminClient(RemoteTransport(str(server.make_url("")), await master_key.current(context)))
    yield made
    await made.close()


@pytest.fixture
async def remote_feed(remote: AdminClient, ui: RecordingUi) -> AsyncIterator[Feed]:
    made = Feed(remote)
    yield made
    made.close()


@pytest.fixture
async def demo(client: AdminClient) -> None:
    await client.create_provider(read(NewProvider, {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}}))
    await client.create_model(read(NewModel, {"alias": "chat", "targets": [{"provider": "demo", "model": "demo-chat"}]}))


async def _no_servers(_context: AppContext) -> list[FoundServer]:
    return []


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("name", ["welcome", *(entry.name for entry in PAGES)])
async def test_every_page_loads(
    name: str, context: AppContext, remote: AdminClient, feed: Feed, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(first_steps, "found_servers", _no_servers)
    await keep(context, record(id="r1"))
    page = page_class(name)(remote, feed, ui)
    page.show()
    await ui.settle()
    assert not page._stale
    assert ui.notes == []


async def test_a_page_follows_the_changes(client: AdminClient, remote: AdminClient, remote_feed: Feed, ui: RecordingUi):
    page = ProvidersPage(remote, remote_feed, ui)
    page.show()
    await ui.settle()
    await client.create_provider(read(NewProvider, {"name": "later", "kind": "demo"}))
    await until(lambda: [card.provider.name for card in page.cards.values()] == ["later"])


async def test_settings_leave_out_the_master_key_and_restoring(
    context: AppContext, remote: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = SettingsPage(remote, feed, ui)
    qtbot.addWidget(page)
    page.show()
    await ui.settle()
    assert not page.master_key.isVisible()
    assert not page.data.restore_button.isVisible()
    await page.save("port", 5050)
    assert "has a new address" in page.moved.text.text()
    assert page.moved.isVisible()
    qtbot.mouseClick(page.data.backup_button, Qt.MouseButton.LeftButton)
    await ui.settle()
    (backup,) = (context.home.root / "backups").iterdir()
    assert str(backup) in ui.notes[-1][0]


@pytest.mark.usefixtures("demo")
async def test_a_chat_uses_the_virtual_key_of_the_client(
    context: AppContext, client: AdminClient, server: TestServer, remote: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    key = await client.create_key(read(NewKey, {"name": "app"}))
    transport = RemoteTransport(str(server.make_url("")), await master_key.current(context), client_key=key.key)
    page = ChatPage(AdminClient(transport), feed, ui)
    page.panel_button.setChecked(True)
    page.show()
    await until(lambda: page.picker.model_name() == "chat")
    assert not page.panel.form.fields["key_id"].isVisible()
    qtbot.keyClicks(page.composer.edit, "Hi")
    qtbot.keyClick(page.composer.edit, Qt.Key.Key_Return)
    await until(lambda: page.composer.send_button.isVisible())
    card = page.turns[0].answer
    assert card is not None
    assert card.body.markdown()
    assert card.name.text() == "chat → demo/demo-chat"
    assert (await client.request_detail(card.request_id)).key_name == "app"
    await transport.close()


@pytest.mark.usefixtures("demo")
async def test_a_chat_without_a_virtual_key_shows_what_is_missing(remote: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    page = ChatPage(remote, feed, ui)
    page.show()
    await until(lambda: page.picker.model_name() == "chat")
    qtbot.keyClicks(page.composer.edit, "Hi")
    qtbot.keyClick(page.composer.edit, Qt.Key.Key_Return)
    await until(lambda: page.composer.send_button.isVisible())
    (error,) = page.findChildren(ErrorCard)
    assert error.title.text() == "Chat is not available"
    assert "virtual key" in error.text.text()
