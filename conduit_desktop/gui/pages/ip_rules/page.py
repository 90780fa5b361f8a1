"""IP rules: which addresses may call the gateway, and a form to add one."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import NewIpRule, read
from conduit_desktop.actions.schemas.views import IpRuleView
from conduit_desktop.gui import formatting
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import answer, confirm
from conduit_desktop.gui.widgets.forms.form_dialog import FormDialog
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.selection_bar import SelectionBar
from conduit_desktop.gui.widgets.tables.view import TableView

ACTIONS: list[str | tuple[str, Any]] = [("Allow", "allow"), ("Deny", "deny")]
_SHOWN = {"allow": ("Allow", "success"), "deny": ("Deny", "danger")}
_ALLOWS = "Only the allowed networks may call the gateway, and no network that is denied, even if it is part of an allowed one."
_DENIES = "The denied networks may not call the gateway; every other address may."


def created(row: IpRuleView) -> str:
    """When the rule was added, in the viewer's time."""
    moment = formatting.parse(row.created_at)
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "—"


COLUMNS: list[Column[IpRuleView]] = [
    Column("Network", lambda row: row.network, mono=True),
    Column("Action", lambda row: _SHOWN[row.action][0], width=120, pill=True, colour=lambda row: _SHOWN[row.action][1]),
    Column("Added", created, sort=lambda row: row.created_at or "", width=160, hide_order=1, colour=lambda _: "text_muted"),
]


class IpRulesPage(Page):
    """The table of rules. A sentence above it says what they mean together."""

    title = "IP Rules"
    subtitle = "Addresses that may call the gateway"
    icon = "shield-check"
    topics = frozenset({"ip_rules"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        empty = EmptyState("shield-check", "No IP rules", "Every address that reaches the gateway may call it.")
        self.model = TableModel(COLUMNS, key=lambda row: row.id)
        self.view = TableView(self.model, empty.add_button("Add a rule", self.on_new, icon="plus"))
        self.view.table.setAccessibleName("IP rules")
        self.view.selected.connect(lambda _: self._update())
        delete = button("Delete", "ghost", "trash", self.on_delete)
        self.bar = SelectionBar(self.view, "Filter rules", {"delete": delete}, "delete")
        self.meaning = Banner()
        self.add_action(button("New rule", "primary", "plus", self.on_new))
        self.body.addWidget(self.meaning)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.view, 1)
        self._update()

    async def refresh(self) -> None:
        """Load the rules."""
        rules = await self.client.ip_rules()
        self.model.set_rows(rules)
        if rules:
            self.meaning.show_text(_ALLOWS if any(rule.action == "allow" for rule in rules) else _DENIES, "info")
        else:
            self.meaning.hide()
        self._update()

    def focus_filter(self) -> None:
        """Ctrl+F."""
        self.bar.filter.setFocus()

    def on_new(self) -> None:
        """Ask for a new rule."""
        self.ui.run(self._create())

    def on_delete(self) -> None:
        """Delete the selected rule."""
        if (rule := self.view.current()) is not None:
            self.ui.run(self._delete(rule))

    async def _create(self) -> None:
        await answer(IpRuleDialog(self, self.client, self.ui))

    async def _delete(self, rule: IpRuleView) -> None:
        others = [one for one in self.model.rows if one.id != rule.id]
        if rule.action == "deny":
            effect = "Addresses of this network may call the gateway again, unless another rule keeps them out."
        elif any(one.action == "allow" for one in others):
            effect = "Addresses of this network may no longer call the gateway, unless another rule allows them."
        else:
            effect = "It is the only rule that allows a network: without it, every address may call that no rule denies."
        if await confirm(self, f"Delete the rule for {rule.network}?", effect, accept="Delete rule"):
            await self.client.remove_ip_rule(rule.id)

    def _update(self) -> None:
        self.bar.show_for(self.view.current() is not None, frozenset(), frozenset())


class IpRuleDialog(FormDialog):
    """Adds a rule."""

    def __init__(self, parent: QWidget | None, client: AdminClient, ui: Ui) -> None:
        super().__init__(parent, ui, "New IP rule", "Add rule", 460)
        self.client = client
        self.form.add_combo("action", "Action", ACTIONS, "Allow: once there is such a rule, only allowed networks may call.")
        self.form.add_text("network", "Address or network", "An address, or a network as CIDR.", "192.168.1.0/24")
        self.form.set_values({"action": "allow"})

    async def save(self) -> None:
        """Add the rule."""
        await self.client.create_ip_rule(read(NewIpRule, self.form.values()))
