"""Kept threads: five minutes from the last use, each owner's own, and bounded together."""

from __future__ import annotations

import pytest

from conduit_desktop.gateway import threads
from conduit_desktop.gateway.threads import KeptThread, Threads

THREAD = KeptThread(({"role": "user", "content": "hi"},), {"system": "s"})


def test_a_thread_is_found_by_its_owner_alone():
    kept = Threads()
    kept.keep("a", "msg_1", THREAD)
    assert kept.find("a", "msg_1") == THREAD
    assert kept.find("b", "msg_1") is None


def test_a_thread_expires_after_five_minutes():
    now = [0.0]
    kept = Threads(lambda: now[0])
    kept.keep("a", "msg_1", THREAD)
    now[0] = threads.KEEP_S - 1
    assert kept.find("a", "msg_1") == THREAD
    now[0] = threads.KEEP_S
    assert kept.find("a", "msg_1") is None
    assert len(kept) == 0


def test_the_least_recently_kept_threads_make_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threads, "MAX_BYTES", 200)
    kept = Threads()
    for number in range(10):
        kept.keep("a", f"msg_{number}", THREAD)
    assert kept.find("a", "msg_9") == THREAD
    assert kept.find("a", "msg_0") is None
    assert len(kept) < 10


def test_a_thread_larger_than_all_may_be_is_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threads, "MAX_BYTES", 20)
    kept = Threads()
    kept.keep("a", "msg_1", THREAD)
    assert len(kept) == 0
