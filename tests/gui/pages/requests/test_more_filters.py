"""The second row of filters queries the whole log."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.requests.more_filters import MoreFilters
from conduit_desktop.gui.pages.requests.page import RequestsPage
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi
from tests.gui.samples import keep, record

DAY_MS = 86_400_000


@pytest.fixture
async def page(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi) -> RequestsPage:
    now = int(time.time() * 1000)
    await keep(
        context,
        record(id="old", provider="openai", client="aider", session="s1", cost_nano=5_000_000_000, started_at=now - 3 * DAY_MS),
        record(id="new", provider="anthropic", client="claude-cli", session="s2", cost_nano=1_000_000),
        record(id="unpriced", provider="anthropic", client="claude-cli", session="s2", cost_nano=None, cost_state="unknown"),
    )
    made = RequestsPage(client, feed, ui)
    made.resize(1100, 700)
    made.show()
    await ui.settle()
    return made


def ids(page: RequestsPage) -> set[str]:
    return {row.id for row in page.table.model.rows}


async def test_the_row_is_hidden_until_it_is_asked_for_and_filters_only_while_it_is_shown(
    page: RequestsPage, ui: RecordingUi, qtbot: QtBot
):
    assert not page.further.isVisible()
    qtbot.mouseClick(page.more, Qt.MouseButton.LeftButton)
    assert page.further.isVisible()
    page.further.lines["client"].setText("aider")
    qtbot.keyClick(page.further.lines["client"], Qt.Key.Key_Return)
    await until(lambda: ids(page) == {"old"})
    qtbot.mouseClick(page.more, Qt.MouseButton.LeftButton)
    await until(lambda: ids(page) == {"old", "new", "unpriced"})


@pytest.mark.parametrize(
    ("asked", "found"),
    [({"session": "s2"}, {"new", "unpriced"}), ({"provider": "openai"}, {"old"}), ({"client": "aider"}, {"old"}),
     ({"min_cost_usd": 1}, {"old"}), ({"client": "aid"}, set())],
)  # fmt: skip
async def test_another_page_opens_the_log_with_filters(page: RequestsPage, asked: dict[str, object], found: set[str]):
    page.show_context(**asked)
    await until(lambda: ids(page) == found)
    assert page.further.isVisible()
    page.further.clear()
    await until(lambda: ids(page) == {"old", "new", "unpriced"})


async def test_a_period_leaves_older_requests_out(page: RequestsPage):
    page.further.period.setCurrentIndex(page.further.period.findText("Last 24 hours"))
    page.further.period.activated.emit(page.further.period.currentIndex())
    await until(lambda: ids(page) == {"new", "unpriced"})


async def test_new_requests_that_do_not_fit_are_not_inserted(context: AppContext, page: RequestsPage):
    page.show_context(session="s2")
    await until(lambda: ids(page) == {"new", "unpriced"})
    for made in (record(id="other", session="s1"), record(id="mine", session="s2")):
        context.bus.publish("requests", made)
    await until(lambda: ids(page) == {"new", "unpriced", "mine"})


def test_a_cost_that_is_no_number_is_marked_and_does_not_filter(qtbot: QtBot):
    filters = MoreFilters()
    qtbot.addWidget(filters)
    line = filters.lines["min_cost_usd"]
    for text, least in (("$1.50", 1.5), ("1,000", 1000.0), ("a lot", None), ("-1", None)):
        line.setText(text)
        qtbot.keyClick(line, Qt.Key.Key_Return)
        assert filters.query().get("min_cost_usd") == least
        assert line.property("invalid") is (least is None)
    assert filters.matches(record(cost_nano=None))
    line.setText("0.5")
    assert not filters.matches(record(cost_nano=None))
    assert not filters.matches(record(cost_nano=499_999_999))
    assert filters.matches(record(cost_nano=500_000_000))


def test_a_period_is_fixed_when_it_is_chosen(qtbot: QtBot):
    times = iter([1_790_000_000.0, 1_790_000_100.0])
    filters = MoreFilters(now=lambda: next(times))
    qtbot.addWidget(filters)
    filters.period.setCurrentIndex(1)
    filters.period.activated.emit(1)
    assert filters.query() == filters.query() == {"since": "2026-09-21T13:13:20Z"}
