"""Deadlines: each task is stopped at its own time, and a cancellation from outside stays one."""

from __future__ import annotations

import asyncio

import pytest

from conduit_desktop.gateway.upstream.deadlines import Deadlines


async def wait_until(deadlines: Deadlines, when: float) -> float:
    """The loop's time at which the deadline ended the wait."""
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError), deadlines.at(when):
        await asyncio.Event().wait()
    return loop.time()


async def test_each_task_times_out_at_its_own_deadline_whatever_the_order():
    loop, deadlines = asyncio.get_running_loop(), Deadlines()
    now = loop.time()
    whens = [now + 0.09, now + 0.03, now + 0.06]
    ends = await asyncio.gather(*(wait_until(deadlines, when) for when in whens))
    assert all(end >= when for end, when in zip(ends, whens, strict=True))
    assert ends[1] < ends[2] < ends[0]


async def test_a_deadline_that_has_passed_stops_the_task_at_its_next_wait():
    deadlines = Deadlines()
    await wait_until(deadlines, asyncio.get_running_loop().time() - 1)


async def test_work_that_ends_in_time_leaves_no_timer():
    deadlines = Deadlines()
    with deadlines.at(asyncio.get_running_loop().time() + 60):
        assert deadlines._timer is not None
    assert deadlines._timer is None


async def test_a_later_deadline_holds_after_the_earlier_task_has_ended():
    loop, deadlines = asyncio.get_running_loop(), Deadlines()
    later = asyncio.ensure_future(wait_until(deadlines, loop.time() + 0.05))
    await asyncio.sleep(0)
    with deadlines.at(loop.time() + 0.01):
        pass
    await later


async def test_a_cancellation_from_outside_is_no_time_out():
    deadlines = Deadlines()

    async def work() -> None:
        with deadlines.at(asyncio.get_running_loop().time() + 60):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_wins_over_a_deadline_of_the_same_moment():
    loop, deadlines = asyncio.get_running_loop(), Deadlines()

    async def work() -> None:
        with deadlines.at(loop.time() - 1):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    loop.call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_within_a_deadline_is_not_changed():
    deadlines = Deadlines()
    with pytest.raises(ValueError, match="own"), deadlines.at(asyncio.get_running_loop().time() + 60):
        raise ValueError("own")
