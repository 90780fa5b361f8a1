"""Threads for work in Python that takes long: behind several, the event loop would wait for the interpreter's lock each time."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_bodies = ThreadPoolExecutor(1, thread_name_prefix="large-bodies")
_operator = ThreadPoolExecutor(1, thread_name_prefix="operator")
"""Apart: a page must not wait for the bodies of callers."""
_frames = ThreadPoolExecutor(1, thread_name_prefix="large-frames")
YIELD_S = 0.0002
_lock = threading.Lock()
_users, _usual_s = 0, 0.0


async def in_thread(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """As `asyncio.to_thread`, for large bodies: one piece of work after the other; one that is cancelled before is not begun."""
    return await _run(_bodies, partial(work, *args, **options))


async def for_operator(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """The same for what the window and the admin API show."""
    return await _run(_operator, partial(work, *args, **options))


async def for_frame(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """The same for work that must not wait for whole bodies: a frame of a stream."""
    return await _run(_frames, partial(work, *args, **options))


async def _run(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, partial(copy_context().run, _yielding, work))


def _yielding(work: Callable[[], T]) -> T:
    """Do the work, while threads give the interpreter's lock away sooner.

    The event loop releases the lock with every write to a socket, and gets it back only after the interval: with the usual 3 ms, a
    loop that writes to 64 streams would take 0.2 s for it.
    """
    global _users, _usual_s
    with _lock:
        _users += 1
        if _users == 1:
            _usual_s = sys.getswitchinterval()
            sys.setswitchinterval(min(_usual_s, YIELD_S))
    try:
        return work()
    finally:
        with _lock:
            _users -= 1
            if not _users:
                sys.setswitchinterval(_usual_s)
