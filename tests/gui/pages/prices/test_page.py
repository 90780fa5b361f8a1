"""The page of prices: its rows, editing in the pane, CSV files and re-pricing with a preview."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QPushButton
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewPrice, NewProvider, read
from conduit_desktop.actions.schemas.views import PriceView
from conduit_desktop.core.bus import Change
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.prices import page as prices_page
from conduit_desktop.gui.pages.prices.dialogs import ImportFailedDialog, RepriceDialog
from conduit_desktop.gui.pages.prices.page import COLUMNS, PricesPage
from conduit_desktop.gui.pages.prices.rows import PriceRow, UsedModel, price_rows
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.labels import PlainLabel
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, child, opened, shown_page
from tests.gui.samples import keep, record

NOW = datetime(2026, 11, 30, tzinfo=UTC)
LINES = [
    {"class": "input", "units": 1000, "per": 1_000_000, "price_nano": 1_250_000_000, "cost_nano": 1_250_000},
    {"class": "output", "units": 200, "per": 1_000_000, "price_nano": 10_000_000_000, "cost_nano": 2_000_000},
]


async def shown(client: AdminClient, feed: Feed, ui: RecordingUi) -> PricesPage:
    return await shown_page(PricesPage(client, feed, ui), ui, 1060, 700)


async def put(client: AdminClient, pattern: str, **values: Any) -> PriceView:
    return await client.put_price(pattern, read(NewPrice, values))


def listed(page: PricesPage) -> list[PriceRow]:
    """The rows in the order of the table."""
    return [page.view.proxy.row_at(page.view.proxy.index(at, 0)) for at in range(page.view.proxy.rowCount())]


def texts(row: PriceRow) -> dict[str, str]:
    return {column.title: column.text(row) for column in COLUMNS}


def priced(**values: Any) -> RequestRecord:
    catalog = {"cost_breakdown": LINES, "price_source": "catalog", "price_date": "2026-11-20"}
    return record(**{**catalog, **values})


def unpriced(**values: Any) -> RequestRecord:
    given = {
        "provider": "work", "upstream_model": "gpt-9", "cost_nano": None, "cost_state": "unknown",
        "attempts": [AttemptRecord("work", "gpt-9")],
    }  # fmt: skip
    return record(**{**given, **values})


async def test_used_models_without_a_price_come_first_and_each_has_its_source(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi
):
    used = {"provider": "demo", "upstream_model": "demo-chat", "attempts": [AttemptRecord("demo", "demo-chat")]}
    free = [record(**used, cost_nano=0) for _ in range(3)]
    refused = record(status="refused", provider="", upstream_model="", attempts=[], cost_nano=0)
    await keep(context, priced(), priced(), *free, unpriced(), refused)
    await put(client, "other-*", input=0.5, output=1, per_image=0.04)
    page = await shown(client, feed, ui)
    rows = listed(page)
    assert [(row.pattern, texts(row)["Source"]) for row in rows] == [
        ("work/gpt-9", "No price"),
        ("demo/demo-chat", "Free"),
        ("openai/gpt-5.1", "Catalog"),
        ("other-*", "Own"),
    ]
    assert texts(rows[2]) == {
        "Model or pattern": "openai/gpt-5.1", "Source": "Catalog", "Date": "2026-11-20", "Input": "$1.25", "Output": "$10.00",
        "Other": "—", "Requests": "2", "Spend": "$0.0050",
    }  # fmt: skip
    assert texts(rows[0])["Spend"] == "unknown"
    assert texts(rows[3])["Other"] == "Image $0.04"
    assert "work/gpt-9 was used without a known price" in page.banner.text.text()
    assert "Built-in price catalog of " in page.catalog_text.text()


async def test_the_search_finds_models(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi):
    await keep(context, priced(), unpriced())
    page = await shown(client, feed, ui)
    page.focus_filter()
    page.bar.filter.setText("GPT-9")
    assert [row.pattern for row in listed(page)] == ["work/gpt-9"]


def test_a_price_holds_for_the_name_that_was_asked_for():
    """Answers may give the model another name, by which no price is looked up."""
    answered = unpriced(upstream_model="gpt-9-2026-11-01", attempts=[AttemptRecord("work", "gpt-9")])
    used = [UsedModel("work", "gpt-9-2026-11-01", 3, 1, 0), UsedModel("work", "gpt-9", 2, 2, 0)]
    (row,) = price_rows([], used, {used[0].key: answered, used[1].key: unpriced()}, NOW)
    assert (row.pattern, row.origin, row.requests, row.unpriced) == ("work/gpt-9", "unknown", 5, 3)


def view(pattern: str, valid_from: str | None = None, **values: Any) -> PriceView:
    names = PriceView.model_fields
    return PriceView(
        **{**dict.fromkeys(names), "tiers": [], "service_tiers": {}, "origin": "user", "locked": False, "input": 1, "output": 2,
           "pattern": pattern, "valid_from": valid_from, "updated_at": "2026-11-02T00:00:00Z", **values}
    )  # fmt: skip


def test_the_current_version_of_a_price_is_distinguished_from_the_others():
    versions = [view("m", None), view("m", "2026-11-15T00:00:00Z"), view("m", "2027-01-01T00:00:00Z")]
    used = [UsedModel("work", "m", 4, 0, 0)]
    rows = price_rows(versions, used, {used[0].key: record(provider="work", attempts=[AttemptRecord("work", "m")])}, NOW)
    assert [(row.origin, row.date, row.requests) for row in rows] == [
        ("former", "2026-11-02", 0),
        ("own", "2026-11-15", 4),
        ("later", "2027-01-01", 0),
    ]


def test_an_exact_price_holds_before_a_pattern_and_the_longer_pattern_before_the_shorter():
    used = [UsedModel("work", name, 1, 0, 0) for name in ("gpt-9", "gpt-8", "gpt-[8]")]
    newest = {one.key: record(attempts=[AttemptRecord("work", one.model)]) for one in used}
    prices = [view("gpt-*", input=7), view("work/GPT-*", input=8), view("gpt-9", input=9)]
    rows = {row.pattern: row for row in price_rows(prices, used, newest, NOW)}
    assert (rows["gpt-9"].requests, rows["gpt-9"].price) == (1, prices[2])
    assert (rows["work/gpt-8"].rates["input"], rows["work/gpt-8"].by_pattern, rows["work/gpt-8"].origin) == (8, "work/GPT-*", "own")
    assert "work/gpt-9" not in rows


def test_rates_under_a_service_tier_are_not_shown_as_the_price():
    used = [UsedModel("openai", "gpt-5.1", 1, 0, 0)]
    (row,) = price_rows([], used, {used[0].key: priced(service_tier="flex")}, NOW)
    assert (row.origin, row.rates) == ("catalog", {})


def test_a_removed_price_is_not_shown_as_the_one_that_holds():
    used = [UsedModel("openai", "gpt-5.1", 1, 0, 0)]
    (row,) = price_rows([], used, {used[0].key: priced(price_source="override")}, NOW)
    assert row.origin == "removed"


async def test_the_newest_request_of_a_rare_model_is_read_singly(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prices_page, "NEWEST", 1)
    old = int((datetime.now(UTC) - timedelta(days=9)).timestamp() * 1000)
    failed = priced(upstream_model="rare", started_at=old + 1000, status="error", price_source="", cost_nano=0)
    await keep(context, priced(), priced(upstream_model="rare", started_at=old), failed)
    never = priced(upstream_model="never", started_at=old, status="error", price_source="", cost_nano=0)
    await keep(context, never)
    page = await shown(client, feed, ui)
    assert {(row.pattern, row.origin) for row in listed(page)} == {
        ("openai/gpt-5.1", "catalog"),
        ("openai/never", "priced"),
    }
    read: list[str] = []
    monkeypatch.setattr(page, "_newest_of", lambda model, day: read.append(model.model))
    await page.refresh()
    assert read == []  # what was found, and what was not, is known until the model is used again


async def test_a_price_is_edited_in_the_pane(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi):
    before = await put(
        client, "work/gpt-*", input=1, output=2, cache_read=0.1, service_tiers={"flex": 0.5}, valid_from="2026-01-31",
        tiers=[{"above_input_tokens": 200_000, "input": 2, "output": 4, "cache_write": 3}],
        per_image=[{"size": "1024x1024", "usd": 0.04}, {"usd": 0.02}],
    )  # fmt: skip
    page = await shown(client, feed, ui)
    page.view.select(listed(page)[0].key)
    page.view.activated.emit(listed(page)[0].key)  # Enter
    await ui.settle()
    form = page.editor.form
    assert page.editor.isVisible()
    assert not form.fields["pattern"].editor.isEnabled()
    assert not page.editor.save_button.isEnabled()
    form.fields["per_search"].editor.set_value(0.01)
    form.fields["per_search"].editor.edited.emit()
    page.editor.save_button.click()
    await ui.settle()
    [after] = await client.prices()
    changed = {name for name, value in after.model_dump().items() if value != before.model_dump()[name]}
    assert changed - {"updated_at"} == {"per_search"}
    assert not page.editor.isVisible()
    assert ui.notes == [("The price of work/gpt-* is set", "info")]


async def test_a_model_without_a_price_gets_one(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi):
    await keep(context, unpriced())
    page = await shown(client, feed, ui)
    child(page.banner, QPushButton, "Set a price").click()
    await ui.settle()
    form = page.editor.form
    assert form.value("pattern") == "work/gpt-9"
    form.set_values({"input": 1.5})
    form.changed.emit("input")
    page.editor.save_button.click()
    await ui.settle()
    assert form.fields["output"].error.text() == "A price for tokens needs input and output; 0 is free"
    assert form.fields["output"].error.isVisibleTo(page)
    assert await client.prices() == []
    form.set_values({"output": 6})
    page.editor.save_button.click()
    await ui.settle()
    [made] = await client.prices()
    assert (made.pattern, made.input, made.output, made.per_image) == ("work/gpt-9", 1.5, 6, None)
    await page.refresh()
    (row,) = listed(page)
    assert (row.origin, row.requests, row.unpriced) == ("own", 1, 1)
    assert page.banner.text.text().startswith("1 request of the last 30 days has no cost")


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"pattern": ""}, "pattern"),
        ({"input": None}, "input"),
        ({"input": "cheap"}, "input"),
        ({"cache_read": -1}, "cache_read"),
        ({"per_image": [{"size": "a", "quality": "", "usd": None}]}, "per_image"),
        ({"tiers": [{"above_input_tokens": None, "input": 1}]}, "tiers"),
        ({"service_tiers": [{"name": "flex", "factor": None}]}, "service_tiers"),
        ({"service_tiers": [{"name": "flex", "factor": 1}, {"name": "flex", "factor": 2}]}, "service_tiers"),
        ({"valid_from": "soon"}, "valid_from"),
    ],
)
async def test_an_invalid_value_is_shown_at_its_field(
    client: AdminClient, feed: Feed, ui: RecordingUi, values: dict[str, Any], path: str
):
    page = await shown(client, feed, ui)
    page.new_button.click()
    await ui.settle()
    form = page.editor.form
    form.set_values({"pattern": "work/gpt-9", "input": 1, "output": 2, **values})
    form.changed.emit(path)
    page.editor.save_button.click()
    await ui.settle()
    errors = [name for name, field in form.fields.items() if field.error.text()]
    in_rows = [row.error.text() for row in getattr(form.fields[path].editor, "rows", []) if row.error.text()]
    assert errors == [path] or in_rows
    assert await client.prices() == []


async def test_what_is_typed_survives_a_change_from_elsewhere(
    client: AdminClient, other_client: AdminClient, feed: Feed, ui: RecordingUi
):
    await put(client, "m", input=1, output=2)
    page = await shown(client, feed, ui)
    page.show_context(price="m")
    await ui.settle()
    form = page.editor.form
    await asyncio.sleep(0.002)  # the time of a change has milliseconds
    await put(other_client, "m", input=3, output=4)
    await page.refresh()
    assert form.value("input") == 3
    form.set_values({"output": 9})
    form.changed.emit("output")
    await asyncio.sleep(0.002)
    await put(other_client, "m", input=5, output=6)
    await page.refresh()
    assert (form.value("input"), form.value("output")) == (3, 9)
    assert page.editor.note.text.text() == "This price was changed elsewhere."
    child(page.editor.note, QPushButton, "Show it").click()
    assert (form.value("input"), form.value("output")) == (5, 6)
    assert not page.editor.dirty


async def test_escape_asks_before_what_was_typed_is_lost(client: AdminClient, feed: Feed, ui: RecordingUi):
    await put(client, "m", input=1, output=2)
    page = await shown(client, feed, ui)
    page.show_context(price="m")
    await ui.settle()
    page.editor.form.changed.emit("input")
    page.editor.closed.emit()
    child(await opened(QDialog), QPushButton, "Keep editing").click()
    await ui.settle()
    assert page.editor.isVisible()
    page.editor.reload()
    page.editor.closed.emit()
    await ui.settle()
    assert not page.editor.isVisible()


async def test_a_price_is_removed(client: AdminClient, feed: Feed, ui: RecordingUi):
    await put(client, "m", input=1, output=2)
    await put(client, "m", input=1, output=2, valid_from="2030-01-01")
    page = await shown(client, feed, ui)
    page.view.select(listed(page)[0].key)
    page.bar.buttons["delete"].click()
    dialog = await opened(QDialog)
    assert any("All 2 prices" in one.text() for one in dialog.findChildren(PlainLabel))
    child(dialog, QPushButton, "Remove price").click()
    await ui.settle()
    assert await client.prices() == []


async def test_a_price_of_the_catalog_cannot_be_removed(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi):
    await keep(context, priced())
    page = await shown(client, feed, ui)
    page.view.select(listed(page)[0].key)
    assert not page.bar.buttons["delete"].isVisibleTo(page)
    assert page.bar.buttons["edit"].accessibleName() == "Set price"
    page.bar.buttons["edit"].click()
    await ui.settle()
    assert page.editor.form.fields["input"].editor.line.placeholderText() == "now $1.25"
    assert page.editor.form.value("input") is None


async def test_a_price_of_the_config_file_is_shown_locked(client: AdminClient, feed: Feed, ui: RecordingUi):
    await put(client, "m", input=1, output=2)
    page = await shown(client, feed, ui)
    [row] = listed(page)
    assert row.price is not None
    locked = PriceRow(row.pattern, row.price.model_copy(update={"locked": True}), row.origin, row.date, row.rates)
    page.show_rows([locked])
    page.view.select(locked.key)
    assert not page.bar.buttons["delete"].isEnabled()
    page.bar.buttons["edit"].click()
    await ui.settle()
    assert not page.editor.save_button.isVisibleTo(page)
    assert not any(field.editor.isEnabled() for field in page.editor.form.fields.values())
    assert page.editor.note.text.text() == "Defined in the config file: change it there."


def chosen(path: Path | None) -> Callable[..., Awaitable[Path | None]]:
    async def choose(*_: Any) -> Path | None:
        return path

    return choose


async def test_prices_are_exported_and_imported(
    client: AdminClient, feed: Feed, ui: RecordingUi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    await put(client, "=m", input=1, output=2, service_tiers={"flex": 0.5})
    page = await shown(client, feed, ui)
    path = tmp_path / "prices.csv"
    monkeypatch.setattr(prices_page, "choose_file", chosen(path))
    child(page, QPushButton, "Export CSV").click()
    await ui.settle()
    [before] = await client.prices()
    await client.remove_price("=m")
    child(page, QPushButton, "Import CSV").click()
    await ui.settle()
    [after] = await client.prices()
    fixed = {"created_at", "updated_at"}
    assert after.model_dump(exclude=fixed) == before.model_dump(exclude=fixed)
    assert [text for text, _ in ui.notes] == ["Saved to prices.csv", "1 price set"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"pattern,input,output\na,1,2\nb,1,\n", "Line 3: output: a price for tokens needs input and output; 0 is free"),
        (b"pattern,input\n\xff,1\n", "The file is not UTF-8 text."),
    ],
)
async def test_a_file_that_cannot_be_imported_names_the_line(
    client: AdminClient, feed: Feed, ui: RecordingUi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, error: str
):
    page = await shown(client, feed, ui)
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    monkeypatch.setattr(prices_page, "choose_file", chosen(path))
    child(page, QPushButton, "Import CSV").click()
    dialog = await opened(ImportFailedDialog)
    assert dialog.findChild(Banner).text.text() == error
    dialog.primary.click()
    await ui.settle()
    assert await client.prices() == []


async def test_requests_are_priced_again_after_a_preview(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await client.create_provider(read(NewProvider, {"name": "work", "kind": "openai", "api_key": "sk-1"}))
    await keep(context, unpriced(input=1_000_000, output=0))
    await put(client, "work/gpt-9", input=2, output=4)
    page = await shown(client, feed, ui)
    child(page.banner, QPushButton, "Re-price…").click()
    dialog = await opened(RepriceDialog)
    assert not dialog.primary.isVisibleTo(dialog)
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    await until(lambda: dialog.primary.isVisibleTo(dialog))
    assert dialog.result_text.text.text() == (
        "1 request would change (1 without a cost until now). The total of their costs would go from $0.00 to $2.00."
    )
    [before] = (await client.requests())[0]
    assert before.cost_usd is None
    dialog.form.set_values({"model": "work/gpt-9"})
    dialog.form.changed.emit("model")
    assert not dialog.primary.isVisibleTo(dialog)  # something else than what was previewed
    dialog.preview.click()
    await until(lambda: dialog.primary.isVisibleTo(dialog))
    dialog.primary.click()
    await ui.settle()
    [after] = (await client.requests())[0]
    assert (after.cost_usd, after.cost_state) == (2.0, "final")
    assert ui.notes == [("1 request re-priced: $0.00 before, $2.00 now", "info")]


async def test_a_preview_without_an_effect_says_so(client: AdminClient, ui: RecordingUi):
    dialog = RepriceDialog(None, client, ui)
    dialog.open()
    dialog.form.set_values({"since": "someday"})
    dialog.preview.click()
    await until(lambda: dialog.form.fields["since"].error.text())
    dialog.form.set_values({"since": ""})
    dialog.preview.click()
    await until(lambda: dialog.result_text.isVisibleTo(dialog))
    assert dialog.result_text.text.text().startswith("Nothing would change")
    assert not dialog.primary.isVisibleTo(dialog)
    dialog.reject()


async def test_the_newest_requests_are_read_again_after_costs_were_corrected(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi
):
    await keep(context, priced())
    page = await shown(client, feed, ui)
    assert page._newest
    page.on_changes([Change("requests", record())])
    assert page._newest
    page.on_changes([Change("requests")])
    assert not page._newest
    await ui.settle()
