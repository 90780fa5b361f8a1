"""One instance per home folder: a second start raises the window of the first and exits."""

from __future__ import annotations

import hashlib

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from conduit_desktop.core.paths import Home

# A local socket answers at once; this bounds the wait for an instance that hangs.
_WAIT_MS = 500


def _name(home: Home) -> str:
    # A path can be longer than the name of a local socket may be, and hold characters that it may not.
    digest = hashlib.sha256(str(home.root.resolve()).encode()).hexdigest()[:16]
    return f"conduit-desktop-{digest}"


def activate_running_instance(home: Home) -> bool:
    """Ask the app that already runs on this home to show its window; False if there is none."""
    socket = QLocalSocket()
    socket.connectToServer(_name(home))
    if not socket.waitForConnected(_WAIT_MS):
        return False
    socket.write(b"raise\n")
    socket.waitForBytesWritten(_WAIT_MS)
    socket.disconnectFromServer()
    return True


class InstanceListener(QObject):
    """Emits `activation_requested` when the app is started again on the same home by the same user."""

    activation_requested = Signal()

    def __init__(self, home: Home) -> None:
        super().__init__()
        self._server = QLocalServer(self)
        # Other users of the computer must not be able to connect.
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)
        if not self._server.listen(_name(home)):
            # A socket left by a crash: activate_running_instance found no listener on it.
            QLocalServer.removeServer(_name(home))
            self._server.listen(_name(home))

    def _on_connection(self) -> None:
        # The connection itself is the request: what it sends is not read, so that it cannot be malformed.
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            self.activation_requested.emit()

    def close(self) -> None:
        """Stop listening."""
        self._server.close()
