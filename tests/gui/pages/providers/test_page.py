"""Adding, testing, publishing, editing and deleting a provider by clicks."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from conduit_desktop.actions import providers
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewModel, NewProvider, read
from conduit_desktop.core.chat import Message, Text
from conduit_desktop.core.errors import Invalid, UpstreamError
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.providers.catalog import CatalogGrid, group_of
from conduit_desktop.gui.pages.providers.dialogs import ProviderDialog
from conduit_desktop.gui.pages.providers.form import ProviderForm, free_name
from conduit_desktop.gui.pages.providers.models import ProviderModelsDialog
from conduit_desktop.gui.pages.providers.page import ProvidersPage
from conduit_desktop.gui.widgets.forms.form_dialog import errors_of
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, child, opened, shown_page


async def shown(client: AdminClient, feed: Feed, ui: RecordingUi) -> ProvidersPage:
    return await shown_page(ProvidersPage(client, feed, ui), ui, 900, 600)


async def add(client: AdminClient, **values: object) -> None:
    await client.create_provider(read(NewProvider, values))


async def test_a_card_with_long_texts_is_not_wider_than_the_page(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi
):
    keys = [{"label": f"{label}-of-a-long-name", "api_key": f"sk-{label}"} for label in ("team", "private")]
    await add(client, name="openai", kind="openai", api_keys=keys)
    await add(client, name="n" * 60, kind="openai-compatible", base_url=f"http://127.0.0.1/{'p' * 200}/v1")
    owner = context.gateway.snapshot.providers["openai"].provider.id
    context.gateway.health.failed("openai/m", owner, "private", UpstreamError("a long story " * 30, status=401, reason="auth"))
    page = await shown(client, feed, ui)
    card, other = sorted(page.cards.values(), key=lambda one: one.provider.name, reverse=True)
    assert card.state.text().startswith("1 of 2 keys disabled: a long story")
    assert card.state.toolTip() == card.state.text()
    assert max(card.minimumSizeHint().width(), other.minimumSizeHint().width()) < 500
    assert card.keys.toolTip().splitlines() == list(card.keys.names)


async def test_an_error_is_removed_after_the_next_success(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi):
    await add(client, name="demo", kind="demo", options={"pace_ms": 1})
    health, owner = context.gateway.health, context.gateway.snapshot.providers["demo"].provider.id
    for _ in range(5):
        health.failed("demo/demo-chat", owner, None, UpstreamError("it is down", status=503, reason="server"))
    page = await shown(client, feed, ui)
    page._requests_timer.setInterval(1)
    (card,) = page.cards.values()
    assert card.state.text().startswith("it is down")
    health.half_open("demo/demo-chat")
    answer = client.chat("demo/demo-chat", [Message("user", [Text("Hi")], plain=True)])
    assert [event async for event in answer]
    await until(lambda: card.state.text().startswith("Latency"))


async def test_the_latency_is_refreshed_after_a_request(client: AdminClient, feed: Feed, ui: RecordingUi):
    await add(client, name="demo", kind="demo", options={"pace_ms": 1})
    page = await shown(client, feed, ui)
    page._requests_timer.setInterval(1)
    (card,) = page.cards.values()
    assert card.state.text().startswith("No requests yet")
    await until(lambda: not feed._timer.isActive())  # the batch of the new provider would refresh the page too
    await ui.settle()
    answer = client.chat("demo/demo-chat", [Message("user", [Text("Hi")], plain=True)])
    assert [event async for event in answer]
    await until(lambda: card.state.text().startswith("Latency"))


async def test_a_provider_of_the_config_file_has_a_lock(client: AdminClient, feed: Feed, ui: RecordingUi):
    await add(client, name="demo", kind="demo")
    page = await shown(client, feed, ui)
    (card,) = page.cards.values()
    assert not card.lock.isVisible()
    card.show_provider(card.provider.model_copy(update={"locked": True}), None, None)
    assert card.lock.isVisible()
    assert not card.switch.isEnabled()


async def test_a_provider_is_added_and_its_models_published(client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    page = await shown(client, feed, ui)
    page.add_button.click()
    dialog = await opened(ProviderDialog)
    qtbot.keyClicks(dialog.grid.search, "demo")
    qtbot.keyClick(dialog.grid.search, Qt.Key.Key_Return)
    dialog.primary.click()
    offered = await opened(ProviderModelsDialog)
    await until(lambda: offered.model.rows)
    offered.filter.setText("demo-chat")
    offered.all_button.click()
    assert offered.primary.text() == "Publish 1"
    offered.primary.click()
    await until(lambda: ui.notes)
    assert [row.alias for row in await client.models()] == ["demo-chat"]
    assert ui.notes == [("Published 1 alias: demo-chat", "info")]


async def test_the_connection_test_shows_latency_and_features(client: AdminClient, ui: RecordingUi):
    await add(client, name="demo", kind="demo", options={"pace_ms": 1})
    dialog = ProviderModelsDialog(None, client, ui, "demo")
    dialog.open()
    await until(lambda: "Connected in" in dialog.test_line.text.text())
    assert dialog.test_line.property("tone") == "success"
    assert "streaming" in dialog.test_line.text.text()
    dialog.reject()


async def test_an_unreachable_provider_shows_an_error_and_stays_usable(client: AdminClient, ui: RecordingUi):
    await add(client, name="away", kind="openai-compatible", base_url="http://127.0.0.1:9/v1")
    dialog = ProviderModelsDialog(None, client, ui, "away")
    dialog.open()
    await until(lambda: dialog.test_line.property("tone") == "danger")
    await until(lambda: dialog.empty.title.text() == "The models could not be loaded")
    dialog.reject()


async def test_a_missing_key_is_shown_at_its_field(client: AdminClient, ui: RecordingUi):
    dialog = ProviderDialog(None, client, ui, await client.catalog(), [], kind="openai")
    dialog.open()
    dialog.primary.click()
    field = dialog.form.fields["api_key"]
    await until(lambda: field.error.text())
    assert field.error.text() == "OpenAI needs it"
    assert field.error.isVisible()
    assert dialog.isVisible()
    assert await client.providers() == []


async def test_a_name_in_use_is_shown_at_its_field(client: AdminClient, ui: RecordingUi):
    await add(client, name="mine", kind="demo")
    dialog = ProviderDialog(None, client, ui, await client.catalog(), [], kind="demo")
    dialog.open()
    dialog.form.set_values({"name": "mine"})
    dialog.primary.click()
    await until(lambda: dialog.form.fields["name"].error.text())
    assert "already" in dialog.form.fields["name"].error.text()


async def test_several_keys_keep_their_weights(client: AdminClient, ui: RecordingUi):
    dialog = ProviderDialog(None, client, ui, await client.catalog(), [], kind="openai")
    dialog.open()
    dialog.form.set_values({"api_key": "sk-proj-0123456789abcdefAAAA"})
    dialog.form.more.click()
    first, second = dialog.form.fields["api_keys"].editor.rows
    assert first.editors["api_key"].value() == "sk-proj-0123456789abcdefAAAA"
    second.editors["api_key"].set_value("env:OTHER_KEY")
    second.editors["weight"].set_value(3)
    dialog.primary.click()
    await until(lambda: dialog.made)
    made = await client.provider("openai")
    assert [(one.label, one.hint, one.weight) for one in made.keys] == [("first", "sk-…AAAA", 1), ("second", "env:OTHER_KEY", 3)]


async def test_editing_keeps_keys_that_were_left_empty(client: AdminClient, context: AppContext, ui: RecordingUi):
    await add(
        client, name="openai", kind="openai", api_key="sk-proj-0123456789abcdefAAAA", headers={"X-Team": "blue", "X-Old": "gone"}
    )
    secrets = dict(context.secrets.kept)
    dialog = ProviderDialog(None, client, ui, await client.catalog(), [], await client.provider("openai"))
    dialog.open()
    dialog.form.set_values({"name": "work"})
    headers = dialog.form.fields["headers"].editor
    headers._on_removed(headers.rows[1])
    dialog.primary.click()
    await until(lambda: dialog.made)
    made = await client.provider("work")
    assert [one.hint for one in made.keys] == ["sk-…AAAA"]
    assert list(made.headers) == ["X-Team"]
    assert context.secrets.kept.items() <= secrets.items()


async def test_the_switch_disables_a_provider(client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    await add(client, name="demo", kind="demo")
    page = await shown(client, feed, ui)
    (card,) = page.cards.values()
    qtbot.mouseClick(card.switch, Qt.MouseButton.LeftButton)
    await ui.settle()
    assert not (await client.provider("demo")).enabled
    await page.refresh()
    assert card.state.text().startswith("Disabled")


async def test_deleting_names_the_aliases_that_use_it(client: AdminClient, feed: Feed, ui: RecordingUi):
    await add(client, name="demo", kind="demo")
    await client.create_model(read(NewModel, {"alias": "smart", "targets": [{"provider": "demo", "model": "demo-chat"}]}))
    page = await shown(client, feed, ui)
    (card,) = page.cards.values()
    assert "1 alias" in card.state.text()
    card.delete_button.click()
    dialog = await opened(QDialog)
    assert any("smart" in label.text() for label in dialog.findChildren(QLabel))
    child(dialog, QPushButton, "Delete provider").click()
    await ui.settle()
    assert await client.providers() == []


async def test_a_provider_of_the_config_file_is_read_only(client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi):
    await providers.create(context, read(NewProvider, {"name": "demo", "kind": "demo"}), "file", source="file")
    page = await shown(client, feed, ui)
    (card,) = page.cards.values()
    assert not card.switch.isEnabled()
    assert not card.delete_button.isEnabled()
    assert card.models_button.isEnabled()


async def test_without_providers_the_page_offers_to_add_one_or_the_demo(client: AdminClient, feed: Feed, ui: RecordingUi):
    page = await shown(client, feed, ui)
    assert page.empty.isVisible()
    child(page.empty, QPushButton, "Try the demo").click()
    dialog = await opened(ProviderDialog)
    assert isinstance(dialog.form, ProviderForm)
    assert dialog.form.kind.kind == "demo"
    dialog.reject()


@pytest.mark.parametrize(("words", "first"), [("anthropic", "Anthropic"), ("local lm", "LM Studio"), ("compatible openai", None)])
def test_the_catalog_finds_a_kind_by_any_word(words: str, first: str | None, qtbot: QtBot):
    grid = CatalogGrid(providers.catalog())
    qtbot.addWidget(grid)
    grid.search.setText(words)
    found = grid.matches()
    assert found
    if first is None:
        assert group_of(found[-1].kind) == "Compatible"
    else:
        assert found[0].kind.label == first


@pytest.mark.parametrize("kind", [kind.kind for kind in providers.catalog()])
def test_every_kind_has_a_form_with_all_its_fields(kind: str, qtbot: QtBot):
    view = next(one for one in providers.catalog() if one.kind == kind)
    form = ProviderForm(view, [], None)
    qtbot.addWidget(form)
    paths = {"base_url": "base_url", "api_key": "api_key"}
    assert {paths.get(field.name, f"options.{field.name}") for field in view.fields} <= set(form.fields)


def test_an_error_in_a_list_is_mapped_to_its_row():
    error = Invalid("api_keys[1].api_key: is required", "api_keys[1].api_key")
    assert errors_of(error) == {"api_keys.1.api_key": "Is required"}
    assert errors_of(Invalid("no field at all")) == {"": "no field at all"}


def test_a_second_provider_of_a_kind_gets_a_free_name():
    assert free_name("openai", []) == "openai"
    assert free_name("openai", ["OpenAI", "openai-2"]) == "openai-3"


async def test_closing_the_dialog_cancels_its_requests(client: AdminClient, context: AppContext, ui: RecordingUi):
    """A late result would be shown in deleted widgets."""
    await add(client, name="demo", kind="demo", options={"pace_ms": 500})
    dialog = ProviderModelsDialog(None, client, ui, "demo")
    dialog.open()
    testing = ui.tasks[0]
    await until(lambda: dialog.model.rows)
    dialog.reject()
    await until(testing.done)
    assert testing.cancelled()
    assert context.gateway.in_flight == 0
