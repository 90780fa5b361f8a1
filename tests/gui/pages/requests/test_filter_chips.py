"""Active filters are shown as buttons that remove them, one by one or all at once."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.requests.page import RequestsPage
from conduit_desktop.gui.theme.theme import theme
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, shown_page
from tests.gui.samples import keep, record


@pytest.fixture
async def page(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot) -> RequestsPage:
    await keep(
        context,
        record(id="req_a", model="a&b", session="s1", client="one"),
        record(id="req_b", model="a&b", session="s2", client="one"),
        record(id="req_c", model="fast", session="s1", client="one"),
    )
    made = RequestsPage(client, feed, ui)
    qtbot.addWidget(made)
    return await shown_page(made, ui, 900, 500)


def shown(page: RequestsPage) -> set[str]:
    return {row.id for row in page.table.model.rows}


async def test_each_active_filter_has_a_button_that_removes_it(page: RequestsPage, ui: RecordingUi, qtbot: QtBot):
    assert page.chips.isHidden()
    page.show_context(model="a&b", session="s1", client="one")
    await ui.settle()
    assert shown(page) == {"req_a"}
    assert [chip.accessibleName() for chip in page.chips.chips] == [
        "Remove the filter Model: a&b", "Remove the filter Client: one", "Remove the filter Session: s1",
    ]  # fmt: skip
    assert page.chips.chips[0].text().strip() == "Model: a&&b"
    qtbot.mouseClick(page.chips.chips[0], Qt.MouseButton.LeftButton)
    await ui.settle()
    assert shown(page) == {"req_a", "req_c"}
    page.chips.chips[1].setFocus()
    qtbot.keyClick(page.chips.chips[1], Qt.Key.Key_Space)
    await ui.settle()
    assert shown(page) == {"req_a", "req_b", "req_c"}
    assert len(page.chips.chips) == 1


async def test_all_filters_are_removed_at_once(page: RequestsPage, ui: RecordingUi, qtbot: QtBot):
    page.search.setText("nothing has this")
    page.show_context(model="fast", session="s2")
    await until(lambda: not page._search_timer.isActive())
    await ui.settle()
    assert len(page.chips.chips) == 3
    qtbot.mouseClick(page.chips.clear_button, Qt.MouseButton.LeftButton)
    await until(lambda: not page._search_timer.isActive())
    await ui.settle()
    assert shown(page) == {"req_a", "req_b", "req_c"}
    assert page.chips.isHidden()


async def test_many_filters_wrap_and_do_not_widen_the_page(page: RequestsPage, ui: RecordingUi):
    before = page.minimumSizeHint().width()
    page.search.setText("x" * 300)
    page.show_context(model="m" * 60, session="s" * 60, client="c" * 60, provider="p" * 60, status="error")
    await until(lambda: not page._search_timer.isActive())
    await ui.settle()
    page.further.hide()
    page.layout().activate()
    assert page.minimumSizeHint().width() <= max(before, 900)
    assert len({chip.y() for chip in page.chips.chips}) > 1
    assert all(chip.geometry().right() <= page.chips.width() for chip in page.chips.chips)
    assert page.chips.height() >= page.chips.clear_button.geometry().bottom()


async def test_no_filter_is_over_another_in_a_narrow_window_with_a_large_font(page: RequestsPage, ui: RecordingUi):
    page.show_context(session="s3")
    await ui.settle()
    assert page.table._layers.currentWidget() is page.table._no_match
    theme().set_zoom(150)
    try:
        page.resize(700, 600)
        page.layout().activate()
        page.further.layout().activate()
        for widgets in (
            (page.search, page.status, page.key, page.model, page.more),
            (page.further.period, page.further.provider, *page.further.lines.values(), page.further.clear_button),
        ):
            for at, one in enumerate(widgets):
                assert one.width() >= one.minimumSizeHint().width()
                assert one.geometry().right() <= one.parentWidget().width()
                assert not any(one.geometry().intersects(other.geometry()) for other in widgets[at + 1 :])
    finally:
        theme().set_zoom(100)
