"""A widget shown before it has a parent is a window for a moment: it flickers and takes the keyboard focus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.keys.dialogs import KeyDialog
from conduit_desktop.gui.pages.models.dialogs import ModelDialog
from conduit_desktop.gui.pages.providers.dialogs import ProviderDialog
from conduit_desktop.gui.shell.page_registry import PAGES, page_class
from conduit_desktop.gui.widgets.chat.cards import AnswerCard, ErrorCard
from tests.gui.conftest import RecordingUi


class Watch(QObject):
    """Records every widget that is shown as a window."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(type(watched).__name__)
        return False


@pytest.fixture
def watch(qapp: QApplication) -> Iterator[Watch]:
    made = Watch()
    qapp.installEventFilter(made)
    yield made
    qapp.removeEventFilter(made)


@pytest.mark.parametrize("name", ["welcome", *(entry.name for entry in PAGES)])
async def test_building_a_page_shows_nothing(client: AdminClient, feed: Feed, ui: RecordingUi, watch: Watch, name: str):
    page = page_class(name)(client, feed, ui)
    assert watch.shown == []
    page.deleteLater()


async def test_building_cards_and_dialogs_shows_nothing(client: AdminClient, ui: RecordingUi, watch: Watch):
    made = [
        ErrorCard("title", "text", "advice", ("Open", lambda: None)),
        AnswerCard("model"),
        ProviderDialog(None, client, ui, await client.catalog(), [], kind="openai"),
        KeyDialog(None, client, ui),
        ModelDialog(None, client, ui, ["demo"], []),
    ]
    assert watch.shown == []
    for one in made:
        one.deleteLater()
    await ui.settle()
