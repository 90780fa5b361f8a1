"""The view of a table: whole-row hover and selection, painted cells, and an empty state."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QHelpEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolTip,
    QWidget,
)

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.labels import plain_tooltip
from conduit_desktop.gui.widgets.pills import paint_bar, paint_chips, paint_pill
from conduit_desktop.gui.widgets.tables.header import Header
from conduit_desktop.gui.widgets.tables.model import Column, TableFilter, TableModel

T = TypeVar("T")
Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 38
_ICON = 24
"""Pixels of an icon in front of a text, with the space behind it."""
MIN_STRETCH_WIDTH = 150
"""Pixels that a column without a fixed width should have."""


class TableView(QFrame, Generic[T]):
    """A table with its filter and its empty states.

    `activated` carries a row's key (Enter or double click), `selected` the key of the current row or None.
    """

    activated = Signal(object)
    selected = Signal(object)
    menu_requested = Signal(object, object)
    """The key of a row and the global position of a right click."""

    def __init__(self, model: TableModel[T], empty: EmptyState | None = None) -> None:
        super().__init__()
        self.setObjectName("tableCard")
        self.model = model
        self.proxy = TableFilter(model)
        self.table = _Table(model.columns)
        self.table.setModel(self.proxy)
        self.empty = empty or EmptyState("tray", "No entries yet", "")
        self._no_match = EmptyState("magnifying-glass", "No matches", "Change or clear the filters.")
        self._searched = False
        self._layers = QStackedLayout(self)
        self._layers.setContentsMargins(1, 1, 1, 1)
        for layer in (self.table, self.empty, self._no_match):
            self._layers.addWidget(layer)
        self._connect()
        self._show_layer()

    def _connect(self) -> None:
        for signal in (self.proxy.rowsInserted, self.proxy.rowsRemoved, self.proxy.modelReset, self.proxy.layoutChanged):
            signal.connect(self._show_layer)
        # The proxy does not report rows that its filter hides, and these too decide which empty state is right.
        self.model.rowsRemoved.connect(self._show_layer)
        self.model.rowsInserted.connect(self._show_layer)
        self.table.activated.connect(lambda index: self.activated.emit(self._key(index)))
        self.table.selectionModel().currentRowChanged.connect(lambda current, _: self.selected.emit(self._key(current)))
        self.table.customContextMenuRequested.connect(self._on_context_menu)

    def sort_by(self, column: int, descending: bool = False) -> None:
        """Sort by a column, as if its header had been clicked."""
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        self.table.sortByColumn(column, order)

    def set_filter(self, text: str) -> None:
        """Keep the rows that contain every word of `text`."""
        self.proxy.set_text(text)
        self._show_layer()

    def set_searched(self, searched: bool) -> None:
        """Whether the rows are the result of a search: without any, there are no matches, and not nothing at all."""
        self._searched = searched
        self._show_layer()

    def set_found(self, keys: Iterable[Hashable]) -> None:
        """Keep the rows with these keys, whatever their text."""
        self.proxy.set_found(keys)
        self._show_layer()

    def current(self) -> T | None:
        """The selected row, or None."""
        return self.model.row(self._key(self.table.currentIndex()))

    def select(self, key: Hashable) -> None:
        """Select the row with this key and scroll to it."""
        place = self.model.place(key)
        if place is not None:
            index = self.proxy.mapFromSource(self.model.index(place, 0))
            self.table.setCurrentIndex(index)
            self.table.scrollTo(index)

    @contextmanager
    def kept_scroll_position(self) -> Iterator[None]:
        """Keep the visible rows in place while rows are inserted and removed; a view at its top stays at the top."""
        bar, table = self.table.verticalScrollBar(), self.table
        # Not at the top: there, new rows are what the user wants to see.
        first = self._key(table.indexAt(QPoint(1, 1))) if bar.value() else None
        before = table.rowViewportPosition(self.index(first).row())
        yield
        if first is not None and self.model.place(first) is not None:
            table.updateGeometries()  # else the scroll bar's range is updated only later
            bar.setValue(bar.value() + table.rowViewportPosition(self.index(first).row()) - before)

    def index(self, key: Hashable, column: int = 0) -> QModelIndex:
        """The view's index of a row, for tests and menus."""
        place = self.model.place(key)
        return self.proxy.mapFromSource(self.model.index(-1 if place is None else place, column))

    def _key(self, index: Index) -> Any:
        source = self.proxy.mapToSource(index)
        return self.model.key(self.model.rows[source.row()]) if source.isValid() else None

    def _on_context_menu(self, point: Any) -> None:
        key = self._key(self.table.indexAt(point))
        if key is not None:
            self.menu_requested.emit(key, self.table.viewport().mapToGlobal(point))

    def _show_layer(self) -> None:
        layer: QWidget = self.table
        if not self.model.rows:
            layer = self._no_match if self._searched else self.empty
        elif self.proxy.rowCount() == 0:
            layer = self._no_match
        if self._layers.currentWidget() is not layer:
            self._layers.setCurrentWidget(layer)


