"""The system tray icon: the state of the server and a short menu."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QSystemTrayIcon, QWidget

from conduit_desktop.core.paths import resource
from conduit_desktop.gui.shell.sidebar import STATES
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.menus import menu_of


def app_icon() -> QIcon:
    """The icon of the app."""
    return QIcon(str(resource("icons", "conduit.svg")))


class Tray(QObject):
    """Emits a signal for each menu entry. `available` is False if the desktop has no tray, as on GNOME."""

    open_requested = Signal()
    copy_requested = Signal()
    toggle_requested = Signal()
    quit_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.available = QSystemTrayIcon.isSystemTrayAvailable()
        self._icon = QSystemTrayIcon(parent)
        self.menu = menu_of(
            parent,
            [
                ("Open Conduit", "", self.open_requested.emit),
                ("Copy base URL", "", self.copy_requested.emit),
                ("Start server", "", self.toggle_requested.emit),
                None,
                ("Quit", "", self.quit_requested.emit),
            ],
        )
        _, self._copy, self.toggle, *_ = self.menu.actions()
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(self._on_activated)
        self.show_state("stopped", None)
        if self.available:
            # Only then: Qt adds a visible icon also to a tray that appears later, while `available` stays False.
            self._icon.show()

    def show_state(self, state: str, address: str | None) -> None:
        """Show the state as a coloured dot, and the address in the tooltip."""
        tone, text = STATES[state]
        self._icon.setIcon(_with_dot(theme.colour(tone)))
        self._icon.setToolTip(f"Conduit: {text}" + (f"\n{address}" if address else ""))
        self._copy.setEnabled(address is not None)
        self.toggle.setText("Stop server" if state == "running" else "Start server")

    def show_message(self, title: str, text: str) -> None:
        """Show a desktop notification."""
        self._icon.showMessage(title, text, app_icon(), 4000)

    def hide(self) -> None:
        """Remove the icon."""
        self._icon.hide()

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        # A right click (Context) opens the menu by itself.
        if reason in (QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick):
            self.open_requested.emit()


def _with_dot(colour: QColor) -> QIcon:
    image = QPixmap(64, 64)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    app_icon().paint(painter, 2, 2, 56, 56)
    painter.setBrush(colour)
    painter.setPen(Qt.GlobalColor.white)
    painter.drawEllipse(QRectF(38, 38, 24, 24))
    painter.end()
    return QIcon(image)
