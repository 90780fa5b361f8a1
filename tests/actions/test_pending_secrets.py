"""A process that is killed between a secret and its row: the next start finishes the change or undoes it."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from conduit_desktop.actions import operations, pending_secrets
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.credentials import SecretDraft
from conduit_desktop.core.entities import AuditEntry, Provider
from conduit_desktop.core.errors import SecretsUnavailable
from conduit_desktop.core.paths import Home
from conduit_desktop.store.interface import PENDING_SECRETS
from conduit_desktop.store.secrets.store import hint
from conduit_desktop.store.secrets.vault import Vault
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.fakes.app_context import DictSecrets, open_context
from tests.fakes.killed_steps import kill_at_every_step

OLD, NEW = "sk-old-0123456789abcdef", "sk-new-0123456789abcdef"
MASTER = "condm_old"
HOOK = "https://hooks.example/old"

Change = Callable[[AppContext], Awaitable[Any]]


def call(method: str, path: str, body: Any = None) -> Change:
    return lambda context: operations.call(context, method, path, {}, body, "admin")


CREATE = call("POST", "/providers", {"name": "p", "kind": "openai", "api_key": OLD, "headers": {"x-team": OLD}})
HOOKED = call("PUT", "/webhook", {"url": HOOK})
CHANGES: dict[str, Change] = {
    "provider.create": call("POST", "/providers", {"name": "new", "kind": "openai", "api_key": NEW, "headers": {"x-team": NEW}}),
    "provider.edit": call("PATCH", "/providers/p", {"api_key": NEW, "headers": {"x-team": NEW}}),
    "provider.remove": call("DELETE", "/providers/p"),
    "master-key.rotate": call("POST", "/master-key/rotate"),
    "webhook.set": call("PUT", "/webhook", {"url": "https://hooks.example/new"}),
    "webhook.remove": call("DELETE", "/webhook"),
}


def run(home: Home, *changes: Change) -> None:
    async def made() -> None:
        async with open_context(home, Vault.open(home, None)) as context:
            for change in changes:
                await change(context)

    asyncio.run(made())


def next_start(home: Home) -> tuple[dict[str, str], list[Provider], list[AuditEntry], Any]:
    """What it finds: secrets by name, providers, audit entries, the webhook."""

    async def started() -> tuple[dict[str, str], list[Provider], list[AuditEntry], Any]:
        store, vault = SqliteStore.open(home), Vault.open(home, None)
        try:
            await pending_secrets.finish(store, lambda: vault)
            assert await store.meta.get(PENDING_SECRETS) is None
            secrets = {name: vault.get(name) or "" for name in vault.names()}
            return secrets, await store.providers.all(), (await store.audit.list())[0], await store.meta.get("webhook")
        finally:
            await store.close()

    return asyncio.run(started())


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("action", CHANGES)
def test_a_change_killed_at_any_step_is_made_with_its_secrets_and_audit_entry_or_not_at_all(
    action: str, home: Home, tmp_path: Path
) -> None:
    run(home, CREATE, HOOKED)
    Vault.open(home, None).set("master-key", MASTER)
    shutil.copytree(home.root, tmp_path / "before")
    before, _, entries, _ = next_start(home)
    outcomes: set[bool] = set()

    def prepare() -> None:
        shutil.rmtree(home.root)
        shutil.copytree(tmp_path / "before", home.root)

    for _ in kill_at_every_step(lambda: run(home, CHANGES[action]), prepare):
        secrets, providers, audit, hook = next_start(home)
        made = audit[0].action == action and len(audit) > len(entries)
        outcomes.add(made)
        references = [(one.secret, one.hint) for each in providers for one in (*each.credentials, *each.headers)]
        named = {name for name, _ in references} | {"master-key"} | ({hook["url"], "webhook/secret"} if hook else set())
        assert set(secrets) == named, "no secret without a row, and no row without its secret"
        assert all(hint(secrets[name]) == shown for name, shown in references)
        changed = {value for name, value in secrets.items() if before.get(name) != value}
        if action == "master-key.rotate":
            assert (secrets["master-key"] != MASTER) == made
        elif action == "webhook.set":
            assert secrets["webhook/url"] == ("https://hooks.example/new" if made else HOOK)
            assert (secrets["webhook/secret"] != before["webhook/secret"]) == made
        elif action == "webhook.remove":
            assert (hook is None) == made
        else:
            assert changed == ({NEW} if made and action != "provider.remove" else set())
    assert outcomes == {False, True}


async def test_a_secret_that_could_not_be_removed_is_removed_by_the_next_start(home: Home) -> None:
    secrets = DictSecrets()
    async with open_context(home, secrets) as context:
        await CREATE(context)
        [provider] = await context.store.providers.all()
        async with SecretDraft(secrets, context.store.meta) as draft:
            draft.drop({"provider/gone/default", *(one.secret for one in provider.credentials)})
            pending = await draft.pending()
            await context.store.meta.put(PENDING_SECRETS, pending)
            secrets.kept["provider/gone/default"] = OLD
            secrets.broken = True
        assert await context.store.meta.get(PENDING_SECRETS) == pending
        await pending_secrets.finish(context.store, lambda: secrets)
        assert await context.store.meta.get(PENDING_SECRETS) == pending, "the secret store is still broken"
        secrets.broken = False
        # Another change in between takes the note over.
        await call("POST", "/providers", {"name": "other", "kind": "openai", "api_key": NEW})(context)
        await pending_secrets.finish(context.store, lambda: secrets)
        assert "provider/gone/default" not in secrets.kept
        assert secrets.kept[provider.credentials[0].secret] == OLD, "a row names it"
        assert await context.store.meta.get(PENDING_SECRETS) is None


async def test_a_start_with_a_locked_secret_store_leaves_the_rest_for_later(home: Home) -> None:
    async with open_context(home) as context:
        await context.store.meta.put(PENDING_SECRETS, {"names": ["a"], "moves": {}})

        def locked() -> Any:
            raise SecretsUnavailable("the keyring is locked")

        await pending_secrets.finish(context.store, locked)
        assert await context.store.meta.get(PENDING_SECRETS) == {"names": ["a"], "moves": {}}


async def test_an_address_from_the_environment_removes_the_stored_one(home: Home) -> None:
    secrets = DictSecrets()
    async with open_context(home, secrets) as context:
        await HOOKED(context)
        assert set(secrets.kept) == {"webhook/url", "webhook/secret"}
        await call("PUT", "/webhook", {"url": "env:HOOK"})(context)
        assert set(secrets.kept) == {"webhook/secret"}
