"""The inspector: the reason of each attempt and its outcome, and the cost with its lines and its source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewPrice, NewProvider, RepriceRequest, read
from conduit_desktop.actions.schemas.reports import AttemptView, CostLineView
from conduit_desktop.core.errors import Reason
from conduit_desktop.core.records import AttemptRecord
from conduit_desktop.gui.pages.requests.attempts import AttemptRow
from conduit_desktop.gui.pages.requests.cost import cost_facts, cost_lines
from conduit_desktop.gui.pages.requests.inspector import Inspector, _step
from conduit_desktop.gui.request_rows import REASON_LABELS, reason_label
from conduit_desktop.gui.widgets.labels import PlainLabel
from tests.gui.conftest import RecordingUi
from tests.gui.samples import keep, record

LINES = [
    {"class": "input", "units": 2511, "per": 1_000_000, "price_nano": 3_000_000_000, "cost_nano": 7_533_000},
    {"class": "failed_attempts", "units": 1, "per": 1, "price_nano": 1_000_000, "cost_nano": 1_000_000},
]


def _attempt(provider: str, credential: str = "default", outcome: str = "ok") -> AttemptView:
    return AttemptView(
        provider=provider, model="m", credential=credential, outcome=outcome, status=429, detail="", started_at=None, duration_ms=3
    )


def test_the_reason_of_each_attempt_is_shown():
    first, again, other_key, other = _attempt("a"), _attempt("a"), _attempt("a", "spare"), _attempt("b")
    steps = [_step(None, first), _step(first, again), _step(again, other_key), _step(other_key, other)]
    assert steps == ["first", "retry", "failover to another key", "failover to the next target"]


def test_the_outcome_of_each_attempt_is_shown(qtbot: QtBot):
    rows = [
        AttemptRow(_attempt("a", outcome="rate_limit"), "first", last=False),
        AttemptRow(_attempt("a"), "first", last=True),
        AttemptRow(_attempt("a"), "first", last=True, disconnected=True),
    ]
    for row in rows:
        qtbot.addWidget(row)
    assert [row.outcome for row in rows] == ["Rate limit", "Success", "Client disconnected"]


@pytest.mark.parametrize("reason", Reason.__args__)  # type: ignore[attr-defined]
def test_every_reason_of_a_failure_has_a_label(reason: str):
    """Else its code would be shown."""
    assert "_" not in reason_label(reason)
    assert reason in REASON_LABELS


def test_a_label_follows_the_count():
    assert (reason_label("server", 1), reason_label("server", 7), reason_label("new_code", 2)) == (
        "server error",
        "server errors",
        "new code",
    )


async def shown(context: AppContext, client: AdminClient, ui: RecordingUi, **values: Any) -> Inspector:
    """The inspector of one request."""
    await keep(context, made := record(**values))
    pane = Inspector(ui)
    pane.show_request(await client.request_detail(made.id))
    return pane


def cost_of(pane: Inspector) -> dict[str, str]:
    """The facts of the cost as they are shown."""
    texts = [one.text() for one in pane.cost.findChildren(PlainLabel) if not one.isHidden()]
    return dict(zip(texts[::2], texts[1::2], strict=True))


async def test_a_cost_is_shown_with_its_lines_and_its_price(context: AppContext, client: AdminClient, ui: RecordingUi):
    failed = AttemptRecord("openai", "gpt-5.1", outcome="server", tokens={"input": 400, "output": 3}, cost_nano=1_000_000)
    pane = await shown(
        context, client, ui, cost_nano=8_533_000, attempts_nano=1_000_000, cost_breakdown=LINES, price_source="catalog",
        price_date="2026-11-20", service_tier="flex", units={"surcharges": ["region:us"]}, team="research", tags=("a", "b"),
        attempts=[failed, AttemptRecord("openai", "gpt-5.1")],
    )  # fmt: skip
    assert pane.cost_lines.texts() == [
        "Input", "2,511 tokens at $3.00 per million", "$0.0075", "Failed attempts", "1 with a known cost", "$0.0010",
    ]  # fmt: skip
    assert cost_of(pane) == {
        "Total": "$0.0085", "Price": "Price catalog of 2026-11-20", "Service tier": "flex", "Surcharges": "region:us",
        "Failed attempts": "$0.0010, included",
    }  # fmt: skip
    assert pane.set_price.isHidden()
    texts = [one.text() for one in pane.findChildren(PlainLabel)]
    assert {"research", "a, b"} <= set(texts)
    assert any("403 tokens, $0.0010" in text for text in texts)


def test_every_kind_of_cost_line_says_what_its_rate_is_for():
    def line(name: str, units: float, per: int, price_usd: float) -> CostLineView:
        return CostLineView(class_=name, units=units, per=per, price_usd=price_usd, cost_usd=0.5)

    lines = [
        line("cache_write_1h", 10, 1_000_000, 6), line("images", 2, 1, 0.04), line("seconds", 12.5, 60, 0.006),
        line("characters", 1500, 1000, 0.015), line("searches", 3, 1, 0.01), line("requests", 1, 1, 0.005),
        line("provider_reported", 1, 1, 0.5), line("video_in", 5, 1_000_000, 1),
    ]  # fmt: skip
    assert [text for _, text, _ in cost_lines(lines)] == [
        "10 tokens at $6.00 per million", "2 at $0.04 each", "12.5 s at $0.006 per minute", "1,500 at $0.015 per 1,000",
        "3 at $0.01 each", "1 at $0.005 each", "", "5 tokens at $1.00 per million",
    ]  # fmt: skip
    assert [name for name, _, _ in cost_lines(lines)] == [
        "Cache write, 1 h", "Images", "Audio", "Characters", "Searches", "Fee per request", "Reported by the provider", "Video in",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"cost_nano": None, "cost_state": "unknown"},
            "No price is known for what was used of openai/gpt-5.1.",
        ),
        (
            {"cost_state": "estimated", "status": "cancelled", "units": {"estimated": True}},
            "The response ended before the provider reported its usage: what was received was counted.",
        ),
        (
            {"cost_state": "estimated", "units": {"unclear": ["<b>code_runs</b>"]}},
            "The reported usage has parts without a price, or contradicts itself: <b>code_runs</b>.",
        ),
        (
            {"cost_state": "estimated"},
            "The price lacks a rate for a part of what was used, or another rate was taken in its place.",
        ),
        (
            {"cost_state": "estimated", "units": {"unanswered": 1}},
            "One attempt was sent and not answered: nothing is charged for that here, but the provider may bill it.",
        ),
        (
            {"cost_state": "unknown", "cost_nano": None, "status": "error", "units": {"unanswered": 2}},
            "2 attempts were sent and not answered: nothing is charged for that here, but the provider may bill it.",
        ),
        ({"status": "refused", "attempts": [], "cost_nano": 0}, "No provider was called."),
    ],
)
async def test_a_cost_that_is_not_final_says_why(
    context: AppContext, client: AdminClient, ui: RecordingUi, values: dict[str, Any], expected: str
):
    pane = await shown(context, client, ui, **values)
    assert cost_of(pane)["Reason"] == expected
    assert all(one.textFormat() == Qt.TextFormat.PlainText for one in pane.findChildren(PlainLabel))
    if values.get("cost_state") == "estimated":
        assert cost_of(pane)["Total"] == "$0.0025 (estimated)"


async def test_a_free_model_is_not_taken_for_an_unpriced_one(context: AppContext, client: AdminClient, ui: RecordingUi):
    pane = await shown(context, client, ui, cost_nano=0)
    assert cost_of(pane) == {"Total": "$0.00", "Price": "Nothing is charged for this model"}


async def test_an_unknown_cost_leads_to_the_price_of_its_target(context: AppContext, client: AdminClient, ui: RecordingUi):
    pane = await shown(
        context, client, ui, cost_nano=None, cost_state="unknown", upstream_model="gpt-9-2026-11-01",
        attempts=[AttemptRecord("work", "gpt-9")],
    )  # fmt: skip
    assert not pane.set_price.isHidden()
    pane.set_price.click()
    assert ui.visited == [("prices", {"price": "work/gpt-9"})]


async def test_a_corrected_cost_is_shown_with_its_author(context: AppContext, client: AdminClient, ui: RecordingUi):
    await client.create_provider(read(NewProvider, {"name": "work", "kind": "openai", "api_key": "sk-1"}))
    made = record(provider="work", upstream_model="gpt-9", cost_nano=None, cost_state="unknown")
    made = replace(made, attempts=[AttemptRecord("work", "gpt-9")])
    await keep(context, made)
    await client.put_price("work/gpt-9", read(NewPrice, {"input": 1, "output": 2}))
    await client.reprice(RepriceRequest())
    facts = dict(cost_facts(await client.request_detail(made.id)))
    assert facts["Total"] == "$0.0014"
    assert facts["Price"].startswith("Your price")
    assert facts["Corrected"].endswith(" by gui; before: unknown")


async def test_a_request_without_a_stored_body_leads_to_the_setting(context: AppContext, client: AdminClient, ui: RecordingUi):
    pane = await shown(context, client, ui)
    assert not pane.replay.isEnabled()
    assert "not kept" in pane.replay.toolTip()
    assert not pane.open_logging.isHidden()
    pane.open_logging.click()
    assert ui.visited == [("settings", {})]
