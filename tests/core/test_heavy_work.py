"""Work on large bodies: one piece after the other, and never on the event loop."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from conduit_desktop.core import heavy_work
from conduit_desktop.core.heavy_work import for_frame, for_operator, in_thread


async def test_work_is_done_by_one_thread_in_its_order() -> None:
    done: list[tuple[int, int]] = []
    await asyncio.gather(*(in_thread(lambda number: done.append((number, threading.get_ident())), number) for number in range(20)))
    assert [number for number, _ in done] == list(range(20))
    assert len({thread for _, thread in done}) == 1
    assert done[0][1] != threading.get_ident()


async def test_work_that_is_cancelled_while_it_waits_is_not_begun() -> None:
    free, begun = threading.Event(), threading.Event()
    first = asyncio.ensure_future(in_thread(free.wait))
    second = asyncio.ensure_future(in_thread(begun.set))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    free.set()
    assert await first
    await in_thread(int)
    assert not begun.is_set()


async def test_what_the_work_raises_reaches_its_caller() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await in_thread(int, "x")


async def test_what_a_page_shows_does_not_wait_for_a_body() -> None:
    free = threading.Event()
    body = asyncio.ensure_future(in_thread(free.wait))
    assert await for_operator(int, "7") == 7
    free.set()
    assert await body


async def test_the_interpreters_lock_is_given_away_sooner_while_there_is_work() -> None:
    """With the usual interval, a loop that writes to 64 streams waited for the lock for 0.2 s."""
    usual = sys.getswitchinterval()
    assert usual > heavy_work.YIELD_S
    free, begun = threading.Event(), threading.Event()
    waiting = asyncio.ensure_future(for_operator(lambda: (begun.set(), free.wait())))
    await asyncio.to_thread(begun.wait)
    assert await in_thread(sys.getswitchinterval) == pytest.approx(heavy_work.YIELD_S)
    assert await for_frame(sys.getswitchinterval) == pytest.approx(heavy_work.YIELD_S)
    assert sys.getswitchinterval() == pytest.approx(heavy_work.YIELD_S)  # that of the one which goes on
    free.set()
    await waiting
    assert sys.getswitchinterval() == usual
    with pytest.raises(ValueError, match="invalid literal"):
        await in_thread(int, "x")
    assert sys.getswitchinterval() == usual
