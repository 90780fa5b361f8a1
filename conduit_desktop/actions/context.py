"""Everything one running process holds of a home folder, handed to every action."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Literal, Protocol

from conduit_desktop.core.bus import Bus
from conduit_desktop.core.paths import Home

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway
    from conduit_desktop.store.interface import Store
    from conduit_desktop.store.secrets.store import SecretStore

Actor = Literal["gui", "admin", "cli", "file"]
"""Who made a change, as the audit log names it."""

ServerState = Literal["stopped", "starting", "running", "failed"]


class AddressChange(Protocol):
    """Another address of the server, bound and not in use yet. One of both methods is called, once."""

    async def apply(self) -> None:
        """Listen there, and no longer at the former address; answers in progress are finished."""
        ...

    async def cancel(self) -> None:
        """Stay at the former address."""
        ...


class ServerControl(Protocol):
    """The HTTP server. Reading an attribute never blocks; a change of state publishes `server` on the bus."""

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
        """Seconds since it started to listen; 0 while it does not."""
        ...

    @property
    def loop_lag_ms(self) -> float:
        """How late the event loop ran its last timer, in milliseconds."""
        ...

    async def start(self) -> None:
        """Listen on the address of the settings; raises PortTaken."""
        ...

    async def prepare_address(self, host: str, port: int) -> AddressChange | None:
        """Bind the address that the settings are about to have; None where the server is stopped, or is there already.

        Raises PortTaken, and ConduitError for an address that this computer does not have.
        """
        ...

    async def stop(self) -> None:
        """Stop listening, after a grace period for the streams in flight."""
        ...


@dataclass
class AppContext:
    """One home folder, opened: its store, its secrets, the gateway, the event bus and the HTTP server."""

    home: Home
    store: Store
    secrets: SecretStore
    gateway: Gateway
    bus: Bus
    server: ServerControl
    fixed_settings: dict[str, Any] = field(default_factory=dict)
    """Settings fixed by the command line and the environment: they override config file and database, and are locked."""
    write_lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held by `actions.dispatch` during each change, so that changes run one after the other."""
    keys_in_file: frozenset[str] = frozenset()
    """Names, in lower case, of the virtual keys whose value is in the config file: they cannot be rotated here."""
    local_token: str = field(default_factory=lambda: token_urlsafe(32), repr=False)
    """A token for the admin API, valid while this process runs. The command line reads it from the home's lock file."""
    master_key: str | None = field(default=None, repr=False)
    """The admin API's key once it has been read (see `actions.master_key`)."""
