"""The page about targets: what it shows of each, and what its buttons do."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QPushButton

from conduit_desktop.actions import models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewModel, NewProvider, read
from conduit_desktop.actions.schemas.reports import AttemptView
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.gui.pages.health.page import HealthPage
from conduit_desktop.gui.pages.requests.attempts import AttemptRow
from conduit_desktop.gui.pages.requests.inspector import _step
from tests.gui.conftest import NotingUi, child

A = "one/alpha"


@pytest.fixture
async def page(context: AppContext, ui: NotingUi) -> HealthPage:
    await providers.create(context, read(NewProvider, {"name": "one", "kind": "demo"}), "gui")
    await models.create(context, read(NewModel, {"alias": "a", "targets": [{"provider": "one", "model": "alpha"}]}), "gui")
    made = HealthPage(context, ui)
    made.resize(1000, 700)
    made.show()
    await ui.settle()
    return made


async def test_a_house_without_targets_says_what_one_is(context: AppContext, ui: NotingUi):
    page = HealthPage(context, ui)
    await page.refresh()
    assert page._layers.currentIndex() == 1


async def test_latencies_and_failures_reach_the_card(page: HealthPage):
    known, owner = page.context.gateway.health, page.context.gateway.snapshot.providers["one"].provider.id
    known.succeeded(A, owner, "default", 120.0)
    known.failed(A, owner, None, UpstreamError("slow", status=504, reason="timeout"))
    await page.refresh()
    card = page.cards[A]
    assert card.pill.text == "answering"
    assert "1 timeout" in card.facts.text()
    assert card.latency.text() == "120 ms"
    assert page.answering.value == "1"


async def test_an_open_circuit_comes_first_and_says_when_it_is_probed(page: HealthPage, ui: NotingUi):
    known, owner = page.context.gateway.health, page.context.gateway.snapshot.providers["one"].provider.id
    for _ in range(5):
        known.failed(A, owner, None, UpstreamError("it is down", status=503, reason="server"))
    await page.refresh()
    card = page.cards[A]
    assert (card.pill.text, card.trouble.text()) == ("circuit open", "it is down")
    assert "next probe in" in card.facts.text()
    assert page.troubled.value == "1"


async def test_the_speed_and_the_turns_of_a_circuit_are_told(page: HealthPage):
    known, owner = page.context.gateway.health, page.context.gateway.snapshot.providers["one"].provider.id
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
    assert "next request tries it out" in card.facts.text()
    probe = known.begin(A)
    await page.refresh()
    assert "one request tries it out" in card.facts.text()
    known.succeeded(A, owner, "default", 5.0, probe)
    await page.refresh()
    assert "circuit closed just now" in card.facts.text()


async def test_a_card_with_much_to_say_is_no_wider_than_the_page(page: HealthPage):
    known, owner = page.context.gateway.health, page.context.gateway.snapshot.providers["one"].provider.id
    for reason in ("server", "timeout", "overloaded", "connect", "malformed", "broken", "rate_limit") * 3:
        known.failed(A, owner, None, UpstreamError("a long story " * 30, status=503, reason=reason))
    await page.refresh()
    assert page.cards[A].minimumSizeHint().width() < 600


async def test_keys_are_told_of_where_there_are_any(page: HealthPage, context: AppContext):
    assert "key" not in page.cards[A].facts.text()
    await providers.create(context, read(NewProvider, {"name": "two", "kind": "openai", "api_key": "sk-made-up"}), "gui")
    await models.create(context, read(NewModel, {"alias": "b", "targets": [{"provider": "two", "model": "beta"}]}), "gui")
    await page.refresh()
    assert "key ready" in page.cards["two/beta"].facts.text()


async def test_a_target_that_failed_once_has_no_open_circuit(page: HealthPage):
    known, owner = page.context.gateway.health, page.context.gateway.snapshot.providers["one"].provider.id
    known.failed(A, owner, None, UpstreamError("it stumbled", status=500, reason="server"))
    await page.refresh()
    card = page.cards[A]
    assert (card.pill.text, card.trouble.text()) == ("failing", "it stumbled")
    assert "probe" not in card.facts.text()


async def test_a_resting_key_keeps_its_button_while_its_wait_runs_down(page: HealthPage):
    bound, known = page.context.gateway.snapshot.providers["one"], page.context.gateway.health
    told = UpstreamError("slow down", status=429, reason="rate_limit", retry_after=90.0)
    known.failed(A, bound.provider.id, "default", told)
    await page.refresh()
    (row,) = page.cards[A].rows
    assert "90 s more" in row.why.text()
    start = known.now()
    known.now = lambda: start + 30
    await page.refresh()
    assert page.cards[A].rows == [row]
    assert "60 s more" in row.why.text()


async def test_pause_and_resume(page: HealthPage, ui: NotingUi):
    card = page.cards[A]
    child(card, QPushButton, "Pause").click()
    await ui.settle()
    await page.refresh()
    assert not page.context.gateway.health.may_ask(A)
    assert page.cards[A] is card
    child(card, QPushButton, "Resume").click()
    await ui.settle()
    await page.refresh()
    assert page.context.gateway.health.may_ask(A)
    assert card.switch.text().strip() == "Pause"


async def test_a_parked_credential_can_be_used_again(page: HealthPage, ui: NotingUi):
    bound = page.context.gateway.snapshot.providers["one"]
    refused = UpstreamError("no such key", status=401, reason="auth")
    page.context.gateway.health.failed(A, bound.provider.id, bound.credentials[0].label, refused)
    await page.refresh()
    assert page.parked.value == "1"
    child(page.cards[A], QPushButton, "Use again").click()
    await ui.settle()
    await page.refresh()
    assert page.parked.value == "0"
    assert page.context.gateway.health.door_wait(bound.provider.id, bound.credentials[0].label, "alpha") == 0


def _attempt(provider: str, credential: str = "default", outcome: str = "ok") -> AttemptView:
    return AttemptView(
        provider=provider, model="m", credential=credential, outcome=outcome, status=429, detail="", started_at=None, duration_ms=3
    )


def test_the_way_says_why_each_target_was_asked():
    first, again, other_key, other = _attempt("a"), _attempt("a"), _attempt("a", "spare"), _attempt("b")
    steps = [_step(None, first), _step(first, again), _step(again, other_key), _step(other_key, other)]
    assert steps == ["first", "tried again", "then another key", "then the next target"]


def test_an_attempt_says_what_came_of_it(qapp: object):
    row = AttemptRow(_attempt("a", outcome="rate_limit"), "first", last=False)
    heard, left = AttemptRow(_attempt("a"), "first", last=True), AttemptRow(_attempt("a"), "first", last=True, left=True)
    assert [one.words for one in (row, heard, left)] == ["rate limit", "answered", "caller left"]
    for one in (row, heard, left):
        one.deleteLater()
