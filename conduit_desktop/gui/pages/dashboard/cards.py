"""The dashboard's lists: the latest requests, the providers' state, and budgets that are nearly spent."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.provider_states import ProviderStateView, provider_states
from conduit_desktop.actions.schemas.views import KeyView
from conduit_desktop.core.money import show_usd
from conduit_desktop.gui import formatting as moments
from conduit_desktop.gui.pages import Ui
from conduit_desktop.gui.pages.providers.card import TONES as PROVIDER_TONES
from conduit_desktop.gui.request_rows import TONES, RequestRow
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import Card, Dot, clear, label
from conduit_desktop.gui.widgets.elided import Elided
from conduit_desktop.gui.widgets.empty import EmptyState
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

NEARLY = 0.8
"""The share of a budget from which it is shown."""

MOST = 5


def cost_text(line: RequestRow) -> str:
    """The cost as tables show it: `~` marks an estimate."""
    known = show_usd(line.cost_nano)
    return f"~{known}" if line.cost_state == "estimated" and line.cost_nano is not None else known


def recent_table() -> TableView[RequestRow]:
    """The latest requests in few columns."""
    model: TableModel[RequestRow] = TableModel(
        [
            Column("Time", lambda line: moments.clock(line.at), sort=lambda line: line.at, width=86, colour=lambda _: "text_muted"),
            Column("Status", lambda line: line.status, width=100, pill=True, colour=lambda line: TONES[line.status]),
            Column("Model", lambda line: line.model, tooltip=lambda line: line.target),
            Column("Tokens", lambda line: moments.count(line.tokens_in + line.tokens_out), align="right", width=86, spare=2),
            Column(
                "Cost", cost_text, align="right", width=92, colour=lambda line: None if line.cost_nano is not None else "text_faint"
            ),
            Column("Time taken", lambda line: moments.duration(line.duration_ms), align="right", width=96, spare=1),
        ],
        key=lambda line: line.id,
    )
    view: TableView[RequestRow] = TableView(model, EmptyState("activity", "No requests yet", ""))
    view.setObjectName("bare")
    view.table.setSortingEnabled(False)
    view.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.table.verticalHeader().setDefaultSectionSize(34)
    view.setMinimumHeight(34 + 8 * 34 + 4)
    return view


class ProvidersCard(Card):
    """Every provider with its state in a few words, those in trouble first."""

    def __init__(self, ui: Ui) -> None:
        super().__init__("Providers")
        self._shown: list[tuple[str, ProviderStateView]] | None = None
        self.add_action(button("Manage", "ghost", on_click=lambda: ui.navigate("providers")))

    def show_providers(self, context: AppContext) -> None:
        """Read their state from memory and show it."""
        order = ("unready", "troubled", "answering", "unused", "disabled")
        states = sorted(provider_states(context).items(), key=lambda pair: (order.index(pair[1].state), pair[0]))
        if states == self._shown:
            return
        self._shown = states
        clear(self.body)
        for name, state in states[:MOST]:
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 2, 0, 2)
            line.setSpacing(theme.S)
            dot = Dot(PROVIDER_TONES[state.state])
            words = Elided(state.text, "faint", Qt.AlignmentFlag.AlignRight)
            line.addWidget(dot)
            line.addWidget(Elided(name, snug=True))
            line.addWidget(words, 1)
            self.body.addWidget(row)
        if len(states) > MOST:
            self.body.addWidget(label(f"and {len(states) - MOST} more", "faint"))
        if not states:
            self.body.addWidget(label("None yet. Add one to reach its models.", "muted"))


class BudgetsCard(Card):
    """Keys that have used most of their budget; hidden while there is none."""

    def __init__(self, ui: Ui) -> None:
        super().__init__("Budgets nearly spent")
        self._shown: list[tuple[KeyView, float]] = []
        self.add_action(button("Keys", "ghost", on_click=lambda: ui.navigate("keys")))
        self.hide()

    def show_keys(self, keys: Sequence[KeyView]) -> None:
        """Show the keys at 80 % of their budget and above, the fullest first."""
        near = [
            (key, key.spend_usd / key.budget_usd) for key in keys if key.budget_usd and key.spend_usd >= NEARLY * key.budget_usd
        ]
        if near == self._shown:
            return
        self._shown = near
        clear(self.body)
        for key, share in sorted(near, key=lambda pair: -pair[1])[:MOST]:
            row = QHBoxLayout()
            row.addWidget(Elided(key.name), 1)
            row.addWidget(label(f"{moments.cost(key.spend_usd)} of {moments.cost(key.budget_usd)}", "muted"))
            bar = QProgressBar()
            bar.setTextVisible(False)
            bar.setRange(0, 100)
            bar.setValue(min(100, round(share * 100)))
            bar.setProperty("tone", "danger" if share >= 1 else "warning")
            holder = QWidget()
            holder.setLayout(row)
            row.setContentsMargins(0, 2, 0, 0)
            self.body.addWidget(holder)
            self.body.addWidget(bar)
        self.setVisible(bool(near))
