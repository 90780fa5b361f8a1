"""The welcome page: found keys and servers, the demo, and skipping."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLabel

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding import first_steps
from conduit_desktop.actions.onboarding.discovery import FoundServer
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.welcome.page import WelcomePage
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi

SECRET = "sk-proj-0123456789abcdefZZZZ"


async def shown(
    client: AdminClient, feed: Feed, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch, *servers: FoundServer
) -> WelcomePage:
    async def looked(_context: AppContext) -> list[FoundServer]:
        return list(servers)

    monkeypatch.setattr(first_steps, "found_servers", looked)
    page = WelcomePage(client, feed, ui)
    page.show()
    await ui.settle()
    return page


async def test_found_keys_and_servers_become_providers(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("GROQ_API_KEY", "gsk_0123456789abcdefYYYY")
    page = await shown(
        client, feed, ui, monkeypatch, FoundServer("ollama", "Ollama", "http://127.0.0.1:11434/v1", ("qwen3:8b",), False)
    )
    assert page.add_button.text() == "Add 3 providers"
    assert not any(SECRET in label.text() for label in page.findChildren(QLabel))
    next(row for row in page.rows if row.found.kind == "groq").box.click()
    assert page.add_button.text() == "Add 2 providers"
    page.add_button.click()
    await ui.settle()
    made = {one.name: one for one in await client.providers()}
    assert set(made) == {"openai", "ollama"}
    assert made["openai"].keys[0].hint == "env:OPENAI_API_KEY"
    assert SECRET not in str(context.secrets.kept)
    assert [row.alias for row in await client.models()] == ["qwen3:8b"]
    assert ui.visited == [("providers", {})]
    assert context.gateway.snapshot.settings.welcome_done


async def test_the_demo_is_added_by_one_click(client: AdminClient, feed: Feed, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch):
    page = await shown(client, feed, ui, monkeypatch)
    assert not page.add_button.isVisible()
    page.demo_button.click()
    await until(lambda: ui.visited)
    assert ui.visited == [("chat", {"model": "demo-chat", "text": "What can you do?"})]
    assert "demo-chat" in {row.alias for row in await client.models()}


async def test_skipping_the_welcome_page_is_remembered(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch
):
    page = await shown(client, feed, ui, monkeypatch)
    page.skip_button.click()
    await until(lambda: ui.visited)
    assert ui.visited == [("dashboard", {})]
    assert context.gateway.snapshot.settings.welcome_done
    assert await client.providers() == []


async def test_an_added_provider_cannot_be_added_again(
    client: AdminClient, feed: Feed, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    page = await shown(client, feed, ui, monkeypatch)
    page.add_button.click()
    await ui.settle()
    await page.refresh()
    (row,) = page.rows
    assert not row.box.isEnabled()
    assert not page.add_button.isVisible()
