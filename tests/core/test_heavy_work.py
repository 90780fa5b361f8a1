"""Work on large bodies: one piece after the other, and never on the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from conduit_desktop.core.heavy_work import for_operator, in_thread


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
