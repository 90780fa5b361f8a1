"""The page of IP rules."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import NewIpRule, read
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.ip_rules.page import IpRuleDialog, IpRulesPage
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi


def opened(kind: type[Dialog]) -> Dialog | None:
    return next((one for one in QApplication.topLevelWidgets() if isinstance(one, kind) and one.isVisible()), None)


async def shown(client: AdminClient, feed: Feed, ui: RecordingUi, *rules: tuple[str, str]) -> IpRulesPage:
    for action, network in rules:
        await client.create_ip_rule(read(NewIpRule, {"action": action, "network": network}))
    page = IpRulesPage(client, feed, ui)
    page.show()
    await ui.settle()
    return page


async def test_a_rule_that_another_client_adds_is_shown(
    client: AdminClient, other_client: AdminClient, feed: Feed, ui: RecordingUi
):
    page = await shown(client, feed, ui)
    assert not page.meaning.isVisible()
    await other_client.create_ip_rule(read(NewIpRule, {"action": "deny", "network": "10.0.0.0/8"}))
    await until(lambda: [row.network for row in page.model.rows] == ["10.0.0.0/8"])


async def test_a_sentence_says_what_the_rules_mean_together(client: AdminClient, feed: Feed, ui: RecordingUi):
    page = await shown(client, feed, ui, ("deny", "10.0.0.0/8"))
    assert "every other address may" in page.meaning.text.text()
    await client.create_ip_rule(read(NewIpRule, {"action": "allow", "network": "192.168.1.0/24"}))
    await until(lambda: page.meaning.text.text().startswith("Only the allowed networks"))


async def test_a_rule_is_added_by_the_form(client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot):
    page = await shown(client, feed, ui)
    page.on_new()
    await until(lambda: opened(IpRuleDialog) is not None)
    dialog = opened(IpRuleDialog)
    assert isinstance(dialog, IpRuleDialog)
    dialog.form.set_values({"action": "deny", "network": "not an address"})
    qtbot.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    await until(lambda: dialog.form.fields["network"].error.isVisible())
    assert dialog.isVisible()
    dialog.form.set_values({"network": "10.1.2.3"})
    await until(dialog.primary.isEnabled)
    qtbot.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    await until(lambda: [(row.action, row.network) for row in page.model.rows] == [("deny", "10.1.2.3")])


async def test_a_rule_is_deleted_after_a_confirmation_that_names_the_effect(
    client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    page = await shown(client, feed, ui, ("allow", "10.0.0.0/8"))
    page.view.select(page.model.rows[0].id)
    qtbot.mouseClick(page.bar.buttons["delete"], Qt.MouseButton.LeftButton)
    await until(lambda: opened(Dialog) is not None)
    dialog = opened(Dialog)
    assert dialog is not None
    texts = [child.text() for child in dialog.findChildren(type(page.heading)) if child.text()]
    assert any("the only rule that allows" in text for text in texts)
    qtbot.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    await until(lambda: page.model.rows == [])
    assert await client.ip_rules() == []
