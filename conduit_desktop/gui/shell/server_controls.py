"""The server in the window: its card, the tray icon, the banner when it cannot listen, and the confirmation to quit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from conduit_desktop.actions.onboarding.snippets import snippets
from conduit_desktop.core.bus import Change
from conduit_desktop.gui.shell import server_actions
from conduit_desktop.gui.widgets.forms.dialogs import confirm
from conduit_desktop.gui.widgets.menus import Entry, pop_up

if TYPE_CHECKING:
    from conduit_desktop.gui.shell.window import MainWindow

_MODEL_PLACEHOLDER = "your-model"


class ServerControls(QObject):
    """Updates card, tray and banner, and handles their buttons."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.context = window.context
        window.sidebar.server.toggled.connect(self._on_toggled)
        window.sidebar.server.copy_requested.connect(self._on_copy_menu)
        window.tray.toggle_requested.connect(self._on_toggled)
        window.tray.copy_requested.connect(self.copy_address)
        # From the bus, not from the feed: the feed is paused while the window is hidden, and the tray icon is not.
        self.close = self.context.bus.subscribe(self._on_change)

    def refresh(self) -> None:
        """Show the current state of the server."""
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
            ("Try again", "plain", lambda: self.window.run(server_actions.start_server(self.context))),
        )

    async def _use_free_port(self) -> None:
        port = await server_actions.use_free_port(self.context)
        if self.context.server.state == "running":
            self.window.notify(f"Listening on port {port}")

    def _on_toggled(self) -> None:
        self.window.run(self._toggle())

    async def _toggle(self) -> None:
        in_flight = self.context.gateway.in_flight
        interrupts = self.context.server.state == "running" and in_flight > 0
        if interrupts and not await confirm(self.window, "Stop the server?", _waits_for(in_flight), accept="Stop the server"):
            return
        await server_actions.toggle_server(self.context)

    def copy_address(self) -> None:
        """Copy the base URL in the form that most clients take."""
        if self.context.server.address:
            self.window.copy(f"{self.context.server.address}/v1")

    def _on_copy_menu(self, anchor: QWidget) -> None:
        pop_up(anchor, self.copy_entries())

    def copy_entries(self) -> list[Entry]:
        """Menu entries that copy the base URL and the setup of client apps, with the current address."""
        address = self.context.server.address or ""
        aliases = self.context.gateway.snapshot.aliases
        model = next((alias.alias for alias in aliases.values() if alias.enabled), _MODEL_PLACEHOLDER)
        copy = self.window.copy
        entries: list[Entry] = [
            ("Base URL (OpenAI)", "link", lambda: copy(f"{address}/v1")),
            ("Base URL (Anthropic, Gemini, Ollama)", "link", lambda: copy(address)),
            None,
            ("Client setup (add your key)", "", None),
        ]
        entries += [(one.label, "", partial(copy, one.text)) for one in snippets(address, None, model)]
        return entries

    async def confirm_quit(self) -> None:
        """Quit; ask for confirmation first if the server is running."""
        running = self.context.server.state == "running"
        if self.window.quitting:
            return
        text = "Apps that use the gateway cannot reach their models until you start Conduit again."
        in_flight = self.context.gateway.in_flight
        if in_flight:
            text = f"{_waits_for(in_flight)} {text}"
        if running and not await confirm(self.window, "Quit and stop the gateway?", text, accept="Quit"):
            return
        self.window.quit_requested.emit()


def _waits_for(in_flight: int) -> str:
    return f"{in_flight} request{'s' if in_flight > 1 else ''} in progress. The server waits ten seconds for them to finish."
