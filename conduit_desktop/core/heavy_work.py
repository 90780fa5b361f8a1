"""One thread for what is done with large bodies: behind several, the event loop would wait for the interpreter's lock each time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_worker = ThreadPoolExecutor(1, thread_name_prefix="large-bodies")


async def in_thread(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """As `asyncio.to_thread`, but one piece of work after the other, in their order; one that is cancelled before is not begun."""
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(_worker, partial(context.run, work, *args, **options))
