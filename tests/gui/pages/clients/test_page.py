"""The page of tools that can use the gateway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewModel, NewProvider, read
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.clients.page import ClientsPage
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi
from tests.gui.samples import keep, record

MINE = '{\n  // mine\n  "theme": "dark"\n}\n'


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Claude Code's settings on a computer that has it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "claude"
    program.write_text("#!/bin/sh\necho 2.1.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    path = tmp_path / "claude" / "settings.json"
    path.parent.mkdir()
    path.write_text(MINE)
    return path


@pytest.fixture
async def page(client: AdminClient, feed: Feed, ui: RecordingUi, settings_file: Path) -> ClientsPage:
    await client.create_provider(read(NewProvider, {"name": "work", "kind": "demo"}))
    for alias in ("fast", "smart"):
        await client.create_model(read(NewModel, {"alias": alias, "targets": [{"provider": "work", "model": "demo-chat"}]}))
    made = ClientsPage(client, feed, ui)
    made.resize(1000, 800)
    made.show()
    made.show_context(client="claude-code")
    await ui.settle()
    return made


def dialog() -> Dialog | None:
    return next((one for one in QApplication.topLevelWidgets() if isinstance(one, Dialog) and one.isVisible()), None)


async def test_a_tool_is_shown_with_what_setting_it_up_would_change(page: ClientsPage, settings_file: Path):
    detail = page.detail
    assert detail.shown is not None
    assert (detail.shown.name, detail.shown.state, detail.pill.text) == ("claude-code", "not_set", "Not set up")
    assert "+" in detail.diff.body.shown
    assert "ANTHROPIC_BASE_URL" in detail.diff.body.shown
    assert not detail.undo.isVisible()
    assert settings_file.read_text() == MINE


async def test_another_model_is_in_the_difference_at_once(page: ClientsPage, ui: RecordingUi):
    page.detail.form.set_values({"model": "smart"})
    page.detail.form.changed.emit("model")
    await until(lambda: "smart" in page.detail.diff.body.shown)
    # What is read of all tools meanwhile has the difference for another model.
    await page.refresh()
    await ui.settle()
    assert "smart" in page.detail.diff.body.shown
    assert page.detail.form.value("model") == "smart"


async def test_set_up_waits_for_the_first_request_and_undo_gives_the_file_back(
    context: AppContext, page: ClientsPage, settings_file: Path, ui: RecordingUi, qtbot: QtBot
):
    detail = page.detail
    detail.form.set_values({"model": "smart", "budget_usd": 5})
    qtbot.mouseClick(detail.set_up, Qt.MouseButton.LeftButton)
    await until(lambda: detail.pill.text == "Waiting")
    written = settings_file.read_text()
    assert "// mine" in written
    assert "smart" in written
    assert "Waiting for its first request" in detail.banner.text.text()
    assert detail.shown is not None
    key = await page.client.key(str(detail.shown.key_id))
    assert (key.budget_usd, key.budget_period) == (5, "monthly")
    first = record(key_id=key.id, model="smart")
    await keep(context, first)
    context.bus.publish("requests", first)
    await until(lambda: detail.pill.text == "In use")
    assert detail.banner.text.text().startswith("Seen: its first request")
    qtbot.mouseClick(detail.first, Qt.MouseButton.LeftButton)
    assert ui.visited[-1][0] == "requests"
    qtbot.mouseClick(detail.undo, Qt.MouseButton.LeftButton)
    await until(lambda: dialog() is not None)
    shown = dialog()
    assert shown is not None
    qtbot.mouseClick(shown.primary, Qt.MouseButton.LeftButton)
    await until(lambda: detail.pill.text == "Not set up")
    assert settings_file.read_text() == MINE


async def test_a_set_up_that_another_program_overwrote_is_marked(page: ClientsPage, settings_file: Path, qtbot: QtBot):
    qtbot.mouseClick(page.detail.set_up, Qt.MouseButton.LeftButton)
    await until(lambda: page.detail.pill.text == "Waiting")
    settings_file.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": "https://other.example"}}))
    page.request_refresh()
    await until(lambda: page.detail.pill.text == "Changed elsewhere")
    assert page.detail.banner.isVisible()
    assert page.detail.set_up.text() == "Set up again"


async def test_a_tool_that_is_not_here_is_set_up_only_after_a_question(page: ClientsPage, ui: RecordingUi, qtbot: QtBot):
    absent = next(row for row in page.model.rows if row.can_set and row.installed is None and row.name != "claude-code")
    page.view.select(absent.name)
    assert page.detail.pill.text == "Not found"
    qtbot.mouseClick(page.detail.set_up, Qt.MouseButton.LeftButton)
    await until(lambda: dialog() is not None)
    shown = dialog()
    assert shown is not None
    qtbot.mouseClick(shown.cancel, Qt.MouseButton.LeftButton)
    await ui.settle()
    assert page.detail.pill.text == "Not found"


async def test_a_tool_that_cannot_be_written_says_why_and_shows_a_snippet(page: ClientsPage):
    by_hand = next(row for row in page.model.rows if not row.can_set and row.snippet)
    page.view.select(by_hand.name)
    assert page.detail.pill.text == "By hand"
    assert by_hand.reason in page.detail.note.text()
    assert page.detail.diff.body.shown.strip() == by_hand.snippet.strip()
    assert not page.detail.set_up.isVisible()


async def test_a_model_that_does_not_exist_is_an_error_at_its_field(page: ClientsPage, ui: RecordingUi):
    page.detail.form.set_values({"model": "no such alias"})
    page.detail.form.changed.emit("model")
    await ui.settle()
    assert page.detail.form.fields["model"].error.isVisible()
