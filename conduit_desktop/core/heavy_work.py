"""Threads for work in Python that takes long: behind several, the event loop would wait for the interpreter's lock each time."""

from __future__ import annotations

import asyncio
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


async def in_thread(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """As `asyncio.to_thread`, for large bodies: one piece of work after the other; one that is cancelled before is not begun."""
    return await _run(_bodies, partial(work, *args, **options))


async def for_operator(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """The same for what the window and the admin API show."""
    return await _run(_operator, partial(work, *args, **options))


async def _run(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, partial(copy_context().run, work))
