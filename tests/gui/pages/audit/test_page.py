"""The page of the audit log."""

from __future__ import annotations

import orjson
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.dispatch import TOPICS
from conduit_desktop.actions.schemas.inputs import NewIpRule, NewKey, read
from conduit_desktop.actions.schemas.reports import AuditView
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.audit import page as audit_page
from conduit_desktop.gui.pages.audit.page import AuditPage, action_text, changed_fields, value_text
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi


def newest_first(page: AuditPage) -> list[AuditView]:
    """The rows as the table shows them."""
    return sorted(page.model.rows, key=lambda row: -row.id)


async def shown(client: AdminClient, feed: Feed, ui: RecordingUi) -> AuditPage:
    page = AuditPage(client, feed, ui)
    page.resize(1000, 700)
    page.show()
    await ui.settle()
    return page


async def test_changes_of_every_client_appear_with_who_made_them(
    client: AdminClient, other_client: AdminClient, feed: Feed, ui: RecordingUi
):
    page = await shown(client, feed, ui)
    await client.create_key(read(NewKey, {"name": "laptop"}))
    await other_client.create_ip_rule(read(NewIpRule, {"action": "deny", "network": "10.0.0.0/8"}))
    await until(
        lambda: [(row.actor, row.action) for row in newest_first(page)] == [("cli", "ip-rule.create"), ("gui", "key.create")]
    )


async def test_the_selected_entry_shows_its_fields_and_can_be_copied(
    client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await client.create_key(read(NewKey, {"name": "<b>laptop</b>", "rpm": 60}))
    page = await shown(client, feed, ui)
    assert not page.detail.isVisible()
    page.view.select(newest_first(page)[0].id)
    await until(page.detail.isVisible)
    assert "Key created · <b>laptop</b> · Window" in page.heading_of_entry.text()
    assert page.heading_of_entry.textFormat() == Qt.TextFormat.PlainText
    qtbot.mouseClick(page.bar.buttons["copy"], Qt.MouseButton.LeftButton)
    copied = orjson.loads(ui.copied[-1])
    assert (copied["action"], copied["changes"]["rpm"]) == ("key.create", 60)


async def test_older_entries_are_loaded_on_demand_and_stay(
    client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(audit_page, "PART", 3)
    for number in range(5):
        await client.create_key(read(NewKey, {"name": f"key {number}"}))
    page = await shown(client, feed, ui)
    assert [row.subject for row in newest_first(page)] == ["key 4", "key 3", "key 2"]
    qtbot.mouseClick(page.older, Qt.MouseButton.LeftButton)
    await until(lambda: len(page.model.rows) == 5)
    assert not page.older.isVisible()
    await client.create_key(read(NewKey, {"name": "newest"}))
    await until(lambda: [row.subject for row in newest_first(page)][:2] == ["newest", "key 4"])
    assert [row.subject for row in newest_first(page)][-1] == "key 0"


def test_every_kind_of_change_has_a_word():
    for action in TOPICS:
        assert action.partition(".")[2] in audit_page._VERBS or action == "notification.read", action


@pytest.mark.parametrize(
    ("action", "text"),
    [("key.reset-spend", "Key spend reset"), ("ip-rule.create", "IP rule created"), ("settings.change", "Settings changed"),
     ("master-key.rotate", "Master key rotated"), ("odd", "Odd")],
)  # fmt: skip
def test_an_action_reads_as_words(action: str, text: str):
    assert action_text(action) == text


def test_values_are_shown_as_they_are_and_long_ones_are_cut():
    assert changed_fields({"rpm": 60, "team": None, "models": ["a"]}) == [("rpm", "60"), ("team", "—"), ("models", '["a"]')]
    assert value_text("x" * 400) == "x" * 300 + "…"
