"""A widget shown before it has a parent is a window for a moment: it flickers and takes the keyboard focus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.keys.dialogs import KeyDialog
from conduit_desktop.gui.pages.models.dialogs import ModelDialog
from conduit_desktop.gui.pages.providers.dialogs import ProviderDialog
from conduit_desktop.gui.shell.page_registry import PAGES, page_class
from conduit_desktop.gui.widgets.chat.cards import AnswerCard, ErrorCard
from tests.gui.conftest import RecordingUi, ShownWindows


@pytest.fixture
def watch(qapp: QApplication) -> Iterator[ShownWindows]:
    made = ShownWindows()
    qapp.installEventFilter(made)
    yield made
    qapp.removeEventFilter(made)


@pytest.mark.parametrize("name", ["welcome", *(entry.name for entry in PAGES)])
async def test_building_a_page_shows_nothing(client: AdminClient, feed: Feed, ui: RecordingUi, watch: ShownWindows, name: str):
    page = page_class(name)(client, feed, ui)
    assert watch.seen == []
    page.deleteLater()


async def test_building_cards_and_dialogs_shows_nothing(client: AdminClient, ui: RecordingUi, watch: ShownWindows):
    made = [
        ErrorCard("title", "text", "advice", ("Open", lambda: None)),
        AnswerCard("model"),
        ProviderDialog(None, client, ui, await client.catalog(), [], kind="openai"),
        KeyDialog(None, client, ui),
        ModelDialog(None, client, ui, ["demo"], []),
    ]
    assert watch.seen == []
    for one in made:
        one.deleteLater()
    await ui.settle()
