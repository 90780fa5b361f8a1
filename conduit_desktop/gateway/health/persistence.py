"""Saves health across restarts: open circuits, paused targets, disabled credentials and cooldowns.

The stored JSON keeps the field names of the first release (`parked`, `rests`, `rest_ms`), so that releases read each other's.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conduit_desktop.gateway.health.circuit import COOLDOWN_MAX_S, OPEN_MAX_S, Health
from conduit_desktop.gateway.health.state import Cooldown, CredentialHealth
from conduit_desktop.gateway.snapshot import BoundProvider, Snapshot

# 1.2 is the random factor of `Health._judge` at its highest.
_LONGEST_S = OPEN_MAX_S * 1.2


class SavedTarget(BaseModel):
    """A target with an open circuit or a cooldown. Times are epoch ms.

    `until_ms`: when the circuit lets a probe through (0: now; None: it is closed). `changed_at`: its provider's last change.
    `cooldown_ms`: the end of the pause that its provider asked for.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: str
    changed_at: int
    until_ms: int | None
    openings: int
    error: str
    cooldown_ms: int = Field(0, validation_alias="rest_ms", serialization_alias="rest_ms")


class SavedCooldown(BaseModel):
    """A credential's cooldown for a model."""

    until_ms: int
    strikes: int


class SavedCredential(BaseModel):
    """A disabled credential, or one with cooldowns. `mark` shows whether it is still the same one, and nothing of its value."""

    model_config = ConfigDict(populate_by_name=True)

    provider_id: str
    changed_at: int
    label: str
    mark: str
    disabled: str = Field(validation_alias="parked", serialization_alias="parked")
    disabled_models: dict[str, str] = Field(validation_alias="models", serialization_alias="models")
    cooldowns: dict[str, SavedCooldown] = Field({}, validation_alias="rests", serialization_alias="rests")


class SavedHealth(BaseModel):
    """All that is saved."""

    salt: str
    targets: list[SavedTarget] = []
    credentials: list[SavedCredential] = []
    paused: list[str] = []


def new_salt() -> str:
    """A random salt: the marks of one process differ from those of any other."""
    return secrets.token_hex(16)


def remembered(health: Health, snapshot: Snapshot, salt: str, now_ms: int) -> SavedHealth:
    """The open circuits, pauses, disabled credentials and cooldowns of existing providers."""
    # Sorted, so that the same set compares equal and is not written again.
    kept = SavedHealth(salt=salt, paused=sorted(name for name in health.paused if _owner(name, snapshot) is not None))
    for name, target in health.targets.items():
        left_s, cooldown_s, bound = health.next_probe_s(name), health.target_cooldown_s(name), _owner(name, snapshot)
        if bound is not None and (left_s is not None or cooldown_s):
            kept.targets.append(SavedTarget(
                name=name, changed_at=bound.provider.updated_at, openings=target.openings, error=target.last_error,
                until_ms=None if left_s is None else _until_ms(now_ms, min(left_s, _LONGEST_S)) if left_s else 0,
                cooldown_ms=_until_ms(now_ms, cooldown_s) if cooldown_s else 0,
            ))  # fmt: skip
    if health.credentials:
        kept.credentials.extend(_credentials(health, snapshot, salt, now_ms))
    return kept


def _owner(name: str, snapshot: Snapshot) -> BoundProvider | None:
    return snapshot.providers.get(name.partition("/")[0].lower())


def _until_ms(now_ms: int, left_s: float) -> int:
    """The end in epoch ms, in whole seconds: it must not differ from one save to the next."""
    return int(now_ms / 1000 + left_s) * 1000


def _left_s(until_ms: int, now_ms: int, longest_s: float) -> float:
    """Seconds left, `longest_s` at most: the clock may have been set back."""
    return max(0.0, min((until_ms - now_ms) / 1000, longest_s))


def _credentials(health: Health, snapshot: Snapshot, salt: str, now_ms: int) -> Iterator[SavedCredential]:
    for bound in snapshot.providers.values():
        for credential in bound.credentials:
            found = health.credentials.get((bound.provider.id, credential.label))
            if found is None:
                continue
            waits = {model: health.credential_cooldown_s(bound.provider.id, credential.label, model) for model in found.cooldowns}
            cooldowns = {
                model: SavedCooldown(until_ms=_until_ms(now_ms, wait), strikes=found.cooldowns[model].strikes)
                for model, wait in waits.items()
                if wait
            }
            if found.disabled or found.disabled_models or cooldowns:
                yield SavedCredential(
                    provider_id=bound.provider.id, changed_at=bound.provider.updated_at, label=credential.label,
                    mark=_mark(bound, credential.label, salt), disabled=found.disabled,
                    disabled_models=found.disabled_models, cooldowns=cooldowns,
                )  # fmt: skip


def restore(health: Health, snapshot: Snapshot, value: Any, now_ms: int) -> None:
    """Restore what was saved where it is still valid: its time not over, its provider and credential unchanged."""
    try:
        kept = SavedHealth.model_validate(value)
    except ValidationError:
        # Health is no configuration: a row that cannot be read costs a few failures, and must not prevent the start.
        return
    for target in kept.targets:
        bound = _owner(target.name, snapshot)
        # The operator changed the provider, perhaps to mend it: what was known of the old one is void.
        if bound is None or bound.provider.updated_at != target.changed_at:
            continue
        if target.until_ms is not None:
            health.reopen(target.name, _left_s(target.until_ms, now_ms, _LONGEST_S), target.openings, target.error)
        if cooldown_s := _left_s(target.cooldown_ms, now_ms, COOLDOWN_MAX_S):
            health.cool_down(target.name, cooldown_s, target.error)
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
            credential.disabled, dict(credential.disabled_models)
        )
        for model, cooldown in credential.cooldowns.items():
            if left_s := _left_s(cooldown.until_ms, now_ms, COOLDOWN_MAX_S):
                made.cooldowns[model] = Cooldown(health.now() + left_s, cooldown.strikes)


def _mark(bound: BoundProvider, label: str, salt: str) -> str:
    """Four bytes of a keyed hash: enough to notice a change, too few to guess the credential from."""
    credential = next((one for one in bound.credentials if one.label == label), None)
    key = credential.secrets.api_key if credential is not None else ""
    return blake2b(key.encode("utf-8", "replace"), key=salt.encode(), digest_size=4).hexdigest()
