"""The icon in the system's tray: the server's state at a glance, and the few things one wants without a window."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QSystemTrayIcon, QWidget

from conduit_desktop.core.paths import resource
from conduit_desktop.gui.shell.sidebar import STATES
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.menus import menu_of


def app_icon() -> QIcon:
    """The app's icon, from its drawing."""
    return QIcon(str(resource("icons", "conduit.svg")))


class Tray(QObject):
    """Signals say what the user picked. `available` is False where the desktop has no tray (GNOME)."""

    open_asked = Signal()
    copy_asked = Signal()
    toggle_asked = Signal()
    quit_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.available = QSystemTrayIcon.isSystemTrayAvailable()
        self._icon = QSystemTrayIcon(parent)
        self.menu = menu_of(
            parent,
            [
                ("Open Conduit", "", self.open_asked.emit),
                ("Copy base URL", "", self.copy_asked.emit),
                ("Start server", "", self.toggle_asked.emit),
                None,
                ("Quit", "", self.quit_asked.emit),
            ],
        )
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(self._on_activated)
        self.show_state("stopped", None)
        if self.available:
            self._icon.show()

    def show_state(self, state: str, address: str | None) -> None:
        """Colour the dot, and say the address."""
        tone, words = STATES[state]
        self._icon.setIcon(_with_dot(theme.colour(tone)))
        self._icon.setToolTip(f"Conduit: {words}" + (f"\n{address}" if address else ""))
        _, copy, toggle, *_ = self.menu.actions()
        copy.setEnabled(address is not None)
        toggle.setText("Stop server" if state == "running" else "Start server")

    def say(self, title: str, text: str) -> None:
        """A message of the system."""
        self._icon.showMessage(title, text, app_icon(), 4000)

    def hide(self) -> None:
        """Take the icon away."""
        self._icon.hide()

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason in (QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick):
            self.open_asked.emit()


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
