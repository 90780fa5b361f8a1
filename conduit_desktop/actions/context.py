"""The house an operator acts on: its rooms in one value, handed to every action."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Literal, Protocol

from conduit_desktop.core.bus import Bus
from conduit_desktop.core.paths import Home

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway
    from conduit_desktop.store import Store
    from conduit_desktop.store.secrets.store import SecretStore

Actor = Literal["gui", "admin", "cli", "file"]
"""Who acts, as the audit log names it."""

ServerState = Literal["stopped", "starting", "running", "failed"]


class ServerControl(Protocol):
    """The listening half of the house. Reading an attribute never blocks; a change publishes `server` on the bus."""

    @property
    def state(self) -> ServerState: ...

    @property
    def address(self) -> str | None:
        """Where it listens, such as `http://127.0.0.1:5000`; None while it does not."""
        ...

    @property
    def error(self) -> str:
        """Why it failed, in one line; empty otherwise."""
        ...

    @property
    def uptime_s(self) -> float:
        """Seconds since it began to listen; 0 while it does not."""
        ...

    @property
    def loop_lag_ms(self) -> float:
        """How late the event loop ran its last timer, in milliseconds."""
        ...

    async def start(self) -> None:
        """Listen as the settings say; raises PortTaken."""
        ...

    async def stop(self) -> None:
        """Stop listening, after the streams in flight have had their time."""
        ...


@dataclass
class AppContext:
    """One home folder, opened: what is remembered, what is secret, who answers, and who hears of changes."""

    home: Home
    store: Store
    secrets: SecretStore
    gateway: Gateway
    bus: Bus
    server: ServerControl
    fixed_settings: dict[str, Any] = field(default_factory=dict)
    """Settings that the command line and the environment say: they hold over config file and database, and are locked."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held by whoever changes something through the admin API, the command line or the file: one after the other."""
    keys_in_file: frozenset[str] = frozenset()
    """Names, in lower case, of the virtual keys whose very key the config file gives: they are not rotated here."""
    local_token: str = field(default_factory=lambda: token_urlsafe(32), repr=False)
    """Opens the admin API for whoever can read the home's lock file, as long as this process lives: the command line."""
    master_key: str | None = field(default=None, repr=False)
    """The admin API's key once it has been read (see `actions.master_key`)."""
