"""The live request log: visible rows stay in place, and rows removed from the table can be loaded again."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.bus import Change
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.requests import page as requests
from conduit_desktop.gui.pages.requests.page import RequestsPage
from tests.gui.conftest import RecordingUi, shown_page
from tests.gui.samples import keep, record

BEGAN = 1_700_000_000_000


async def _following(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot, count: int
) -> RequestsPage:
    await keep(context, *(record(id=f"req_{number:04}", started_at=BEGAN + number) for number in range(count)))
    page = RequestsPage(client, feed, ui)
    qtbot.addWidget(page)
    return await shown_page(page, ui, 1100, 500)


def _arrive(page: RequestsPage, *numbers: int) -> None:
    page.on_changes([Change("requests", record(id=f"req_{number:04}", started_at=BEGAN + number)) for number in numbers])


def _first(page: RequestsPage) -> str:
    return str(page.table._key(page.table.table.indexAt(QPoint(1, 1))))


async def test_new_requests_do_not_move_the_visible_rows(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await _following(context, client, feed, ui, qtbot, 60)
    bar = page.table.table.verticalScrollBar()
    bar.setValue(500)
    read, place = _first(page), bar.value()
    _arrive(page, *range(60, 65))
    QApplication.processEvents()
    assert _first(page) == read
    assert bar.value() > place
    bar.setValue(bar.maximum())
    read = _first(page)
    _arrive(page, 65)
    QApplication.processEvents()
    assert _first(page) == read


async def test_at_the_top_new_requests_become_visible(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await _following(context, client, feed, ui, qtbot, 60)
    _arrive(page, 60)
    QApplication.processEvents()
    assert _first(page) == "req_0060"


async def test_rows_removed_from_a_live_table_can_be_loaded_again(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(requests, "MOST_LIVE", 12)
    page = await _following(context, client, feed, ui, qtbot, 10)
    assert not page.older.isVisible()
    await keep(context, *(record(id=f"req_{number:04}", started_at=BEGAN + number) for number in range(10, 16)))
    _arrive(page, *range(10, 16))
    assert len(page.table.model.rows) == 12
    qtbot.mouseClick(page.older, Qt.MouseButton.LeftButton)
    await ui.settle()
    assert {line.id for line in page.table.model.rows} == {f"req_{number:04}" for number in range(16)}
    _arrive(page, 16)
    assert len(page.table.model.rows) == 16
    assert page.older.isVisible()
