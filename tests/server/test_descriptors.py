"""What happens when no file descriptor is left."""

from __future__ import annotations

import errno
import logging
import os
import sys

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
