"""Two requests picked from the log are compared, by keyboard too."""

from __future__ import annotations

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.requests.page import RequestsPage
from conduit_desktop.gui.pages.requests.replay import CompareDialog
from tests.gui.conftest import RecordingUi, opened, shown_page
from tests.gui.samples import keep, record


async def test_two_selected_requests_are_compared_the_older_one_first(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, *(record(id=f"req_{at}", started_at=at) for at in (1, 2, 3)))
    page = RequestsPage(client, feed, ui)
    qtbot.addWidget(page)
    await shown_page(page, ui, 1100, 500)
    table = page.table.table
    page.table.select("req_3")
    assert not page.compare_button.isEnabled()
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    await ui.settle()
    assert page.compare_button.isEnabled()
    qtbot.mouseClick(page.compare_button, Qt.MouseButton.LeftButton)
    dialog = await opened(CompareDialog)
    assert (dialog.comparison.left.request.id, dialog.comparison.right.request.id) == ("req_2", "req_3")
    dialog.accept()
    await ui.settle()
    qtbot.keyClick(table, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert not page.compare_button.isEnabled()
    await ui.settle()
