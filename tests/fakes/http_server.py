"""A gateway behind its own HTTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from conduit_desktop.server.http_server import HttpServer
from tests.fakes.gateway import GatewayFixture


@asynccontextmanager
async def listening(home: Home, gateway: GatewayFixture) -> AsyncIterator[AppContext]:
    """The AppContext of `gateway`, whose server listens on the address and port of its settings."""
    server = HttpServer()
    context = AppContext(home, gateway.store, gateway.secrets, gateway, gateway.bus, server, gateway.state.overrides)
    server.serve(context)
    await server.start()
    try:
        yield context
    finally:
        await server.stop()
