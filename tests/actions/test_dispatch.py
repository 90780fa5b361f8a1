"""The dispatcher: a change and its audit entry are one transaction, changes never overlap, and secrets follow their row."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conduit_desktop.actions import ip_rules, keys, models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.dispatch import TOPICS, Edit, PendingChange, apply, change
from conduit_desktop.actions.schemas.inputs import KeyPatch, NewIpRule, NewKey, NewModel, NewProvider, read
from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import Conflict, Invalid
from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.store.sqlite import audit
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.actions.conftest import OPENAI
from tests.fakes.app_context import DictSecrets, open_context, published

KEY = VirtualKey(id="key_1", name="k", digest="d" * 64, hint="condt_…aaaa", rpm=5)


def _insert(edit: Edit) -> int:
    edit.tx.keys.insert(KEY)
    return edit.record("key.create", "k", {"rpm": 5})


async def test_a_change_is_audited_published_and_seen_by_the_gateway(context: AppContext) -> None:
    changes = published(context)
    await apply(context, "cli", _insert)
    [entry] = (await context.store.audit.list())[0]
    assert (entry.actor, entry.action, entry.subject, entry.changes) == ("cli", "key.create", "k", {"rpm": 5})
    assert [(one.topic, one.payload) for one in changes] == [("keys", "k"), ("audit", "k")]
    assert "key_1" in context.gateway.snapshot.keys


async def test_a_change_whose_audit_entry_cannot_be_written_is_not_made(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await keys.create(context, read(NewKey, {"name": "k", "rpm": 1}), "gui")
    await providers.create(context, read(NewProvider, OPENAI), "gui")
    changes, before = published(context), dict(context.secrets.kept)  # type: ignore[attr-defined]

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no space for the entry")

    monkeypatch.setattr(audit, "add_in", refuse)
    alias = read(NewModel, {"alias": "a", "targets": [{"provider": "openai", "model": "m"}]})
    for attempt in (
        lambda: keys.edit(context, made.id, read(KeyPatch, {"rpm": 2}), "gui"),
        lambda: keys.remove(context, made.id, "gui"),
        lambda: models.create(context, alias, "gui"),
        lambda: providers.create(context, read(NewProvider, {**OPENAI, "name": "other"}), "gui"),
        lambda: providers.remove(context, "openai", "gui"),
        lambda: ip_rules.create(context, read(NewIpRule, {"action": "deny", "network": "::1"}), "gui"),
    ):
        with pytest.raises(OSError, match="no space"):
            await attempt()
    assert (await keys.get(context, made.id)).rpm == 1
    assert [one.name for one in await context.store.providers.all()] == ["openai"]
    assert await context.store.models.all() == []
    assert await context.store.ip_rules.all() == []
    assert context.secrets.kept == before  # type: ignore[attr-defined]
    assert changes == []


async def test_a_job_that_fails_leaves_no_audit_entry_and_publishes_nothing(context: AppContext) -> None:
    changes = published(context)

    def fail(edit: Edit) -> None:
        _insert(edit)
        raise Invalid("name: no", "name")

    with pytest.raises(Invalid):
        await apply(context, "gui", fail)
    assert await context.store.keys.all() == []
    assert (await context.store.audit.list())[0] == []
    assert changes == []


async def test_what_was_committed_before_a_failure_takes_effect(context: AppContext) -> None:
    changes = published(context)

    async def work(started: PendingChange) -> None:
        await started.commit(_insert)
        raise Conflict("the second step fails")

    with pytest.raises(Conflict):
        await change(context, "gui", work)
    assert "key_1" in context.gateway.snapshot.keys
    assert [one.topic for one in changes] == ["keys", "audit"]


async def test_changes_run_one_after_the_other(context: AppContext) -> None:
    order: list[str] = []
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(started: PendingChange) -> None:
        order.append("slow begins")
        entered.set()
        await release.wait()
        order.append("slow ends")

    async def quick(started: PendingChange) -> None:
        order.append("quick")

    first = asyncio.ensure_future(change(context, "gui", slow))
    await entered.wait()
    second = asyncio.ensure_future(change(context, "admin", quick))
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, second)
    assert order == ["slow begins", "slow ends", "quick"]


async def test_a_caller_that_is_cancelled_leaves_a_row_with_its_secret(context: AppContext) -> None:
    secrets = context.secrets
    assert isinstance(secrets, DictSecrets)
    stored = asyncio.Event()
    loop = asyncio.get_running_loop()
    original = secrets.set

    def set_and_signal(name: str, value: str) -> None:
        original(name, value)
        loop.call_soon_threadsafe(stored.set)

    secrets.set = set_and_signal  # type: ignore[method-assign]
    creating = asyncio.ensure_future(providers.create(context, read(NewProvider, OPENAI), "gui"))
    await stored.wait()
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    async with context.write_lock:  # the change has run to its end
        [provider] = await context.store.providers.all()
    assert secrets.kept[provider.credentials[0].secret] == OPENAI["api_key"]


async def test_a_failure_after_the_caller_is_gone_is_logged(context: AppContext, caplog: pytest.LogCaptureFixture) -> None:
    release, ended = asyncio.Event(), asyncio.Event()

    async def work(started: PendingChange) -> None:
        await release.wait()
        ended.set()
        raise Conflict("taken")

    changing = asyncio.ensure_future(change(context, "gui", work))
    await asyncio.sleep(0)
    changing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await changing
    assert caplog.text == ""
    release.set()
    await ended.wait()
    async with context.write_lock:
        pass
    await asyncio.sleep(0)
    assert "a change failed after its caller was gone: Conflict: taken" in caplog.text


def test_every_kind_of_change_has_its_topics() -> None:
    assert all(isinstance(topics, tuple) for topics in TOPICS.values())
    with pytest.raises(AssertionError):
        Edit(None, "gui").announce("key.renamed")  # type: ignore[arg-type]


KILLED = """
import asyncio, sys
from pathlib import Path
from conduit_desktop.actions import ip_rules
from conduit_desktop.actions.schemas.inputs import NewIpRule, read
from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS
from tests.fakes.app_context import open_context

