"""A burst of work leaves room for what arrives while it is done."""

from __future__ import annotations

import asyncio

from conduit_desktop.core.pacing import Pacer


async def _work(pacer: Pacer, done: list[str], name: str) -> None:
    if (turn := pacer.turn()) is not None:
        await turn
    done.append(name)


async def test_a_few_callers_begin_at_once() -> None:
    pacer = Pacer(at_once=3)
    assert [pacer.turn() for _ in range(3)] == [None] * 3


async def test_what_arrives_meanwhile_comes_between_the_callers_of_a_burst() -> None:
    pacer, done = Pacer(at_once=2), list[str]()
    tasks = [asyncio.ensure_future(_work(pacer, done, f"work {number}")) for number in range(6)]
    while not all(task.done() for task in tasks):
        done.append("frame")
        await asyncio.sleep(0)
    work = [name for name in done if name != "frame"]
    assert work == [f"work {number}" for number in range(6)]
    between = [sum(name != "frame" for name in burst.split(",") if name) for burst in ",".join(done).split("frame")]
    assert max(between) == 2


async def test_a_caller_that_is_cancelled_while_it_waits_holds_up_nobody() -> None:
    pacer, done = Pacer(at_once=1), list[str]()
    tasks = [asyncio.ensure_future(_work(pacer, done, str(number))) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done == ["0", "2", "3"]


async def test_after_a_burst_callers_begin_at_once_again() -> None:
    pacer, done = Pacer(at_once=2), list[str]()
    await asyncio.gather(*(_work(pacer, done, str(number)) for number in range(7)))
    for _ in range(3):  # the iterations in which it finds that nobody waits
        await asyncio.sleep(0)
    assert pacer.turn() is None