class _Table(QTableView):
    """A QTableView in the app's style, with the row under the pointer highlighted."""

    def __init__(self, columns: tuple[Column[Any], ...]) -> None:
        super().__init__()
        self._columns = columns
        self.hovered = -1
        self.setHorizontalHeader(Header())
        self.setShowGrid(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrap(False)
        # Else Qt reports moves of the pointer only while a button is pressed.
        self.setMouseTracking(True)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setItemDelegate(_Cell(columns, self))
        self.verticalHeader().hide()
        theme.scaled(self.verticalHeader(), lambda it: it.setDefaultSectionSize(theme.px(ROW_HEIGHT)))
        # One height for all rows: Qt would otherwise ask for the height of each.
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)

    def setModel(self, model: Any) -> None:
        super().setModel(model)
        # After the model is set: without one, the header has no sections to size.
        theme.scaled(self, lambda it: it.size_columns())

    def size_columns(self) -> None:
        """Give every column its own width, in the pixels of the zoom."""
        header = self.horizontalHeader()
        for at, column in enumerate(self._columns):
            stretches = column.width == 0
            header.setSectionResizeMode(at, QHeaderView.ResizeMode.Stretch if stretches else QHeaderView.ResizeMode.Interactive)
            if not stretches:
                header.resizeSection(at, theme.px(column.width))
        self.fit_columns()

    def fit_columns(self) -> None:
        """Hide columns by `hide_order` until the stretching columns are MIN_STRETCH_WIDTH wide."""
        stretched = theme.px(MIN_STRETCH_WIDTH)
        fixed = {at: theme.px(column.width) for at, column in enumerate(self._columns) if column.width}
        needed = sum(fixed.values()) + stretched * (len(self._columns) - len(fixed))
        hidden = set()
        for at in sorted(
            (at for at, column in enumerate(self._columns) if column.hide_order), key=lambda at: -self._columns[at].hide_order
        ):
            if needed <= self.viewport().width():
                break
            hidden.add(at)
            needed -= fixed.get(at, stretched)
        for at in range(len(self._columns)):
            # Compared first: each call lays the header out again, and this runs at every step of a resize.
            if self.isColumnHidden(at) != (at in hidden):
                self.setColumnHidden(at, at in hidden)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.fit_columns()

    def mouseMoveEvent(self, event: Any) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.indexAt(event.position().toPoint()).row())

    def leaveEvent(self, event: Any) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, row: int) -> None:
        if row != self.hovered:
            self.hovered = row
            self.viewport().update()


