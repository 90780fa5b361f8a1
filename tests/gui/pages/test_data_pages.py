"""Dashboard, usage and requests pages on a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from conduit_desktop.actions import models, providers
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewBudget, NewKey, NewModel, NewProvider, read
from conduit_desktop.core.bus import Change
from conduit_desktop.core.records import AttemptRecord
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.dashboard.page import DashboardPage
from conduit_desktop.gui.pages.requests.page import RequestsPage
from conduit_desktop.gui.pages.usage.page import UsagePage
from conduit_desktop.gui.widgets.labels import PlainLabel
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, child, shown_page
from tests.gui.samples import keep, record


def shown(table: Any, column: int) -> list[str]:
    return [table.proxy.index(row, column).data() for row in range(table.proxy.rowCount())]


async def opened(page: Any, ui: RecordingUi, qtbot: QtBot) -> Any:
    qtbot.addWidget(page)
    return await shown_page(page, ui, 1100, 760)


async def test_an_empty_dashboard_links_to_chat_and_providers(client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    page = await opened(DashboardPage(client, feed, ui), ui, qtbot)
    qtbot.mouseClick(child(page, QPushButton, "Open Chat"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(child(page, QPushButton, "Add a provider"), Qt.MouseButton.LeftButton)
    assert [name for name, _ in ui.visited] == ["chat", "providers"]


async def test_the_dashboard_shows_the_day_and_counts_new_requests(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(
        context, record(), record(status="error", cost_nano=0, input=0, output=0), record(cost_nano=None, cost_state="unknown")
    )
    page = await opened(DashboardPage(client, feed, ui), ui, qtbot)
    assert page.requests.value == "3"
    assert page.errors.value == "1"
    assert page.spend.value == "$0.0025"
    assert page.spend._note.text() == "1 without a price"
    assert page.latency.value == "300 ms"
    assert page.errors._note.text() == "1 failed"
    refused = record(id="req_refused", status="refused", cost_nano=0, input=0, output=0)
    page.on_changes([Change("requests", record(id="req_live", model="fast")), Change("requests", refused)])
    page.show_numbers()
    assert (page.requests.value, page.errors._note.text()) == ("5", "1 failed, 1 refused")
    assert page.recent.model.row("req_live").model == "fast"
    assert len(page.recent.model.rows) == 5


async def test_a_day_with_free_and_unpriced_requests_has_an_unknown_cost(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(cost_nano=0), record(cost_nano=None, cost_state="unknown"))
    dashboard = await opened(DashboardPage(client, feed, ui), ui, qtbot)
    usage = await opened(UsagePage(client, feed, ui), ui, qtbot)
    assert dashboard.spend.value == usage.cost.value == "unknown"


async def test_many_requests_do_not_grow_the_dashboard_table(client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    page = await opened(DashboardPage(client, feed, ui), ui, qtbot)
    page.on_changes([Change("requests", record(id=f"req_{number}")) for number in range(3000)])
    page.show_numbers()
    assert page.requests.value == "3,000"
    assert [line.id for line in page.recent.model.rows] == [f"req_{number}" for number in range(2999, 2991, -1)]


async def test_a_request_on_the_dashboard_opens_in_the_log(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(id="req_one"))
    page = await opened(DashboardPage(client, feed, ui), ui, qtbot)
    page.recent.activated.emit("req_one")
    assert ui.visited == [("requests", {"request": "req_one"})]


async def test_a_provider_that_is_not_ready_is_named_on_the_dashboard(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await providers.create(context, read(NewProvider, {"name": "work", "kind": "openai", "api_key": "env:NOT_SET_ANYWHERE"}), "gui")
    await keep(context, record())
    page = await opened(DashboardPage(client, feed, ui), ui, qtbot)
    words = [one.text() for one in page.providers.findChildren(type(page.heading))]
    assert "work" in words
    assert any("NOT_SET_ANYWHERE" in text for text in words)


async def test_the_dashboard_shows_budgets_at_their_first_threshold(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    key = await client.create_key(read(NewKey, {"name": "laptop", "budget_usd": 2, "budget_period": "monthly"}))
    await keep(context, record(key_id=key.id, cost_nano=1_700_000_000))
    for name, limit in (("half", 3.4), ("<b>little</b>", 100)):
        await client.create_budget(read(NewBudget, {"name": name, "scope": "global", "limit_usd": limit, "thresholds": [0.5]}))
    await context.gateway.state.reload_spend()
    page = await opened(DashboardPage(client, feed, ui), ui, qtbot)
    texts = [one.text() for one in page.budgets.findChildren(PlainLabel) if one.isVisible()]
    assert [text for text in texts if text in ("laptop", "half", "<b>little</b>")] == ["laptop", "half"]
    assert "$1.70 of $3.40" in texts
    qtbot.mouseClick(child(page.budgets, QPushButton, "Budgets"), Qt.MouseButton.LeftButton)
    assert ui.visited == [("budgets", {})]


async def test_usage_by_model_shows_unknown_for_a_missing_price(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(), record(), record(model="new/one", cost_nano=None, cost_state="unknown"))
    page = await opened(UsagePage(client, feed, ui), ui, qtbot)
    sums = dict(zip(shown(page.table, 0), shown(page.table, 7), strict=True))
    assert sums == {"smart": "$0.0050", "new/one": "unknown"}
    assert page.cost.value == "$0.0050"
    assert page.unpriced.value == "1"
    qtbot.mouseClick(page.group.button("provider"), Qt.MouseButton.LeftButton)
    assert shown(page.table, 0) == ["openai"]
    assert shown(page.table, 7) == ["$0.0050 + 1 unknown"]


async def test_failed_requests_are_distinguished_from_refused_ones(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    nothing = {"cost_nano": 0, "input": 0, "output": 0}
    refused = [record(status="refused", attempts=[], **nothing) for _ in range(2)]
    await keep(context, record(), record(status="error", **nothing), *refused)
    page = await opened(UsagePage(client, feed, ui), ui, qtbot)
    assert page.requests._note.text() == "1 failed, 2 refused"
    assert (shown(page.table, 2), shown(page.table, 3)) == (["1"], ["2"])


async def test_usage_is_grouped_by_team_and_by_client(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(team="research", client="aider"), record(client="aider"))
    page = await opened(UsagePage(client, feed, ui), ui, qtbot)
    qtbot.mouseClick(page.group.button("team"), Qt.MouseButton.LeftButton)
    await ui.settle()
    assert sorted(shown(page.table, 0)) == ["(no team)", "research"]
    await keep(context, record(client="curl"))
    qtbot.mouseClick(page.group.button("client"), Qt.MouseButton.LeftButton)
    await ui.settle()
    await page.refresh()
    assert sorted(shown(page.table, 0)) == ["aider", "curl"]
    qtbot.mouseClick(page.group.button("key"), Qt.MouseButton.LeftButton)
    assert shown(page.table, 0) == ["laptop"]


async def test_a_rejected_request_is_grouped_under_no_model(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(model="", provider="", upstream_model="", key_id="", key_name="", status="refused", attempts=[]))
    page = await opened(UsagePage(client, feed, ui), ui, qtbot)
    for group, name in (("model", "(no model)"), ("key", "(no key)"), ("provider", "(no provider)")):
        qtbot.mouseClick(page.group.button(group), Qt.MouseButton.LeftButton)
        assert shown(page.table, 0) == [name]


async def test_the_usage_chart_follows_measure_and_range(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(), record(model="fast"))
    page = await opened(UsagePage(client, feed, ui), ui, qtbot)
    assert len(page.chart.bars.days) == 30
    qtbot.mouseClick(page.measure.button("requests"), Qt.MouseButton.LeftButton)
    assert {series.name: sum(series.values) for series in page.chart.bars.series} == {"smart": 1.0, "fast": 1.0}
    assert "smart" in page.chart.bars.tip(29)
    qtbot.mouseClick(page.range.button(7), Qt.MouseButton.LeftButton)
    await ui.settle()
    assert len(page.chart.bars.days) == 7
    qtbot.mouseClick(page.range.button(0), Qt.MouseButton.LeftButton)
    assert page.custom.isVisible()
    page.last.setDate(page.first.date().addDays(-2))
    await ui.settle()
    first, last = page.span()
    assert first < last


async def test_usage_is_exported_as_csv(
    context: AppContext,
    client: AdminClient,
    feed: Feed,
    ui: RecordingUi,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    await keep(context, record(model="=cmd()"))
    page = await opened(UsagePage(client, feed, ui), ui, qtbot)
    target = tmp_path / "usage.csv"

    async def chosen(*_: Any) -> Path:
        return target

    monkeypatch.setattr("conduit_desktop.gui.pages.usage.page.choose_file", chosen)
    qtbot.mouseClick(page.export, Qt.MouseButton.LeftButton)
    await ui.settle()
    text = await asyncio.to_thread(target.read_text, "utf-8")
    assert text.startswith("day,model,key,key_name,provider,requests")
    assert "'=cmd()" in text


async def test_new_requests_are_inserted_at_the_top_while_live(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(id="req_old"))
    page = await opened(RequestsPage(client, feed, ui), ui, qtbot)
    page.on_changes([Change("requests", record(id="req_new", model="fast"))])
    assert shown(page.table, 3) == ["fast  →  openai/gpt-5.1", "smart  →  openai/gpt-5.1"]
    page.follow.setChecked(False)
    page.on_changes([Change("requests", record(id="req_newer"))])
    assert len(page.table.model.rows) == 2


async def test_a_filter_queries_the_log_and_applies_to_new_requests(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(), record(id="req_bad", status="error", error_text="overloaded"))
    page = await opened(RequestsPage(client, feed, ui), ui, qtbot)
    page.show_context(status="error")
    await ui.settle()
    assert [line.id for line in page.table.model.rows] == ["req_bad"]
    page.on_changes([Change("requests", record(id="req_fine"))])
    assert [line.id for line in page.table.model.rows] == ["req_bad"]
    page.on_changes([Change("requests", record(id="req_worse", status="error"))])
    assert len(page.table.model.rows) == 2


async def test_older_requests_are_loaded_on_demand(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, *(record(started_at=1_700_000_000_000 + number) for number in range(230)))
    page = await opened(RequestsPage(client, feed, ui), ui, qtbot)
    assert len(page.table.model.rows) == 200
    qtbot.mouseClick(page.older, Qt.MouseButton.LeftButton)
    await ui.settle()
    assert len(page.table.model.rows) == 230
    assert not page.older.isVisible()


async def test_the_inspector_shows_a_request_and_its_route(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    attempts = [
        AttemptRecord("anthropic", "claude", "default", "overloaded", 529, "Overloaded", 1, 600.0),
        AttemptRecord("openai", "gpt-5.1", "second", "ok", 200, "", 1, 600.0),
    ]
    await keep(context, record(id="req_x", attempts=attempts, cache_read=400, reasoning=50, cost_nano=None, cost_state="unknown"))
    await context.store.payloads.put("req_x", b'{"model":"smart","messages":[]}', b"data: it was a stream", 1)
    page = await opened(RequestsPage(client, feed, ui), ui, qtbot)
    page.show_context(request="req_x")
    await ui.settle()
    assert page.inspector.isVisible()
    words = " ".join(one.text() for one in page.inspector.findChildren(type(page.heading)))
    for part in (
        "anthropic/claude",
        "Overloaded",
        "529",
        "key second",
        "Cache read",
        "400",
        "of which reasoning",
        "unknown",
        "No price is known",
    ):
        assert part in words, part
    assert '"messages": []' in page.inspector.request_body.body.toPlainText()
    assert page.inspector.response_body.body.toPlainText() == "data: it was a stream"
    page.inspector.copy_curl()
    assert ui.copied[0].startswith("curl")
    assert "condt_YOUR_KEY" in ui.copied[0]
    assert '{"model":"smart","messages":[]}' in ui.copied[0]


async def test_a_click_opens_the_inspector_and_escape_closes_it(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(id="req_x", status="refused", error_code="invalid_api_key", error_text="No such key.", attempts=[]))
    page = await opened(RequestsPage(client, feed, ui), ui, qtbot)
    spot = page.table.table.visualRect(page.table.index("req_x", 1)).center()
    qtbot.mouseClick(page.table.table.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    await ui.settle()
    assert page.inspector.isVisible()
    assert "No such key. (200 invalid_api_key)" in page.inspector.error.text.text()
    page.activateWindow()
    qtbot.keyClick(page.table.table, Qt.Key.Key_Escape)
    await until(lambda: not page.inspector.isVisible())


async def test_a_request_that_is_no_longer_logged_is_reported(client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    page = await opened(RequestsPage(client, feed, ui), ui, qtbot)
    page.show_context(request="req_gone")
    await ui.settle()
    assert ui.notes == [("This request is no longer in the log.", "warning")]


async def test_the_filters_offer_the_existing_aliases(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await providers.create(context, read(NewProvider, {"name": "demo", "kind": "demo"}), "gui")
    targets = [{"provider": "demo", "model": "demo"}]
    await models.create(context, read(NewModel, {"alias": "play", "targets": targets}), "gui")
    page = await opened(RequestsPage(client, feed, ui), ui, qtbot)
    assert [page.model.itemText(at) for at in range(page.model.count())] == ["All models", "play"]
    page.focus_filter()
    assert page.search.hasFocus() or page.window().focusWidget() is page.search
