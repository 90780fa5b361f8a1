"""What the window itself shows of the gateway: the state of its server, and a few settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtCore import QObject, Signal

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.core.bus import Change


class WindowState(QObject):
    """Loaded by `load`, then again after each change of the server or of a setting; `changed` is emitted afterwards.

    It follows the client and not the feed: the feed is paused while the window is hidden, and the tray icon is not.
    """

    changed = Signal()

    def __init__(self, client: AdminClient, run: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]) -> None:
        """`run` starts the reload as a task of the window."""
        super().__init__()
        self._client = client
        self._run = run
        self._loading: asyncio.Task[Any] | None = None
        self._stale = False
        self.server = "stopped"
        """`running`, `starting`, `stopped` or `failed`."""
        self.address: str | None = None
        """Where the server listens; None while it does not."""
        self.error = ""
        """Why it does not listen, in one line."""
        self.settings: dict[str, Any] = {}
        """The value of every setting, by name; empty before `load`."""
        self.close = client.subscribe(self._on_change)

    async def load(self) -> None:
        """Read the state now."""
        status = await self._client.status()
        settings = await self._client.settings()
        self.server, self.address, self.error = status.state, status.address, status.error
        self.settings = {setting.name: setting.value for setting in settings}
        self.changed.emit()

    def _on_change(self, change: Change) -> None:
        if change.topic not in ("server", "settings"):
            return
        # Changes that arrive during a load lead to one more load, however many they are.
        self._stale = True
        if self._loading is None or self._loading.done():
            self._loading = self._run(self._load_until_fresh())

    async def _load_until_fresh(self) -> None:
        while self._stale:
            self._stale = False
            await self.load()
