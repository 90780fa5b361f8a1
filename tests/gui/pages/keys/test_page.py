"""Virtual keys by clicks: created, shown once, limited, rotated and deleted."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QLabel, QMenu, QPushButton

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewKey, read
from conduit_desktop.actions.schemas.views import KeyView
from conduit_desktop.core.bus import Change
from conduit_desktop.gateway.admission.access import digest
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.keys.dialogs import ClientSetupDialog, KeyDialog, NewKeyDialog
from conduit_desktop.gui.pages.keys.page import KeysPage, limits, share, spend
from conduit_desktop.gui.widgets.chat.code import CodeBlock
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, child, opened, shown_page
from tests.gui.samples import record


async def shown(client: AdminClient, feed: Feed, ui: RecordingUi) -> KeysPage:
    return await shown_page(KeysPage(client, feed, ui), ui, 1100, 600)


async def key(client: AdminClient, **values: Any) -> KeyView:
    return await client.create_key(read(NewKey, {"name": "app", **values}))


async def test_a_new_key_is_shown_once_with_its_snippets(client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi):
    page = await shown(client, feed, ui)
    page.new_button.click()
    dialog = await opened(KeyDialog)
    dialog.form.set_values({"name": "zed", "budget_usd": 5, "rpm": 60, "models": ["gpt-*"], "expires_at": "2030-01-31"})
    dialog.primary.click()
    once = await opened(NewKeyDialog)
    secret = once.line.text()
    (made,) = await client.keys()
    assert digest(secret) == (await context.store.keys.get(made.id)).digest
    assert (made.budget_usd, made.budget_period, made.rpm, made.models) == (5, "monthly", 60, ["gpt-*"])
    assert made.expires_at is not None
    assert made.expires_at.startswith("2030-01-31T00:00:00")
    once.copy_button.click()
    assert ui.copied == [secret]
    for at, row in enumerate(once.snippets.rows):
        once.snippets.clients.setCurrentRow(at)
        assert secret in once.snippets.code.body.shown, row.name
        assert "127.0.0.1:5000" in once.snippets.code.body.shown
    once.snippets.code.copy_button.click()
    assert QGuiApplication.clipboard().text() == once.snippets.code.body.shown
    once.primary.click()
    await ui.settle()
    await page.refresh()
    assert not any(secret in one.text() for one in page.findChildren(QLabel))
    assert secret not in str([column.text(made) for column in page.model.columns])


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"name": ""}, "name"),
        ({"rpm": 0}, "rpm"),
        ({"allowed_ips": ["nowhere"]}, "allowed_ips"),
        ({"expires_at": "soon"}, "expires_at"),
    ],
)
async def test_an_invalid_value_is_shown_at_its_field(client: AdminClient, ui: RecordingUi, values: dict[str, Any], path: str):
    dialog = KeyDialog(None, client, ui)
    dialog.open()
    dialog.form.set_values({"name": "app", **values})
    dialog.primary.click()
    field = dialog.form.fields[path]
    await until(lambda: field.error.text())
    assert field.error.isVisibleTo(dialog)
    assert await client.keys() == []
    dialog.reject()


async def test_editing_without_a_change_changes_nothing(client: AdminClient, ui: RecordingUi):
    before = await key(client, budget_usd=2.5, budget_period="weekly", rpd=10, expires_at="2030-01-31", allowed_ips=["10.0.0.0/8"])
    dialog = KeyDialog(None, client, ui, await client.key(before.id))
    dialog.open()
    dialog.primary.click()
    await until(lambda: not dialog.isVisible())
    after = await client.key(before.id)
    assert after.model_dump(exclude={"updated_at"}) == before.model_dump(exclude={"updated_at", "key"})


@pytest.mark.parametrize("choice", [None, "allow", "block"])
async def test_team_tags_and_the_choice_for_unpriced_models_are_kept(client: AdminClient, ui: RecordingUi, choice: str | None):
    dialog = KeyDialog(None, client, ui)
    dialog.open()
    assert dialog.form.value("unpriced") is None
    dialog.form.set_values({"name": "app", "budget_usd": 5, "team": "research", "tags": ["a", "b"], "unpriced": choice})
    dialog.primary.click()
    await until(lambda: dialog.made is not None)
    [made] = await client.keys()
    assert (made.team, made.tags, made.unpriced_is_default) == ("research", ["a", "b"], choice is None)
    assert made.unpriced == (choice or "block")
    again = KeyDialog(None, client, ui, made)
    again.open()
    assert again.form.value("unpriced") == choice
    again.form.set_values({"team": "", "tags": []})
    again.primary.click()
    await until(lambda: not again.isVisible())
    [after] = await client.keys()
    assert (after.team, after.tags, after.unpriced_is_default) == (None, [], choice is None)


async def test_a_link_to_a_key_selects_it_once_it_is_loaded(client: AdminClient, feed: Feed, ui: RecordingUi):
    await key(client, name="other")
    made = await key(client)
    page = KeysPage(client, feed, ui)
    page.show_context(key=made.id)
    await ui.settle()
    assert page.view.current().id == made.id


async def test_the_own_budget_of_a_key_is_opened_on_the_budgets_page(client: AdminClient, feed: Feed, ui: RecordingUi):
    limited, free = await key(client, name="limited", budget_usd=5), await key(client, name="free")
    page = await shown(client, feed, ui)
    page.view.select(free.id)
    assert not page.bar.buttons["budget"].isVisibleTo(page)
    page.view.select(limited.id)
    page.bar.buttons["budget"].click()
    assert ui.visited == [("budgets", {"key": limited.id})]


async def test_rotating_shows_the_new_key_and_revokes_the_old_one(
    client: AdminClient, context: AppContext, feed: Feed, ui: RecordingUi
):
    old = await key(client)
    page = await shown(client, feed, ui)
    page.view.select(old.id)
    page.bar.buttons["rotate"].click()
    child(await opened(QDialog), QPushButton, "Rotate").click()
    once = await opened(NewKeyDialog)
    assert once.line.text() != old.key
    assert digest(old.key) not in context.gateway.snapshot.keys_by_digest
    assert digest(once.line.text()) in context.gateway.snapshot.keys_by_digest
    once.primary.click()
    await ui.settle()


async def test_a_key_is_disabled_and_deleted(client: AdminClient, feed: Feed, ui: RecordingUi):
    made = await key(client)
    page = await shown(client, feed, ui)
    page.view.select(made.id)
    page.bar.buttons["toggle"].click()
    await ui.settle()
    assert (await client.key(made.id)).status == "disabled"
    await page.refresh()
    assert page.bar.buttons["toggle"].text().strip() == "Enable"
    page.bar.buttons["delete"].click()
    child(await opened(QDialog), QPushButton, "Delete key").click()
    await ui.settle()
    assert await client.keys() == []


async def test_cancelling_a_deletion_keeps_the_key(client: AdminClient, feed: Feed, ui: RecordingUi):
    made = await key(client)
    page = await shown(client, feed, ui)
    page.view.select(made.id)
    page.bar.buttons["delete"].click()
    child(await opened(QDialog), QPushButton, "Cancel").click()
    await ui.settle()
    assert len(await client.keys()) == 1


async def test_the_context_menu_of_a_row_has_the_actions_of_the_bar(client: AdminClient, feed: Feed, ui: RecordingUi):
    made = await key(client)
    page = await shown(client, feed, ui)
    page.view.menu_requested.emit(made.id, QPoint(5, 5))
    menu = page.bar.findChildren(QMenu)[-1]
    assert [entry.text() for entry in menu.actions()] == ["Client setup", "Edit", "Disable", "Rotate", "Reset spend", "Delete"]
    menu.close()


async def test_client_setup_for_an_existing_key_has_a_placeholder(client: AdminClient, feed: Feed, ui: RecordingUi):
    made = await key(client)
    page = await shown(client, feed, ui)
    page.view.select(made.id)
    page.bar.buttons["setup"].click()
    dialog = await opened(ClientSetupDialog)
    assert "condt_YOUR_KEY" in dialog.findChild(CodeBlock).body.shown
    dialog.accept()
    await ui.settle()


async def test_spend_is_shown_with_the_budget(client: AdminClient):
    made = await key(client, budget_usd=5, budget_period="monthly", rpm=60, max_parallel=2)
    view = made.model_copy(update={"spend_usd": 1.2})
    assert spend(view) == "$1.20 of $5.00 per month"
    assert share(view) == pytest.approx(0.24)
    assert limits(view) == "60 rpm · 2 parallel"
    assert share(view.model_copy(update={"budget_usd": None})) is None
    assert share(view.model_copy(update={"budget_usd": 0.0})) == 1.0


async def test_spend_is_refreshed_a_second_after_a_request(client: AdminClient, feed: Feed, ui: RecordingUi):
    """And not ten times a second under load."""
    page = await shown(client, feed, ui)
    refreshed: list[None] = []
    page._requests_timer.timeout.connect(lambda: refreshed.append(None))
    page._requests_timer.setInterval(20)
    for number in range(5):
        page.on_changes([Change("requests", record(id=f"r{number}"))])
    await until(lambda: refreshed)
    await ui.settle()
    assert len(refreshed) == 1


async def test_a_hidden_page_refreshes_the_spend_only_when_it_is_shown(client: AdminClient, feed: Feed, ui: RecordingUi):
    page = await shown(client, feed, ui)
    page.on_changes([Change("requests", record(id="r"))])
    page.hide()
    assert not page._requests_timer.isActive()
    assert ui.tasks == []
    page.show()
    assert len(ui.tasks) == 1
    await ui.settle()
