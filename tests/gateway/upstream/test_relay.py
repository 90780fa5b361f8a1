"""The pulse of a stream: when a ping is due, and whose silence counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from conduit_desktop.core.errors import Closing, UpstreamError
from conduit_desktop.gateway.upstream.client import LocalResponse
from conduit_desktop.gateway.upstream.relay import TimedReader
from conduit_desktop.providers import LocalAnswer
from tests.fakes.loop import run_in_jumping_time
from tests.fakes.waiting import WITHIN_S


class Upstream:
    """Says `data` after each of the pauses, then falls silent for good."""

    status = 200
    headers: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, *pauses: float, data: bytes = b": still thinking\n\n") -> None:
        self.pauses = list(pauses)
        self.data = data
        self.due: float | None = None

    async def chunk(self) -> bytes:
        loop = asyncio.get_running_loop()
        if self.due is None:
            self.due = loop.time() + (self.pauses.pop(0) if self.pauses else 1000)
        await asyncio.sleep(self.due - loop.time())
        self.due = None
        return self.data

    async def read(self) -> bytes:
        return b""

    def finish(self) -> None:
        """Nothing is held."""

    def abort(self) -> None:
        """Nothing is held."""


def test_s27_a_ping_is_due_when_the_caller_heard_nothing_whatever_the_upstream_says() -> None:
    async def story() -> float:
        pulse = TimedReader(Upstream(*[3.0] * 30), keepalive_s=10, idle_s=60)
        while await pulse.chunk(said=False) is not None:
            pass
        return asyncio.get_running_loop().time()

    assert run_in_jumping_time(story()) == pytest.approx(10, abs=0.01)


async def test_s27_a_ping_is_due_even_if_the_upstream_never_pauses() -> None:
    pulse = TimedReader(Upstream(*[0.0] * 1_000_000), keepalive_s=0.05, idle_s=5)
    async with asyncio.timeout(WITHIN_S):
        while await pulse.chunk(said=False) is not None:
            pass


def test_what_the_caller_was_told_puts_the_ping_off() -> None:
    async def story() -> list[bytes | None]:
        pulse = TimedReader(Upstream(*[3.0] * 10), keepalive_s=10, idle_s=60)
        return [await pulse.chunk(said=True) for _ in range(10)]

    assert None not in run_in_jumping_time(story())


def test_s09_silence_is_counted_over_pings() -> None:
    heard: list[bytes | None] = []

    async def listen() -> None:
        pulse = TimedReader(Upstream(), keepalive_s=20, idle_s=75)
        while True:
            heard.append(await pulse.chunk(said=True))

    async def story() -> float:
        with pytest.raises(UpstreamError) as raised:
            await listen()
        assert raised.value.reason == "timeout"
        return asyncio.get_running_loop().time()

    assert run_in_jumping_time(story()) == pytest.approx(75, abs=0.01)
    assert heard == [None] * 3


def test_s09_the_time_a_slow_caller_takes_is_not_the_upstreams_silence() -> None:
    async def story() -> tuple[bytes | None, bytes | None]:
        pulse = TimedReader(Upstream(0.0, 5.0), keepalive_s=500, idle_s=10)
        first = await pulse.chunk(said=True)
        await asyncio.sleep(30)
        return first, await pulse.chunk(said=True)

    assert all(run_in_jumping_time(story()))


async def test_a_stream_that_waits_is_cut_off_at_once() -> None:
    pulse = TimedReader(Upstream(), keepalive_s=50, idle_s=50)
    asyncio.get_running_loop().call_later(0.02, pulse.cut)
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(Closing):
            await pulse.chunk(said=True)


async def test_a_stream_that_does_not_wait_is_cut_off_at_the_next_look() -> None:
    pulse = TimedReader(Upstream(0.0, 0.0), keepalive_s=50, idle_s=50)
    assert await pulse.chunk(said=True)
    pulse.cut()
    with pytest.raises(Closing):
        await pulse.chunk(said=True)


async def test_pings_do_not_end_an_answer_from_inside_the_house() -> None:
    ready = asyncio.Event()

    async def frames() -> AsyncIterator[bytes]:
        await ready.wait()
        yield b"one"
        yield b"two"

    pulse = TimedReader(LocalResponse(LocalAnswer(200, "text/event-stream", frames())), keepalive_s=0.01, idle_s=50)
    assert [await pulse.chunk(said=True) for _ in range(3)] == [None, None, None]
    ready.set()
    heard: list[bytes] = []
    while b"" not in heard:
        data = await pulse.chunk(said=True)
        heard += [] if data is None else [data]
    assert heard == [b"one", b"two", b""]


async def test_an_answer_from_inside_the_house_stops_with_its_reader() -> None:
    left = asyncio.Event()

    async def frames() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        yield b""

    response = LocalResponse(LocalAnswer(200, "text/event-stream", frames()))
    assert await TimedReader(response, keepalive_s=0.01, idle_s=50).chunk(said=True) is None
    response.abort()
    async with asyncio.timeout(WITHIN_S):
        await left.wait()
