"""Long names: nothing is pushed out of its page, and the beginning stays readable."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QScrollArea
from pytestqt.qtbot import QtBot

from conduit_desktop.actions import keys, models, providers
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewKey, NewModel, NewProvider, read
from conduit_desktop.core.records import AttemptRecord
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.dashboard.cards import recent_table
from conduit_desktop.gui.pages.models.dialogs import ModelDialog
from conduit_desktop.gui.pages.models.page import ModelsPage
from conduit_desktop.gui.pages.requests.page import RequestsPage
from conduit_desktop.gui.widgets.chat.cards import QuestionCard
from conduit_desktop.gui.widgets.pills import Chips, fitting
from tests.gui.conftest import RecordingUi
from tests.gui.samples import keep, record

LONG = "n" * 60
ID = "req_" + "0123456789abcdef" * 2
"""A request id in its real length."""


async def _create_long_names(context: AppContext) -> None:
    await providers.create(context, read(NewProvider, {"name": LONG, "kind": "demo"}), "gui")
    targets = [{"provider": LONG, "model": f"{number}{LONG}"} for number in range(3)]
    await models.create(context, read(NewModel, {"alias": LONG, "targets": targets, "fallbacks": []}), "gui")
    await keys.create(context, read(NewKey, {"name": LONG}), "gui")


async def test_the_inspector_is_not_wider_than_its_pane(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    attempt = AttemptRecord(LONG, LONG, "default", "server", 500, LONG * 3, 0, 3.0)
    await keep(context, record(id=ID, model=LONG, status="error", error_text=LONG * 3, attempts=[attempt]))
    page = RequestsPage(client, feed, ui)
    qtbot.addWidget(page)
    page.resize(720, 600)
    page.show()
    page.show_context(request=ID)
    await ui.settle()
    (area,) = page.inspector.findChildren(QScrollArea)
    content = area.widget()
    assert content is not None
    assert content.minimumSizeHint().width() <= page.inspector.minimumWidth() - 2
    assert page.inspector.minimumSizeHint().width() <= page.inspector.minimumWidth()


async def test_a_wide_window_shows_a_full_request_id(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(id=ID))
    page = RequestsPage(client, feed, ui)
    qtbot.addWidget(page)
    page.resize(1060, 700)
    page.show()
    page.show_context(request=ID)
    await ui.settle()
    (shown,) = [one for one in page.inspector.facts._labels if one.text() == ID]
    assert shown.width() >= shown.fontMetrics().horizontalAdvance(ID)


async def test_the_filters_leave_space_for_the_search_field(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await _create_long_names(context)
    page = RequestsPage(client, feed, ui)
    await page.refresh()
    qtbot.addWidget(page)
    page.resize(720, 600)
    page.show()
    assert page.search.width() > 200


async def test_the_targets_column_keeps_its_width(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await _create_long_names(context)
    page = ModelsPage(client, feed, ui)
    qtbot.addWidget(page)
    page.resize(700, 500)
    page.show()
    await ui.settle()
    assert page.view.table.columnWidth(1) >= 140


async def test_the_editor_of_an_alias_is_not_wider_than_its_dialog(
    context: AppContext, client: AdminClient, ui: RecordingUi, qtbot: QtBot
):
    await _create_long_names(context)
    [row] = await models.all_models(context)
    dialog = ModelDialog(None, client, ui, [LONG], [LONG * 2], row)
    qtbot.addWidget(dialog)
    assert dialog.form.minimumSizeHint().width() < 560
    line = dialog.targets.rows[0].model.combo.lineEdit()
    assert line is not None
    assert line.cursorPosition() == 0


async def test_the_buttons_for_a_row_show_only_icons_in_a_narrow_window(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await _create_long_names(context)
    page = ModelsPage(client, feed, ui)
    qtbot.addWidget(page)
    page.resize(600, 500)
    page.show()
    await ui.settle()
    page.view.select(LONG)
    edit = page.bar.buttons["edit"]
    assert (edit.text(), edit.toolTip(), edit.accessibleName()) == ("", "Edit", "Edit")
    assert edit.x() > page.bar.filter.geometry().right()
    page.resize(1100, 500)
    QApplication.processEvents()
    assert edit.text().strip() == "Edit"


def test_a_long_url_in_a_message_does_not_widen_the_conversation(qtbot: QtBot):
    card = QuestionCard(f"http://{LONG * 5}", [])
    qtbot.addWidget(card)
    assert card.minimumSizeHint().width() < 240


def test_as_many_chips_as_fit_are_shown(qtbot: QtBot):
    names = ["one", "two", "three"]
    assert fitting(names, 1000) == names
    assert fitting(names, 90) == ["one", "+2"]
    assert fitting([LONG, "two"], 90) == [LONG, "+1"]
    assert fitting([], 90) == []


def test_the_count_of_hidden_chips_is_never_cut(qtbot: QtBot):
    few, many = Chips(), Chips()
    for one, names in ((few, [LONG, "two"]), (many, [LONG, "two", "three"])):
        qtbot.addWidget(one)
        one.show_names(names)
        one.setFixedSize(120, 22)
    assert few.grab().toImage() != many.grab().toImage()  # +1 and +2


def test_a_long_chip_is_elided_at_the_end_of_the_space(qtbot: QtBot):
    chips, other = Chips(), Chips()
    for one, name in ((chips, "m" * 40), (other, "m" * 40 + "x")):
        qtbot.addWidget(one)
        one.show_names([name])
        one.setFixedSize(120, 22)
    assert chips.grab().toImage() == other.grab().toImage()
    assert chips.toolTip() == "m" * 40


def test_the_hint_of_a_key_is_cut_in_its_middle(qtbot: QtBot):
    images = []
    for end in ("4f2a", "77e0"):
        chips = Chips(Qt.TextElideMode.ElideMiddle)
        qtbot.addWidget(chips)
        chips.show_names([f"the label of a key sk-…{end}"])
        chips.setFixedSize(120, 22)
        images.append(chips.grab().toImage())
    assert images[0] != images[1]


def test_the_latest_requests_show_all_columns_in_a_window_of_the_usual_size(qtbot: QtBot):
    view = recent_table()
    qtbot.addWidget(view)
    view.resize(628, 300)  # the width of its card in a window of 1280 pixels
    view.show()
    QApplication.processEvents()
    assert not [column.title for at, column in enumerate(view.model.columns) if view.table.isColumnHidden(at)]
