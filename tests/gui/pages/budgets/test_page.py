"""The page of budgets: rows of every kind, projection, past periods, the form, and the link to keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QDialog, QMenu, QPushButton

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewBudget, NewKey, NewProvider, read
from conduit_desktop.actions.schemas.views import BudgetView
from conduit_desktop.core.bus import Change
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.budgets.detail import projection_text
from conduit_desktop.gui.pages.budgets.dialogs import BudgetDialog, BudgetTargets
from conduit_desktop.gui.pages.budgets.page import COLUMNS, BudgetsPage
from conduit_desktop.gui.pages.budgets.rows import BudgetRow
from conduit_desktop.gui.widgets.card import FactList
from conduit_desktop.gui.widgets.pills import share_tone
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, child, opened, shown_page
from tests.gui.samples import keep, record

START = datetime(2026, 11, 1, tzinfo=UTC)
ROW = BudgetRow(
    id="b1", of_key=False, name="all", scope="global", applies_to="All requests", limit_nano=30 * 10**9, spend_nano=10 * 10**9,
    reserved_nano=0, period="monthly", start=START, reset=datetime(2026, 12, 1, tzinfo=UTC), thresholds=(0.75, 0.9, 1.0),
    action="block", locked=False,
)  # fmt: skip


async def shown(client: AdminClient, feed: Feed, ui: RecordingUi) -> BudgetsPage:
    return await shown_page(BudgetsPage(client, feed, ui), ui, 1060, 700)


async def budget(client: AdminClient, **values: Any) -> BudgetView:
    return await client.create_budget(read(NewBudget, {"scope": "global", "limit_usd": 10, **values}))


def facts(page: BudgetsPage) -> dict[str, str]:
    texts = [one.text() for one in page.detail.findChild(FactList)._labels if one.isVisibleTo(page)]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def texts(row: BudgetRow) -> dict[str, str]:
    return {column.title: column.text(row) for column in COLUMNS}


async def test_budgets_and_the_budgets_of_keys_are_listed(client: AdminClient, feed: Feed, ui: RecordingUi):
    key = await client.create_key(read(NewKey, {"name": "<b>laptop</b>", "budget_usd": 5, "team": "research"}))
    await client.create_key(read(NewKey, {"name": "without"}))
    await budget(client, name="all")
    await budget(client, name="one", scope="key", target=key.id, action="warn", period="weekly")
    page = await shown(client, feed, ui)
    found = {(row.name, row.of_key): texts(row) for row in page.model.rows}
    assert set(found) == {("all", False), ("one", False), ("<b>laptop</b>", True)}
    assert found["all", False]["Applies to"] == "All requests"
    assert found["one", False] | {"Projection": ""} == {
        "Name": "one", "Applies to": "Key <b>laptop</b>", "Spent": "$0.00 of $10.00 per week", "Reserved": "—", "Projection": "",
        "Resets": found["one", False]["Resets"], "At the limit": "Notify",
    }  # fmt: skip
    assert found["<b>laptop</b>", True]["Spent"] == "$0.00 of $5.00 in total"


def test_the_projection_is_the_spend_divided_by_the_part_of_the_period_that_is_over():
    half = ROW.projection(START + timedelta(days=15))
    assert half is not None
    assert (half.nano, half.limit_at) == (20 * 10**9, None)
    tenth = ROW.projection(START + timedelta(days=6))
    assert tenth is not None
    assert tenth.nano == 50 * 10**9
    assert tenth.limit_at == START + timedelta(days=18)
    assert "$50.00 by Dec 1; the limit is reached on Nov 19. Computed as the spend so far, divided by the 20 %" in projection_text(
        ROW, START + timedelta(days=6)
    )


def test_there_is_no_projection_before_a_tenth_of_the_period_is_over():
    assert ROW.projection(START + timedelta(days=2.9)) is None
    assert ROW.projection(START + timedelta(days=3)) is not None
    assert projection_text(ROW, START + timedelta(days=1)) == "None before 10 % of the period is over"


def test_there_is_no_projection_without_a_reset_or_for_a_period_that_is_over():
    assert replace(ROW, start=None, reset=None, period="total").projection(START) is None
    assert ROW.projection(START + timedelta(days=31)) is None


def test_a_bar_warns_from_the_first_threshold_of_its_budget():
    assert [share_tone(share, (0.5, 0.9)) for share in (0.4, 0.5, 1.0)] == ["accent", "warning", "danger"]
    assert [share_tone(share) for share in (0.79, 0.8)] == ["accent", "warning"]


async def test_the_selected_budget_is_shown_with_its_past_periods(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi
):
    now = datetime.now(UTC)
    yesterday = int((now - timedelta(days=1)).timestamp() * 1000)
    await keep(context, record(cost_nano=3 * 10**9, started_at=yesterday), record(cost_nano=10**9))
    made = await budget(client, name="all", period="daily", limit_usd=5, thresholds=[0.5, 1])
    await context.gateway.state.reload_spend()
    page = await shown(client, feed, ui)
    assert page.view.current() is not None
    assert facts(page)["Spent"] == "$1.00 of $5.00 (20 %)"
    assert facts(page)["Notifications"] == "At 50 %, 100 %"
    assert page.detail.history.currentWidget() is page.detail.chart
    assert page.detail.chart.series[0].values == (3.0, 1.0)
    assert page.detail.chart.limit == 5.0
    assert "$3.00" in page.detail.chart.accessibleName()
    page.detail.grab()  # paints the chart with its line
    await client.remove_budget(made.id)
    await page.refresh()
    assert not page.detail.isVisibleTo(page)


async def test_a_keys_own_budget_is_shown_with_its_past_periods(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi
):
    key = await client.create_key(read(NewKey, {"name": "laptop", "budget_usd": 5, "budget_period": "daily"}))
    yesterday = int((datetime.now(UTC) - timedelta(days=1)).timestamp() * 1000)
    mine = {"key_id": key.id, "key_name": "laptop"}
    await keep(context, record(cost_nano=3 * 10**9, started_at=yesterday, **mine), record(cost_nano=10**9, **mine))
    await budget(client, name="all", period="daily")
    await context.gateway.state.reload_spend()
    page = await shown(client, feed, ui)
    page.show_context(key=key.id)
    # The first row is selected before: its past periods must not be taken for the key's.
    await until(lambda: page._history_of is not None and page._history_of[0] == page.view.current().key == (True, key.id))
    assert page.detail.history.currentWidget() is page.detail.chart
    assert page.detail.chart.series[0].values == (3.0, 1.0)
    assert page.detail.chart.limit == 5.0


async def test_a_late_request_of_a_past_period_reloads_the_chart(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi
):
    yesterday = int((datetime.now(UTC) - timedelta(days=1)).timestamp() * 1000)
    await keep(context, record(cost_nano=10**9, started_at=yesterday))
    await budget(client, name="all", period="daily")
    page = await shown(client, feed, ui)
    await until(lambda: page._history_of is not None)
    late = record(cost_nano=10**9, started_at=yesterday)
    await keep(context, late)
    page.on_changes([Change("requests", record())])
    assert page._history_of is not None
    page.on_changes([Change("requests", late)])
    await page.refresh()
    assert page.detail.chart.series[0].values[0] == 2.0


async def test_a_budget_that_never_resets_says_why_it_has_no_past_periods(client: AdminClient, feed: Feed, ui: RecordingUi):
    await budget(client, name="ever", period="total")
    page = await shown(client, feed, ui)
    assert page.detail.no_chart.text() == "A budget that never resets has no past periods."
    assert facts(page)["Projection"] == "None: the budget never resets"


async def test_a_budget_of_a_key_is_made_by_clicks(client: AdminClient, feed: Feed, ui: RecordingUi):
    key = await client.create_key(read(NewKey, {"name": "laptop"}))
    await client.create_provider(read(NewProvider, {"name": "work", "kind": "demo"}))
    page = await shown(client, feed, ui)
    child(page.view.empty, QPushButton, "Create a budget").click()
    dialog = await opened(BudgetDialog)
    target = dialog.form.fields["target"]
    assert not target.isVisibleTo(dialog)
    scope = dialog.form.fields["scope"].editor
    scope.set_value("provider")
    scope.edited.emit()
    assert target.label.text() == "Provider *"
    assert [target.editor.combo.itemText(at) for at in range(target.editor.combo.count())] == ["work"]
    scope.set_value("key")
    scope.edited.emit()
    assert target.isVisibleTo(dialog)
    target.editor.combo.setEditText("laptop")
    dialog.form.set_values({"limit_usd": 2.5, "period": "weekly", "thresholds": "50 %, 100", "action": "warn"})
    dialog.primary.click()
    await ui.settle()
    (made,) = await client.budgets()
    assert (made.scope, made.target, made.limit_usd, made.period) == ("key", key.id, 2.5, "weekly")
    assert (made.thresholds, made.action) == ([0.5, 1.0], "warn")
    assert page.view.current().id == made.id


@pytest.mark.parametrize(
    ("values", "path", "text"),
    [
        ({"limit_usd": None}, "limit_usd", ""),
        ({"limit_usd": -1}, "limit_usd", ""),
        ({"scope": "provider", "target": "nowhere"}, "target", "There is no provider 'nowhere'"),
        ({"scope": "team", "target": ""}, "target", "Name the team"),
        ({"thresholds": "75, soon"}, "thresholds", "'soon' is not a number of percent"),
        ({"thresholds": "0"}, "thresholds", ""),
    ],
)
async def test_an_invalid_value_is_shown_at_its_field(
    client: AdminClient, ui: RecordingUi, values: dict[str, Any], path: str, text: str
):
    dialog = BudgetDialog(None, client, ui, BudgetTargets())
    dialog.open()
    dialog.form.set_values({"limit_usd": 1, **values})
    dialog.primary.click()
    field = dialog.form.fields[path]
    await until(lambda: field.error.text())
    assert text in field.error.text()
    assert await client.budgets() == []
    dialog.reject()


async def test_editing_without_a_change_changes_nothing(client: AdminClient, ui: RecordingUi):
    await client.create_key(read(NewKey, {"name": "laptop"}))
    made = await budget(client, name="one", scope="key", target="laptop", thresholds=[0.07, 0.555], limit_usd=0.125)
    [key] = await client.keys()
    dialog = BudgetDialog(None, client, ui, BudgetTargets(keys=[(key.name, key.id)]), made)
    dialog.open()
    assert dialog.form.fields["target"].editor.combo.currentText() == "laptop"
    dialog.primary.click()
    await until(lambda: not dialog.isVisible())
    after = await client.budget(made.id)
    assert after.model_dump(exclude={"updated_at"}) == made.model_dump(exclude={"updated_at"})


async def test_a_budget_of_a_key_links_to_the_key_and_cannot_be_changed_here(client: AdminClient, feed: Feed, ui: RecordingUi):
    key = await client.create_key(read(NewKey, {"name": "laptop", "budget_usd": 5}))
    page = await shown(client, feed, ui)
    page.view.select((True, key.id))
    assert {name: made.isVisibleTo(page) for name, made in page.bar.buttons.items()} == {
        "key": True,
        "edit": False,
        "delete": False,
    }
    page.view.menu_requested.emit((True, key.id), QPoint(5, 5))
    menu = page.bar.findChildren(QMenu)[-1]
    assert [entry.text() for entry in menu.actions()] == ["Open key"]
    menu.close()
    page.view.activated.emit((True, key.id))  # Enter
    await ui.settle()
    assert ui.visited == [("keys", {"key": key.id})]


async def test_a_deleted_budget_is_gone(client: AdminClient, feed: Feed, ui: RecordingUi):
    await budget(client, name="all")
    page = await shown(client, feed, ui)
    page.bar.buttons["delete"].click()
    child(await opened(QDialog), QPushButton, "Delete budget").click()
    await ui.settle()
    assert await client.budgets() == []


async def test_a_budget_of_the_config_file_is_locked(client: AdminClient, feed: Feed, ui: RecordingUi):
    made = await budget(client, name="all")
    page = await shown(client, feed, ui)
    page.show_rows([replace(page.model.rows[0], locked=True)])
    assert page.view.current().id == made.id
    assert not page.bar.buttons["edit"].isEnabled()
    assert not page.bar.buttons["delete"].isEnabled()
    assert page.model.columns[0].icon(page.view.current()) is not None
    assert "Defined in the config file" in page.model.columns[0].tooltip(page.view.current())
