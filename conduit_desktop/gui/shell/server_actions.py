"""Starting and stopping the server from the window, and moving it to a free port."""

from __future__ import annotations

import asyncio
import logging
import socket

from conduit_desktop.actions import settings
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import ConduitError

log = logging.getLogger(__name__)

LAST_PORT = 65535


async def start_server(context: AppContext) -> bool:
    """Start listening; False if that failed. The server's `state` and `error` then have the reason."""
    try:
        await context.server.start()
    except ConduitError as error:
        log.error("the server does not listen: %s", error)
        return False
    return context.server.state == "running"


async def toggle_server(context: AppContext) -> None:
    """Stop the server if it is running, else start it."""
    if context.server.state == "running":
        await context.server.stop()
    else:
        await start_server(context)


async def restart_server(context: AppContext) -> None:
    """Stop and start the server, with the current settings."""
    await context.server.stop()
    await start_server(context)


async def use_free_port(context: AppContext) -> int:
    """Save the first free port after the configured one as the setting and listen on it; returns that port."""
    taken = context.gateway.snapshot.settings.port
    port = await asyncio.to_thread(next_free_port, taken + 1)
    await settings.change(context, {"port": port}, "gui")
    await start_server(context)
    return port


def next_free_port(first: int) -> int:
    """The first free port of the loopback interface, from `first` on; 0 (any port) if there is none."""
    for port in range(max(first, 1024), LAST_PORT + 1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 0
