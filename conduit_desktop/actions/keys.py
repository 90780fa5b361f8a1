"""Virtual keys: created, limited, rotated and removed. The key itself is returned once, by `create` and `rotate`."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Any

from conduit_desktop.actions.budgets import past_periods
from conduit_desktop.actions.changes import check_unlocked, difference, new_id, replaced, sent
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, PendingChange, apply, change
from conduit_desktop.actions.schemas.inputs import KeyPatch, NewKey, PageQuery, epoch_ms
from conduit_desktop.actions.schemas.views import BudgetPeriodView, KeyStatus, KeyView, NewKeyView, chosen_time, rfc3339
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Source, VirtualKey
from conduit_desktop.core.errors import NotFound
from conduit_desktop.core.money import to_nano, to_usd
from conduit_desktop.gateway.admission.access import KEY_PREFIX, digest
from conduit_desktop.gateway.admission.budgets import BudgetAccount
from conduit_desktop.store.interface import Spending

_SAME_FIELDS = (
    "id", "name", "hint", "description", "team", "enabled", "budget_period", "rpm", "rpd", "tpm", "max_parallel",
    "log_payloads", "metadata",
)  # fmt: skip


def view(key: VirtualKey, account: BudgetAccount) -> KeyView:
    """A key with its spend and status."""
    return KeyView(**_shown(key, account))


def _shown(key: VirtualKey, account: BudgetAccount) -> dict[str, Any]:
    return {
        **{name: getattr(key, name) for name in _SAME_FIELDS},
        "models": list(key.models),
        "tags": list(key.tags),
        "unpriced_is_default": key.unpriced is None,
        "unpriced": key.unpriced or ("allow" if key.budget_nano is None else "block"),
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
    """Whether the key is accepted, and if not, the first reason."""
    if not key.enabled:
        return "disabled"
    if key.expires_at is not None and key.expires_at <= now_ms():
        return "expired"
    # Spend alone, as in notifications: reservations come and go with each call, and the status would flicker.
    if key.budget_nano is not None and account.spend_nano >= key.budget_nano:
        return "budget_spent"
    return "active"


async def history(context: AppContext, key_id: str, query: PageQuery) -> tuple[list[BudgetPeriodView], str | None]:
    """What the key spent in the past periods of its own budget, the newest first; a spend that was reset is in it.

    A key whose budget holds for ever (`total`) has none. Raises NotFound, Invalid for a cursor.
    """
    key = await find(context, key_id)
    return await past_periods(context, key.budget_period, Spending("key", key.id), query)


def fresh() -> str:
    """A new key: the prefix and 32 random bytes in 43 base64url characters."""
    return KEY_PREFIX + urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def key_hint(key: str) -> str:
    """What may be shown of a key: `condt_…Ab3d`."""
    # Four of 43 characters: 24 of 256 bits, enough to recognise a key and useless to guess the rest.
    return f"{KEY_PREFIX}…{key[-4:]}"


async def all_keys(context: AppContext) -> list[KeyView]:
    """Every virtual key."""
    return [view(key, context.gateway.account(key.id)) for key in await context.store.keys.all()]


async def find(context: AppContext, key_id: str) -> VirtualKey:
    """The key of that id, or of that name; raises NotFound."""
    return _pick(await context.store.keys.all(), key_id)


def find_in(edit: Edit, key_id: str) -> VirtualKey:
    """The key of that id, or of that name, inside a transaction; raises NotFound."""
    return _pick(edit.tx.keys.all(), key_id)


def _pick(keys: Iterable[VirtualKey], wanted: str) -> VirtualKey:
    # An id goes before a name: a name may be anything, also another key's id.
    rows = list(keys)
    for key in (*(row for row in rows if row.id == wanted), *(row for row in rows if row.name.casefold() == wanted.casefold())):
        return key
    raise NotFound(f"There is no virtual key {wanted!r}.")


async def get(context: AppContext, key_id: str) -> KeyView:
    """One key; raises NotFound."""
    key = await find(context, key_id)
    return view(key, context.gateway.account(key.id))


async def create(context: AppContext, new: NewKey, actor: Actor, source: Source = "user", secret: str | None = None) -> NewKeyView:
    """Add a key and return its value, this once. `secret` is a value chosen elsewhere. Raises Conflict, Invalid."""
    secret = secret or fresh()
    key = await apply(context, actor, lambda edit: insert(edit, new, secret, source))
    return NewKeyView(**_shown(key, context.gateway.account(key.id)), key=secret)


def insert(edit: Edit, new: NewKey, secret: str, source: Source) -> VirtualKey:
    """Add a key inside a transaction; raises Conflict."""
    key = added(edit, new, secret, source)
    edit.record("key.create", key.name, difference(None, key))
    return key


def added(edit: Edit, new: NewKey, secret: str, source: Source = "user") -> VirtualKey:
    """The same as a part of another change, which records it and publishes the topic `keys`."""
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
    edit.tx.keys.insert(key)
    return key


async def edit(context: AppContext, key_id: str, patch: KeyPatch, actor: Actor) -> KeyView:
    """Change the fields sent. Raises NotFound, Conflict, Invalid."""

    def replace(edit: Edit) -> VirtualKey:
        before = find_in(edit, key_id)
        check_unlocked(before.source, f"The key {before.name!r}")
        return update(edit, before, patch)

    after = await apply(context, actor, replace)
    return view(after, context.gateway.account(after.id))


def update(edit: Edit, before: VirtualKey, patch: KeyPatch, source: Source = "user", secret: str | None = None) -> VirtualKey:
    """Apply `patch` to a key inside a transaction, even where the config file locks it; `secret` replaces the key's value."""
    after = written(edit, before, patch, secret, source)
    edit.record("key.edit", after.name, difference(before, after))
    return after


