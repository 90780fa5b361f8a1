"""The dialog that tests a provider, lists its models and publishes some of them as aliases."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QWidget
from shiboken6 import isValid

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.views import OfferedView, ProviderTestView
from conduit_desktop.core.entities import alias_for
from conduit_desktop.core.errors import ConduitError
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.forms.form_dialog import cancel_on_close
from conduit_desktop.gui.widgets.icons import IconLabel
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

FEATURES = {"stream": "streaming", "tools": "tools", "vision": "vision", "json": "JSON", "usage_in_stream": "stream usage"}


def result_text(result: ProviderTestView) -> str:
    """The result of a connection test in one line."""
    if not result.ok:
        return result.error or "No response."
    features = [title for name, title in FEATURES.items() if result.features.get(name)]
    time = f" in {result.latency_ms:,.0f} ms" if result.latency_ms is not None else ""
    return f"Connected{time}" + (f" · {', '.join(features)}" if features else "")


class TestLine(QFrame):
    """The result of a connection test, or its progress."""

    __test__ = False  # not one of pytest's

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.M, theme.S, theme.M, theme.S)
        row.setSpacing(theme.S)
        self.icon = IconLabel("spinner", 16)
        self.text = label("", wrap=True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row.addWidget(self.icon)
        row.addWidget(self.text, 1)

    def show_result(self, tone: str, icon: str, text: str) -> None:
        """Show `text` in the colour of `tone` (success, danger or nothing)."""
        self.icon.set_icon(icon, tone or "text_muted")
        self.text.setText(text)
        theme.set_style_property(self, "tone", tone)


class ProviderModelsDialog(Dialog):
    """Tests the provider and lists its models. `published` are the aliases that were created or got a further target."""

    def __init__(self, parent: QWidget | None, client: AdminClient, ui: Ui, provider: str) -> None:
        super().__init__(parent, f"Models of {provider}", "Publish", width=760)
        self.client, self.ui, self.provider = client, ui, provider
        # By id: loading the list again replaces its rows.
        self.chosen: set[str] = set()
        self.published: list[str] = []
        self.cancel.setText("Close")
        self.test_line = TestLine()
        self.test_button = button("Test again", on_click=lambda: self._do(self.test()))
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter models")
        self.filter.setAccessibleName("Filter models")
        self.filter.setClearButtonEnabled(True)
        self.refresh_button = icon_button("arrows-clockwise", "Reload models", lambda: self._do(self.load(refresh=True)))
        self.all_button = button("Select all", "ghost", on_click=self.on_all)
        self.model = TableModel(self._columns(), key=lambda row: row.id)
        self.empty = EmptyState("cube", "Loading models…", "")
        self.view = TableView(self.model, self.empty)
        theme.scaled(self.view, lambda it: it.setMinimumHeight(theme.tall(330)))
        self._lay_out()
        self.view.activated.connect(self.toggle)
        self.view.table.clicked.connect(self.on_clicked)
        self.filter.textChanged.connect(self.view.set_filter)
        self._update()
        self._do(self.test())
        # A task of its own: a failed test must not keep the list from loading.
        self._do(self.load())

    def _lay_out(self) -> None:
        top, bar = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.test_line, 1)
        top.addWidget(self.test_button)
        bar.addWidget(self.filter, 1)
        bar.addWidget(self.all_button)
        bar.addWidget(self.refresh_button)
        self.body.addLayout(top)
        self.body.addLayout(bar)
        self.body.addWidget(self.view, 1)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        cancel_on_close(self, self.ui.run(work))

    def _columns(self) -> list[Column[OfferedView]]:
        return [
            Column(
                "Model", lambda row: row.id, icon=lambda row: theme.icon(*self._box(row)), tooltip=lambda row: row.name or row.id
            ),
            Column("Context", context, sort=lambda row: row.context_tokens, width=90, align="right"),
            Column("Input / output per 1M", price, sort=lambda row: row.input_usd, width=170, align="right"),
            Column("Alias", self._alias, width=180, colour=lambda _: "text_muted"),
        ]

    async def test(self) -> None:
        """Send a small request to the provider and show the result."""
        self.test_line.show_result("", "spinner", "Testing the connection…")
        try:
            result = await self.client.test_provider(self.provider)
        except ConduitError as error:
            self.test_line.show_result("danger", "x-circle", str(error))
            return
        self.test_line.show_result(
            "success" if result.ok else "danger", "check-circle" if result.ok else "x-circle", result_text(result)
        )

    async def load(self, refresh: bool = False) -> None:
        """Load the list of models; `refresh` bypasses the cache."""
        try:
            rows = await self.client.offered_models(self.provider, refresh=refresh)
        except ConduitError as error:
            self.empty.title.setText("The models could not be loaded")
            self.empty.text.setText(f"{error}\nYou can still enter a model name in an alias.")
            self.empty.text.show()
            return
        self._published_before = set((await self.client.provider_states())[self.provider].aliases)
        self.empty.title.setText("The provider lists no models")
        self.model.set_rows(rows)
        self._update()

    def toggle(self, model: str) -> None:
        """Select or deselect a model."""
        self.chosen ^= {model}
        self._update()

    def on_clicked(self, index: QModelIndex) -> None:
        """A row was clicked."""
        self.toggle(self.view.proxy.row_at(index).id)

    def on_all(self) -> None:
        """Select all rows that match the filter; deselect them if all are selected."""
        proxy = self.view.proxy
        shown = {proxy.row_at(proxy.index(row, 0)).id for row in range(proxy.rowCount())}
        self.chosen = self.chosen - shown if shown <= self.chosen else self.chosen | shown
        self._update()

    def submit(self) -> None:
        """Publish the selected models."""
        # Not through `_do`, which cancels on close: a publication that fails later still has to be reported.
        self.ui.run(self._publish())

    async def _publish(self) -> None:
        self.primary.setEnabled(False)
        wanted = [row.id for row in self.model.rows if row.id in self.chosen]
        try:
            self.published = await self.client.publish(self.provider, wanted)
        finally:
            # The dialog may have been closed, and deleted, while the gateway was at work.
            if isValid(self):
                self._update()
        if isValid(self):
            self.accept()

    def _update(self) -> None:
        self.primary.setText(f"Publish {len(self.chosen)}" if self.chosen else "Publish")
        self.primary.setEnabled(bool(self.chosen))
        # The check boxes are icons that are looked up while painting: the model itself has not changed.
        self.view.table.viewport().update()

    def _box(self, row: OfferedView) -> tuple[str, str]:
        return ("check-square", "accent_text") if row.id in self.chosen else ("square", "text_faint")

    def _alias(self, row: OfferedView) -> str:
        name = alias_for(row.id)
        if row.id in self.chosen:
            return name
        return name if name in getattr(self, "_published_before", ()) else "—"


def context(row: OfferedView) -> str:
    """`128k`, or an em dash."""
    if row.context_tokens is None:
        return "—"
    return f"{row.context_tokens // 1000:,}k" if row.context_tokens >= 1000 else str(row.context_tokens)


def price(row: OfferedView) -> str:
    """`$3 / $15`, or an em dash."""
    if row.input_usd is None or row.output_usd is None:
        return "—"
    return f"${row.input_usd:g} / ${row.output_usd:g}"
