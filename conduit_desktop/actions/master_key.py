"""The master key of the admin API: made at the first start, kept with the secrets, never logged."""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
from base64 import urlsafe_b64encode

from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import PendingChange, change
from conduit_desktop.core.errors import Conflict
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.store.secrets.store import SecretStore

NAME = "master-key"
PREFIX = "condm_"
VARIABLE = "CONDUIT_MASTER_KEY"


def fresh() -> str:
    """A new master key: the prefix and 32 random bytes in base64url."""
    return PREFIX + urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


async def current(context: AppContext) -> str:
    """The master key in force: the environment's, else the stored one, made now if there is none yet."""
    # Read at every call: the environment has precedence over a stored key, which is kept for a start without the variable.
    if given := os.environ.get(VARIABLE, "").strip():
        SECRETS.add(given)
        return given
    if context.master_key is None:
        context.master_key = await asyncio.to_thread(get_or_create, context.secrets)
    return context.master_key


async def authenticate(context: AppContext, presented: str) -> Actor | None:
    """The actor for a presented key: `cli` for this home's local token, `admin` for the master key; compared in constant time."""
    # compare_digest takes text only where it is ASCII; a header may hold any byte.
    given = presented.encode("utf-8", "surrogateescape")
    # The local token first: it is in memory, and needs neither a keyring nor a vault.
    if hmac.compare_digest(given, context.local_token.encode()):
        return "cli"
    return "admin" if hmac.compare_digest(given, (await current(context)).encode()) else None


async def rotate(context: AppContext, actor: Actor) -> str:
    """Replace the master key and return the new one; raises Conflict where the environment sets it."""
    if os.environ.get(VARIABLE, "").strip():
        # A key stored now would have no effect while the variable is set.
        raise Conflict(f"The master key is set by {VARIABLE}; change it there.")

    async def work(started: PendingChange) -> str:
        key = fresh()
        await started.secrets.replace(NAME, key)
        await started.commit(lambda edit: edit.record("master-key.rotate", NAME))
        # After the commit: until then, and if it fails, the old key is in force.
        context.master_key = key
        return key

    return await change(context, actor, work)


def get_or_create(store: SecretStore) -> str:
    """The stored key, made now if there is none yet; blocks."""
    kept = store.get(NAME)
    if kept is None:
        kept = fresh()
        store.set(NAME, kept)
    return kept