def written(edit: Edit, before: VirtualKey, patch: KeyPatch, secret: str | None = None, source: Source = "user") -> VirtualKey:
    """The same as a part of another change, which records it and publishes the topic `keys`."""
    values = {**_fields(patch), "source": source}
    if secret is not None:
        values |= {"digest": digest(secret), "hint": key_hint(secret)}
    after = replaced(before, values)
    edit.tx.keys.replace(after)
    return after


async def remove(context: AppContext, key_id: str, actor: Actor) -> None:
    """Remove a key: it is refused at once, its records stay. Raises NotFound, Conflict."""

    def delete(edit: Edit) -> None:
        key = find_in(edit, key_id)
        check_unlocked(key.source, f"The key {key.name!r}")
        discard(edit, key)

    await apply(context, actor, delete)


def discard(edit: Edit, key: VirtualKey) -> None:
    """Remove a key inside a transaction, even where the config file locks it."""
    edit.tx.keys.delete(key.id)
    # A name can be used again; the hint tells the two keys apart in the log.
    edit.record("key.remove", key.name, {"hint": key.hint})


async def rotate(context: AppContext, key_id: str, actor: Actor) -> NewKeyView:
    """Give the key a new value; the old one is refused at once. Raises NotFound, Conflict.

    A key that the config file defines without its value gets one here.
    """
    # Read here: `replace` runs on the writer thread, which must not touch the loop's objects.
    secret, in_file = fresh(), context.keys_in_file

    def replace(edit: Edit) -> VirtualKey:
        before = find_in(edit, key_id)
        if before.name.casefold() in in_file:
            check_unlocked(before.source, f"The key {before.name!r}")
        after = replaced(before, {"digest": digest(secret), "hint": key_hint(secret)})
        edit.tx.keys.replace(after)
        edit.record("key.rotate", after.name, {"hint": after.hint})
        return after

    after = await apply(context, actor, replace)
    return NewKeyView(**_shown(after, context.gateway.account(after.id)), key=secret)


async def reset_spend(context: AppContext, key_id: str, actor: Actor) -> KeyView:
    """Set the spend of the current period to zero; records and totals stay. Raises NotFound."""

    async def work(started: PendingChange) -> VirtualKey:
        key = await find(context, key_id)
        account = context.gateway.account(key.id)
        # Read on the loop, where requests change the account; `replace` runs on the writer thread.
        spent, period_start = account.spend_nano, account.period_start or 0

        def replace(edit: Edit) -> VirtualKey:
            before = find_in(edit, key.id)
            # The account counts above the last baseline, while that lies in the current period.
            counted = before.baseline_nano if before.baseline_at >= period_start else 0
            after = replaced(before, {"baseline_nano": counted + spent, "baseline_at": now_ms()})
            edit.tx.keys.replace(after)
            edit.record("key.reset-spend", after.name, {"spend_usd": to_usd(spent)})
            return after

        return await started.commit(replace)

    after = await change(context, actor, work)
    return view(after, context.gateway.account(after.id))


def _fields(body: KeyPatch) -> dict[str, Any]:
    """The fields sent, with the entity's names and units."""
    values = sent(body, VirtualKey)
    if "budget_usd" in values:
        # Whole nano-dollars: the sum of many small costs does not drift as it would with floats.
        values["budget_nano"] = None if body.budget_usd is None else to_nano(body.budget_usd)
        del values["budget_usd"]
    if body.expires_at is not None:
        values["expires_at"] = epoch_ms(body.expires_at)
    return values