class _Cell(QStyledItemDelegate):
    """Paints a cell: background, line below, then a pill, chips, a bar, or the text with its icon."""

    def __init__(self, columns: tuple[Column[Any], ...], table: _Table) -> None:
        super().__init__(table)
        self._columns = columns
        self._table = table

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        background = self._background(option, index)
        rect = option.rect
        if background:
            painter.fillRect(rect, theme.colour(background))
        painter.setPen(QPen(theme.colour("border"), 1))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        if self._columns[index.column()].pill:
            self._paint_pill(painter, option, index)
        elif self._columns[index.column()].bar is not None:
            self._paint_bar(painter, option, index)
        elif self._columns[index.column()].chips is not None:
            self._paint_chips(painter, option, index)
        else:
            self._paint_text(painter, option, index)

    def _background(self, option: QStyleOptionViewItem, index: Index) -> str:
        if option.state & QStyle.StateFlag.State_Selected:
            return "selected"
        return "hover" if index.row() == self._table.hovered else ""

    def _paint_text(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect = self._text_rect(option, index)
        icon = index.data(Qt.ItemDataRole.DecorationRole)
        if icon is not None:
            icon.paint(painter, rect.left() - _ICON, rect.center().y() - 8, 16, 16)
        painter.setFont(index.data(Qt.ItemDataRole.FontRole) or option.font)
        painter.setPen(index.data(Qt.ItemDataRole.ForegroundRole) or theme.colour("text"))
        start = self._columns[index.column()].elide_start
        mode = Qt.TextElideMode.ElideLeft if start else Qt.TextElideMode.ElideRight
        text = painter.fontMetrics().elidedText(str(index.data() or ""), mode, rect.width())
        painter.drawText(rect, int(index.data(Qt.ItemDataRole.TextAlignmentRole)), text)

    def _text_rect(self, option: QStyleOptionViewItem, index: Index) -> QRect:
        indent = _ICON if index.data(Qt.ItemDataRole.DecorationRole) is not None else 0
        return option.rect.adjusted(theme.M + indent, 0, -theme.M, 0)

    def _is_cut(self, option: QStyleOptionViewItem, index: Index) -> bool:
        """Whether the text of a cell does not fit."""
        column = self._columns[index.column()]
        if column.pill or column.bar is not None or column.chips is not None:
            return False
        metrics = QFontMetrics(index.data(Qt.ItemDataRole.FontRole) or option.font)
        return metrics.horizontalAdvance(str(index.data() or "")) > self._text_rect(option, index).width()

    def _paint_pill(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        text = str(index.data() or "")
        column = self._columns[index.column()]
        model = self._table.model()
        tone = "text_muted"
        if column.colour is not None and isinstance(model, TableFilter):
            tone = column.colour(model.row_at(index)) or tone
        if text:
            paint_pill(painter, option.rect.adjusted(theme.M, 0, -theme.M, 0), text, tone)

    def _paint_chips(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model, chips = self._table.model(), self._columns[index.column()].chips
        if chips is not None and isinstance(model, TableFilter):
            paint_chips(painter, option.rect.adjusted(theme.M, 0, -theme.M, 0), list(chips(model.row_at(index))))

    def _paint_bar(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model, bar = self._table.model(), self._columns[index.column()].bar
        share = bar(model.row_at(index)) if bar is not None and isinstance(model, TableFilter) else None
        if share is not None:
            option.rect = option.rect.adjusted(0, 0, 0, -10)
        self._paint_text(painter, option, index)
        if share is not None:
            marks = self._columns[index.column()].marks
            shown = marks(model.row_at(index)) if marks is not None and isinstance(model, TableFilter) else ()
            paint_bar(painter, option.rect.adjusted(theme.M, 0, -theme.M, 0), share, shown)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        hint = super().sizeHint(option, index)
        return QSize(hint.width() + 2 * theme.M, theme.px(ROW_HEIGHT))

    def helpEvent(self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: Index) -> bool:
        is_tooltip = event.type() == QEvent.Type.ToolTip and index.isValid()
        if is_tooltip and self._columns[index.column()].tooltip is None and self._is_cut(option, index):
            QToolTip.showText(event.globalPos(), plain_tooltip(str(index.data())), view)
            return True
        return super().helpEvent(event, view, option, index)
