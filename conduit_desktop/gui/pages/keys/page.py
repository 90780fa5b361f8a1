"""Virtual keys: their spend, budgets and limits, and the actions on a key."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QPushButton

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import KeyPatch, read
from conduit_desktop.actions.schemas.views import KeyView, ModelView, NewKeyView
from conduit_desktop.core.money import show_usd, to_nano
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.order import oldest_first
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.keys.dialogs import ClientSetupDialog, KeyDialog, NewKeyDialog
from conduit_desktop.gui.pages.table_page import TablePage
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import answer, confirm
from conduit_desktop.gui.widgets.tables.model import Column, TableModel

STATUS = {
    "active": ("Active", "success"),
    "disabled": ("Disabled", "text_muted"),
    "expired": ("Expired", "warning"),
    "budget_spent": ("Budget used", "danger"),
}
_EVERY = {"total": "in total", "daily": "per day", "weekly": "per week", "monthly": "per month"}


def usd(value: float) -> str:
    """An amount of US dollars as text."""
    return show_usd(to_nano(value))


def spend(key: KeyView) -> str:
    """`$1.20 of $5.00 per month`, or the spend alone if there is no budget."""
    if key.budget_usd is None:
        return usd(key.spend_usd)
    return f"{usd(key.spend_usd)} of {usd(key.budget_usd)} {_EVERY[key.budget_period]}"


def share(key: KeyView) -> float | None:
    """The used share of the budget; None without a budget, 1 for a budget of $0."""
    if key.budget_usd is None:
        return None
    return key.spend_usd / key.budget_usd if key.budget_usd else 1.0


def limits(key: KeyView) -> str:
    """`60 rpm · 2 parallel`, or an em dash."""
    parts = [
        f"{value:,} {unit}"
        for value, unit in ((key.rpm, "rpm"), (key.rpd, "rpd"), (key.tpm, "tpm"), (key.max_parallel, "parallel"))
        if value is not None
    ]
    return " · ".join(parts) or "—"


def day(moment: str | None) -> str:
    """The date of an RFC 3339 time."""
    return moment[:10] if moment else "—"


def described(key: KeyView) -> str:
    """The description, and whether the config file defines the key."""
    return "\n".join(line for line in (key.description, "Defined in the config file" if key.locked else "") if line)


def locked_icon(row: KeyView | ModelView) -> QIcon | None:
    """A lock if the config file defines the row."""
    return theme.icon("lock-simple") if row.locked else None


COLUMNS: list[Column[KeyView]] = [
    Column("Name", lambda key: key.name, bold=True, tooltip=described, icon=locked_icon),
    Column("Key", lambda key: key.hint, width=104, hide_order=3, mono=True, colour=lambda _: "text_muted"),
    Column("Status", lambda key: STATUS[key.status][0], width=106, pill=True, colour=lambda key: STATUS[key.status][1]),
    Column("Spend", spend, sort=lambda key: key.spend_usd, width=210, bar=share),
    Column("Resets", lambda key: day(key.next_reset), width=100, hide_order=4, colour=lambda _: "text_muted"),
    Column("Limits", limits, width=146, hide_order=1, colour=lambda _: "text_muted", tooltip=limits),
    Column(
        "Models",
        lambda key: ", ".join(key.models) or "All",
        width=92,
        hide_order=2,
        colour=lambda _: "text_muted",
        tooltip=lambda key: "\n".join(key.models),
    ),
    Column("Expires", lambda key: day(key.expires_at), width=100, hide_order=5, colour=lambda _: "text_muted"),
]


class KeysPage(TablePage[KeyView]):
    """The table of keys, with actions on the selected one."""

    title = "Virtual Keys"
    subtitle = "One key per app, each with its own models, budget and limits"
    icon = "key"
    # Requests too: each one adds to the spend of its key.
    topics = frozenset({"keys", "requests"})
    # The spend of a locked key can still be reset: the config file does not define it.
    lockable = frozenset({"edit", "toggle", "rotate", "delete"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        empty = EmptyState(
            "key", "No virtual keys yet", "Give each app its own key to track its spend, limit it, and revoke it on its own."
        )
        self.show_table(
            TableModel(COLUMNS, key=lambda key: key.id),
            empty.add_button("Create a key", self.on_new, icon="plus"),
            button("New key", "primary", "plus", self.on_new),
            "Filter keys",
            self._buttons(),
        )

    def _buttons(self) -> dict[str, QPushButton]:
        return {
            "setup": button("Client setup", "ghost", "code", self.on_setup, "Configuration snippets for clients"),
            "edit": button("Edit", "ghost", "pencil-simple", self.on_edit),
            "budget": button("Budget", "ghost", "wallet", self.on_budget, "The key's own budget, with its past periods"),
            "toggle": button("Disable", "ghost", "power", self.on_toggle),
            "rotate": button("Rotate", "ghost", "arrows-clockwise", self.on_rotate, "Replace this key by a new one"),
            "reset": button("Reset spend", "ghost", "arrow-counter-clockwise", self.on_reset),
            "delete": button("Delete", "ghost", "trash", self.on_delete),
        }

    async def refresh(self) -> None:
        """Load the keys."""
        self.show_rows(await self.client.keys())

    def hidden_for(self, row: KeyView) -> frozenset[str]:
        """A key without a budget of its own has none to show."""
        return frozenset({"budget"}) if row.budget_usd is None else frozenset()

    def show_current(self, row: KeyView | None) -> None:
        """Name the button after what it does to the selected row."""
        if row is not None:
            self.bar.rename("toggle", "Disable" if row.enabled else "Enable")

    def show_context(self, **context: Any) -> None:
        """`new=True` opens the dialog, `key=<id>` selects one."""
        if context.get("new"):
            self.on_new()
        if context.get("key"):
            self.select_when_loaded(context["key"])

    def on_new(self) -> None:
        """Ask for a new key."""
        self.ui.run(self._create())

    def on_setup(self) -> None:
        """Show snippets for the selected key."""
        self._with_current(self._set_up)

    def on_edit(self) -> None:
        """Change the selected key."""
        self._with_current(self._edit)

    def on_budget(self) -> None:
        """Show the selected key's own budget on the Budgets page."""
        if (key := self.view.current()) is not None:
            self.ui.navigate("budgets", key=key.id)

    def on_toggle(self) -> None:
        """Disable the selected key, or enable it again."""
        self._with_current(self._toggle)

    def on_rotate(self) -> None:
        """Replace the selected key."""
        self._with_current(self._rotate)

    def on_reset(self) -> None:
        """Reset the selected key's spend to zero."""
        self._with_current(self._reset)

    def on_delete(self) -> None:
        """Delete the selected key."""
        self._with_current(self._delete)

    async def _create(self) -> None:
        dialog = KeyDialog(self, self.client, self.ui)
        if await answer(dialog) and dialog.made is not None:
            await self._show_once(dialog.made)

    async def _set_up(self, key: KeyView) -> None:
        await answer(ClientSetupDialog(self, self.ui, key, await self._example_model()))

    async def _edit(self, key: KeyView) -> None:
        await answer(KeyDialog(self, self.client, self.ui, key))

    async def _toggle(self, key: KeyView) -> None:
        await self.client.edit_key(key.id, read(KeyPatch, {"enabled": not key.enabled}))

    async def _rotate(self, key: KeyView) -> None:
        text = f"Clients that use {key.hint} are rejected until they have the new key. Spend and limits are kept."
        if await confirm(self, f"Rotate {key.name}?", text, accept="Rotate"):
            await self._show_once(await self.client.rotate_key(key.id))

    async def _reset(self, key: KeyView) -> None:
        text = f"{usd(key.spend_usd)} of this period will no longer count towards the budget. The request log is not changed."
        if await confirm(self, f"Reset the spend of {key.name}?", text, accept="Reset spend", danger=False):
            await self.client.reset_spend(key.id)

    async def _delete(self, key: KeyView) -> None:
        text = f"Clients that use {key.hint} are rejected immediately. Its usage stays in the log. This cannot be undone."
        if await confirm(self, f"Delete {key.name}?", text, accept="Delete key"):
            await self.client.remove_key(key.id)

    async def _show_once(self, key: NewKeyView) -> None:
        await answer(NewKeyDialog(self, self.ui, key, await self._example_model()))

    async def _example_model(self) -> str:
        # A pattern such as `gpt-*` is not a name that a client can send.
        names = [alias.alias for alias in oldest_first(await self.client.models()) if "*" not in alias.alias and alias.enabled]
        return names[0] if names else "your-model"
