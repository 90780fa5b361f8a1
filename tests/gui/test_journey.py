"""End to end by clicks: first start, chat with the demo, a provider, a key, a request of an SDK, and its cost in the window."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from conduit_desktop.actions import prices
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewPrice, read
from conduit_desktop.actions.transport import LocalTransport
from conduit_desktop.core.paths import Home
from conduit_desktop.gui.pages.keys.dialogs import KeyDialog, NewKeyDialog
from conduit_desktop.gui.pages.providers.dialogs import ProviderDialog
from conduit_desktop.gui.pages.providers.models import ProviderModelsDialog
from conduit_desktop.gui.shell.window import MainWindow
from conduit_desktop.server.http_server import HttpServer
from tests.fakes.app_context import DictSecrets
from tests.fakes.vendor import API_KEY, Vendor
from tests.fakes.waiting import until
from tests.gui.conftest import opened


@pytest.fixture
async def opened_app(home: Home) -> AsyncIterator[tuple[MainWindow, AppContext]]:
    """The window on a new home folder, with a real server, and the context behind it."""
    from conduit_desktop.core.bus import Bus
    from conduit_desktop.gateway.gateway import Gateway
    from conduit_desktop.store.sqlite.store import SqliteStore

    store, bus, secrets, fixed, server = SqliteStore.open(home), Bus(), DictSecrets(), {"port": 0}, HttpServer()
    gateway = Gateway(store, secrets, bus, fixed)
    await gateway.start()
    context = AppContext(home, store, secrets, gateway, bus, server, fixed)
    server.serve(context)
    await server.start()
    made = MainWindow(AdminClient(LocalTransport(context, "gui")), home)
    made.resize(1200, 800)
    await made.start()
    made.show()
    yield made, context
    await made.finish()
    await server.stop()
    await gateway.stop(1)
    await store.close()


async def chat_with_the_demo(window: MainWindow, qtbot: QtBot) -> None:
    welcome: Any = window.pages["welcome"]
    await until(lambda: welcome.demo_button.isVisible())
    welcome.demo_button.click()
    await until(lambda: window.current == "chat")
    chat: Any = window.pages["chat"]
    await until(lambda: chat.composer.edit.toPlainText())
    qtbot.keyClick(chat.composer.edit, Qt.Key.Key_Return)
    await until(lambda: chat.turns and chat.turns[0].answer is not None and chat.turns[0].answer.foot.isVisible(), 20)
    card = chat.turns[0].answer
    assert "Conduit" in card.body.markdown()
    assert "tok" in card.figures.text()


def published(context: AppContext) -> list[str]:
    """The aliases that route to the provider `work`."""
    return [one.alias for one in context.gateway.snapshot.aliases.values() if any(t.provider == "work" for t in one.targets)]


async def add_a_provider(window: MainWindow, context: AppContext, qtbot: QtBot, url: str) -> None:
    window.navigate("providers")
    page: Any = window.pages["providers"]
    await until(lambda: page.add_button.isVisible())
    page.add_button.click()
    dialog = await opened(ProviderDialog)
    qtbot.keyClicks(dialog.grid.search, "openai-compatible")
    qtbot.keyClick(dialog.grid.search, Qt.Key.Key_Return)
    await until(lambda: dialog.form is not None)
    dialog.form.set_values({"name": "work", "base_url": url, "api_key": API_KEY})
    dialog.primary.click()
    offered = await opened(ProviderModelsDialog)
    await until(lambda: offered.model.rows)
    offered.all_button.click()
    offered.primary.click()
    await until(lambda: published(context))


async def make_a_key(window: MainWindow) -> str:
    window.navigate("keys")
    page: Any = window.pages["keys"]
    await until(lambda: page.new_button.isVisible())
    page.new_button.click()
    dialog = await opened(KeyDialog)
    dialog.form.set_values({"name": "script", "budget_usd": 5})
    dialog.primary.click()
    once = await opened(NewKeyDialog)
    key: str = once.line.text()
    once.accept()
    return key


async def test_from_the_first_run_to_a_priced_request_in_the_window(
    opened_app: tuple[MainWindow, AppContext], qtbot: QtBot
) -> None:
    window, context = opened_app
    async with Vendor() as vendor:
        await chat_with_the_demo(window, qtbot)
        await add_a_provider(window, context, qtbot, vendor.openai_url)
        key = await make_a_key(window)
        alias = published(context)[0]
        await prices.put(context, alias, read(NewPrice, {"input": 100, "output": 200}), "gui")

        def ask() -> str:
            talk: Any = [{"role": "user", "content": "from a thread"}]
            with openai.OpenAI(base_url=f"{context.server.address}/v1", api_key=key, max_retries=0) as client:
                chunks = list(client.chat.completions.create(model=alias, messages=talk, stream=True))
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

        # The SDK waits in a thread, and the window's loop answers it.
        assert "from a thread" in await asyncio.to_thread(ask)
        window.navigate("requests")
        page: Any = window.pages["requests"]
        await until(lambda: any(line.key == "script" for line in page.table.model.rows))
        line = next(line for line in page.table.model.rows if line.key == "script")
        assert (line.status, line.model, line.cost_state) == ("success", alias, "final")
        assert line.cost_nano
        assert line.cost_nano > 0
        window.navigate("usage")
        usage: Any = window.pages["usage"]
        await until(lambda: usage.cost._value.text() not in ("", "–", "$0.00"))
        assert usage.cost._value.text().startswith("$")
        await until(lambda: usage.chart is not None and usage.chart.isVisible())
        await until(lambda: window.sidebar.server.state.text() == "Running")
