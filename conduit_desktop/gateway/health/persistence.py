"""What is known of failing and paused targets, and of refused and resting credentials, to be kept over a restart."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ValidationError

from conduit_desktop.gateway.health.circuit import COOLDOWN_MAX_S, OPEN_MAX_S, Health
from conduit_desktop.gateway.health.state import Cooldown, CredentialHealth
from conduit_desktop.gateway.snapshot import BoundProvider, Snapshot

_LONGEST_S = OPEN_MAX_S * 1.2


class SavedTarget(BaseModel):
    """A target whose circuit is open until `until_ms` or waits for its probe (None: it is closed), or which is to be left alone.

    `changed_at`: its provider's last change. `rest_ms`: until then its provider asked to be left alone.
    """

    name: str
    changed_at: int
    until_ms: int | None
    openings: int
    error: str
    rest_ms: int = 0


class SavedCooldown(BaseModel):
    """A credential's rest from a model."""

    until_ms: int
    strikes: int


class SavedCredential(BaseModel):
    """A parked or resting credential. `mark` tells whether it is still the same one, and nothing of what it is."""

    provider_id: str
    changed_at: int
    label: str
    mark: str
    parked: str
    models: dict[str, str]
    rests: dict[str, SavedCooldown] = {}


class SavedHealth(BaseModel):
    """Everything that is kept."""

    salt: str
    targets: list[SavedTarget] = []
    credentials: list[SavedCredential] = []
    paused: list[str] = []


def new_salt() -> str:
    """Makes the marks of one process differ from those of any other."""
    return secrets.token_hex(16)


def remembered(health: Health, snapshot: Snapshot, salt: str, now_ms: int) -> SavedHealth:
    """The open circuits, pauses, parked and resting credentials of providers that are there."""
    kept = SavedHealth(salt=salt, paused=sorted(name for name in health.paused if _owner(name, snapshot) is not None))
    for name, target in health.targets.items():
        left_s, rest_s, bound = health.next_probe_s(name), health.target_rest_s(name), _owner(name, snapshot)
        if bound is not None and (left_s is not None or rest_s):
            kept.targets.append(SavedTarget(
                name=name, changed_at=bound.provider.updated_at, openings=target.openings, error=target.last_error,
                until_ms=None if left_s is None else _until_ms(now_ms, min(left_s, _LONGEST_S)) if left_s else 0,
                rest_ms=_until_ms(now_ms, rest_s) if rest_s else 0,
            ))  # fmt: skip
    if health.credentials:
        kept.credentials.extend(_credentials(health, snapshot, salt, now_ms))
    return kept


def _owner(name: str, snapshot: Snapshot) -> BoundProvider | None:
    return snapshot.providers.get(name.partition("/")[0].lower())


def _until_ms(now_ms: int, left_s: float) -> int:
    """In whole seconds, so that the same moment looks the same whenever it is looked at."""
    return int(now_ms / 1000 + left_s) * 1000


def _left_s(until_ms: int, now_ms: int, longest_s: float) -> float:
    """Seconds until then, `longest_s` at most: the clock may have been set."""
    return max(0.0, min((until_ms - now_ms) / 1000, longest_s))


def _credentials(health: Health, snapshot: Snapshot, salt: str, now_ms: int) -> Iterator[SavedCredential]:
    for bound in snapshot.providers.values():
        for credential in bound.credentials:
            found = health.credentials.get((bound.provider.id, credential.label))
            if found is None:
                continue
            waits = {model: health.rest_s(bound.provider.id, credential.label, model) for model in found.rests}
            rests = {
                model: SavedCooldown(until_ms=_until_ms(now_ms, wait), strikes=found.rests[model].strikes)
                for model, wait in waits.items()
                if wait
            }
            if found.parked or found.parked_models or rests:
                yield SavedCredential(
                    provider_id=bound.provider.id, changed_at=bound.provider.updated_at, label=credential.label,
                    mark=_mark(bound, credential.label, salt), parked=found.parked, models=found.parked_models, rests=rests,
                )  # fmt: skip


def restore(health: Health, snapshot: Snapshot, value: Any, now_ms: int) -> None:
    """Take up again what was kept, as far as it still holds: not past its time, its provider and credential unchanged."""
    try:
        kept = SavedHealth.model_validate(value)
    except ValidationError:
        return
    for target in kept.targets:
        bound = _owner(target.name, snapshot)
        if bound is None or bound.provider.updated_at != target.changed_at:
            continue
        if target.until_ms is not None:
            health.reopen(target.name, _left_s(target.until_ms, now_ms, _LONGEST_S), target.openings, target.error)
        if rest_s := _left_s(target.rest_ms, now_ms, COOLDOWN_MAX_S):
            health.rest(target.name, rest_s, target.error)
    health.paused.update(name for name in kept.paused if _owner(name, snapshot) is not None)
    by_id = {bound.provider.id: bound for bound in snapshot.providers.values()}
    for credential in kept.credentials:
        owner = by_id.get(credential.provider_id)
        if (
            owner is None
            or owner.provider.updated_at != credential.changed_at
            or _mark(owner, credential.label, kept.salt) != credential.mark
        ):
            continue
        made = health.credentials[credential.provider_id, credential.label] = CredentialHealth(
            credential.parked, dict(credential.models)
        )
        for model, rest in credential.rests.items():
            if left_s := _left_s(rest.until_ms, now_ms, COOLDOWN_MAX_S):
                made.rests[model] = Cooldown(health.now() + left_s, rest.strikes)


def _mark(bound: BoundProvider, label: str, salt: str) -> str:
    """Four bytes of a keyed hash: enough to see a change, too few to learn anything from."""
    credential = next((one for one in bound.credentials if one.label == label), None)
    key = credential.secrets.api_key if credential is not None else ""
    return blake2b(key.encode("utf-8", "replace"), key=salt.encode(), digest_size=4).hexdigest()
