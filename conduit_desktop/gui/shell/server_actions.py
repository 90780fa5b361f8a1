"""What the window's own buttons do, where one wish is more than one action."""

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
    """Listen; False when that failed: the server's state and error then say why."""
    try:
        await context.server.start()
    except ConduitError as error:
        log.error("the server does not listen: %s", error)
        return False
    return context.server.state == "running"


async def toggle_server(context: AppContext) -> None:
    """Stop it where it runs, else start it."""
    if context.server.state == "running":
        await context.server.stop()
    else:
        await start_server(context)


async def restart_server(context: AppContext) -> None:
    """Listen anew, as the settings say now."""
    await context.server.stop()
    await start_server(context)


async def use_free_port(context: AppContext) -> int:
    """Take the first free port after the one that is taken, keep it as the setting, and listen there; that port."""
    taken = context.gateway.snapshot.settings.port
    port = await asyncio.to_thread(next_free_port, taken + 1)
    await settings.change(context, {"port": port}, "gui")
    await start_server(context)
    return port


def next_free_port(first: int) -> int:
    """The first port from `first` on that this computer's loopback has free; 0 (any) when there is none."""
    for port in range(max(first, 1024), LAST_PORT + 1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 0
