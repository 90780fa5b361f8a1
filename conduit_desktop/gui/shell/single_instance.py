"""One window a home: a second start asks the first to come forward, and goes."""

from __future__ import annotations

import hashlib

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from conduit_desktop.core.paths import Home

_WAIT_MS = 500


def _name(home: Home) -> str:
    digest = hashlib.sha256(str(home.root.resolve()).encode()).hexdigest()[:16]
    return f"conduit-desktop-{digest}"


def raise_first(home: Home) -> bool:
    """Ask the app that already runs on this home to show its window; False when there is none."""
    socket = QLocalSocket()
    socket.connectToServer(_name(home))
    if not socket.waitForConnected(_WAIT_MS):
        return False
    socket.write(b"raise\n")
    socket.waitForBytesWritten(_WAIT_MS)
    socket.disconnectFromServer()
    return True


class InstanceListener(QObject):
    """Listens for later starts on the same home; `rung` when one comes. Only this user may ring."""

    rung = Signal()

    def __init__(self, home: Home) -> None:
        super().__init__()
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)
        if not self._server.listen(_name(home)):
            # Left behind by a crash: nobody answered there, or we would not be starting.
            QLocalServer.removeServer(_name(home))
            self._server.listen(_name(home))

    def _on_connection(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            self.rung.emit()

    def close(self) -> None:
        """Stop listening."""
        self._server.close()
