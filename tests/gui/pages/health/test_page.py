"""The health page: the state of each target and its buttons."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QPushButton

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewModel, NewProvider, read
from conduit_desktop.core.bus import Change
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.health.page import HealthPage
from tests.gui.conftest import RecordingUi, child
from tests.gui.samples import record

A = "one/alpha"


@pytest.fixture
async def page(client: AdminClient, feed: Feed, ui: RecordingUi) -> HealthPage:
    await client.create_provider(read(NewProvider, {"name": "one", "kind": "demo"}))
    await client.create_model(read(NewModel, {"alias": "a", "targets": [{"provider": "one", "model": "alpha"}]}))
    made = HealthPage(client, feed, ui)
    made.resize(1000, 700)
    made.show()
    await ui.settle()
    return made


async def test_without_targets_the_page_explains_what_a_target_is(client: AdminClient, feed: Feed, ui: RecordingUi):
    page = HealthPage(client, feed, ui)
    await page.refresh()
    assert page._layers.currentIndex() == 1


async def test_the_card_shows_latencies_and_errors(context: AppContext, page: HealthPage):
    known, owner = context.gateway.health, context.gateway.snapshot.providers["one"].provider.id
    known.succeeded(A, owner, "default", 120.0)
    known.failed(A, owner, None, UpstreamError("slow", status=504, reason="timeout"))
    await page.refresh()
    card = page.cards[A]
    assert card.pill.text == "Healthy"
    assert "1 timeout" in card.facts.text()
    assert card.latency.text() == "120 ms"
    assert page.healthy.value == "1"


async def test_an_open_circuit_comes_first_and_shows_its_next_probe(context: AppContext, page: HealthPage, ui: RecordingUi):
    known, owner = context.gateway.health, context.gateway.snapshot.providers["one"].provider.id
    for _ in range(5):
        known.failed(A, owner, None, UpstreamError("it is down", status=503, reason="server"))
    await page.refresh()
    card = page.cards[A]
    assert (card.pill.text, card.error.text()) == ("Circuit open", "it is down")
    assert "next probe in" in card.facts.text()
    assert page.failing.value == "1"


async def test_the_card_shows_speed_and_circuit_changes(context: AppContext, page: HealthPage):
    known, owner = context.gateway.health, context.gateway.snapshot.providers["one"].provider.id
    card = page.cards[A]
    assert card.speed.text() == ""
    known.target(A).finished(120.0, 1000.0, 80)
    for _ in range(5):
        known.failed(A, owner, None, UpstreamError("down", status=503, reason="server"))
    await page.refresh()
    assert card.speed.text() == "80 tokens/s"
    assert "circuit opened just now" in card.facts.text()
    known.half_open(A)
    await page.refresh()
    assert "the next request is the probe" in card.facts.text()
    probe = known.begin(A)
    await page.refresh()
    assert "probe in progress" in card.facts.text()
    known.succeeded(A, owner, "default", 5.0, probe)
    await page.refresh()
    assert "circuit closed just now" in card.facts.text()


async def test_a_card_with_long_texts_is_not_wider_than_the_page(context: AppContext, page: HealthPage):
    known, owner = context.gateway.health, context.gateway.snapshot.providers["one"].provider.id
    for reason in ("server", "timeout", "overloaded", "connect", "malformed", "broken", "rate_limit") * 3:
        known.failed(A, owner, None, UpstreamError("a long story " * 30, status=503, reason=reason))
    await page.refresh()
    assert page.cards[A].minimumSizeHint().width() < 600


async def test_the_state_of_keys_is_shown_if_there_are_any(client: AdminClient, page: HealthPage):
    assert "key" not in page.cards[A].facts.text()
    await client.create_provider(read(NewProvider, {"name": "two", "kind": "openai", "api_key": "sk-made-up"}))
    await client.create_model(read(NewModel, {"alias": "b", "targets": [{"provider": "two", "model": "beta"}]}))
    await page.refresh()
    assert "API key ready" in page.cards["two/beta"].facts.text()


async def test_a_target_that_failed_once_has_a_closed_circuit(context: AppContext, page: HealthPage):
    known, owner = context.gateway.health, context.gateway.snapshot.providers["one"].provider.id
    known.failed(A, owner, None, UpstreamError("it stumbled", status=500, reason="server"))
    await page.refresh()
    card = page.cards[A]
    assert (card.pill.text, card.error.text()) == ("Failing", "it stumbled")
    assert "probe" not in card.facts.text()


async def test_a_key_in_cooldown_keeps_its_button_while_the_time_counts_down(context: AppContext, page: HealthPage):
    bound, known = context.gateway.snapshot.providers["one"], context.gateway.health
    limited = UpstreamError("slow down", status=429, reason="rate_limit", retry_after=90.0)
    known.failed(A, bound.provider.id, "default", limited)
    await page.refresh()
    (row,) = page.cards[A].rows
    assert "90 s left" in row.reason.text()
    start = known.now()
    known.now = lambda: start + 30
    await page.refresh()
    assert page.cards[A].rows == [row]
    assert "60 s left" in row.reason.text()


async def test_a_target_is_paused_and_resumed(context: AppContext, page: HealthPage, ui: RecordingUi):
    card = page.cards[A]
    child(card, QPushButton, "Pause").click()
    await ui.settle()
    await page.refresh()
    assert not context.gateway.health.may_try(A)
    assert page.cards[A] is card
    child(card, QPushButton, "Resume").click()
    await ui.settle()
    await page.refresh()
    assert context.gateway.health.may_try(A)
    assert card.switch.text().strip() == "Pause"


async def test_a_disabled_key_can_be_enabled(context: AppContext, page: HealthPage, ui: RecordingUi):
    bound = context.gateway.snapshot.providers["one"]
    refused = UpstreamError("no such key", status=401, reason="auth")
    context.gateway.health.failed(A, bound.provider.id, bound.credentials[0].label, refused)
    await page.refresh()
    assert page.disabled_keys.value == "1"
    child(page.cards[A], QPushButton, "Enable now").click()
    await ui.settle()
    await page.refresh()
    assert page.disabled_keys.value == "0"
    assert context.gateway.health.credential_wait_s(bound.provider.id, bound.credentials[0].label, "alpha") == 0


async def test_a_hidden_page_shows_the_latest_requests_at_once_when_it_is_shown(page: HealthPage, feed: Feed):
    """Not after the next tick of its timer, which runs only while it is visible."""
    page.hide()
    assert not page._stale
    feed.batch.emit([Change("requests", record())])
    assert page._stale


async def test_a_page_with_too_many_targets_says_how_many_it_shows(page: HealthPage, monkeypatch: pytest.MonkeyPatch):
    assert page.more.isHidden()
    monkeypatch.setattr("conduit_desktop.gui.pages.health.page.MOST", 0)
    await page.refresh()
    assert page.more.text() == "0 of 1 targets are shown, failing ones first."
    assert not page.more.isHidden()
