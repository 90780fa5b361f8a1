"""The state of the gateway."""

from __future__ import annotations

import asyncio

from conduit_desktop import __version__
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.views import StatusView
from conduit_desktop.core.paths import Home


async def status(context: AppContext) -> StatusView:
    """State, address and load now."""
    server = context.server
    return StatusView(
        version=__version__,
        state=server.state,
        address=server.address,
        error=server.error,
        uptime_s=round(server.uptime_s, 3),
        in_flight=context.gateway.in_flight,
        loop_lag_ms=round(server.loop_lag_ms, 3),
        home=str(context.home.root),
        secrets_backend=context.secrets.backend,
        database_bytes=await asyncio.to_thread(database_bytes, context.home),
    )


def database_bytes(home: Home) -> int:
    """Bytes of both databases with their write-ahead logs."""
    # The WAL counts: under load it holds megabytes that are not in the database file yet.
    files = [path.with_name(path.name + end) for path in (home.database, home.payloads) for end in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
