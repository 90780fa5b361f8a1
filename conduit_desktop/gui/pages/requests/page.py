"""The request log, live: a table that follows what happens, and an inspector that explains one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSplitter, QVBoxLayout, QWidget

from conduit_desktop.actions import requests
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import RequestQuery
from conduit_desktop.core.bus import Change
from conduit_desktop.core.errors import NotFound
from conduit_desktop.core.records import RequestRecord, RequestStatus
from conduit_desktop.gui import formatting as moments
from conduit_desktop.gui.pages import Page, Ui
from conduit_desktop.gui.pages.dashboard.cards import cost_text
from conduit_desktop.gui.pages.requests.inspector import WIDTH, Inspector
from conduit_desktop.gui.request_rows import TONES, RequestRow, row_of
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import label
from conduit_desktop.gui.widgets.empty import EmptyState
from conduit_desktop.gui.widgets.forms.editors import ComboBox
from conduit_desktop.gui.widgets.forms.switch import Switch
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

PART = 200
"""Requests loaded at once."""

MOST_LIVE = 500
"""Requests kept in the table while following, and all that the user loaded; older ones are a click away."""

MOST_A_BREATH = 40
"""Of a flood, the newest are shown."""


class RequestsPage(Page):
    """Filters of status, key and model ask the log; the words in the search field filter what is shown."""

    title = "Requests"
    icon = "activity"
    topics = frozenset({"requests", "keys", "models", "prices"})

    def __init__(self, context: AppContext, ui: Ui) -> None:
        super().__init__(context, ui)
        self._cursor: str | None = None
        self._wanted: str | None = None
        self._most = MOST_LIVE
        self._inspected = False
        self._header_actions()
        self._filters()
        empty = EmptyState("activity", "No requests", "Requests appear here the moment they are made.")
        empty.add_button("Open the chat", lambda: self.ui.navigate("chat"), "plain")
        self.table: TableView[RequestRow] = TableView(TableModel(_COLUMNS, key=lambda line: line.id), empty)
        self.table.sort_by(0, descending=True)
        self.table.selected.connect(self._on_selected)
        self.table.activated.connect(self._on_selected)
        self.older = button("Load older requests", "ghost", on_click=lambda: self.ui.run(self.load_older()))
        self.older.hide()
        self.inspector = Inspector(context, ui)
        self.inspector.closed.connect(self._on_closed)
        self._lay_out()

    def _header_actions(self) -> None:
        self.follow = Switch()
        self.follow.setChecked(True)
        self.follow.setAccessibleName("Follow")
        self.follow.setToolTip("Show requests as they are made")
        self.follow.toggled.connect(lambda on: self.ask_refresh() if on else None)
        self.add_action(label("Follow", "muted"))
        self.add_action(self.follow)

    def _filters(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(theme.S)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Filter what is shown")
        self.search.setClearButtonEnabled(True)
        self.search.addAction(theme.icon("magnifying-glass", "text_faint"), QLineEdit.ActionPosition.LeadingPosition)
        self.status, self.key, self.model = ComboBox(), ComboBox(), ComboBox()
        for combo, name in ((self.status, "Any status"), (self.key, "Any key"), (self.model, "Any model")):
            combo.setFixedWidth(130)  # long names must not take the search field's room; the list below is as wide as they are
            combo.setSizeAdjustPolicy(ComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setAccessibleName(name)
            combo.addItem(name, None)
            combo.activated.connect(lambda _: self.ask_refresh())
        for status in get_args(RequestStatus):
            self.status.addItem(status.capitalize(), status)
        row.addWidget(self.search, 1)
        for combo in (self.status, self.key, self.model):
            row.addWidget(combo)
        self.body.addLayout(row)

    def _lay_out(self) -> None:
        self.search.textChanged.connect(self.table.set_filter)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.S)
        column.addWidget(self.table, 1)
        column.addWidget(self.older, 0, Qt.AlignmentFlag.AlignHCenter)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(theme.M)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.inspector)
        self.splitter.setStretchFactor(0, 1)
        self.inspector.hide()
        self.body.addWidget(self.splitter, 1)

    async def refresh(self) -> None:
        """Load the newest requests that fit the filters, and the choices of the filters."""
        self._fill(self.key, [(key.name, key.id) for key in self.context.gateway.snapshot.keys.values()])
        self._fill(self.model, [(alias, alias) for alias in sorted(one.alias for one in self._aliases())])
        found, self._cursor = await requests.records(self.context, self._query())
        self.table.model.set_rows(row_of(record) for record in found)
        self._most = MOST_LIVE
        self.older.setVisible(self._cursor is not None)
        if self._wanted is not None:
            await self._open(self._wanted)

    def _aliases(self) -> list[Any]:
        snapshot = self.context.gateway.snapshot
        return [*snapshot.aliases.values(), *snapshot.patterns]

    def _query(self, cursor: str | None = None) -> RequestQuery:
        return RequestQuery(
            limit=PART,
            cursor=cursor,
            status=self.status.currentData(),
            key=self.key.currentData(),
            model=self.model.currentData(),
        )

    async def load_older(self) -> None:
        """Put the next part of the log below what is shown."""
        found, self._cursor = await requests.records(self.context, self._query(self._cursor))
        self.table.model.upsert(row_of(record) for record in found)
        self._most = max(MOST_LIVE, len(self.table.model.rows))
        self.older.setVisible(self._cursor is not None)

    async def _open(self, request_id: str) -> None:
        """Show one request in the inspector, and select it where it is in the table."""
        self._wanted = None
        try:
            detail = await requests.get(self.context, request_id)
        except NotFound:
            self.ui.notify("That request is no longer in the log.", "warning")
            return
        if self.table.model.row(request_id) is not None:
            self.table.select(request_id)
        self.inspector.show_request(detail)
        self._show_inspector()

    def _show_inspector(self) -> None:
        """As wide as a request's id, where the window has that room; where the user drew the border, it stays."""
        self.inspector.show()
        if not self._inspected:
            self._inspected = True
            wide = min(WIDTH, self.splitter.width() * 4 // 9)
            self.splitter.setSizes([self.splitter.width() - wide, wide])

    def on_changes(self, changes: Sequence[Change]) -> None:
        """Put new requests on top while following; load anew after a batch that was missed."""
        records = [change.payload for change in changes if isinstance(change.payload, RequestRecord)]
        if self.follow.isChecked():
            fitting = [row_of(record) for record in reversed(records[-MOST_A_BREATH:]) if self._fits(record)]
            if fitting:
                self._put_on_top(fitting)
            if any(change.topic in self.topics and not isinstance(change.payload, RequestRecord) for change in changes):
                self.ask_refresh()

    def _put_on_top(self, lines: list[RequestRow]) -> None:
        with self.table.steady():
            self.table.model.upsert(lines, at_top=True)
            gone = self.table.model.trim(self._most)
        if gone:
            self._cursor = requests.cursor_at(max(line.at for line in gone))
            self.older.show()

    def _fits(self, record: RequestRecord) -> bool:
        status, key, model = self.status.currentData(), self.key.currentData(), self.model.currentData()
        return status in (None, record.status) and key in (None, record.key_id) and model in (None, record.model)

    def _fill(self, combo: ComboBox, choices: list[tuple[str, Any]]) -> None:
        """Offer these beside `any`, keeping what is chosen."""
        chosen = combo.currentData()
        while combo.count() > 1:
            combo.removeItem(1)
        for text, value in sorted(choices):
            combo.addItem(text, value)
        combo.setCurrentIndex(max(0, combo.findData(chosen)) if chosen is not None else 0)

    def _on_selected(self, request_id: str | None) -> None:
        if request_id is not None and request_id != self.inspector.request_id:
            self.ui.run(self._open(request_id))
        elif request_id is not None:
            self._show_inspector()

    def _on_closed(self) -> None:
        self.inspector.hide()
        self.table.table.clearSelection()

    def show_context(self, **context: Any) -> None:
        """`request` opens one; `status`, `key` (an id) and `model` set the filters."""
        for name, combo in (("status", self.status), ("key", self.key), ("model", self.model)):
            if name in context:
                at = combo.findData(context[name])
                if at < 0:
                    combo.addItem(str(context[name]), context[name])
                combo.setCurrentIndex(combo.findData(context[name]))
        self._wanted = context.get("request")
        self.ask_refresh()

    def focus_filter(self) -> None:
        """The cursor into the search field."""
        self.search.setFocus()
        self.search.selectAll()


_COLUMNS: tuple[Column[RequestRow], ...] = (
    Column("Time", lambda line: moments.clock(line.at), sort=lambda line: line.at, width=104, colour=lambda _: "text_muted"),
    Column("Status", lambda line: line.status, width=100, pill=True, colour=lambda line: TONES[line.status],
           tooltip=lambda line: line.error),
    Column("Key", lambda line: line.key, width=118, spare=2, tooltip=lambda line: line.client),
    Column("Model and target", lambda line: f"{line.model}  →  {line.target}" if line.target else line.model),
    Column("In", lambda line: moments.count(line.tokens_in), sort=lambda line: line.tokens_in, align="right", width=76,
           spare=4),
    Column("Out", lambda line: moments.count(line.tokens_out), sort=lambda line: line.tokens_out, align="right", width=70,
           spare=3),
    Column("Cost", cost_text, sort=lambda line: line.cost_nano, align="right", width=92, spare=1,
           colour=lambda line: "text_faint" if line.cost_nano is None else None),
    Column("First token", lambda line: moments.duration(line.first_token_ms), sort=lambda line: line.first_token_ms, align="right",
           width=100, spare=5),
    Column("Duration", lambda line: moments.duration(line.duration_ms), sort=lambda line: line.duration_ms, align="right",
           width=92),
)  # fmt: skip
