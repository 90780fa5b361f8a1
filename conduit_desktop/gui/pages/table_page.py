"""A page with one table of entities and buttons that act on the selected one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from PySide6.QtWidgets import QPushButton

from conduit_desktop.gui.pages.base import Page
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.tables.model import TableModel
from conduit_desktop.gui.widgets.tables.selection_bar import SelectionBar
from conduit_desktop.gui.widgets.tables.view import TableView


class Entity(Protocol):
    """A row; the config file defines a locked one, which cannot be changed here."""

    @property
    def locked(self) -> bool: ...


E = TypeVar("E", bound=Entity)


class TablePage(Page, Generic[E]):
    """Subclasses call `show_table` in `__init__`. The buttons include `edit` (also Enter and double click)."""

    lockable: ClassVar[frozenset[str]]
    """The buttons that are disabled for a locked row."""
    _to_select: Any = None
    """The key of the row to select once it is loaded."""

    def show_table(
        self,
        model: TableModel[E],
        empty: EmptyState,
        new_button: QPushButton,
        filter_hint: str,
        buttons: Mapping[str, QPushButton],
    ) -> None:
        """Fill the page; `empty` is shown instead of a table without rows."""
        self.model = model
        self.view = TableView(model, empty)
        self.bar = SelectionBar(self.view, filter_hint, buttons, "edit")
        self.view.selected.connect(lambda _: self._update())
        self.new_button = new_button
        self.add_action(new_button)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.view, 1)
        self._update()

    def show_rows(self, rows: list[E]) -> None:
        """Show these rows, and the buttons for the selected one as it is now."""
        self.model.set_rows(rows)
        if self._to_select is not None:
            self.view.select(self._to_select)
            self._to_select = None
        self._update()

    def select_when_loaded(self, key: Any) -> None:
        """Select the row of that key, which may be a new one; the filter must not hide it."""
        self.bar.filter.clear()
        self._to_select = key
        self.request_refresh()

    def hidden_for(self, row: E) -> frozenset[str]:
        """The buttons that do not apply to this row."""
        return frozenset()

    def show_current(self, row: E | None) -> None:
        """The selected row is another one, or has changed."""

    def focus_filter(self) -> None:
        """Ctrl+F."""
        self.bar.filter.setFocus()

    def _with_current(self, act: Callable[[E], Coroutine[Any, Any, None]]) -> None:
        row = self.view.current()
        if row is not None:
            self.ui.run(act(row))

    def _update(self) -> None:
        row = self.view.current()
        locked = self.lockable if row is not None and row.locked else frozenset()
        self.bar.show_for(row is not None, locked, frozenset() if row is None else self.hidden_for(row))
        self.show_current(row)
