"""The table model of every page: declared columns, rows identified by a key, and updates that never reset the view."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QIcon

from conduit_desktop.core import shown_text
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.labels import plain_tooltip

T = TypeVar("T")
Index = QModelIndex | QPersistentModelIndex
SORT = Qt.ItemDataRole.UserRole
Sortable = float | int | str | None

_ALIGN = {
    "left": Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
    "right": Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
    "center": Qt.AlignmentFlag.AlignCenter,
}


@dataclass(frozen=True)
class Column(Generic[T]):
    """How one column shows a row.

    `sort` returns a number or a text (None sorts lowest); without it the shown text is sorted, ignoring case. `colour` is the
    name of a palette token; `icon` a QIcon or None. `width` in pixels; 0 takes the remaining width. A `pill` is drawn as a
    coloured label with the tint of its colour token. `bar` draws a share (0 to 1, None: no bar) below the text, as a warning
    from 0.8, or from the first of its `marks` (shares). `chips` are drawn instead of the text, as many as fit. A text that does
    not fit is cut at its end, or with `elide_start` at its beginning, and is the tooltip where the column has no other. In a
    narrow view, columns are hidden in descending `hide_order`; 0 is never hidden.
    """

    title: str
    text: Callable[[T], str]
    sort: Callable[[T], Sortable] | None = None
    align: Literal["left", "right", "center"] = "left"
    tooltip: Callable[[T], str] | None = None
    icon: Callable[[T], QIcon | None] | None = None
    colour: Callable[[T], str | None] | None = None
    width: int = 0
    mono: bool = False
    pill: bool = False
    bold: bool = False
    bar: Callable[[T], float | None] | None = None
    marks: Callable[[T], Sequence[float]] | None = None
    chips: Callable[[T], Sequence[str]] | None = None
    elide_start: bool = False
    hide_order: int = 0


class TableModel(QAbstractTableModel, Generic[T]):
    """Rows of type T shown in declared columns. `key` identifies a row across updates."""

    def __init__(self, columns: Sequence[Column[T]], key: Callable[[T], Hashable]) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self.key = key
        self.rows: list[T] = []
        self._at: dict[Hashable, int] = {}

    def set_rows(self, rows: Iterable[T]) -> None:
        """Show exactly `rows`: missing ones are removed, new ones appended, the others updated in place."""
        # No reset: it would drop the selection and the scroll position at every refresh.
        wanted = {self.key(row): row for row in rows}
        self.remove(key for key in tuple(self._at) if key not in wanted)
        self._update([(self._at[key], row) for key, row in wanted.items() if key in self._at])
        self._insert(len(self.rows), [row for key, row in wanted.items() if key not in self._at])

    def upsert(self, rows: Iterable[T], at_top: bool = False) -> None:
        """Update the rows that are known, append the others (or insert them, in order, at the top)."""
        wanted = {self.key(row): row for row in rows}
        self._update([(self._at[key], row) for key, row in wanted.items() if key in self._at])
        self._insert(0 if at_top else len(self.rows), [row for key, row in wanted.items() if key not in self._at])

    def remove(self, keys: Iterable[Hashable]) -> None:
        """Remove rows; unknown keys are ignored."""
        # From the end, so that removing one run does not move the rows of the next.
        places = sorted((self._at[key] for key in keys if key in self._at), reverse=True)
        for last, first in _runs(places):
            self.beginRemoveRows(QModelIndex(), first, last)
            del self.rows[first : last + 1]
            self._number()
            self.endRemoveRows()

    def trim(self, limit: int) -> list[T]:
        """Remove the rows after the first `limit`, and return them."""
        gone = self.rows[limit:]
        if gone:
            self.beginRemoveRows(QModelIndex(), limit, len(self.rows) - 1)
            del self.rows[limit:]
            self._number()
            self.endRemoveRows()
        return gone

    def row(self, key: Hashable) -> T | None:
        """The row with this key, or None."""
        place = self._at.get(key)
        return None if place is None else self.rows[place]

    def place(self, key: Hashable) -> int | None:
        """The index of the row with this key, or None."""
        return self._at.get(key)

    def _update(self, changes: list[tuple[int, T]]) -> None:
        for place, row in changes:
            # Pages refresh every second under load: an unchanged row must not be filtered, sorted and painted again.
            if self.rows[place] != row:
                self.rows[place] = row
                self.dataChanged.emit(self.index(place, 0), self.index(place, len(self.columns) - 1))

    def _insert(self, place: int, rows: list[T]) -> None:
        if not rows:
            return
        self.beginInsertRows(QModelIndex(), place, place + len(rows) - 1)
        self.rows[place:place] = rows
        self._number()
        self.endInsertRows()

    def _number(self) -> None:
        # Before `endInsertRows` and `endRemoveRows`: views read the rows, by key, while these run.
        self._at = {self.key(row): place for place, row in enumerate(self.rows)}

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        return _ALIGN[self.columns[section].align] if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        # A view may still ask for a row that is being removed.
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        column, row = self.columns[index.column()], self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return shown_text.lines(column.text(row))
        if role == SORT:
            return _sort_value(column, row)
        return _decoration(column, row, role)


def _sort_value(column: Column[T], row: T) -> float | str:
    # Only floats and strings: QSortFilterProxyModel orders None, Decimal and datetime wrongly, without an error.
    value = column.text(row) if column.sort is None else column.sort(row)
    if value is None:
        return float("-inf") if column.align == "right" else ""
    return value.casefold() if isinstance(value, str) else float(value)


def _decoration(column: Column[T], row: T, role: int) -> Any:
    match role:
        case Qt.ItemDataRole.TextAlignmentRole:
            return _ALIGN[column.align]
        case Qt.ItemDataRole.ForegroundRole:
            token = column.colour(row) if column.colour else None
            return theme.colour(token) if token else None
        case Qt.ItemDataRole.DecorationRole:
            return column.icon(row) if column.icon else None
        case Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(column.tooltip(row)) if column.tooltip else None
        case Qt.ItemDataRole.FontRole if column.mono or column.bold:
            return theme.font(12 if column.mono else 13, mono=column.mono, medium=column.bold)
    return None


def _runs(places: Sequence[int]) -> Iterable[tuple[int, int]]:
    """The runs of consecutive numbers in a descending list, each as `(last, first)`."""
    start = 0
    for at in range(1, len(places) + 1):
        if at == len(places) or places[at] != places[at - 1] - 1:
            yield places[start], places[at - 1]
            start = at


class TableFilter(QSortFilterProxyModel):
    """Sorts by the SORT role, and filters by words and by a predicate."""

    def __init__(self, model: TableModel[Any]) -> None:
        super().__init__()
        self._words: tuple[str, ...] = ()
        self._found: frozenset[Hashable] = frozenset()
        self._predicate: Callable[[Any], bool] | None = None
        self._model = model
        self.setSourceModel(model)
        self.setSortRole(SORT)

    def set_text(self, text: str) -> None:
        """Keep the rows whose text contains every word of `text`, ignoring case."""
        self._words = tuple(text.casefold().split())
        self.invalidate()

    def set_found(self, keys: Iterable[Hashable]) -> None:
        """Keep the rows with these keys as well, whatever their text: a search found them by what the table does not show."""
        self._found = frozenset(keys)
        self.invalidate()

    def set_predicate(self, predicate: Callable[[Any], bool] | None) -> None:
        """Keep the rows for which `predicate` is true."""
        self._predicate = predicate
        self.invalidate()

    def row_at(self, index: Index) -> Any:
        """The row behind one of this filter's indexes."""
        return self._model.rows[self.mapToSource(index).row()]

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        row = self._model.rows[source_row]
        if self._predicate is not None and not self._predicate(row):
            return False
        if not self._words or self._model.key(row) in self._found:
            return True
        text = " ".join(column.text(row) for column in self._model.columns).casefold()
        return all(word in text for word in self._words)
