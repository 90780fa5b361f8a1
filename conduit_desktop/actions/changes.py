"""Helpers of every change: ids, patches, the lock of the config file, and the difference for the audit log."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Entity
from conduit_desktop.core.errors import Conflict, Invalid

E = TypeVar("E", bound=Entity)

_HIDDEN = frozenset({"id", "digest", "created_at", "updated_at", "source", "secret", "baseline_nano", "baseline_at"})


def new_id(prefix: str) -> str:
    """A random id such as `key_3f9c…`."""
    # 80 random bits: no lookup for a taken id is needed, and an id does not reveal how many there are.
    return f"{prefix}_{secrets.token_hex(10)}"


def check_unlocked(source: str, what: str) -> None:
    """Raises Conflict for an entity that the config file defines; `what` names it in the message."""
    # A change made here would be undone when the file is next read.
    if source == "file":
        raise Conflict(f"{what} is defined in the config file; change it there.")


def sent(patch: BaseModel, entity: type[Entity]) -> dict[str, Any]:
    """The fields that were sent, by name; null becomes the entity's default. Raises Invalid where there is none."""
    values: dict[str, Any] = {}
    for name in patch.model_fields_set:
        value = getattr(patch, name)
        # Null in a patch clears a field. What "cleared" means is the entity's own default, declared once there.
        if value is None and name in entity.model_fields:
            value = entity.model_fields[name].get_default(call_default_factory=True)
            if value is PydanticUndefined:
                raise Invalid(f"{name}: must not be empty", name)
        values[name] = value
    return values


def replaced(entity: E, values: Mapping[str, Any]) -> E:
    """A validated copy of the entity with `values` and `updated_at` now."""
    fields = {name: getattr(entity, name) for name in type(entity).model_fields}
    return type(entity).model_validate({**fields, **plain(values), "updated_at": now_ms()})


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with input models as plain data, from which an entity can be made."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel) and not isinstance(value, Entity):
        return value.model_dump()
    if isinstance(value, list):
        # Entities hold tuples, so that a snapshot in use cannot be changed.
        return tuple(_plain(item) for item in value)
    return value


def difference(before: Entity | None, after: Entity | None) -> dict[str, Any]:
    """For the audit log: the new value of each changed field, without secrets and digests; empty for a removed entity."""
    old, new = _shown(before), _shown(after)
    if after is None:
        return {}
    return {name: value for name, value in new.items() if before is None or old.get(name) != value}


def _shown(value: Any) -> Any:
    if isinstance(value, Entity):
        return {name: _shown(part) for name, part in value.model_dump().items() if name not in _HIDDEN}
    if isinstance(value, dict):
        return {name: _shown(part) for name, part in value.items() if name not in _HIDDEN}
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value]
    return value if value is not None else None
