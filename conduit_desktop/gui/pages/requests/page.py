"""The request log: a live table, and an inspector for one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from PySide6.QtCore import QModelIndex, Qt, QTimer
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QSplitter, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.inputs import RequestQuery
from conduit_desktop.core.bus import Change
from conduit_desktop.core.errors import NotFound
from conduit_desktop.core.records import RequestRecord, RequestStatus
from conduit_desktop.gui import formatting
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.pages.requests.exports import write_jsonl
from conduit_desktop.gui.pages.requests.filter_chips import Filter, FilterChips
from conduit_desktop.gui.pages.requests.inspector import WIDTH, Inspector
from conduit_desktop.gui.pages.requests.more_filters import MoreFilters
from conduit_desktop.gui.pages.requests.replay import CompareDialog, replay, why_not
from conduit_desktop.gui.request_rows import STATUS_LABELS, TONES, RequestRow, cost_text, row_of
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import answer, choose_file
from conduit_desktop.gui.widgets.forms.editors import ComboBox
from conduit_desktop.gui.widgets.forms.switch import Switch
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.layouts import FlowLayout
from conduit_desktop.gui.widgets.tables.model import Column, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView

if TYPE_CHECKING:
    from conduit_desktop.actions.admin_client import AdminClient
    from conduit_desktop.gui.feed import Feed

PART = 200
"""Requests loaded per page of the log."""

MOST_LIVE = 500
"""Requests kept in a live table, unless the user loaded more; older ones can be loaded again."""

SEARCH_MS = 300
"""Milliseconds without a keystroke after which the log is searched for the text."""

COMPARE = "Compare two selected requests (select the second with Ctrl or Shift)"
PAGES_AHEAD = 2
"""Pages of the table below the visible one that are kept loaded."""

MAX_PER_BATCH = 40
"""Requests added to the table per batch of the feed; of more, the newest."""


class RequestsPage(Page):
    """The filters for status, key and model query the log.

    The search field filters the loaded rows at once, by the words that they show; then the log is searched for its text.
    """

    title = "Requests"
    icon = "activity"
    topics = frozenset({"requests", "keys", "models", "prices", "providers"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self._cursor: str | None = None
        self._listed: RequestQuery | None = None
        """The filters of the rows in the table; None before they are loaded."""
        self._loading = asyncio.Lock()
        self._refreshes = 0
        self._arrived: list[RequestRow] = []
        """Rows that came through the feed since the last refresh began: its result may lack them."""
        self._wanted: str | None = None
        self._text: str | None = None
        """What the log is searched for."""
        self._found: set[str] = set()
        """The requests that the search found: their rows may not show the text, which may be in the error."""
        self._search_timer = QTimer(self)
        self._search_timer.setSingleShot(True)
        self._search_timer.setInterval(SEARCH_MS)
        self._search_timer.timeout.connect(self._search_log)
        self._most = MOST_LIVE
        self._inspected = False
        self._header_actions()
        self._filters()
        empty = EmptyState("activity", "No requests", "Requests appear here as they arrive.")
        empty.add_button("Open Chat", lambda: self.ui.navigate("chat"), "plain")
        self.table: TableView[RequestRow] = TableView(TableModel(_COLUMNS, key=lambda row: row.id), empty)
        self.table.sort_by(0, descending=True)
        self.table.selected.connect(self._on_selected)
        self.table.activated.connect(self._on_selected)
        self.table.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.table.selectionModel().selectionChanged.connect(
            lambda *_: self.compare_button.setEnabled(len(self._selected()) == 2)
        )
        self.table.table.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.older = button("Load older requests", "ghost", on_click=lambda: self.ui.run(self.load_older()))
        self.older.hide()
        self.searching = label("Searching older requests…", "muted")
        self.searching.hide()
        self.inspector = Inspector(ui)
        self.inspector.closed.connect(self._on_closed)
        self.inspector.replay_requested.connect(self.on_replay)
        self._lay_out()

    def _header_actions(self) -> None:
        self.follow = Switch()
        self.follow.setChecked(True)
        self.follow.setAccessibleName("Live")
        self.follow.setToolTip("Add new requests to the table as they arrive")
        # When it is turned on again: requests were left out in the meantime.
        self.follow.toggled.connect(lambda on: self.request_refresh() if on else None)
        self.export_button = icon_button("download-simple", "Export the filtered requests as JSON lines", self.on_export)
        self.compare_button = icon_button("arrows-left-right", COMPARE, self.on_compare)
        self.compare_button.setEnabled(False)
        self.add_action(self.compare_button)
        self.add_action(self.export_button)
        self.add_action(label("Live", "muted"))
        self.add_action(self.follow)

    def _filters(self) -> None:
        # In a narrow window with a large font they do not fit into one row.
        row = FlowLayout()
        row.setSpacing(theme.S)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search requests")
        self.search.setAccessibleName("Search requests")
        self.search.setToolTip("Filters the loaded requests, and searches the whole log by model, client and error")
        self.search.setMaxLength(500)  # as GET /requests takes it
        self.search.setClearButtonEnabled(True)
        self.search.addAction(theme.icon("magnifying-glass", "text_faint"), QLineEdit.ActionPosition.LeadingPosition)
        self.status, self.key, self.model = ComboBox(), ComboBox(), ComboBox()
        for combo, name in ((self.status, "All statuses"), (self.key, "All keys"), (self.model, "All models")):
            # Long names must not push the search field aside; the popup list is wider.
            theme.scaled(combo, lambda it: it.setFixedWidth(theme.px(130)))
            combo.setSizeAdjustPolicy(ComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setAccessibleName(name)
            combo.addItem(name, None)
            # Not `currentIndexChanged`: filling the list anew must not load the log again.
            combo.activated.connect(lambda _: self.request_refresh())
        for status in get_args(RequestStatus):
            self.status.addItem(STATUS_LABELS[status], status)
        row.addWidget(self.search)
        for combo in (self.status, self.key, self.model):
            row.addWidget(combo)
        self.more = icon_button("funnel", "More filters: time, provider, client, session, cost", self.on_more)
        self.more.setCheckable(True)
        row.addWidget(self.more)
        self.further = MoreFilters()
        self.further.changed.connect(self.request_refresh)
        self.further.hide()
        self.body.addLayout(row)
        self.body.addWidget(self.further)
        self.chips = FilterChips(self.clear_filters)
        self.body.addWidget(self.chips)

    def _lay_out(self) -> None:
        self.search.textChanged.connect(self._on_text)
        self.search.returnPressed.connect(self._search_log)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.S)
        column.addWidget(self.table, 1)
        column.addWidget(self.older, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.searching, 0, Qt.AlignmentFlag.AlignHCenter)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(theme.M)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.inspector)
        self.splitter.setStretchFactor(0, 1)
        self.inspector.hide()
        self.body.addWidget(self.splitter, 1)

    async def refresh(self) -> None:
        """Load the newest requests that match the filters, and the choices of the filters."""
        self.chips.show_filters(self._active())
        self._fill(self.key, [(key.name, key.id) for key in await self.client.keys()])
        self._fill(self.model, [(model.alias, model.alias) for model in await self.client.models()])
        self.further.offer([provider.name for provider in await self.client.providers()])
        # Again: only now have keys their names.
        active = self._active()
        self.chips.show_filters(active)
        self.table.set_searched(bool(active))
        # Before the log, whose search may take seconds.
        if self._wanted is not None:
            await self._open(self._wanted)
        elif self.inspector.isVisible() and self.inspector.request_id is not None:
            await self._load_inspected(self.inspector.request_id)
        self._refreshes += 1
        async with self._loading:
            await self._load_newest()
        # Only now: the row can be selected once the table has it.
        if not self.inspector.isHidden() and self.inspector.request_id is not None and self.table.current() is None:
            self._select(self.inspector.request_id)

    def _query(self) -> RequestQuery:
        return RequestQuery(
            limit=PART,
            status=self.status.currentData(),
            key=self.key.currentData(),
            model=self.model.currentData(),
            q=self._text,
            **self.further.query(),
        )

    def _on_text(self, text: str) -> None:
        self.table.set_filter(text)
        self.chips.show_filters(self._active())
        # A search for another text ends: its filters are no longer those of the page.
        self._text = None
        self._find(())
        self._search_timer.start()

    def _search_log(self) -> None:
        self._search_timer.stop()
        self._text = self.search.text().strip() or None
        self.request_refresh()

    def _find(self, ids: Iterable[str], more: bool = False) -> None:
        self._found = {*(self._found if more else ()), *ids}
        self.table.set_found(self._found)

    async def _load_newest(self) -> None:
        filters, found = self._query(), list[RequestRow]()
        same = filters == self._listed
        self._arrived = []
        loaded: list[RequestRow] = []
        if filters.q is not None:
            # The newest requests stay in the table: the text may be in what the log is not searched by, such as a key's name.
            newest, _ = await self.client.records_part(filters.model_copy(update={"q": None}))
            loaded = [row_of(record) for record in newest]

        def show(rows: list[RequestRow], cursor: str | None, last: bool) -> bool:
            found.extend(rows)
            # With the same filters only the whole result: rows of later parts must not leave the table for a moment.
            if last or not same:
                if filters.q is not None:
                    self._find(row.id for row in found)
                ids = {row.id for row in found}
                self._set_rows([*found, *self._arrived, *(row for row in loaded if row.id not in ids)])
                self._cursor, self._listed, self._most = cursor, filters, MOST_LIVE
            return True

        await self._search(filters, None, show)

    def _set_rows(self, rows: list[RequestRow]) -> None:
        current = self.table.current()
        if current is not None and all(row.id != current.id for row in rows):
            # Else Qt selects a neighbour of the removed row, which the inspector would open.
            self.table.table.setCurrentIndex(QModelIndex())
        self.table.model.set_rows(rows)

    def _on_scrolled(self, value: int) -> None:
        """Load more of the log before the end of the rows comes into view."""
        bar = self.table.table.verticalScrollBar()
        ahead = bar.maximum() - value < bar.pageStep() * PAGES_AHEAD
        # Not at the top: the bar is also reset while the table is filled, where nobody has scrolled.
        if value and ahead and self._cursor is not None and not self._loading.locked():
            self.ui.run(self.load_older())

    async def load_older(self) -> None:
        """Load the next page of the log and append it; a refresh ends it early."""
        async with self._loading:
            refreshes, filters = self._refreshes, self._query()
            if self._cursor is None or filters != self._listed:
                return

            def append(rows: list[RequestRow], cursor: str | None, _last: bool) -> bool:
                if self._refreshes != refreshes:
                    return False
                if filters.q is not None:
                    self._find((row.id for row in rows), more=True)
                self.table.model.upsert(rows)
                self._cursor = cursor
                # Rows that the user asked for must not be removed again by new requests.
                self._most = max(MOST_LIVE, len(self.table.model.rows))
                return True

            await self._search(filters, self._cursor, append)

    async def _search(
        self, filters: RequestQuery, cursor: str | None, add: Callable[[list[RequestRow], str | None, bool], bool]
    ) -> None:
        """Call `add` with the rows behind `cursor` part by part, the cursor of the rest, and whether it is the last part.

        Ends with PART rows, at the end of the log, when the filters are changed, or when `add` returns False.
        """
        count, last = 0, False
        try:
            while not last:
                query = filters.model_copy(update={"cursor": cursor, "limit": PART - count})
                found, cursor = await self.client.records_part(query)
                count += len(found)
                last = cursor is None or count >= PART
                if self._query() != filters or not add([row_of(record) for record in found], cursor, last):
                    return
                self.older.setVisible(last and self._cursor is not None)
                self.searching.setVisible(not last)
        finally:
            self.searching.hide()
            self.older.setVisible(self._cursor is not None)

    async def _open(self, request_id: str, select: bool = True) -> None:
        """Show one request in the inspector, and select its row if it is loaded."""
        self._wanted = None
        try:
            detail = await self.client.request_detail(request_id)
        except NotFound:
            self.ui.notify("This request is no longer in the log.", "warning")
            return
        if select:
            self._select(request_id)
        self.inspector.show_request(detail)
        self._show_inspector()

    def _select(self, request_id: str) -> None:
        if self.table.model.row(request_id) is not None:
            self.table.select(request_id)

    async def _load_inspected(self, request_id: str) -> None:
        """Show what has changed of the request in the inspector; one that is no longer in the log stays as it was."""
        with suppress(NotFound):
            detail = await self.client.request_detail(request_id)
            # Shown only where it differs: filling the pane again would lose the selection in it.
            if detail != self.inspector.detail:
                self.inspector.show_request(detail)

    def on_export(self) -> None:
        """Write the requests that fit the filters, loaded or not, to a file that the user chooses."""
        self.ui.run(self._export())

    async def _export(self) -> None:
        # As they are now: the filters can be changed while the file is chosen.
        query = self._query().model_copy(update={"q": self.search.text().strip() or None})
        path = await choose_file(self, "Export requests", "save", "JSON lines (*.jsonl)", "conduit-requests.jsonl")
        if path is None:
            return
        self.export_button.setEnabled(False)
        try:
            count = await write_jsonl(self.client, query, path)
        finally:
            self.export_button.setEnabled(True)
        self.ui.notify(f"{count:,} {'request' if count == 1 else 'requests'} saved to {path.name}")

    def _selected(self) -> list[RequestRow]:
        """The selected rows, the oldest first."""
        rows = [self.table.proxy.row_at(index) for index in self.table.table.selectionModel().selectedRows()]
        return sorted(rows, key=lambda row: (row.at, row.id))

    def on_compare(self) -> None:
        """Show the answers of the two selected requests side by side."""
        selected = self._selected()
        if len(selected) == 2:
            self.ui.run(self._compare(selected[0].id, selected[1].id))

    async def _compare(self, first: str, second: str) -> None:
        await answer(CompareDialog(self, self.ui, await self.client.compare(first, second)))

    def on_replay(self) -> None:
        """Ask the inspected request again."""
        if (detail := self.inspector.detail) is not None and not why_not(detail):
            self.ui.run(replay(self, self.client, self.ui, detail))

    def _show_inspector(self) -> None:
        """Open the inspector, wide enough for a request ID if the window is. A width set by the user is kept."""
        self.inspector.show()
        if not self._inspected:
            # Only the first time: afterwards the user may have moved the splitter.
            self._inspected = True
            wide = min(WIDTH, self.splitter.width() * 4 // 9)
            self.splitter.setSizes([self.splitter.width() - wide, wide])

    def on_changes(self, changes: Sequence[Change]) -> None:
        """While live, insert new requests at the top; reload after a batch that was missed."""
        records = [change.payload for change in changes if isinstance(change.payload, RequestRecord)]
        if self.follow.isChecked():
            newest = [record for record in reversed(records[-MAX_PER_BATCH:]) if self._matches(record)]
            matching = [row_of(record) for record in newest]
            if self._text is not None and (found := [record.id for record in newest if _has_text(record, self._text)]):
                self._find(found, more=True)
            if matching:
                self._insert(matching)
            if any(change.topic in self.topics and not isinstance(change.payload, RequestRecord) for change in changes):
                self.request_refresh()

    def _insert(self, rows: list[RequestRow]) -> None:
        if self._loading.locked():
            self._arrived += rows
        with self.table.kept_scroll_position():
            self.table.model.upsert(rows, at_top=True)
            # Not while older rows are loaded: they would be appended behind a gap.
            gone = [] if self._loading.locked() else self.table.model.trim(self._most)
        if gone:
            # From the newest row that was removed: the old cursor would leave a gap in the table.
            self._cursor = self.client.cursor_at(max(row.at for row in gone))
            self.older.show()

    def _matches(self, record: RequestRecord) -> bool:
        status, key, model = self.status.currentData(), self.key.currentData(), self.model.currentData()
        fits = status in (None, record.status) and key in (None, record.key_id) and model in (None, record.model)
        return fits and self.further.matches(record)

    def _fill(self, combo: ComboBox, choices: list[tuple[str, Any]]) -> None:
        """Offer these after the entry for all, and keep the current choice."""
        chosen, kept = combo.currentData(), combo.currentText()
        while combo.count() > 1:
            combo.removeItem(1)
        for text, value in sorted(choices):
            combo.addItem(text, value)
        # A filter must not end by itself: a key may have been deleted, and a model may be no alias.
        if chosen is not None and combo.findData(chosen) < 0:
            combo.addItem(kept, chosen)
        combo.setCurrentIndex(max(0, combo.findData(chosen)) if chosen is not None else 0)

    def _on_selected(self, request_id: str | None) -> None:
        if request_id is not None and request_id != self.inspector.request_id:
            # The row is selected, and another one may be with it, to be compared.
            self.ui.run(self._open(request_id, select=False))
        elif request_id is not None:
            self._show_inspector()

    def _on_closed(self) -> None:
        self.inspector.hide()
        self.table.table.clearSelection()

    def show_context(self, **context: Any) -> None:
        """`request` opens one; `status`, `key` (an id), `model`, `provider`, `client` and `session` set the filters."""
        for name, combo in (("status", self.status), ("key", self.key), ("model", self.model)):
            if name in context:
                at = combo.findData(context[name])
                # The choices may not be loaded yet, or the key or alias may have been deleted since.
                if at < 0:
                    combo.addItem(str(context[name]), context[name])
                combo.setCurrentIndex(combo.findData(context[name]))
        if context.keys() & {"provider", "client", "session", "min_cost_usd"}:
            self.further.set_values(context)
            self._show_more(True)
        self._wanted = context.get("request")
        self.request_refresh()

    def _active(self) -> list[Filter]:
        """The filters that are set, with what removes each."""
        found: list[Filter] = []
        if text := self.search.text().strip():
            found.append(("Text", text, self.search.clear))
        for name, combo in (("Status", self.status), ("Key", self.key), ("Model", self.model)):
            if combo.currentData() is not None:
                found.append((name, combo.currentText(), partial(self._remove_filter, combo)))
        return found + self.further.active()

    def _remove_filter(self, combo: ComboBox) -> None:
        combo.setCurrentIndex(0)
        self.request_refresh()

    def clear_filters(self) -> None:
        """Show all requests."""
        self.search.clear()
        for combo in (self.status, self.key, self.model):
            combo.setCurrentIndex(0)
        self.further.clear()

    def on_more(self) -> None:
        """Show or hide the second row of filters; hidden ones do not filter."""
        self._show_more(self.further.isHidden())

    def _show_more(self, shown: bool) -> None:
        self.further.setVisible(shown)
        self.more.setChecked(shown)
        if not shown and self.further.query():
            self.further.clear()

    def focus_filter(self) -> None:
        """Focus the search field."""
        self.search.setFocus()
        self.search.selectAll()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._search_timer.isActive():  # it would refresh a hidden page
            self._search_timer.stop()
            self._text = self.search.text().strip() or None
            self.mark_stale()


def _has_text(record: RequestRecord, text: str) -> bool:
    """Whether the search of the log finds the record by `text`."""
    parts = (record.model, record.upstream_model, record.client, record.error_text, record.error_code)
    return text.casefold() in "\n".join(parts).casefold()


_COLUMNS: tuple[Column[RequestRow], ...] = (
    Column("Time", lambda row: formatting.clock(row.at), sort=lambda row: row.at, width=116, colour=lambda _: "text_muted"),
    Column("Status", lambda row: STATUS_LABELS[row.status], width=100, pill=True, colour=lambda row: TONES[row.status],
           tooltip=lambda row: row.error),
    Column("Key", lambda row: row.key, width=118, hide_order=2, tooltip=lambda row: row.client),
    Column("Model and target", lambda row: f"{row.model}  →  {row.target}" if row.target else row.model),
    Column("Input", lambda row: formatting.count(row.tokens_in), sort=lambda row: row.tokens_in, align="right", width=76,
           hide_order=4),
    Column("Output", lambda row: formatting.count(row.tokens_out), sort=lambda row: row.tokens_out, align="right", width=70,
           hide_order=3),
    Column("Cost", cost_text, sort=lambda row: row.cost_nano, align="right", width=92, hide_order=1,
           colour=lambda row: "text_faint" if row.cost_nano is None else None),
    Column("First token", lambda row: formatting.duration(row.first_token_ms), sort=lambda row: row.first_token_ms, align="right",
           width=100, hide_order=5),
    Column("Duration", lambda row: formatting.duration(row.duration_ms), sort=lambda row: row.duration_ms, align="right",
           width=92),
)  # fmt: skip
