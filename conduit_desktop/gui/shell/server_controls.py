"""The window's part about the server: its card, its tray icon, the banner when it cannot listen, and the way out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from conduit_desktop.actions.onboarding.snippets import snippets
from conduit_desktop.core.bus import Change
from conduit_desktop.gui.shell import server_actions as actions
from conduit_desktop.gui.widgets.forms.dialogs import confirm
from conduit_desktop.gui.widgets.menus import Entry, pop_up

if TYPE_CHECKING:
    from conduit_desktop.gui.shell.window import MainWindow

_ANY_MODEL = "your-model"


class ServerControls(QObject):
    """Keeps card, tray and banner true, and does what they ask."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.context = window.context
        window.sidebar.server.toggled.connect(self._on_toggled)
        window.sidebar.server.copy_asked.connect(self._on_copy_menu)
        window.tray.toggle_asked.connect(self._on_toggled)
        window.tray.copy_asked.connect(self.copy_address)
        # Straight from the bus: the tray tells the truth while the window, and with it the feed, is away.
        self.close = self.context.bus.subscribe(self._on_change)

    def refresh(self) -> None:
        """Show the server as it is now."""
        server = self.context.server
        self.window.sidebar.server.show_state(server.state, server.address)
        self.window.tray.show_state(server.state, server.address)
        if server.state == "failed":
            self._show_failure(server.error)
        else:
            self.window.banner.hide()

    def _on_change(self, change: Change) -> None:
        if change.topic == "server":
            self.refresh()

    def _show_failure(self, error: str) -> None:
        port = self.context.gateway.snapshot.settings.port
        self.window.banner.show_text(
            error or f"The server cannot listen on port {port}.",
            "danger",
            ("Use the next free port", "primary", lambda: self.window.run(self._use_free_port())),
            ("Try again", "plain", lambda: self.window.run(actions.start_server(self.context))),
        )

    async def _use_free_port(self) -> None:
        port = await actions.use_free_port(self.context)
        if self.context.server.state == "running":
            self.window.notify(f"Listening on port {port}")

    def _on_toggled(self) -> None:
        self.window.run(self._toggle())

    async def _toggle(self) -> None:
        in_flight = self.context.gateway.in_flight
        if self.context.server.state == "running" and in_flight:
            text = f"{in_flight} request{'s are' if in_flight > 1 else ' is'} being answered and will be given ten seconds."
            if not await confirm(self.window, "Stop the server?", text, accept="Stop the server"):
                return
        await actions.toggle_server(self.context)

    def copy_address(self) -> None:
        """The base URL as most clients want it."""
        if self.context.server.address:
            self.window.copy(f"{self.context.server.address}/v1")

    def _on_copy_menu(self, anchor: QWidget) -> None:
        pop_up(anchor, self.copy_entries())

    def copy_entries(self) -> list[Entry]:
        """The addresses and the set-ups for client apps, from the live address."""
        address = self.context.server.address or ""
        aliases = self.context.gateway.snapshot.aliases
        model = next((alias.alias for alias in aliases.values() if alias.enabled), _ANY_MODEL)
        copy = self.window.copy
        entries: list[Entry] = [
            ("Base URL, OpenAI style", "link", lambda: copy(f"{address}/v1")),
            ("Base URL, Anthropic, Gemini and Ollama style", "link", lambda: copy(address)),
            None,
            ("Set-ups, with a place for your key", "", None),
        ]
        entries += [(one.label, "", partial(copy, one.text)) for one in snippets(address, None, model)]
        return entries

    async def ask_quit(self) -> None:
        """Quit, after a word where something would be lost."""
        running = self.context.server.state == "running"
        if self.window.quitting:
            return
        text = "Apps that use it will not reach their models until you start Conduit again."
        in_flight = self.context.gateway.in_flight
        if in_flight:
            text = f"{in_flight} request{'s' if in_flight > 1 else ''} in flight will be given ten seconds. {text}"
        if running and not await confirm(self.window, "Quit and stop the gateway?", text, accept="Quit"):
            return
        self.window.quit_asked.emit()
