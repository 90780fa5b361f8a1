"""Starting the server from the window, and moving it to a free port."""

from __future__ import annotations

import asyncio
import logging
import socket

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.core.errors import ConduitError

log = logging.getLogger(__name__)

LAST_PORT = 65535


async def start_server(client: AdminClient) -> bool:
    """Start listening; False if that failed. The status then has the reason."""
    try:
        await client.start_server()
    except ConduitError as error:
        log.error("the server does not listen: %s", error)
        return False
    return (await client.status()).state == "running"


async def use_free_port(client: AdminClient, taken: int) -> int:
    """Save the first free port after `taken` as the setting and listen on it; returns that port."""
    port = await asyncio.to_thread(next_free_port, taken + 1)
    # Saved, so that clients find the gateway at the same address after the next start.
    await client.change_settings({"port": port})
    await start_server(client)
    return port


def next_free_port(first: int) -> int:
    """The first free port of the loopback interface, from `first` on; 0 (any port) if there is none."""
    # Ports below 1024 need privileges on most systems.
    for port in range(max(first, 1024), LAST_PORT + 1):
        with socket.socket() as probe:
            try:
                # Bound, not connected to: a port can be taken although nobody accepts connections on it.
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 0
