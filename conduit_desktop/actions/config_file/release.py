"""A start without a config file: entities that an earlier one defined become the user's own."""

from __future__ import annotations

from typing import TypeVar

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.dispatch import Edit, apply
from conduit_desktop.core.entities import Entity
from conduit_desktop.store.interface import EntityRows

E = TypeVar("E", bound=Entity)


async def release_file(context: AppContext) -> int:
    """Unlock what an earlier config file defined; returns the number of entities."""
    # Otherwise they would stay locked, with no file left in which they could be changed.
    return await apply(context, "file", _release_all)


def _release_all(edit: Edit) -> int:
    tx = edit.tx
    released = _release(tx.models) + _release(tx.providers) + _release(tx.keys) + _release(tx.budgets)
    released += _release(tx.prices)
    if released:
        edit.record("config-file.release", "config file", {"released": released})
    return released


def _release(rows: EntityRows[E]) -> int:
    locked = [one for one in rows.all() if getattr(one, "source", "user") == "file"]
    for one in locked:
        rows.replace(one.model_copy(update={"source": "user"}))
    return len(locked)
