"""One home, one process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conduit_desktop.core.errors import HomeHeld, HomeUnusable
from conduit_desktop.core.paths import Home
from conduit_desktop.store.lock import ACQUIRE_S, HomeLock
from tests.fakes.waiting import WITHIN_S

CHILD = """
import sys
from pathlib import Path
from conduit_desktop.core.paths import Home
from conduit_desktop.store.lock import HomeLock
lock = HomeLock(Home(Path(sys.argv[1]))).acquire({"address": "http://127.0.0.1:5000", "started_at": 5})
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_gets_the_holder_of_the_home(home: Home):
    first, second = HomeLock(home), HomeLock(home)
    assert second.holder() is None
    first.acquire({"address": "http://127.0.0.1:5000", "started_at": 5})
    assert first.held
    with pytest.raises(HomeHeld, match=rf"process {os.getpid()} at http://127\.0\.0\.1:5000"):
        second.acquire({})
    assert not second.held
    assert second.holder() == first.holder() == {"pid": os.getpid(), "address": "http://127.0.0.1:5000", "started_at": 5}
    first.release()
    assert second.holder() is None
    with second.acquire({}):
        assert first.holder() == {"pid": os.getpid()}


def test_the_moment_between_two_holders_is_not_taken_for_a_holder(home: Home):
    """A command that ends empties the file before it gives the lock back: a server that had waited for it gave up."""
    command = HomeLock(home).acquire({"command": True})
    server = HomeLock(home)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.acquire, {})
        time.sleep(ACQUIRE_S * 2)
        assert command._handle is not None
        os.ftruncate(command._handle, 0)
        time.sleep(ACQUIRE_S / 3)
        assert not waiting.done()
        command.release()
        waiting.result(WITHIN_S)
    assert server.held
    server.release()


def test_the_address_can_be_added_later(home: Home):
    lock = HomeLock(home).acquire({"address": "http://127.0.0.1:50000000"})
    lock.update(address="x")
    assert HomeLock(home).holder()["address"] == "x"
    lock.release()
    lock.update(address="not read")
    assert HomeLock(home).holder() is None


def test_looking_does_not_lose_the_lock(home: Home):
    """A POSIX record lock would go with the first handle closed."""
    lock = HomeLock(home).acquire({})
    for _ in range(3):
        assert HomeLock(home).holder() is not None
        home.lock.read_text()
    with pytest.raises(HomeHeld):
        HomeLock(home).acquire({})
    lock.release()


def test_the_lock_of_a_killed_process_is_free_though_its_text_remains(home: Home):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "held\n"
        assert HomeLock(home).holder() == {"pid": child.pid, "address": "http://127.0.0.1:5000", "started_at": 5}
        with pytest.raises(HomeHeld, match=str(child.pid)):
            HomeLock(home).acquire({})
        child.kill()
    assert "5000" in home.lock.read_text()
    assert HomeLock(home).holder() is None
    HomeLock(home).acquire({}).release()


def test_an_unreadable_lock_text_is_no_holder_and_no_error(home: Home):
    home.lock.write_text("not json")
    assert HomeLock(home).holder() is None
    lock = HomeLock(home).acquire({})
    assert HomeLock(home).holder() == {"pid": os.getpid()}
    lock.release()


def test_two_homes_do_not_meet(home: Home, tmp_path):
    other = Home(tmp_path / "other")
    other.prepare()
    with HomeLock(home).acquire({}), HomeLock(other).acquire({}):
        assert HomeLock(home).holder() is not None


def test_a_home_without_a_folder_is_named(tmp_path):
    with pytest.raises(HomeUnusable, match="nowhere"):
        HomeLock(Home(tmp_path / "nowhere")).acquire({})
    assert HomeLock(Home(tmp_path / "nowhere")).holder() is None
