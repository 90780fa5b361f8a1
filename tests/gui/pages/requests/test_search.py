"""A search of the request log that takes several parts: it goes on by itself, is visible, and ends when the filters change."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import RequestQuery
from conduit_desktop.core.bus import Change
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.requests import page as requests
from conduit_desktop.gui.pages.requests.page import RequestsPage
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, shown_page
from tests.gui.samples import keep, record

BEGAN = 1_700_000_000_000
BROKEN = {"req_0000", "req_0010", "req_0018"}


@dataclass
class Parts:
    """The parts that a page loads; while `held`, each waits for `go_on`."""

    client: AdminClient
    held: bool = False
    queries: list[RequestQuery] = field(default_factory=list)
    _next: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(self, query: RequestQuery) -> tuple[list[RequestRecord], str | None]:
        self.queries.append(query)
        if self.held:
            self._next.clear()
            await self._next.wait()
        return await AdminClient.records_part(self.client, query)

    async def go_on(self) -> None:
        """Let the part load that is waiting, and wait for the next one."""
        count = len(self.queries)
        self._next.set()
        await until(lambda: len(self.queries) > count)

    def release(self) -> None:
        self.held = False
        self._next.set()


@pytest.fixture
def parts(client: AdminClient, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """A search looks at two records at a time."""
    monkeypatch.setattr("conduit_desktop.store.sqlite.search.STEP", 2)
    monkeypatch.setattr("conduit_desktop.store.sqlite.search.MAX_S", 0)
    made = Parts(client)
    monkeypatch.setattr(client, "records_part", made.load)
    return made


@pytest.fixture
async def page(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot, parts: Parts) -> RequestsPage:
    """Twenty requests, of which three are broken."""
    numbered = [(f"req_{number:04}", number) for number in range(20)]
    await keep(
        context,
        *(record(id=id, started_at=BEGAN + at, status="broken" if id in BROKEN else "success") for id, at in numbered),
    )
    made = RequestsPage(client, feed, ui)
    qtbot.addWidget(made)
    made.resize(1100, 500)
    made.show()
    await ui.settle()
    assert len(made.table.model.rows) == 20
    parts.queries.clear()
    return made


def choose(page: RequestsPage, status: str) -> None:
    page.status.setCurrentIndex(page.status.findData(status))
    page.request_refresh()


def shown(page: RequestsPage) -> set[str]:
    return {row.id for row in page.table.model.rows}


async def test_rare_requests_are_searched_for_up_to_the_end_of_the_log(page: RequestsPage, ui: RecordingUi, parts: Parts):
    choose(page, "broken")
    await ui.settle()
    assert shown(page) == BROKEN
    assert len(parts.queries) > 3
    assert page.searching.isHidden()
    assert page.older.isHidden()


async def test_a_search_ends_with_a_full_page_and_goes_on_from_there(
    page: RequestsPage, ui: RecordingUi, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(requests, "PART", 2)
    choose(page, "broken")
    await ui.settle()
    assert shown(page) == {"req_0018", "req_0010"}
    assert page.older.isVisible()
    await page.load_older()
    assert shown(page) == BROKEN
    assert page.older.isHidden()


async def test_a_search_is_visible_and_shows_what_was_found_so_far(page: RequestsPage, ui: RecordingUi, parts: Parts):
    parts.held = True
    choose(page, "broken")
    await until(lambda: len(parts.queries) == 1)
    assert page.searching.isHidden()
    await parts.go_on()
    assert page.searching.isVisible()
    assert page.older.isHidden()
    assert shown(page) == {"req_0018"}
    parts.release()
    await ui.settle()
    assert page.searching.isHidden()


async def test_other_filters_end_a_search(page: RequestsPage, ui: RecordingUi, parts: Parts):
    parts.held = True
    choose(page, "error")
    await until(lambda: len(parts.queries) == 1)
    await parts.go_on()
    choose(page, "broken")
    parts.release()
    await ui.settle()
    assert [query.status for query in parts.queries].count("error") == 2
    assert shown(page) == BROKEN
    assert page.searching.isHidden()


async def test_no_row_leaves_the_table_while_the_same_search_is_repeated(page: RequestsPage, ui: RecordingUi, parts: Parts):
    choose(page, "broken")
    await ui.settle()
    parts.queries.clear()
    parts.held = True
    page.request_refresh()
    await until(lambda: len(parts.queries) == 1)
    for _ in range(2):
        await parts.go_on()
        assert shown(page) == BROKEN
    parts.release()
    await ui.settle()
    assert shown(page) == BROKEN


@pytest.mark.parametrize("status", ["broken", "success"])
async def test_a_request_that_arrives_during_a_search_stays_in_the_table(
    page: RequestsPage, ui: RecordingUi, parts: Parts, status: str
):
    choose(page, "broken")
    await ui.settle()
    parts.queries.clear()
    parts.held = True
    choose(page, status)
    await until(lambda: len(parts.queries) == 1)
    await parts.go_on()
    page.on_changes([Change("requests", record(id="req_new", started_at=BEGAN + 100, status=status))])
    parts.release()
    await ui.settle()
    assert "req_new" in shown(page)
    assert len(page.table.model.rows) == (4 if status == "broken" else 18)


async def test_a_refresh_ends_a_search_for_older_requests(
    page: RequestsPage, ui: RecordingUi, parts: Parts, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(requests, "PART", 1)
    choose(page, "broken")
    await ui.settle()
    assert shown(page) == {"req_0018"}
    parts.queries.clear()
    parts.held = True
    older = ui.run(page.load_older())
    await until(lambda: len(parts.queries) == 1)
    await parts.go_on()
    assert page.searching.isVisible()
    await page_refresh_begun(page)
    parts.release()
    await older
    await ui.settle()
    assert shown(page) == {"req_0018"}
    assert page.older.isVisible()


async def page_refresh_begun(page: RequestsPage) -> None:
    count = page._refreshes
    page.request_refresh()
    await until(lambda: page._refreshes > count)


async def test_a_request_is_opened_before_a_long_search_and_selected_after_it(page: RequestsPage, ui: RecordingUi, parts: Parts):
    parts.held = True
    page.show_context(status="broken", request="req_0000")
    await until(lambda: len(parts.queries) == 1)
    assert page.inspector.request_id == "req_0000"
    await parts.go_on()
    assert shown(page) == {"req_0018"}
    parts.release()
    await ui.settle()
    assert page.inspector.request_id == "req_0000"
    current = page.table.current()
    assert current is not None
    assert current.id == "req_0000"


async def log_with_text(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot) -> RequestsPage:
    """The page over three requests that have `overloaded` somewhere, below more recent ones than a page loads."""
    await keep(
        context,
        record(id="req_model", started_at=BEGAN, model="overloaded-1"),
        record(id="req_error", started_at=BEGAN + 1, status="error", error_text="Provider Overloaded, try later"),
        record(id="req_client", started_at=BEGAN + 2, client="OVERLOADED-agent"),
        record(id="req_key", started_at=BEGAN + 3, key_name="overloaded key"),
        *(record(id=f"req_{number:04}", started_at=BEGAN + 10 + number) for number in range(requests.PART + 1)),
        record(id="req_newest", started_at=BEGAN + 1000, key_name="overloaded key"),
    )
    page = RequestsPage(client, feed, ui)
    qtbot.addWidget(page)
    return await shown_page(page, ui, 1100, 500)


def visible(page: RequestsPage) -> set[str]:
    proxy = page.table.proxy
    return {proxy.row_at(proxy.index(at, 0)).id for at in range(proxy.rowCount())}


async def searched(page: RequestsPage, ui: RecordingUi) -> None:
    await until(lambda: not page._search_timer.isActive())
    await ui.settle()


async def test_a_text_filters_the_loaded_rows_at_once_and_then_searches_the_whole_log(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await log_with_text(context, client, feed, ui, qtbot)
    qtbot.keyClicks(page.search, "overloaded")
    assert visible(page) == {"req_newest"}
    await searched(page, ui)
    # The name of a key is not searched for: of the rows with it, those that are loaded are shown.
    assert visible(page) == {"req_newest", "req_model", "req_error", "req_client"}
    page.search.clear()
    await searched(page, ui)
    assert len(visible(page)) == requests.PART
    assert page.older.isVisible()


async def test_the_log_is_searched_once_for_a_text_that_is_typed(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    page = await log_with_text(context, client, feed, ui, qtbot)
    counted = Parts(client)
    monkeypatch.setattr(client, "records_part", counted.load)
    qtbot.keyClicks(page.search, "over")
    qtbot.keyClicks(page.search, "loaded")
    qtbot.keyClick(page.search, Qt.Key.Key_Return)
    await ui.settle()
    assert {query.q for query in counted.queries} == {None, "overloaded"}
    assert not page._search_timer.isActive()


async def test_another_text_ends_a_search(page: RequestsPage, ui: RecordingUi, parts: Parts):
    parts.held = True
    page.search.setText("nothing has this text")
    await until(lambda: len(parts.queries) == 1)
    for _ in range(2):
        await parts.go_on()
    assert page.searching.isVisible()
    page.search.setText("smart")
    parts.release()
    await searched(page, ui)
    assert [query.q for query in parts.queries].count("nothing has this text") == 2
    assert len(visible(page)) == 20
    assert page.searching.isHidden()


async def test_a_new_request_whose_error_has_the_text_is_shown(page: RequestsPage, ui: RecordingUi):
    page.search.setText("refused by the filter")
    await searched(page, ui)
    assert visible(page) == set()
    for id, text in (("req_hit", "Refused by the filter."), ("req_miss", "something else")):
        page.on_changes([Change("requests", record(id=id, status="error", error_text=text))])
    assert visible(page) == {"req_hit"}


async def test_older_matches_of_a_text_are_loaded_on_demand(
    page: RequestsPage, ui: RecordingUi, context: AppContext, monkeypatch: pytest.MonkeyPatch
):
    late = [record(id=f"req_late{at}", started_at=BEGAN - at, status="error", error_text="gone") for at in range(1, 4)]
    await keep(context, *late)
    monkeypatch.setattr(requests, "PART", 2)
    page.search.setText("gone")
    await searched(page, ui)
    assert visible(page) == {"req_late1", "req_late2"}
    assert page.older.isVisible()
    await page.load_older()
    assert visible(page) == {"req_late1", "req_late2", "req_late3"}


async def test_a_text_typed_before_the_page_is_left_is_searched_for_once_it_is_shown_again(
    page: RequestsPage, ui: RecordingUi, context: AppContext
):
    await keep(context, record(id="req_late", started_at=BEGAN - 1, status="error", error_text="gone"))
    page.search.setText("gone")
    page.hide()
    assert not page._search_timer.isActive()
    page.show()
    await ui.settle()
    assert visible(page) == {"req_late"}
