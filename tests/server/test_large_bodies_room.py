"""How many bytes of large bodies there is room for, and who waits for it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from conduit_desktop.core.errors import TooManyLargeBodies
from conduit_desktop.server import large_bodies
from conduit_desktop.server.large_bodies import HeldBody, LargeBodies, held_body

WITHIN_S = 10.0
MB = 1024 * 1024


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no room is refused without waiting."""
    monkeypatch.setattr(large_bodies, "WAIT_S", 0.0)


async def grown(bodies: LargeBodies, *sizes: int, largest: int = 10) -> list[HeldBody]:
    """A body of each size, all still coming."""
    made = [HeldBody(bodies, largest) for _ in sizes]
    for body, size in zip(made, sizes, strict=True):
        await body.grow(size)
    return made


@pytest.mark.usefixtures("at_once")
async def test_there_is_room_for_four_bodies_of_the_largest_size_and_not_for_a_byte_more() -> None:
    bodies = LargeBodies()
    await grown(bodies, 10, 10, 10, 10)
    assert bodies.held == 40
    with pytest.raises(TooManyLargeBodies, match="none ended within 0 s") as refused:
        await grown(bodies, 1)
    assert refused.value.retry_after == 5
    assert bodies.held == 40
    assert bodies._waiting == []


@pytest.mark.usefixtures("at_once")
async def test_the_oldest_body_that_is_still_coming_may_always_grow() -> None:
    bodies = LargeBodies()
    first, second, *_ = await grown(bodies, 10, 10, 10, 10)
    await first.grow(15)
    assert bodies.held == 45
    with pytest.raises(TooManyLargeBodies):
        await second.grow(11)
    first.came(15)  # a small one: it takes no room any more
    assert bodies.held == 30
    await second.grow(25)
    assert bodies.held == 45


async def test_a_body_that_waits_goes_on_as_soon_as_another_one_is_smaller() -> None:
    bodies = LargeBodies()
    _, second, third, last = await grown(bodies, 10, 10, 18, 1)
    growing = asyncio.ensure_future(last.grow(4))
    async with asyncio.timeout(WITHIN_S):
        while not bodies._waiting:
            await asyncio.sleep(0)
        third._set(17, is_complete=False)
        while not bodies._waiting:  # a byte is free, and two more are needed
            await asyncio.sleep(0)
        assert not growing.done()
        second._set(9, is_complete=False)
        await growing
    assert bodies.held == 40 - 2 + 2
    assert bodies._waiting == []


async def test_a_body_that_waits_goes_on_as_soon_as_an_older_one_has_come_whole() -> None:
    bodies = LargeBodies()
    first, last = await grown(bodies, 2 * MB, 2 * MB, largest=MB)
    growing = asyncio.ensure_future(last.grow(3 * MB))
    async with asyncio.timeout(WITHIN_S):
        while not bodies._waiting:
            await asyncio.sleep(0)
        first.came(2 * MB)  # of the same size: nothing is free, but the other is the oldest now
        await growing
    assert bodies.held == 5 * MB


async def test_a_body_that_is_given_up_while_it_waits_harms_nobody() -> None:
    bodies = LargeBodies()
    first, last = await grown(bodies, 39, 1)
    growing = asyncio.ensure_future(last.grow(2))
    async with asyncio.timeout(WITHIN_S):
        while not bodies._waiting:
            await asyncio.sleep(0)
    growing.cancel()
    first._set(38, is_complete=False)  # before the task has seen that it was cancelled
    with pytest.raises(asyncio.CancelledError):
        await growing
    assert bodies._waiting == []


async def test_what_a_request_held_is_free_at_the_end_of_its_task() -> None:
    bodies = LargeBodies()
    await asyncio.create_task(grown(bodies, 5, 7))
    await asyncio.sleep(0)
    assert bodies.held == 0


async def test_a_body_of_a_megabyte_holds_nothing_once_it_has_come_and_a_larger_one_does() -> None:
    bodies = LargeBodies()
    small, large = await grown(bodies, 5, 6)
    small.came(1_048_576)
    assert (bodies.held, small.size) == (6, 0)
    large.came(1_048_577)
    assert (bodies.held, large.size) == (1_048_577, 1_048_577)


async def test_requests_of_one_server_share_its_room_and_one_without_a_server_has_its_own() -> None:
    shared = LargeBodies()
    server = SimpleNamespace(protocol=SimpleNamespace(_manager=SimpleNamespace(large_bodies=shared)))
    alone = SimpleNamespace(protocol=None)
    for request in (server, alone):
        await held_body(request, 10).grow(3)  # type: ignore[arg-type]
    assert shared.held == 3
