"""The server in the window: its card, the tray icon, the banner when it cannot listen, and the confirmation to quit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from conduit_desktop.actions.onboarding.snippets import snippets
from conduit_desktop.gui.order import oldest_first
from conduit_desktop.gui.shell import server_actions
from conduit_desktop.gui.widgets.buttons import Kind
from conduit_desktop.gui.widgets.forms.dialogs import confirm
from conduit_desktop.gui.widgets.menus import Entry, pop_up

if TYPE_CHECKING:
    from conduit_desktop.gui.shell.window import MainWindow

_MODEL_PLACEHOLDER = "your-model"


class ServerControls(QObject):
    """Updates card, tray and banner, and handles their buttons. The server of a remote gateway is shown and not controlled."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.client = window.client
        self.state = window.state
        window.sidebar.server.toggled.connect(self._on_toggled)
        window.sidebar.server.copy_requested.connect(self._on_copy_menu)
        window.tray.toggle_requested.connect(self._on_toggled)
        window.tray.copy_requested.connect(self.copy_address)
        window.sidebar.server.power.setVisible(self.client.is_local)
        window.tray.toggle.setVisible(self.client.is_local)
        self.state.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Show the current state of the server."""
        state = self.state
        self.window.sidebar.server.show_state(state.server, state.address)
        self.window.tray.show_state(state.server, state.address)
        if state.server == "failed":
            self._show_failure(state.error)
        else:
            self.window.banner.hide()

    def _show_failure(self, error: str) -> None:
        buttons: tuple[tuple[str, Kind, Callable[[], Any]], ...] = (
            ("Use the next free port", "primary", lambda: self.window.run(self._use_free_port())),
            ("Try again", "plain", lambda: self.window.run(server_actions.start_server(self.client))),
        )
        text = error or f"The server cannot listen on port {self.state.settings['port']}."
        self.window.banner.show_text(text, "danger", *(buttons if self.client.is_local else ()))

    async def _use_free_port(self) -> None:
        port = await server_actions.use_free_port(self.client, self.state.settings["port"])
        # A failed start is in the status, which the banner shows: a message of success would contradict it.
        if (await self.client.status()).state == "running":
            self.window.notify(f"Listening on port {port}")

    def _on_toggled(self) -> None:
        self.window.run(self._toggle())

    async def _toggle(self) -> None:
        # Asked now: the number of requests in progress is not among what the window follows.
        status = await self.client.status()
        if status.state != "running":
            await server_actions.start_server(self.client)
            return
        waits = _waits_for(status.in_flight)
        if status.in_flight and not await confirm(self.window, "Stop the server?", waits, accept="Stop the server"):
            return
        await self.client.stop_server()

    def copy_address(self) -> None:
        """Copy the base URL in the form that most clients take."""
        if self.state.address:
            self.window.copy(f"{self.state.address}/v1")

    def _on_copy_menu(self, anchor: QWidget) -> None:
        self.window.run(self._open_copy_menu(anchor))

    async def _open_copy_menu(self, anchor: QWidget) -> None:
        pop_up(anchor, await self.copy_entries())

    async def copy_entries(self) -> list[Entry]:
        """Menu entries that copy the base URL and the setup of client apps, with the current address."""
        address = self.state.address or ""
        # A pattern such as `gpt-*` is not a name that a client can send.
        aliases = [model.alias for model in oldest_first(await self.client.models()) if model.enabled and "*" not in model.alias]
        model = next(iter(aliases), _MODEL_PLACEHOLDER)
        copy = self.window.copy
        entries: list[Entry] = [
            ("Base URL (OpenAI)", "link", lambda: copy(f"{address}/v1")),
            ("Base URL (Anthropic, Gemini, Ollama)", "link", lambda: copy(address)),
            None,
            ("Client setup (add your key)", "", None),
        ]
        # Without a key: only hashes are stored, so there is none to fill in.
        entries += [(one.label, "", partial(copy, one.text)) for one in snippets(address, None, model)]
        return entries

    async def confirm_quit(self) -> None:
        """Quit; ask for confirmation first if the app's own server is running."""
        if self.window.quitting:
            return
        if self.client.is_local:
            status = await self.client.status()
            text = "Apps that use the gateway cannot reach their models until you start Conduit again."
            if status.in_flight:
                text = f"{_waits_for(status.in_flight)} {text}"
            running = status.state == "running"
            if running and not await confirm(self.window, "Quit and stop the gateway?", text, accept="Quit"):
                return
        self.window.quit_requested.emit()


def _waits_for(in_flight: int) -> str:
    return f"{in_flight} request{'s' if in_flight > 1 else ''} in progress. The server waits ten seconds for them to finish."
