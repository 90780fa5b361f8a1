"""Popup menus, opened without a nested event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu, QWidget

from conduit_desktop.gui.theme import theme

Entry = tuple[str, str, Callable[[], Any] | None] | None
"""Text, icon name (or empty) and callback. None is a separator; an entry without a callback is a disabled heading."""


def menu_of(parent: QWidget, entries: Sequence[Entry]) -> QMenu:
    """A menu with these entries, not shown yet."""
    menu = QMenu(parent)
    for entry in entries:
        if entry is None:
            menu.addSeparator()
            continue
        text, icon, callback = entry
        action = menu.addAction(text)
        if icon:
            action.setIcon(theme.icon(icon))
        action.setEnabled(callback is not None)
        if callback is not None:
            action.triggered.connect(lambda _=False, callback=callback: callback())
    return menu


def pop_up(parent: QWidget, entries: Sequence[Entry], at: QPoint | None = None) -> QMenu:
    """Show a menu below `parent`, or at a global position; it is deleted when it closes."""
    menu = menu_of(parent, entries)
    # Later, not at once: Qt triggers the chosen action after it has hidden the menu.
    menu.aboutToHide.connect(menu.deleteLater)
    # Not `exec`, which runs an event loop of its own.
    menu.popup(at if at is not None else parent.mapToGlobal(QPoint(0, parent.height() + 4)))
    return menu
