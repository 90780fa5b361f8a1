"""What strangers wrote is plain text on every page: no HTML, no character that turns the text around it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtGui import Qt as QtText
from PySide6.QtWidgets import QAbstractItemView, QLabel, QWidget
from pytestqt.qtbot import QtBot

from conduit_desktop.actions import models, notifications, providers
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewModel, NewProvider, read
from conduit_desktop.core import shown_text
from conduit_desktop.core.records import AttemptRecord
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.shell.page_registry import PAGES, page_class
from tests.gui.conftest import RecordingUi
from tests.gui.samples import keep, record

EVIL = "<b>x</b><img src='file:///etc/passwd'>\u202etxt\u2066\x1b[31m\x9b1m"


def _shown(widget: QWidget) -> list[str]:
    """The texts that the widget shows."""
    texts = [label.text() for label in widget.findChildren(QLabel) if label.textFormat() != Qt.TextFormat.RichText]
    for view in widget.findChildren(QAbstractItemView):
        model: QAbstractItemModel | None = view.model()
        if model is not None:
            cells = [model.index(row, column) for row in range(model.rowCount()) for column in range(model.columnCount())]
            texts += [str(cell.data(Qt.ItemDataRole.DisplayRole) or "") for cell in cells]
            texts += [str(cell.data(Qt.ItemDataRole.ToolTipRole) or "") for cell in cells]
    return texts


@pytest.mark.parametrize("name", [entry.name for entry in PAGES])
async def test_no_page_shows_foreign_text_as_anything_but_text(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot, name: str
) -> None:
    await providers.create(context, read(NewProvider, {"name": "up", "kind": "demo"}), "gui")
    target = {"provider": "up", "model": "<i>m</i>"}
    await models.create(context, read(NewModel, {"alias": "alias", "targets": [target]}), "gui")
    attempt = AttemptRecord("up", EVIL, "default", "server", 500, EVIL, 0, 3.0)
    foreign = {"model": EVIL, "upstream_model": EVIL, "client": EVIL, "user": EVIL, "error_text": EVIL}
    await keep(context, record(id="req_1", status="error", attempts=[attempt], **foreign))
    await notifications.notify(context, "system", "error", EVIL, EVIL)
    page = page_class(name)(client, feed, ui)
    qtbot.addWidget(page)
    page.resize(1000, 700)
    page.show()
    if name == "requests":
        page.show_context(request="req_1")
    await ui.settle()
    for label in page.findChildren(QLabel):
        plain = label.textFormat() == Qt.TextFormat.PlainText
        assert plain or label.openExternalLinks(), f"{label.objectName()} guesses whether its text is HTML"
        assert plain or "<img" not in label.text()
        assert not QtText.mightBeRichText(label.toolTip()) or "<img" not in label.toolTip()
    shown = _shown(page)
    assert shown
    for text in shown:
        assert text == shown_text.lines(text)
    if name == "requests":
        assert any("\\u202e" in text for text in shown)
