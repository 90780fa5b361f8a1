"""The welcome page: found keys and servers, the demo, and skipping."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLabel

from conduit_desktop.actions import models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding.discovery import FoundServer
from conduit_desktop.gui.pages.welcome import page as welcome
from conduit_desktop.gui.pages.welcome.page import WelcomePage
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi

SECRET = "sk-proj-0123456789abcdefZZZZ"


async def shown(context: AppContext, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch, *servers: FoundServer) -> WelcomePage:
    async def looked(_context: AppContext) -> list[FoundServer]:
        return list(servers)

    monkeypatch.setattr(welcome, "found_servers", looked)
    page = WelcomePage(context, ui)
    page.show()
    await ui.settle()
    return page


async def test_found_keys_and_servers_become_providers(context: AppContext, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("GROQ_API_KEY", "gsk_0123456789abcdefYYYY")
    page = await shown(context, ui, monkeypatch, FoundServer("ollama", "Ollama", "http://127.0.0.1:11434/v1", ("qwen3:8b",), False))
    assert page.add_button.text() == "Add 3 providers"
    assert not any(SECRET in label.text() for label in page.findChildren(QLabel))
    next(row for row in page.rows if row.found.kind == "groq").box.click()
    assert page.add_button.text() == "Add 2 providers"
    page.add_button.click()
    await ui.settle()
    made = {one.name: one for one in await providers.all_providers(context)}
    assert set(made) == {"openai", "ollama"}
    assert made["openai"].keys[0].hint == "env:OPENAI_API_KEY"
    assert SECRET not in str(context.secrets.kept)
    assert [row.alias for row in await models.all_models(context)] == ["qwen3:8b"]
    assert ui.visited == [("providers", {})]
    assert context.gateway.snapshot.settings.welcome_done


async def test_the_demo_is_added_by_one_click(context: AppContext, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch):
    page = await shown(context, ui, monkeypatch)
    assert not page.add_button.isVisible()
    page.demo_button.click()
    await until(lambda: ui.visited)
    assert ui.visited == [("chat", {"model": "demo-chat", "text": "What can you do?"})]
    assert "demo-chat" in {row.alias for row in await models.all_models(context)}


async def test_skipping_the_welcome_page_is_remembered(context: AppContext, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch):
    page = await shown(context, ui, monkeypatch)
    page.skip_button.click()
    await until(lambda: ui.visited)
    assert ui.visited == [("dashboard", {})]
    assert context.gateway.snapshot.settings.welcome_done
    assert await providers.all_providers(context) == []


async def test_an_added_provider_cannot_be_added_again(context: AppContext, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    page = await shown(context, ui, monkeypatch)
    page.add_button.click()
    await ui.settle()
    await page.refresh()
    (row,) = page.rows
    assert not row.box.isEnabled()
    assert not page.add_button.isVisible()
