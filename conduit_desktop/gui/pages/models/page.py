"""Model aliases: the names that clients call, and the targets behind them."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QPushButton

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import ModelPatch, read
from conduit_desktop.actions.schemas.views import ModelView
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.order import oldest_first
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.models.dialogs import STRATEGIES, ExplainDialog, ModelDialog
from conduit_desktop.gui.pages.table_page import TablePage
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import answer, confirm
from conduit_desktop.gui.widgets.tables.model import Column, TableModel


def targets(alias: ModelView) -> list[str]:
    """Each target as `provider/model`."""
    return [f"{target.provider}/{target.model}" for target in alias.targets]


COLUMNS: list[Column[ModelView]] = [
    Column(
        "Alias", lambda row: row.alias, width=220, bold=True, icon=lambda row: theme.icon("lock-simple") if row.locked else None
    ),
    Column("Targets", lambda row: " ".join(targets(row)), chips=targets, tooltip=lambda row: "\n".join(targets(row))),
    Column("Strategy", lambda row: STRATEGIES[row.strategy][0], width=144, hide_order=2, colour=lambda _: "text_muted"),
    Column("Fallbacks", lambda row: ", ".join(row.fallbacks) or "—", width=170, hide_order=3, colour=lambda _: "text_muted"),
    Column(
        "Status",
        lambda row: "Enabled" if row.enabled else "Disabled",
        width=110,
        pill=True,
        colour=lambda row: "success" if row.enabled else "text_muted",
    ),
]


class ModelsPage(TablePage[ModelView]):
    """The table of aliases, with actions on the selected one."""

    title = "Models"
    subtitle = "Aliases that clients call, and the targets they route to"
    icon = "cube"
    topics = frozenset({"models"})
    lockable = frozenset({"edit", "toggle", "delete"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        empty = EmptyState(
            "cube", "No model aliases yet", "An alias is a model name of your own that routes to models of one or more providers."
        )
        self.show_table(
            TableModel(COLUMNS, key=lambda row: row.alias),
            empty.add_button("Create an alias", self.on_new, icon="plus"),
            button("New alias", "primary", "plus", self.on_new),
            "Filter models",
            self._buttons(),
        )

    def _buttons(self) -> dict[str, QPushButton]:
        return {
            "try": button("Try in chat", "ghost", "chat-circle", self.on_try),
            "explain": button(
                "Explain route", "ghost", "git-branch", self.on_explain, "Show which targets a request would use, and why"
            ),
            "edit": button("Edit", "ghost", "pencil-simple", self.on_edit),
            "toggle": button("Disable", "ghost", "power", self.on_toggle),
            "delete": button("Delete", "ghost", "trash", self.on_delete),
        }

    async def refresh(self) -> None:
        """Load the aliases."""
        self.show_rows(oldest_first(await self.client.models()))

    def show_current(self, row: ModelView | None) -> None:
        """Name the button after what it does to the selected row."""
        if row is not None:
            self.bar.rename("toggle", "Disable" if row.enabled else "Enable")

    def show_context(self, **context: Any) -> None:
        """`new=True` opens the editor; `targets` may go with it."""
        if context.get("new"):
            self.ui.run(self._create(context.get("targets", ())))

    def on_new(self) -> None:
        """Create an alias."""
        self.ui.run(self._create(()))

    def on_try(self) -> None:
        """Open Chat with the selected alias."""
        if row := self.view.current():
            self.ui.navigate("chat", model=row.alias)

    def on_explain(self) -> None:
        """Show the targets that a request for the selected alias would use."""
        self._with_current(self._explain)

    def on_edit(self) -> None:
        """Edit the selected alias."""
        self._with_current(self._edit)

    def on_toggle(self) -> None:
        """Disable the selected alias, or enable it again."""
        self._with_current(self._toggle)

    def on_delete(self) -> None:
        """Delete the selected alias."""
        self._with_current(self._delete)

    async def _create(self, wanted: Any) -> None:
        known = await self._provider_names()
        if not known:
            text = "An alias routes to a provider. Add a provider first; the demo provider needs no key."
            if await confirm(self, "No providers yet", text, accept="Add a provider", danger=False):
                self.ui.navigate("providers", new=True)
            return
        await answer(ModelDialog(self, self.client, self.ui, known, self._aliases(), targets=wanted))

    async def _edit(self, row: ModelView) -> None:
        await answer(ModelDialog(self, self.client, self.ui, await self._provider_names(), self._aliases(), row))

    async def _explain(self, row: ModelView) -> None:
        await answer(ExplainDialog(self, self.client, self.ui, row.alias))

    async def _toggle(self, row: ModelView) -> None:
        await self.client.edit_model(row.alias, read(ModelPatch, {"enabled": not row.enabled}))

    async def _delete(self, row: ModelView) -> None:
        # From the rows of the table: they are all aliases, so no query is needed.
        users = [one.alias for one in self.model.rows if row.alias in one.fallbacks]
        text = f"Requests for {row.alias} will be rejected."
        text += f" {', '.join(users)} will no longer fall back to it." if users else ""
        if await confirm(self, f"Delete {row.alias}?", text, accept="Delete alias"):
            await self.client.remove_model(row.alias)

    async def _provider_names(self) -> list[str]:
        return [one.name for one in oldest_first(await self.client.providers())]

    def _aliases(self) -> list[str]:
        return [row.alias for row in self.model.rows]