async def main():
    async with open_context(Home(Path(sys.argv[1]))) as context:
        for number in range(100_000):
            new = read(NewIpRule, {"action": "deny", "network": f"10.{number >> 16}.{(number >> 8) & 255}.{number & 255}"})
            await ip_rules.create(context, new, "gui")
            print(number, flush=True)

asyncio.run(main())
"""


async def test_a_killed_process_leaves_each_change_with_its_audit_entry(home: Home) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(home.root)], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if int(line) >= 30:
                process.send_signal(signal.SIGKILL)
                break
    process.wait(timeout=10)
    store = SqliteStore.open(home)
    try:
        rules = {one.network for one in await store.ip_rules.all()}
        entries = {one.subject for one in (await store.audit.list(500))[0]}
    finally:
        await store.close()
    assert rules == entries
    assert len(rules) >= 31


KILLED_AT_A_STATEMENT = """
import asyncio, os, signal, sys
from pathlib import Path
from conduit_desktop.actions import keys
from conduit_desktop.actions.schemas.inputs import KeyPatch, read
from conduit_desktop.core.paths import Home
from tests.fakes.app_context import open_context

async def main(home, rpm, left):
    def on_statement(sql):  # called by SQLite before the statement runs
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async with open_context(Home(Path(home))) as context:
        await context.store.database.write(lambda connection: connection.set_trace_callback(on_statement))
        await keys.edit(context, "k", read(KeyPatch, {"rpm": int(rpm)}), "gui")
        os._exit(0)  # so that closing the store runs no statement more

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""
"""One edit of a key; the process is killed before the statement of the database that argument 3 counts from 0."""


async def test_a_process_killed_at_any_statement_of_a_change_leaves_the_change_and_its_audit_entry_or_neither(home: Home) -> None:
    async with open_context(home) as context:
        await apply(context, "gui", _insert)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    rpm, changed = 5, []
    for statement in range(50):
        wanted = 100 + statement
        command = [sys.executable, "-c", KILLED_AT_A_STATEMENT, str(home.root), str(wanted), str(statement)]
        ended = await asyncio.to_thread(subprocess.run, command, env=environment, timeout=60)
        assert ended.returncode in (0, -signal.SIGKILL)
        store = SqliteStore.open(home)
        try:
            [key] = await store.keys.all()
            entry = (await store.audit.list(1))[0][0]
        finally:
            await store.close()
        changed.append(key.rpm == wanted)
        assert key.rpm in (rpm, wanted)
        assert (entry.action == "key.edit" and entry.changes == {"rpm": wanted}) == changed[-1], f"statement {statement}"
        rpm = key.rpm
        if ended.returncode == 0:
            break
    # At least the row, its entry and the commit were points at which it was killed.
    assert changed[:3] == [False] * 3
    assert changed[-1]


async def test_a_credential_in_another_field_than_its_own_is_not_in_the_audit_log(context: AppContext) -> None:
    made = await providers.create(context, read(NewProvider, OPENAI), "gui")
    assert made.keys
    SECRETS.add(OPENAI["api_key"])
    alias = {"alias": "a", "targets": [{"provider": "openai", "model": "m"}], "overrides": {"set": {"key": OPENAI["api_key"]}}}
    await models.create(context, read(NewModel, alias), "gui")
    [entry, *_] = (await context.store.audit.list())[0]
    assert entry.action == "model.create"
    assert OPENAI["api_key"] not in str(entry)
    assert "[credential]" in str(entry.changes)
