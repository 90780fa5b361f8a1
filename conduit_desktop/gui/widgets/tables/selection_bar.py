"""A bar above a table: its filter at the left, what can be done with the selected row at the right and in a menu."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QPushButton, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.tables.view import TableView


class SelectionBar(QWidget):
    """`buttons` by name, shown while a row is selected; the same are the row's context menu, and Enter presses the `default`.

    Where the room is scarce, they show their icons alone.
    """

    def __init__(self, view: TableView[Any], placeholder: str, buttons: Mapping[str, QPushButton], default: str) -> None:
        super().__init__()
        self.view = view
        self.buttons = dict(buttons)
        self._words = {name: made.text() for name, made in self.buttons.items()}
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(placeholder)
        self.filter.setAccessibleName(placeholder)
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(240)
        self.filter.textChanged.connect(view.set_filter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.XS)
        row.addWidget(self.filter)
        row.addStretch(1)
        for name, made in self.buttons.items():
            made.setAccessibleName(self._words[name].strip())
            made.setToolTip(made.toolTip() or made.accessibleName())
            row.addWidget(made)
        view.activated.connect(lambda _: self.buttons[default].click())
        view.menu_asked.connect(self._show_menu)

    def show_for(self, selected: bool, disabled: frozenset[str] = frozenset()) -> None:
        """A row is selected, or none; the buttons named in `disabled` cannot be pressed for it."""
        for name, made in self.buttons.items():
            made.setVisible(selected)
            made.setEnabled(name not in disabled)
        self._fit()

    def rename(self, name: str, text: str) -> None:
        """Another text on a button, at the same distance from its icon."""
        self._words[name] = f" {text}"
        self.buttons[name].setAccessibleName(text)
        self.buttons[name].setToolTip(text)
        self._fit()

    def _fit(self) -> None:
        """With words, if there is room for all of them."""
        for name, made in self.buttons.items():
            made.setText(self._words[name])
        needed = self.filter.width() + sum(made.sizeHint().width() + theme.XS for made in self.buttons.values()) + theme.XS
        if needed > self.width():
            for made in self.buttons.values():
                made.setText("")

    def _show_menu(self, key: Any, at: QPoint) -> None:
        self.view.select(key)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name, made in self.buttons.items():
            entry = menu.addAction(made.icon(), self._words[name].strip())
            entry.triggered.connect(made.click)
            entry.setEnabled(made.isEnabled())
        menu.popup(at)

    # Qt's own

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()
