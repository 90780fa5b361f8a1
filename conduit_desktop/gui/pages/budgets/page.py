"""Budgets: what each has spent, where it is going, its past periods, and the budgets of keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from PySide6.QtGui import QHideEvent, QIcon
from PySide6.QtWidgets import QPushButton

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.views import BudgetPeriodView
from conduit_desktop.core.bus import Change
from conduit_desktop.core.errors import NotFound
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.budgets.detail import SHOWN, BudgetDetail, projection_text
from conduit_desktop.gui.pages.budgets.dialogs import BudgetDialog, BudgetTargets
from conduit_desktop.gui.pages.budgets.rows import BudgetRow, day, rows_of
from conduit_desktop.gui.pages.table_page import TablePage
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import answer, confirm
from conduit_desktop.gui.widgets.tables.model import Column, TableModel

REFRESH_MS = 2000
"""Milliseconds between two refreshes: reservations come and go, projections move and periods end without a change on the bus."""


def _now() -> datetime:
    return datetime.now(UTC)


def _icon(row: BudgetRow) -> QIcon | None:
    return theme.icon("lock-simple") if row.locked else theme.icon("key") if row.of_key else None


def _name_tip(row: BudgetRow) -> str:
    own = "The key's own budget: change it on the Virtual Keys page" if row.of_key else ""
    return "\n".join(line for line in (row.name, own, "Defined in the config file" if row.locked else "") if line)


def _projected(row: BudgetRow) -> str:
    found = row.projection(_now())
    return "—" if found is None else show_usd(found.nano)


def _projected_nano(row: BudgetRow) -> int | None:
    found = row.projection(_now())
    return None if found is None else found.nano


def _projected_tone(row: BudgetRow) -> str | None:
    found = row.projection(_now())
    return "text_faint" if found is None else "danger" if found.nano > row.limit_nano else None


COLUMNS: list[Column[BudgetRow]] = [
    Column("Name", lambda row: row.name, bold=True, tooltip=_name_tip, icon=_icon),
    Column("Applies to", lambda row: row.applies_to, width=170, hide_order=2, tooltip=lambda row: row.applies_to),
    Column(
        "Spent", lambda row: row.spent_text, sort=lambda row: row.share, width=230, bar=lambda row: row.share,
        marks=lambda row: row.thresholds, tooltip=lambda row: row.spent_text,
    ),
    Column(
        "Reserved", lambda row: show_usd(row.reserved_nano) if row.reserved_nano else "—", sort=lambda row: row.reserved_nano,
        align="right", width=88, hide_order=4, colour=lambda row: None if row.reserved_nano else "text_faint",
        tooltip=lambda _: "The expected cost of the requests in flight",
    ),
    Column(
        "Projection", _projected, sort=_projected_nano, align="right", width=96, hide_order=1, colour=_projected_tone,
        tooltip=lambda row: projection_text(row, _now()),
    ),
    Column(
        "Resets", lambda row: day(row.reset) if row.reset else "Never", sort=lambda row: row.reset.timestamp() if row.reset else 0,
        width=96, hide_order=5, colour=lambda _: "text_muted",
    ),
    Column(
        "At the limit", lambda row: "Refuse" if row.action == "block" else "Notify", width=96, pill=True, hide_order=3,
        colour=lambda row: "text_muted" if row.action == "block" else "info",
    ),
]  # fmt: skip


class BudgetsPage(TablePage[BudgetRow]):
    """The table of budgets, with the selected one below it."""

    title = "Budgets"
    subtitle = "Limits on what is spent; periods are in UTC"
    icon = "wallet"
    # Requests add to the spend; keys have names, teams and budgets of their own.
    topics = frozenset({"budgets", "keys", "requests"})
    lockable = frozenset({"edit", "delete"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self._past: list[BudgetPeriodView] | None = None
        self._history_of: tuple[Any, ...] | None = None
        """The budget and the start of its running period whose history is shown; None: to be loaded."""
        self._history_changes = 0
        empty = EmptyState(
            "wallet",
            "No budgets yet",
            "A budget limits what everybody, a provider, an alias, a key or a team may spend in a day, a week or a month.",
        )
        self.detail = BudgetDetail()
        self.show_table(
            TableModel(COLUMNS, key=lambda row: row.key),
            empty.add_button("Create a budget", self.on_new, icon="plus"),
            button("New budget", "primary", "plus", self.on_new),
            "Filter budgets",
            self._buttons(),
        )
        self.view.table.setAccessibleName("Budgets")
        self.view.selected.connect(lambda _: self.ui.run(self._load_history()))
        # Also in the smallest window, both the table and the pane below it show something.
        theme.scaled(self.view, lambda it: it.setMinimumHeight(theme.px(140)))
        theme.scaled(self.detail, lambda it: it.setMinimumHeight(theme.px(190)))
        theme.scaled(self.detail, lambda it: it.setMaximumHeight(theme.px(272)))
        self.detail.hide()
        self.body.addWidget(self.detail, 1)
        self.run_while_visible(self.request_refresh, REFRESH_MS)

    def _buttons(self) -> dict[str, QPushButton]:
        return {
            "key": button("Open key", "ghost", "key", self.on_key, "Show the key on the Virtual Keys page"),
            "edit": button("Edit", "ghost", "pencil-simple", self.on_edit),
            "delete": button("Delete", "ghost", "trash", self.on_delete),
        }

    async def refresh(self) -> None:
        """Load the budgets and the keys, and the past periods of the selected budget if they may have changed."""
        # Both before either is shown: a key that was just renamed must not have its old name in a row.
        budgets, keys = await self.client.budgets(), await self.client.keys()
        self.show_rows(rows_of(budgets, keys))
        if self.view.current() is None and self.model.rows:
            self.view.select(self.model.rows[0].key)
        await self._load_history()

    async def _load_history(self) -> None:
        """Load the past periods of the selected budget, unless they are shown already."""
        row = self.view.current()
        if row is None or self._history_of == (row.key, row.period, row.start):
            return
        wanted, changes = (row.key, row.period, row.start), self._history_changes
        past: list[BudgetPeriodView] | None = None
        if SHOWN[row.period]:
            history = self.client.key_history if row.of_key else self.client.budget_history
            try:
                past = await history(row.id, SHOWN[row.period])
            except NotFound:  # removed meanwhile: the refresh that follows drops its row
                return
        now = self.view.current()
        if now is not None and (now.key, now.period, now.start) == wanted:
            # What changed while it was read may not be in it: the next refresh reads again.
            self._history_of = wanted if changes == self._history_changes else None
            self._past = past
            self.detail.show_history(now, past)

    def on_changes(self, changes: Sequence[Change]) -> None:
        """Load the past periods again too, unless all changes are requests of the running one."""
        row = self.view.current()
        start_ms = 0 if row is None or row.start is None else int(row.start.timestamp() * 1000)
        for change in changes:
            if change.topic in self.topics and not (
                isinstance(change.payload, RequestRecord) and change.payload.started_at >= start_ms
            ):
                self._forget_history()
        super().on_changes(changes)

    def _forget_history(self) -> None:
        self._history_of = None
        self._history_changes += 1

    def hidden_for(self, row: BudgetRow) -> frozenset[str]:
        """A key's own budget is changed with its key."""
        return frozenset({"edit", "delete"}) if row.of_key else frozenset() if row.scope == "key" else frozenset({"key"})

    def show_current(self, row: BudgetRow | None) -> None:
        """Show the selected budget below the table."""
        self.detail.setVisible(row is not None)
        if row is None:
            return
        self.detail.show_row(row, _now())
        if self._history_of == (row.key, row.period, row.start):
            self.detail.show_history(row, self._past)
        elif self._history_of is None or self._history_of[0] != row.key:
            self.detail.show_history(row, None)

    def show_context(self, **context: Any) -> None:
        """`new=True` opens the form, `budget=<id>` selects one, `key=<id>` a key's own one."""
        if context.get("new"):
            self.on_new()
        for name, of_key in (("budget", False), ("key", True)):
            if context.get(name):
                self.select_when_loaded((of_key, context[name]))

    def on_new(self) -> None:
        """Ask for a new budget."""
        self.ui.run(self._create())

    def on_edit(self) -> None:
        """Change the selected budget; a key's own one on the page of keys."""
        self._with_current(self._edit)

    def on_delete(self) -> None:
        """Delete the selected budget."""
        self._with_current(self._delete)

    def on_key(self) -> None:
        """Show the key of the selected budget."""
        self._with_current(self._open_key)

    async def _create(self) -> None:
        dialog = BudgetDialog(self, self.client, self.ui, await self._targets())
        if await answer(dialog) and dialog.made is not None:
            self.show_context(budget=dialog.made.id)

    async def _edit(self, row: BudgetRow) -> None:
        if row.of_key:
            await self._open_key(row)
        else:
            # As it is now: the row shows names and percent.
            budget = await self.client.budget(row.id)
            await answer(BudgetDialog(self, self.client, self.ui, await self._targets(), budget))

    async def _delete(self, row: BudgetRow) -> None:
        text = f"{row.applies_to}: nothing will be limited by this budget any more. Usage stays in the log. This cannot be undone."
        if await confirm(self, f"Delete {row.name}?", text, accept="Delete budget"):
            await self.client.remove_budget(row.id)

    async def _open_key(self, row: BudgetRow) -> None:
        key = row.id if row.of_key else (await self.client.budget(row.id)).target
        self.ui.navigate("keys", key=key)

    async def _targets(self) -> BudgetTargets:
        keys = await self.client.keys()
        return BudgetTargets(
            providers=sorted(one.name for one in await self.client.providers()),
            aliases=sorted(one.alias for one in await self.client.models()),
            keys=sorted((one.name, one.id) for one in keys),
            teams=sorted({one.team for one in keys if one.team}),
        )

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        # What changes while the page is hidden is not seen one by one.
        self._forget_history()
