"""The sidebar: the list of pages, the notifications button, and the server card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from conduit_desktop.core.paths import resource
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import icon_button
from conduit_desktop.gui.widgets.icons import IconPicture
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.layouts import scrolled
from conduit_desktop.gui.widgets.pills import Dot

WIDE, NARROW = 212, 60
DIGITS = 9
"""The first pages have the shortcuts Ctrl+1 to Ctrl+9; of the further ones only Settings has one (Ctrl+,)."""

STATES = {
    "running": ("success", "Running"),
    "starting": ("warning", "Starting…"),
    "stopped": ("text_faint", "Stopped"),
    "failed": ("danger", "Not listening"),
}


class Entry(Protocol):
    """A page as the sidebar lists it."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def icon(self) -> str: ...


class NavItem(QPushButton):
    """The button of a page; only its icon while the sidebar is narrow."""

    def __init__(self, entry: Entry, shortcut: str) -> None:
        super().__init__()
        self.setObjectName("navItem")
        self._title = entry.title
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setIcon(theme.icon(entry.icon, "text_muted", "accent_text"))
        theme.scaled(self, lambda it: it.setIconSize(QSize(theme.px(18), theme.px(18))))
        self.setAccessibleName(entry.title)
        self.setToolTip(f"{entry.title}  ({shortcut})" if shortcut else entry.title)
        self.set_narrow(False)

    def set_narrow(self, narrow: bool) -> None:
        """Show only the icon, or the icon and the title."""
        self.setText("" if narrow else f"  {self._title}")


class ServerCard(QFrame):
    """The server's state and address; `toggled` is emitted to start or stop it, `copy_requested` to open the menu of addresses."""

    toggled = Signal()
    copy_requested = Signal(QWidget)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("serverCard")
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(theme.M, theme.S + 2, theme.S, theme.S + 2)
        column.setSpacing(2)
        top = QHBoxLayout()
        top.setSpacing(theme.S)
        self.dot = Dot()
        self.state = label("Stopped", "cardTitle")
        self.power = icon_button("play", "Start the server", self.toggled.emit)
        top.addWidget(self.dot)
        top.addWidget(self.state)
        top.addStretch(1)
        top.addWidget(self.power)
        bottom = QHBoxLayout()
        bottom.setSpacing(0)
        self.address = label("", "mono")
        self.copy = icon_button("copy", "Copy the base URL", lambda: self.copy_requested.emit(self.copy))
        bottom.addWidget(self.address)
        bottom.addStretch(1)
        bottom.addWidget(self.copy)
        column.addLayout(top)
        column.addLayout(bottom)

    def show_state(self, state: str, address: str | None) -> None:
        """`state` is `running`, `starting`, `stopped` or `failed`; `address` is None unless the server listens."""
        tone, text = STATES[state]
        running = state == "running"
        self.dot.set_tone(tone)
        self.state.setText(text)
        # Without the scheme, so that an address with a port fits the card; the tooltip has all of it.
        self.address.setText((address or "").removeprefix("http://") or "Not listening")
        self.copy.setEnabled(address is not None)
        self.power.setEnabled(state != "starting")
        self.power.setIcon(theme.icon("stop" if running else "play"))
        tip = "Stop the server" if running else "Start the server"
        self.power.setToolTip(tip)
        self.power.setAccessibleName(tip)
        self.setToolTip(f"{text}: {address}" if address else text)

    def set_narrow(self, narrow: bool) -> None:
        """Show only the buttons, or everything."""
        for widget in (self.dot, self.state, self.address):
            widget.setVisible(not narrow)
        self._column.setContentsMargins(theme.XS if narrow else theme.M, theme.S, theme.XS if narrow else theme.S, theme.S)


class Sidebar(QFrame):
    """Brand, notifications button, pages and server card. `picked` carries the name of a page."""

    picked = Signal(str)
    bell_requested = Signal(QWidget)

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self.setObjectName("sidebar")
        self.narrow = False
        self.items: dict[str, NavItem] = {}
        self.server = ServerCard()
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.M, theme.L, theme.M, theme.M)
        column.setSpacing(2)
        column.addLayout(self._brand())
        column.addSpacing(theme.L)
        # In a low window, or with a large font, the pages scroll: the card below them stays whole.
        pages = QWidget()
        pages.setObjectName("sidebarPages")
        entries_column = QVBoxLayout(pages)
        entries_column.setContentsMargins(0, 0, 0, 0)
        entries_column.setSpacing(2)
        for place, entry in enumerate(entries, 1):
            item = NavItem(entry, f"Ctrl+{place}" if place <= DIGITS else "Ctrl+," if entry.name == "settings" else "")
            # As a default value: a closure would see the last entry of the loop.
            item.clicked.connect(lambda _=False, name=entry.name: self.picked.emit(name))
            self.items[entry.name] = item
            entries_column.addWidget(item)
        entries_column.addStretch(1)
        self.pages_area = scrolled(pages)
        self.pages_area.setObjectName("sidebarScroll")
        self.pages_area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column.addWidget(self.pages_area, 1)
        column.addWidget(self.server)
        theme.scaled(self, lambda it: it.setFixedWidth(theme.px(NARROW if it.narrow else WIDE)))

    def _brand(self) -> QHBoxLayout:
        row = self._head = QHBoxLayout()
        row.setContentsMargins(theme.XS + 2, 0, 0, 0)
        row.setSpacing(theme.S)
        self._logo = IconPicture(QIcon(str(resource("icons", "conduit.svg"))), 22)
        self._name = label("Conduit", "brand")
        self.bell = icon_button("bell", "Notifications", lambda: self.bell_requested.emit(self.bell))
        self.badge = label("", "badge")
        # In no layout: it lies over the corner of the button.
        self.badge.setParent(self.bell)
        self.badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.badge.hide()
        row.addWidget(self._logo)
        row.addWidget(self._name)
        row.addStretch(1)
        row.addWidget(self.bell)
        return row

    def show_page(self, name: str) -> None:
        """Highlight the current page; the welcome page is not in the list."""
        for item in self.items.values():
            # Qt keeps one button of an exclusive group checked, but the welcome page has none.
            item.setAutoExclusive(name in self.items)
            item.setChecked(item is self.items.get(name))
        if name in self.items:
            self.pages_area.ensureWidgetVisible(self.items[name], 0, 0)

    def show_unread(self, count: int) -> None:
        """Show the number of unread notifications; zero hides the badge."""
        self.badge.setText(str(count) if count < 100 else "99+")
        self.badge.setVisible(count > 0)
        self.badge.setFixedSize(self.badge.sizeHint().width() if count > 9 else theme.px(16), theme.px(16))
        self.badge.move(self.bell.width() - self.badge.width(), 0)
        self.bell.setAccessibleName(f"Notifications, {count} unread" if count else "Notifications")

    def set_narrow(self, narrow: bool) -> None:
        """Collapse the sidebar to icons, or expand it."""
        self.narrow = narrow
        self.setFixedWidth(theme.px(NARROW if narrow else WIDE))
        self._name.setVisible(not narrow)
        self._logo.setVisible(not narrow)
        self._head.setContentsMargins(0 if narrow else theme.XS + 2, 0, 0, 0)
        for item in self.items.values():
            item.set_narrow(narrow)
        self.server.set_narrow(narrow)
