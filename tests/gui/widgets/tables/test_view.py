"""Cells whose text does not fit: where they are cut, and the tooltip that shows the rest."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent
from PySide6.QtGui import QHelpEvent, QImage
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.schemas.reports import ChangeView
from conduit_desktop.gui.pages.settings.import_dialog import ImportPreviewDialog
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

LONG = "a name that is longer than its column <b>and has tags</b>"


@dataclass(frozen=True)
class Row:
    name: str


def shown(qtbot: QtBot, column: Column[Row], name: str) -> TableView[Row]:
    view = TableView(TableModel((column,), key=lambda row: row.name), EmptyState("key", "Empty", ""))
    qtbot.addWidget(view)
    view.model.set_rows([Row(name)])
    view.resize(240, 120)
    view.show()
    QApplication.processEvents()
    return view


def image(view: TableView[Row]) -> QImage:
    return view.table.viewport().grab().toImage()


def tooltip(view: TableView[Row]) -> str:
    QToolTip.hideText()
    index = view.table.model().index(0, 0)
    place = view.table.visualRect(index).center()
    event = QHelpEvent(QEvent.Type.ToolTip, place, view.table.viewport().mapToGlobal(place))
    QApplication.sendEvent(view.table.viewport(), event)
    return QToolTip.text() if QToolTip.isVisible() else ""


def test_a_text_is_cut_at_its_end_or_where_its_end_matters_at_its_beginning(qtbot: QtBot):
    for elide_start, names in ((False, (f"{'m' * 60}a", f"{'m' * 60}b")), (True, (f"a{'m' * 60}", f"b{'m' * 60}"))):
        one, other = (image(shown(qtbot, Column("N", lambda row: row.name, elide_start=elide_start), name)) for name in names)
        assert one == other
        one, other = (image(shown(qtbot, Column("N", lambda row: row.name, elide_start=not elide_start), name)) for name in names)
        assert one != other


def test_a_text_that_does_not_fit_is_its_own_tooltip_as_plain_text(qtbot: QtBot):
    column: Column[Row] = Column("N", lambda row: row.name)
    assert "&lt;b&gt;" in tooltip(shown(qtbot, column, LONG))
    assert tooltip(shown(qtbot, column, "short")) == ""
    assert "other" in tooltip(shown(qtbot, Column("N", lambda row: row.name, tooltip=lambda row: "other"), LONG))


def test_the_preview_of_an_import_shows_to_whom_a_long_host_belongs(qtbot: QtBot):
    images = []
    for owner in ("openai.com", "evil.example"):
        change = ChangeView(kind="provider", name="p", change="add", fields=[], host=f"api.openai.com.{'m' * 40}.{owner}")
        dialog = ImportPreviewDialog(None, [change])
        qtbot.addWidget(dialog)
        dialog.show()
        QApplication.processEvents()
        images.append(dialog.table.table.viewport().grab().toImage())
    assert images[0] != images[1]


def test_the_day_and_minute_of_an_old_request_fit_their_column(qtbot: QtBot):
    from PySide6.QtGui import QFontMetrics

    from conduit_desktop.gui.pages.requests.page import _COLUMNS
    from conduit_desktop.gui.theme import theme

    [column] = [one for one in _COLUMNS if one.title == "Time"]
    assert QFontMetrics(theme.font(13)).horizontalAdvance("Nov 28 20:48") + 2 * theme.M <= column.width
