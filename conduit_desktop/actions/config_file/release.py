"""A start without a config file: what an earlier one had defined becomes the user's own."""

from __future__ import annotations

from typing import TypeVar

from conduit_desktop.actions.changes import made_known
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.entities import Entity
from conduit_desktop.store import EntityTable

E = TypeVar("E", bound=Entity)


async def release_file(context: AppContext) -> int:
    """The house is started without a config file: what an earlier one defined is the user's from now on; how many things."""
    store, released = context.store, 0
    for alias in await store.models.all():
        released += await _release(store.models, alias)
    for provider in await store.providers.all():
        released += await _release(store.providers, provider)
    for key in await store.keys.all():
        released += await _release(store.keys, key)
    for price in await store.prices.all():
        released += await _release(store.prices, price)
    if released:
        await made_known(context, "file", "config-file.release", "config file", "settings", {"released": released})
    return released


async def _release(table: EntityTable[E], entity: E) -> bool:
    if getattr(entity, "source", "user") != "file":
        return False
    await table.replace(entity.model_copy(update={"source": "user"}))
    return True
