"""A change of the settings `host` and `port`: the server moves with it, or the change is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.actions.dispatch import PendingChange
from conduit_desktop.core.errors import ConduitError, Conflict, Invalid, PortTaken
from conduit_desktop.core.settings import Settings

_NAMES = ("host", "port")


async def prepare(started: PendingChange, stored: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> None:
    """Bind the address that the settings will have, before they are stored; the server moves once they are.

    `stored` are options about to be stored (null: the default), `overrides` those of config file and command line if they change.
    Raises Conflict where the port is taken, and Invalid where the address is not this computer's.
    """
    context = started.context
    fixed = context.gateway.state.overrides if overrides is None else overrides
    values = {**await context.store.settings.all(), **stored, **fixed}
    wanted = Settings.model_validate({name: values[name] for name in _NAMES if values.get(name) is not None})
    now = context.gateway.snapshot.settings
    is_same = (wanted.host, wanted.port) == (now.host, now.port)
    # A server that could not listen tries again where one of both is set, also to what it was.
    if is_same and not (context.server.state == "failed" and not stored.keys().isdisjoint(_NAMES)):
        return
    try:
        started.address = await context.server.prepare_address(wanted.host, wanted.port)
    except PortTaken as error:
        raise Conflict(f"port: {error.reason}", "port") from error
    except ConduitError as error:
        raise Invalid(f"host: {error}", "host") from error
