"""Finishes or undoes what a killed process was doing with secrets, before the gateway reads them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from conduit_desktop.actions.background import webhook
from conduit_desktop.actions.credentials import move
from conduit_desktop.core.errors import ConduitError, describe
from conduit_desktop.store.interface import PENDING_SECRETS

if TYPE_CHECKING:
    from conduit_desktop.store.interface import Store
    from conduit_desktop.store.secrets.store import SecretStore

log = logging.getLogger(__name__)


async def finish(store: Store, secrets: Callable[[], SecretStore]) -> None:
    """Make the moves of a change that was committed, and remove secrets that no row names.

    Only of the names that a change has noted: others may belong to a database that was put away by a restore. Where the secret
    store cannot be used, it is left to the next start.
    """
    pending = await store.meta.get(PENDING_SECRETS)
    if not pending:
        return
    hooked: Any = await store.meta.get(webhook.META)
    named = {hooked["url"], webhook.SECRET} if hooked else set()
    for provider in await store.providers.all():
        named |= {one.secret for one in provider.credentials} | {one.secret for one in provider.headers}
    try:
        unnamed = [name for name in pending["names"] if name not in named]
        await asyncio.to_thread(lambda: _finish(secrets(), pending["moves"], unnamed))
    except (ConduitError, OSError) as error:
        log.warning("secrets of an interrupted change could not be put right: %s", describe(error))
        return
    await store.meta.put(PENDING_SECRETS, None)


def _finish(secrets: SecretStore, moves: dict[str, str], unnamed: list[str]) -> None:
    for source, target in moves.items():
        move(secrets, source, target)
    for name in unnamed:
        if secrets.get(name) is not None:
            secrets.delete(name)
            log.info("a secret that an interrupted change has left was removed: %s", name)
