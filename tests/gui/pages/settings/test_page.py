"""The settings page: a row per option, saving, errors, master key, backup and import."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewKey, read
from conduit_desktop.core.errors import PortTaken
from conduit_desktop.core.settings import Settings
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.settings.import_dialog import ImportedKeysDialog, ImportPreviewDialog, ImportVariablesDialog
from conduit_desktop.gui.pages.settings.page import HIDDEN, SettingsPage
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.forms.editors import Combo, Toggle
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, shown_page


async def opened(client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot) -> SettingsPage:
    page = SettingsPage(client, feed, ui)
    qtbot.addWidget(page)
    return await shown_page(page, ui, 1000, 700)


def line(page: SettingsPage, name: str) -> QLineEdit:
    target = page.rows[name].editor.focus_target()
    assert isinstance(target, QLineEdit)
    return target


async def test_every_option_has_a_row_that_shows_its_value(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await opened(client, feed, ui, qtbot)
    values = context.gateway.snapshot.settings
    assert set(page.rows) == set(Settings.model_fields) - HIDDEN
    for name, row in page.rows.items():
        shown = row.value()
        assert (shown if shown != "" else None) == (getattr(values, name) if getattr(values, name) != "" else None), name


async def test_every_row_is_as_high_as_its_texts_and_its_editor_need(
    client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    """A wrapped description needs a height that depends on the width of its card."""
    page = await opened(client, feed, ui, qtbot)
    for width in (760, 1400):
        page.resize(width, 700)
        QApplication.processEvents()
        for name, row in page.rows.items():
            layout = row.layout()
            assert layout is not None
            assert row.height() >= layout.minimumHeightForWidth(row.width()), (width, name)


async def test_a_switch_is_saved_at_once(client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    page = await opened(client, feed, ui, qtbot)
    toggle = page.rows["log_payloads"].editor
    assert isinstance(toggle, Toggle)
    qtbot.mouseClick(toggle.switch, Qt.MouseButton.LeftButton)
    await until(lambda: context.gateway.snapshot.settings.log_payloads)


async def test_a_text_is_saved_after_a_pause_and_an_error_is_shown_at_its_row(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await opened(client, feed, ui, qtbot)
    row = page.rows["max_body_mb"]
    row.pause.setInterval(1)
    line(page, "max_body_mb").selectAll()
    qtbot.keyClicks(line(page, "max_body_mb"), "99999")
    await until(lambda: row.error.text())
    assert "4096" in row.error.text()
    assert context.gateway.snapshot.settings.max_body_mb == 100
    line(page, "max_body_mb").selectAll()
    qtbot.keyClicks(line(page, "max_body_mb"), "64")
    await until(lambda: context.gateway.snapshot.settings.max_body_mb == 64)
    await until(lambda: not row.error.text())


async def test_a_taken_port_is_named_at_its_row_and_not_saved(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    async def taken(host: str, port: int) -> None:
        raise PortTaken(f"port {port} is taken by cupsd (pid 7)", "; choose another with --port.")

    monkeypatch.setattr(context.server, "prepare_address", taken)
    page = await opened(client, feed, ui, qtbot)
    await page.save("port", 5001)
    assert page.rows["port"].error.text() == "Port 5001 is taken by cupsd (pid 7)"
    assert context.gateway.snapshot.settings.port == 5000


async def test_an_empty_number_is_reset_to_its_default(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await opened(client, feed, ui, qtbot)
    await page.save("idle_s", 5.0)
    assert context.gateway.snapshot.settings.idle_s == 5.0
    await page.save("idle_s", None)
    assert context.gateway.snapshot.settings.idle_s == 60.0
    await page.refresh()
    assert page.rows["idle_s"].value() == 60.0


async def test_an_option_of_the_command_line_is_locked(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    context.gateway.state.overrides = {"port": 5999}
    await context.gateway.refresh()
    page = await opened(client, feed, ui, qtbot)
    assert page.rows["port"].locked.isVisible()
    assert not page.rows["port"].editor.isEnabled()
    assert not page.rows["host"].locked.isVisible()


async def test_a_new_port_is_saved_and_needs_nothing_more(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await opened(client, feed, ui, qtbot)
    await page.save("port", 5050)
    assert context.gateway.snapshot.settings.port == 5050
    assert not page.moved.isVisible()


async def test_a_text_being_typed_is_not_overwritten_by_another_change(
    client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await opened(client, feed, ui, qtbot)
    line(page, "connect_s").selectAll()
    qtbot.keyClicks(line(page, "connect_s"), "3")
    await page.save("idle_s", 9.0)
    await page.refresh()
    assert line(page, "connect_s").text() == "3"
    assert page.rows["idle_s"].value() == 9.0


async def test_a_choice_of_names_offers_the_existing_ones(client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    page = await opened(client, feed, ui, qtbot)
    combo = page.rows["default_alias"].editor
    assert isinstance(combo, Combo)
    assert combo.combo.count() == 1
    assert combo.value() is None


async def test_the_master_key_is_hidden_shown_and_rotated(client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    page = await opened(client, feed, ui, qtbot)
    card = page.master_key
    assert "condm_" not in card.line.text()
    qtbot.mouseClick(card.eye, Qt.MouseButton.LeftButton)
    await ui.settle()
    before = card.line.text()
    assert before == await client.master_key()
    qtbot.mouseClick(card.rotate_button, Qt.MouseButton.LeftButton)
    await until(lambda: QApplication.activeModalWidget() is not None)
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, Dialog)
    qtbot.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    await ui.settle()
    assert card.line.text() == await client.master_key() != before


async def test_a_shown_master_key_is_replaced_if_another_client_rotates_it(
    client: AdminClient, other_client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await opened(client, feed, ui, qtbot)
    page.master_key.eye.setChecked(True)
    await ui.settle()
    key = await other_client.rotate_master_key()
    await until(lambda: page.master_key.line.text() == key)
    page.master_key.eye.setChecked(False)
    await ui.settle()
    await other_client.rotate_master_key()
    await page.refresh()
    assert "condm_" not in page.master_key.line.text()


async def test_choices_of_names_follow_the_keys_and_aliases(
    client: AdminClient, other_client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await opened(client, feed, ui, qtbot)
    combo = page.rows["anonymous_key"].editor
    assert isinstance(combo, Combo)
    key = await other_client.create_key(read(NewKey, {"name": "guest"}))
    await until(lambda: combo.combo.findText("guest") >= 0)
    await other_client.remove_key(key.id)
    await until(lambda: combo.combo.findText("guest") < 0)


async def test_an_import_is_previewed_then_applied_and_its_new_keys_are_shown_once(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await opened(client, feed, ui, qtbot)
    text = '[settings]\nidle_s = 12.0\n\n[[providers]]\nname = "play"\nkind = "demo"\n\n[[keys]]\nname = "from file"\n'
    importing = asyncio.create_task(page.data.import_text(text))
    await until(lambda: isinstance(QApplication.activeModalWidget(), ImportPreviewDialog))
    preview = QApplication.activeModalWidget()
    assert isinstance(preview, ImportPreviewDialog)
    assert {one.name for one in preview.table.model.rows} == {"idle_s", "play", "from file"}
    assert context.gateway.snapshot.settings.idle_s == 60.0
    qtbot.mouseClick(preview.primary, Qt.MouseButton.LeftButton)
    await until(lambda: isinstance(QApplication.activeModalWidget(), ImportedKeysDialog))
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, ImportedKeysDialog)
    qtbot.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    await importing
    assert context.gateway.snapshot.settings.idle_s == 12.0
    assert "play" in context.gateway.snapshot.providers


async def test_an_import_takes_a_variable_only_once_its_box_is_ticked(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WHERE", "https://gateway.example/v1")
    page = await opened(client, feed, ui, qtbot)
    text = '[[providers]]\nname = "p"\nkind = "openai"\nbase_url = "env:WHERE"\napi_key = "sk-0123456789abcdef"\n'
    for ticked in (False, True):
        importing = asyncio.create_task(page.data.import_text(text))
        await until(lambda: isinstance(QApplication.activeModalWidget(), ImportVariablesDialog))
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, ImportVariablesDialog)
        assert not dialog.primary.isEnabled()
        if not ticked:
            qtbot.mouseClick(dialog.cancel, Qt.MouseButton.LeftButton)
            await importing
            assert "p" not in context.gateway.snapshot.providers
            continue
        dialog.boxes["WHERE"].setChecked(True)
        qtbot.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
        await until(lambda: isinstance(QApplication.activeModalWidget(), ImportPreviewDialog))
        preview = QApplication.activeModalWidget()
        assert isinstance(preview, ImportPreviewDialog)
        shown = [preview.table.model.data(preview.table.model.index(0, column)) for column in range(5)]
        assert shown[3] == "gateway.example"
        assert "base_url: https://gateway.example/v1" in shown[4]
        assert "0123456789" not in str(shown)
        qtbot.mouseClick(preview.primary, Qt.MouseButton.LeftButton)
        await importing
    assert context.gateway.snapshot.providers["p"].provider.base_url == "https://gateway.example/v1"


async def test_backup_export_and_restore_use_the_chosen_file(
    client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    page = await opened(client, feed, ui, qtbot)
    chosen = iter([tmp_path / "b.zip", tmp_path / "c.toml", tmp_path / "b.zip"])

    async def choose(*_: Any) -> Path:
        return next(chosen)

    async def agree(*_: Any, **__: Any) -> bool:
        return True

    monkeypatch.setattr("conduit_desktop.gui.pages.settings.cards.choose_file", choose)
    monkeypatch.setattr("conduit_desktop.gui.pages.settings.cards.confirm", agree)
    for button in (page.data.backup_button, page.data.export_button, page.data.restore_button):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        await ui.settle()
    assert (tmp_path / "b.zip").stat().st_size > 0
    assert (tmp_path / "c.toml").is_file()
    assert ui.restored == [tmp_path / "b.zip"]
