"""A job that is killed (SIGKILL) before each step that changes the disk, and after each, one run of a process for every step."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator
from typing import Any

STEPS = ("fsync", "replace", "rename", "link", "unlink", "rmdir", "mkdir")
"""The functions of `os` through which all of ours go. SQLite's own writes are SQLite's to keep whole."""
MOST_STEPS = 400


def kill_at_every_step(job: Callable[[], Any], prepare: Callable[[], Any]) -> Iterator[int]:
    """Call `prepare`, then run `job` in a child that is killed before its nth step, for n = 0, 1, 2 … until it survives.

    Yields the number of each step after the child is gone, for the caller to look at what is left; the last one was not killed.
    """
    for step in range(MOST_STEPS):
        prepare()
        status = _run(job, step)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            yield step
        else:
            assert os.WEXITSTATUS(status) == 0, "the job failed by itself"
            yield step
            assert step > 0, "the job has no step at which it could be killed"
            return
    raise AssertionError("the job has too many steps")


def _run(job: Callable[[], Any], step: int) -> int:
    with warnings.catch_warnings():
        # Threads of earlier tests do not matter: the child runs the job alone, and ends without Python's shutdown.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            _kill_at(step)
            job()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def _kill_at(step: int) -> None:
    done = 0
    for name in STEPS:
        real = getattr(os, name)

        def counted(*args: Any, _real: Any = real, **more: Any) -> Any:
            nonlocal done
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
            return _real(*args, **more)

        setattr(os, name, counted)
