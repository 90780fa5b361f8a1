"""Notifications and the audit log."""

from __future__ import annotations

import time

import pytest

from conduit_desktop.core.errors import Invalid
from conduit_desktop.core.settings import Settings
from conduit_desktop.store.sqlite import audit, notifications
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import DAY, record, write


async def test_the_same_notification_is_added_once_until_it_was_read(store: SqliteStore):
    first = await store.notifications.add("budget", "warning", "Budget of app", "80 % spent")
    assert await store.notifications.add("budget", "warning", "Budget of app", "80 % spent") is None
    newer = await store.notifications.add("budget", "error", "Budget of app", "90 % spent")
    assert (newer.id, newer.text) == (first.id, "90 % spent")
    assert [(row.severity, row.text) for row in (await store.notifications.list())[0]] == [("error", "90 % spent")]
    other = await store.notifications.add("health", "warning", "Budget of app", "another kind")
    assert await store.notifications.unread() == 2
    assert await store.notifications.mark_read(first.id)
    assert not await store.notifications.mark_read("ntf_unknown")
    again = await store.notifications.add("budget", "error", "Budget of app", "spent")
    rows, following = await store.notifications.list()
    assert {row.id: row.read for row in rows} == {first.id: True, other.id: False, again.id: False}
    assert following is None
    rows, _ = await store.notifications.list(unread=True)
    assert {row.id for row in rows} == {other.id, again.id}
    assert await store.notifications.mark_all_read() == 2
    assert await store.notifications.unread() == 0


async def test_notifications_are_paged(store: SqliteStore):
    made = [await store.notifications.add("system", "info", f"n{number}", "") for number in range(7)]
    seen, cursor = await store.notifications.list(limit=3)
    while cursor is not None:
        rows, cursor = await store.notifications.list(limit=3, cursor=cursor)
        seen += rows
    assert [note.id for note in seen] == [note.id for note in reversed(made)]
    with pytest.raises(Invalid):
        await store.notifications.list(cursor="x")


async def test_notifications_are_bounded(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(notifications, "MAX_ROWS", 3)
    for number in range(5):
        await store.notifications.add("system", "info", f"n{number}", "")
    await store.notifications.prune()
    assert len((await store.notifications.list())[0]) == 3
    await store.notifications.prune(now_ms=int(time.time() * 1000) + 91 * DAY)
    assert (await store.notifications.list())[0] == []


async def test_the_audit_log_says_who_changed_what_newest_first(store: SqliteStore):
    made = [await store.audit.add("cli", "edit", f"provider p{number}", {"enabled": [True, False]}) for number in range(5)]
    rows, cursor = await store.audit.list(limit=3)
    more, end = await store.audit.list(limit=3, cursor=cursor)
    assert rows + more == made[::-1]
    assert end is None
    with pytest.raises(Invalid):
        await store.audit.list(cursor="x")


async def test_the_audit_log_is_bounded_in_age_and_size(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    now = int(time.time() * 1000)
    await store.audit.add("gui", "add", "old", at=now - 366 * DAY)
    for number in range(4):
        await store.audit.add("gui", "add", f"s{number}")
    await store.audit.prune()
    assert [row.subject for row in (await store.audit.list())[0]] == ["s3", "s2", "s1", "s0"]
    monkeypatch.setattr(audit, "MAX_ROWS", 2)
    await store.audit.prune()
    assert [row.subject for row in (await store.audit.list())[0]] == ["s3", "s2"]


async def test_tidying_bounds_every_log(store: SqliteStore):
    now = int(time.time() * 1000)
    await write(store, record(1, started_at=now - 91 * DAY), record(2, started_at=now))
    await store.payloads.put("old", b"", b"", now - 8 * DAY)
    await store.audit.add("gui", "add", "old", at=now - 366 * DAY)
    await store.tidy(Settings(), now)
    assert [row.id for row in (await store.ledger.list())[0]] == [record(2).id]
    assert await store.payloads.get("old") is None
    assert (await store.audit.list())[0] == []
