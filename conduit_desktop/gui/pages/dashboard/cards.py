"""The dashboard's lists: latest requests, state of the providers, and budgets that are almost used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from conduit_desktop.actions.schemas.views import ProviderStateView
from conduit_desktop.core.money import show_usd
from conduit_desktop.gui import formatting
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.budgets.rows import BudgetRow
from conduit_desktop.gui.pages.providers.card import TONES as PROVIDER_TONES
from conduit_desktop.gui.request_rows import STATUS_LABELS, TONES, RequestRow, cost_text
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import Card
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.labels import ElidedLabel, label
from conduit_desktop.gui.widgets.layouts import clear
from conduit_desktop.gui.widgets.pills import Dot, share_tone
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

MOST = 5


def recent_table() -> TableView[RequestRow]:
    """A table of the latest requests with few columns."""
    model: TableModel[RequestRow] = TableModel(
        [
            Column("Time", lambda row: formatting.clock(row.at), sort=lambda row: row.at, width=112, colour=lambda _: "text_muted"),
            Column("Status", lambda row: STATUS_LABELS[row.status], width=96, pill=True, colour=lambda row: TONES[row.status]),
            Column("Model", lambda row: row.model, tooltip=lambda row: row.target),
            Column("Tokens", lambda row: formatting.count(row.tokens_in + row.tokens_out), align="right", width=80, hide_order=2),
            Column(
                "Cost", cost_text, align="right", width=92, colour=lambda row: None if row.cost_nano is not None else "text_faint"
            ),
            Column("Duration", lambda row: formatting.duration(row.duration_ms), align="right", width=88, hide_order=1),
        ],
        key=lambda row: row.id,
    )
    view: TableView[RequestRow] = TableView(model, EmptyState("activity", "No requests yet", ""))
    view.setObjectName("bare")
    # The order is what the list is about: the latest ones.
    view.table.setSortingEnabled(False)
    view.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    theme.scaled(view.table.verticalHeader(), lambda it: it.setDefaultSectionSize(theme.px(34)))
    theme.scaled(view, lambda it: it.setMinimumHeight(9 * theme.px(34) + 4))
    return view


class ProvidersCard(Card):
    """The state of every provider, failing ones first."""

    def __init__(self, ui: Ui) -> None:
        super().__init__("Providers")
        self._shown: list[tuple[str, ProviderStateView]] | None = None
        self.add_action(button("Manage", "ghost", on_click=lambda: ui.navigate("providers")))

    def show_providers(self, by_name: Mapping[str, ProviderStateView]) -> None:
        """Show the state of each provider."""
        order = ("unready", "troubled", "answering", "unused", "disabled")
        states = sorted(by_name.items(), key=lambda pair: (order.index(pair[1].state), pair[0]))
        # Called twice a second while requests arrive: the rows are built again only for a change.
        if states == self._shown:
            return
        self._shown = states
        clear(self.body)
        for name, state in states[:MOST]:
            row = QWidget()
            layout = QHBoxLayout(row)
            layout.setContentsMargins(0, 2, 0, 2)
            layout.setSpacing(theme.S)
            layout.addWidget(Dot(PROVIDER_TONES[state.state]))
            layout.addWidget(ElidedLabel(name, snug=True))
            layout.addWidget(ElidedLabel(state.text, "faint", Qt.AlignmentFlag.AlignRight), 1)
            self.body.addWidget(row)
        if len(states) > MOST:
            self.body.addWidget(label(f"and {len(states) - MOST} more", "faint"))
        if not states:
            self.body.addWidget(label("No providers yet.", "muted"))


class BudgetsCard(Card):
    """Budgets, those of keys included, that have reached their first threshold; hidden while there are none."""

    def __init__(self, ui: Ui) -> None:
        super().__init__("Budgets almost used")
        self._shown: list[BudgetRow] = []
        self.add_action(button("Budgets", "ghost", on_click=lambda: ui.navigate("budgets")))
        self.hide()

    def show_budgets(self, rows: Sequence[BudgetRow]) -> None:
        """Show the budgets that have reached their first threshold (without any, 80 %), the highest share first."""
        near = [row for row in rows if row.limit_nano and share_tone(row.share, row.thresholds) != "accent"]
        # Called twice a second as well (see `ProvidersCard`). Reservations, which come and go, are not shown.
        near = [replace(row, reserved_nano=0) for row in near]
        if near == self._shown:
            return
        self._shown = near
        clear(self.body)
        for shown in sorted(near, key=lambda row: -row.share)[:MOST]:
            row = QHBoxLayout()
            row.addWidget(ElidedLabel(shown.name), 1)
            row.addWidget(label(f"{show_usd(shown.spend_nano)} of {show_usd(shown.limit_nano)}", "muted"))
            bar = QProgressBar()
            bar.setTextVisible(False)
            bar.setRange(0, 100)
            bar.setValue(min(100, round(shown.share * 100)))
            bar.setProperty("tone", share_tone(shown.share, shown.thresholds))
            bar.setAccessibleName(f"{shown.name}: {shown.spent_text}")
            holder = QWidget()
            holder.setLayout(row)
            row.setContentsMargins(0, 2, 0, 0)
            self.body.addWidget(holder)
            self.body.addWidget(bar)
        if len(near) > MOST:
            self.body.addWidget(label(f"and {len(near) - MOST} more", "faint"))
        self.setVisible(bool(near))
