"""A bar above a table: its filter at the left, the actions on the selected row at the right and in a context menu."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QPushButton, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.tables.view import TableView


class SelectionBar(QWidget):
    """`buttons` by name, shown while a row is selected and offered in its context menu. Enter clicks the `default` one.

    In a narrow window the buttons show only their icons.
    """

    def __init__(self, view: TableView[Any], placeholder: str, buttons: Mapping[str, QPushButton], default: str) -> None:
        super().__init__()
        self.view = view
        self.buttons = dict(buttons)
        self._texts = {name: made.text() for name, made in self.buttons.items()}
        self._hidden: frozenset[str] = frozenset()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(placeholder)
        self.filter.setAccessibleName(placeholder)
        self.filter.setClearButtonEnabled(True)
        theme.scaled(self.filter, lambda it: it.setFixedWidth(theme.px(240)))
        self.filter.textChanged.connect(view.set_filter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.XS)
        row.addWidget(self.filter)
        row.addStretch(1)
        for name, made in self.buttons.items():
            made.setAccessibleName(self._texts[name].strip())
            # In a narrow window only the icon of the button is left.
            made.setToolTip(made.toolTip() or made.accessibleName())
            row.addWidget(made)
        view.activated.connect(lambda _: self.buttons[default].click())
        view.menu_requested.connect(self._show_menu)

    def show_for(self, selected: bool, disabled: frozenset[str] = frozenset(), hidden: frozenset[str] = frozenset()) -> None:
        """Show the buttons for a selected row, with those named in `disabled` disabled; hide them without a selection.

        Those named in `hidden` do not apply to the row.
        """
        self._hidden = hidden
        for name, made in self.buttons.items():
            made.setVisible(selected and name not in hidden)
            made.setEnabled(name not in disabled)
        self._fit()

    def rename(self, name: str, text: str) -> None:
        """Change the text of a button."""
        self._texts[name] = f" {text}"
        self.buttons[name].setAccessibleName(text)
        self.buttons[name].setToolTip(text)
        self._fit()

    def _fit(self) -> None:
        """Show the texts of the buttons if all of them fit, else only the icons."""
        for name, made in self.buttons.items():
            # With the texts first: measured by their icons, the buttons would always fit.
            made.setText(self._texts[name])
        widths = [made.sizeHint().width() + theme.XS for name, made in self.buttons.items() if name not in self._hidden]
        needed = self.filter.width() + sum(widths) + theme.XS
        if needed > self.width():
            for made in self.buttons.values():
                made.setText("")

    def _show_menu(self, key: Any, at: QPoint) -> None:
        self.view.select(key)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name, made in self.buttons.items():
            if name in self._hidden:
                continue
            entry = menu.addAction(made.icon(), self._texts[name].strip())
            # Through the button, so that menu and bar cannot differ in what they do.
            entry.triggered.connect(made.click)
            entry.setEnabled(made.isEnabled())
        # Not `exec`, which runs an event loop of its own.
        menu.popup(at)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()
