"""What is known of failing targets and refused credentials, to be kept over a restart."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ValidationError

from conduit_desktop.gateway.health import OPEN_MAX_S, DoorHealth, Health
from conduit_desktop.gateway.snapshot import Bound, Snapshot

_LONGEST_S = OPEN_MAX_S * 1.2


class KeptTarget(BaseModel):
    """A target whose circuit is open until `until_ms`; `changed_at` is when its provider was changed last."""

    name: str
    changed_at: int
    until_ms: int
    openings: int
    error: str


class KeptDoor(BaseModel):
    """A parked credential. `mark` tells whether it is still the same one, and nothing of what it is."""

    provider_id: str
    changed_at: int
    label: str
    mark: str
    parked: str
    models: dict[str, str]


class Kept(BaseModel):
    """Everything that is kept."""

    salt: str
    targets: list[KeptTarget] = []
    doors: list[KeptDoor] = []


def new_salt() -> str:
    """Makes the marks of one process differ from those of any other."""
    return secrets.token_hex(16)


def remembered(health: Health, snapshot: Snapshot, salt: str, now_ms: int) -> Kept:
    """The open circuits and parked credentials of providers that are there."""
    kept = Kept(salt=salt)
    for name, target in health.targets.items():
        left_s = health.next_probe_s(name) if target.state == "open" else None
        bound = snapshot.providers.get(name.partition("/")[0].lower())
        if left_s and bound is not None:
            # In whole seconds, so that the same moment looks the same whenever it is looked at.
            until_ms = int(now_ms / 1000 + min(left_s, _LONGEST_S)) * 1000
            changed_at, error = bound.provider.updated_at, target.last_error
            kept.targets.append(
                KeptTarget(name=name, changed_at=changed_at, until_ms=until_ms, openings=target.openings, error=error)
            )
    if health.doors:
        kept.doors.extend(_parked(health, snapshot, salt))
    return kept


def _parked(health: Health, snapshot: Snapshot, salt: str) -> Iterator[KeptDoor]:
    for bound in snapshot.providers.values():
        for door in bound.doors:
            found = health.doors.get((bound.provider.id, door.label))
            if found is not None and (found.parked or found.parked_models):
                yield KeptDoor(
                    provider_id=bound.provider.id, changed_at=bound.provider.updated_at, label=door.label,
                    mark=_mark(bound, door.label, salt), parked=found.parked, models=found.parked_models,
                )  # fmt: skip


def restore(health: Health, snapshot: Snapshot, value: Any, now_ms: int) -> None:
    """Take up again what was kept, as far as it still holds: not past its time, its provider and credential unchanged."""
    try:
        kept = Kept.model_validate(value)
    except ValidationError:
        return
    for target in kept.targets:
        left_s = min((target.until_ms - now_ms) / 1000, _LONGEST_S)  # the clock may have been set
        bound = snapshot.providers.get(target.name.partition("/")[0].lower())
        if left_s > 0 and bound is not None and bound.provider.updated_at == target.changed_at:
            health.reopen(target.name, left_s, target.openings, target.error)
    by_id = {bound.provider.id: bound for bound in snapshot.providers.values()}
    for door in kept.doors:
        owner = by_id.get(door.provider_id)
        if owner is None or owner.provider.updated_at != door.changed_at or _mark(owner, door.label, kept.salt) != door.mark:
            continue
        health.doors[door.provider_id, door.label] = DoorHealth(door.parked, dict(door.models))


def _mark(bound: Bound, label: str, salt: str) -> str:
    """Four bytes of a keyed hash: enough to see a change, too few to learn anything from."""
    door = next((one for one in bound.doors if one.label == label), None)
    key = door.secrets.api_key if door is not None else ""
    return blake2b(key.encode("utf-8", "replace"), key=salt.encode(), digest_size=4).hexdigest()
