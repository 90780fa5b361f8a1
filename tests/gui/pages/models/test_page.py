"""Creating an alias, moving its targets, errors at the fields, and explaining a route."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtWidgets import QDialog, QPushButton
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import NewModel, NewProvider, read
from conduit_desktop.core.errors import Invalid
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.models.dialogs import ExplainDialog, ModelDialog, as_object
from conduit_desktop.gui.pages.models.page import ModelsPage
from conduit_desktop.gui.widgets.forms.targets import TargetList
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, child, opened, shown_page


@pytest.fixture
async def demo(client: AdminClient) -> None:
    await client.create_provider(read(NewProvider, {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}}))


async def alias(client: AdminClient, name: str, *names: str, **values: Any) -> None:
    targets = [{"provider": "demo", "model": model} for model in names]
    await client.create_model(read(NewModel, {"alias": name, "targets": targets, **values}))


async def shown(client: AdminClient, feed: Feed, ui: RecordingUi) -> ModelsPage:
    return await shown_page(ModelsPage(client, feed, ui), ui, 1000, 600)


@pytest.mark.usefixtures("demo")
async def test_an_alias_is_created_with_its_targets_in_order(client: AdminClient, feed: Feed, ui: RecordingUi):
    page = await shown(client, feed, ui)
    page.new_button.click()
    dialog = await opened(ModelDialog)
    dialog.form.set_values({"alias": "smart", "overrides": '{"temperature": 0}', "timeouts.first_token_s": 7.5})
    rows = dialog.targets.rows
    rows[0].model.set_value("demo-chat")
    dialog.targets.add_button.click()
    rows[1].model.set_value("demo-slow")
    rows[1].up.click()
    dialog.primary.click()
    await ui.settle()
    (made,) = await client.models()
    assert [target.model for target in made.targets] == ["demo-slow", "demo-chat"]
    assert made.overrides == {"temperature": 0}
    assert made.timeouts.first_token_s == 7.5


@pytest.mark.usefixtures("demo")
async def test_the_models_of_a_provider_are_offered(client: AdminClient, ui: RecordingUi):
    dialog = ModelDialog(None, client, ui, ["demo"], [])
    dialog.open()
    combo = dialog.targets.rows[0].model.combo
    await until(lambda: combo.findText("demo-thinking") >= 0)
    assert combo.currentText() == ""
    dialog.reject()


@pytest.mark.usefixtures("demo")
async def test_overrides_that_are_not_json_are_shown_at_their_field(client: AdminClient, ui: RecordingUi):
    dialog = ModelDialog(None, client, ui, ["demo"], [])
    dialog.open()
    dialog.form.set_values({"alias": "smart", "overrides": "{temperature: 0}"})
    dialog.targets.rows[0].model.set_value("demo-chat")
    dialog.primary.click()
    field = dialog.form.fields["overrides"]
    await until(lambda: field.error.text())
    assert "JSON" in field.error.text()
    assert await client.models() == []
    dialog.reject()


@pytest.mark.usefixtures("demo")
async def test_a_target_without_a_model_is_shown_in_its_row(client: AdminClient, ui: RecordingUi):
    dialog = ModelDialog(None, client, ui, ["demo"], [])
    dialog.open()
    dialog.form.set_values({"alias": "smart"})
    dialog.primary.click()
    row = dialog.targets.rows[0]
    await until(lambda: row.error.text())
    assert row.error.isVisible()
    dialog.reject()


@pytest.mark.usefixtures("demo")
async def test_the_editor_shows_every_field_of_an_alias(client: AdminClient, ui: RecordingUi):
    await alias(client, "base", "demo-chat")
    more = {"sticky": "prefix", "trim": True, "strategy": "weighted", "context_fallbacks": ["base"]}
    await alias(client, "smart", "demo-chat", "demo-slow", fallbacks=["base"], retries=3, max_context_tokens=9000, **more)
    before = await client.model("smart")
    dialog = ModelDialog(None, client, ui, ["demo"], ["base", "smart"], before)
    dialog.open()
    assert dialog.form.value("context_fallbacks") == ["base"]
    dialog.form.set_values({**dialog.form.values(), "content_filter_fallbacks": ["base"]})
    dialog.primary.click()
    await until(lambda: not dialog.isVisible())
    after = await client.model("smart")
    assert after.content_filter_fallbacks == ["base"]
    after = after.model_copy(update={"content_filter_fallbacks": before.content_filter_fallbacks})
    assert after.model_dump(exclude={"updated_at"}) == before.model_dump(exclude={"updated_at"})


@pytest.mark.usefixtures("demo")
async def test_explain_shows_the_targets_in_order_with_reasons(client: AdminClient, feed: Feed, ui: RecordingUi):
    await alias(client, "smart", "demo-chat", "demo-slow")
    page = await shown(client, feed, ui)
    page.view.select("smart")
    page.bar.buttons["explain"].click()
    dialog = await opened(ExplainDialog)
    await until(lambda: dialog.shown)
    assert [row.model for row in dialog.shown] == ["demo-chat", "demo-slow"]
    assert all(row.reason for row in dialog.shown)
    dialog.form.set_values({"body": "[]"})
    dialog.primary.click()
    await until(lambda: dialog.form.fields["body"].error.text())
    dialog.reject()


@pytest.mark.usefixtures("demo")
async def test_an_alias_can_be_disabled_tried_and_deleted(client: AdminClient, feed: Feed, ui: RecordingUi):
    await alias(client, "base", "demo-chat")
    await alias(client, "smart", "demo-chat", fallbacks=["base"])
    page = await shown(client, feed, ui)
    assert not page.bar.buttons["edit"].isVisible()
    page.view.select("base")
    page.bar.buttons["try"].click()
    assert ui.visited == [("chat", {"model": "base"})]
    page.bar.buttons["toggle"].click()
    await ui.settle()
    assert not (await client.model("base")).enabled
    page.bar.buttons["delete"].click()
    dialog = await opened(QDialog)
    assert any("smart will no longer fall back" in label.text() for label in dialog.findChildren(type(page.heading)))
    child(dialog, QPushButton, "Delete alias").click()
    await ui.settle()
    assert [row.alias for row in await client.models()] == ["smart"]


async def test_creating_an_alias_without_providers_leads_to_the_providers_page(client: AdminClient, feed: Feed, ui: RecordingUi):
    page = await shown(client, feed, ui)
    page.new_button.click()
    dialog = await opened(QDialog)
    child(dialog, QPushButton, "Add a provider").click()
    await ui.settle()
    assert ui.visited == [("providers", {"new": True})]


def test_a_target_of_a_deleted_provider_keeps_its_name(qtbot: QtBot):
    rows = TargetList(["demo"])
    qtbot.addWidget(rows)
    rows.set_value([{"provider": "lost", "model": "m", "weight": 2}])
    assert rows.value() == [{"provider": "lost", "model": "m", "weight": 2}]
    rows.rows[0].removed.emit()
    assert rows.value() == []


@pytest.mark.parametrize("text", ["[1]", "3", '"a"', "{"])
def test_only_a_json_object_is_accepted(text: str):
    with pytest.raises(Invalid) as raised:
        as_object(text, "overrides")
    assert raised.value.field == "overrides"
    assert as_object(" ", "overrides") == {}
