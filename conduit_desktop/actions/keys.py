"""Virtual keys: made, limited, rotated and withdrawn. The key itself is shown once, by `create` and `rotate`."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from typing import Any

from conduit_desktop.actions.changes import check_unlocked, difference, made_known, new_id, now_ms, replaced, sent
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.schemas.inputs import KeyPatch, NewKey, epoch_ms
from conduit_desktop.actions.schemas.views import KeyStatus, KeyView, NewKeyView, chosen_time, rfc3339
from conduit_desktop.core.entities import Source, VirtualKey
from conduit_desktop.core.errors import NotFound
from conduit_desktop.core.money import to_nano, to_usd
from conduit_desktop.gateway.admission.access import KEY_PREFIX, digest
from conduit_desktop.gateway.admission.budgets import BudgetAccount

_AS_THEY_ARE = (
    "id", "name", "hint", "description", "enabled", "budget_period", "rpm", "rpd", "tpm", "max_parallel", "unpriced",
    "log_payloads", "metadata",
)  # fmt: skip


def view(key: VirtualKey, account: BudgetAccount) -> KeyView:
    """A key and where it stands."""
    return KeyView(**_shown(key, account))


def _shown(key: VirtualKey, account: BudgetAccount) -> dict[str, Any]:
    return {
        **{name: getattr(key, name) for name in _AS_THEY_ARE},
        "models": list(key.models),
        "allowed_ips": list(key.allowed_ips),
        "budget_usd": None if key.budget_nano is None else to_usd(key.budget_nano),
        "expires_at": chosen_time(key.expires_at),
        "spend_usd": to_usd(account.spend_nano),
        "reserved_usd": to_usd(account.reserved_nano),
        "period_start": rfc3339(account.period_start),
        "next_reset": rfc3339(account.next_reset),
        "status": status(key, account),
        "locked": key.source == "file",
        "created_at": rfc3339(key.created_at),
        "updated_at": rfc3339(key.updated_at),
    }


def status(key: VirtualKey, account: BudgetAccount) -> KeyStatus:
    """Whether the key opens, and if not, the first reason."""
    if not key.enabled:
        return "disabled"
    if key.expires_at is not None and key.expires_at <= now_ms():
        return "expired"
    if key.budget_nano is not None and account.spend_nano >= key.budget_nano:
        return "budget_spent"
    return "active"


def fresh() -> str:
    """A new key: the prefix and 32 random bytes in 43 base64url characters."""
    return KEY_PREFIX + urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def key_hint(key: str) -> str:
    """What may be shown of a key: `condt_…Ab3d`."""
    return f"{KEY_PREFIX}…{key[-4:]}"


async def all_keys(context: AppContext) -> list[KeyView]:
    """Every virtual key."""
    return [view(key, context.gateway.account(key.id)) for key in await context.store.keys.all()]


async def find(context: AppContext, key_id: str) -> VirtualKey:
    """The key of that id, or of that name; raises NotFound."""
    if (key := await context.store.keys.get(key_id)) is not None:
        return key
    for one in await context.store.keys.all():
        if one.name.casefold() == key_id.casefold():
            return one
    raise NotFound(f"There is no virtual key {key_id!r}.")


async def get(context: AppContext, key_id: str) -> KeyView:
    """One key; raises NotFound."""
    key = await find(context, key_id)
    return view(key, context.gateway.account(key.id))


async def create(context: AppContext, new: NewKey, actor: Actor, source: Source = "user", secret: str | None = None) -> NewKeyView:
    """Add a key and show it, this once. `secret` is a key made elsewhere. Raises Conflict, Invalid."""
    secret = secret or fresh()
    now = now_ms()
    key = VirtualKey.model_validate(
        {
            **_fields(new),
            "id": new_id("key"),
            "digest": digest(secret),
            "hint": key_hint(secret),
            "source": source,
            "created_at": now,
            "updated_at": now,
        }
    )
    await context.store.keys.insert(key)
    await made_known(context, actor, "key.create", key.name, "keys", difference(None, key))
    return NewKeyView(**_shown(key, context.gateway.account(key.id)), key=secret)


async def edit(context: AppContext, key_id: str, patch: KeyPatch, actor: Actor) -> KeyView:
    """Change the fields sent. Raises NotFound, Conflict, Invalid."""
    before = await find(context, key_id)
    check_unlocked(before.source, f"The key {before.name!r}")
    after = await change(context, before, patch, actor)
    return view(after, context.gateway.account(after.id))


async def change(
    context: AppContext, before: VirtualKey, patch: KeyPatch, actor: Actor, source: Source = "user", secret: str | None = None
) -> VirtualKey:
    """Lay `patch` over a key, whoever owns it; `secret` takes the place of the key itself."""
    values = {**_fields(patch), "source": source}
    if secret is not None:
        values |= {"digest": digest(secret), "hint": key_hint(secret)}
    after = replaced(before, values)
    await context.store.keys.replace(after)
    await made_known(context, actor, "key.edit", after.name, "keys", difference(before, after))
    return after


async def remove(context: AppContext, key_id: str, actor: Actor) -> None:
    """Withdraw a key: it is refused at once, its records stay. Raises NotFound, Conflict."""
    key = await find(context, key_id)
    check_unlocked(key.source, f"The key {key.name!r}")
    await discard(context, key, actor)


async def discard(context: AppContext, key: VirtualKey, actor: Actor) -> None:
    """Withdraw a key, whoever owns it."""
    await context.store.keys.delete(key.id)
    await made_known(context, actor, "key.remove", key.name, "keys", {"hint": key.hint})


async def rotate(context: AppContext, key_id: str, actor: Actor) -> NewKeyView:
    """Put a new key in the old one's place; the old one is refused at once. Raises NotFound, Conflict.

    Of a key that the config file defines without saying the key itself, this is how to come by it.
    """
    before = await find(context, key_id)
    if before.name.casefold() in context.keys_in_file:
        check_unlocked(before.source, f"The key {before.name!r}")
    secret = fresh()
    after = replaced(before, {"digest": digest(secret), "hint": key_hint(secret)})
    await context.store.keys.replace(after)
    await made_known(context, actor, "key.rotate", after.name, "keys", {"hint": after.hint})
    return NewKeyView(**_shown(after, context.gateway.account(after.id)), key=secret)


async def reset_spend(context: AppContext, key_id: str, actor: Actor) -> KeyView:
    """Count the running period's spend from here; records and totals stay. Raises NotFound."""
    before = await find(context, key_id)
    account = context.gateway.account(before.id)
    # The account counts above the last baseline, while that lies in the running period.
    counted = before.baseline_nano if before.baseline_at >= (account.period_start or 0) else 0
    spent = account.spend_nano
    after = replaced(before, {"baseline_nano": counted + spent, "baseline_at": now_ms()})
    await context.store.keys.replace(after)
    await made_known(context, actor, "key.reset-spend", after.name, "keys", {"spend_usd": to_usd(spent)})
    return view(after, context.gateway.account(after.id))


def _fields(body: KeyPatch) -> dict[str, Any]:
    """The fields sent, as the entity names and counts them."""
    values = sent(body, VirtualKey)
    if "budget_usd" in values:
        values["budget_nano"] = None if body.budget_usd is None else to_nano(body.budget_usd)
        del values["budget_usd"]
    if body.expires_at is not None:
        values["expires_at"] = epoch_ms(body.expires_at)
    return values
