"""What happens when no file descriptor is left."""

from __future__ import annotations

import errno
import logging
import os
import sys
from types import SimpleNamespace

import pytest

from conduit_desktop.server import descriptors
from conduit_desktop.server.descriptors import DescriptorWatch, raise_limit


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_the_process_gets_as_many_descriptors_as_it_may_have() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        assert raise_limit() == min(hard if hard != resource.RLIM_INFINITY else descriptors.MOST, descriptors.MOST)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_exhaustion_is_logged_once_and_so_is_its_end(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def none_left(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    caplog.set_level(logging.INFO)
    watch = DescriptorWatch(100)
    assert watch.look()
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", none_left)
        assert [watch.look(), watch.look()] == [False, False]
    assert watch.look()
    assert watch.look()
    assert caplog.messages == [
        "no file descriptor is left (the limit is 100): new connections are dropped", "file descriptors are free again",
    ]  # fmt: skip


class Limits:
    """The limits of a process: keeps what they are set to; `fails` is raised by that."""

    def __init__(self, soft: int, hard: int, fails: Exception | None = None) -> None:
        self.pair = (soft, hard)
        self.set: list[tuple[int, int]] = []
        self._fails = fails

    def getrlimit(self, _which: int) -> tuple[int, int]:
        """As the system's."""
        return self.pair

    def setrlimit(self, _which: int, pair: tuple[int, int]) -> None:
        """As the system's."""
        if self._fails is not None:
            raise self._fails
        self.set.append(pair)


INFINITE = -1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("soft", "hard", "limit", "was_set"),
    [
        (200, INFINITE, 65_536, True),
        (200, 10**9, 65_536, True),
        (200, 500, 500, True),
        (500, 500, 500, False),
        (100_000, 10**9, 100_000, False),
    ],
)
def test_the_limit_is_raised_to_65536_or_the_hard_one_and_never_lowered(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, limit: int, was_set: bool
) -> None:
    import resource

    monkeypatch.setattr(resource, "RLIM_INFINITY", INFINITE)
    limits = Limits(soft, hard)
    monkeypatch.setattr(resource, "getrlimit", limits.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", limits.setrlimit)
    assert raise_limit() == limit
    assert limits.set == ([(limit, hard)] if was_set else [])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("error", [OSError(), ValueError()])
def test_a_system_that_refuses_the_limit_it_names_keeps_its_own(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    import resource

    limits = Limits(200, 10**9, error)
    monkeypatch.setattr(resource, "getrlimit", limits.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", limits.setrlimit)
    assert raise_limit() == 200


def test_windows_counts_with_8192_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "win32")
        assert raise_limit() == 8192


def test_exhaustion_that_lasts_is_logged_again_after_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(*_: object) -> int:
        raise OSError(errno.ENFILE, "Too many open files in system")

    at = [0.0]
    watch = DescriptorWatch(100)
    logged: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", none_left)
        patched.setattr(descriptors, "time", SimpleNamespace(monotonic=lambda: at[0]))
        for now in (5.0, 35.0, 65.0, 65.5, 125.0):
            at[0] = now
            assert not watch.look()
            logged.append(len(caplog.messages))
    assert logged == [1, 1, 1, 2, 2]


def test_another_error_is_no_exhaustion(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def absent(*_: object) -> int:
        raise OSError(errno.ENOENT, "No such file")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", absent)
        assert DescriptorWatch(100).look()
    assert caplog.messages == []


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="shows its descriptors nowhere")
def test_looking_leaves_no_descriptor_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    watch = DescriptorWatch(100)
    assert [watch.look() for _ in range(3)] == [True] * 3
    assert len(os.listdir("/proc/self/fd")) == before
