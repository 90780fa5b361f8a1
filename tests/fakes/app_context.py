"""An AppContext in a temporary home: real store and gateway, secrets in a dict by default, and a server that does not listen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from conduit_desktop.actions.context import AddressChange, AppContext, ServerState
from conduit_desktop.core.bus import Bus, Change
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.gateway import Gateway
from conduit_desktop.store.secrets.store import SecretStore
from conduit_desktop.store.sqlite.store import SqliteStore


class DictSecrets(SecretStore):
    """A secret store in memory; `broken` makes every change fail."""

    backend = "dict"

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.broken = False

    def get(self, name: str) -> str | None:
        return self.kept.get(name)

    def set(self, name: str, value: str) -> None:
        self._check()
        self.kept[name] = value

    def delete(self, name: str) -> None:
        self._check()
        self.kept.pop(name, None)

    def _check(self) -> None:
        if self.broken:
            raise OSError("the keyring is locked")


class IdleServer:
    """A ServerControl that reports `running` without listening."""

    state: ServerState = "running"
    address: str | None = "http://127.0.0.1:5000"
    error = ""
    uptime_s = 12.5
    loop_lag_ms = 0.25

    async def start(self) -> None:
        self.state = "running"

    async def stop(self) -> None:
        self.state = "stopped"

    async def prepare_address(self, host: str, port: int) -> AddressChange | None:
        return None


@asynccontextmanager
async def open_context(home: Home, secrets: SecretStore | None = None, **fixed: Any) -> AsyncIterator[AppContext]:
    """A started AppContext; the settings `fixed` override the stored ones."""
    store = SqliteStore.open(home)
    bus = Bus()
    secrets = secrets or DictSecrets()
    gateway = Gateway(store, secrets, bus, fixed)
    await gateway.start()
    try:
        yield AppContext(home, store, secrets, gateway, bus, IdleServer(), fixed)
    finally:
        await gateway.stop(0.1)
        await store.close()


def published(context: AppContext) -> list[Change]:
    """A list that collects every change published from now on."""
    changes: list[Change] = []
    context.bus.subscribe(changes.append)
    return changes
