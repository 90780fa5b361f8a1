"""The pulse of a stream: when a ping is due, and whose silence counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from conduit_desktop.core.errors import Closing, UpstreamError
from conduit_desktop.gateway.stream import Pulse
from conduit_desktop.gateway.upstream import LocalResponse
from conduit_desktop.providers import LocalAnswer


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


async def test_s27_a_ping_is_due_when_the_caller_heard_nothing_whatever_the_upstream_says() -> None:
    pulse = Pulse(Upstream(*[0.02] * 30), keepalive_s=0.1, idle_s=5)
    loop = asyncio.get_running_loop()
    began = loop.time()
    while await pulse.chunk(said=False) is not None:
        pass
    assert 0.09 <= loop.time() - began < 0.2


async def test_s27_a_ping_is_due_even_if_the_upstream_never_pauses() -> None:
    pulse = Pulse(Upstream(*[0.0] * 1_000_000), keepalive_s=0.05, idle_s=5)
    async with asyncio.timeout(2):
        while await pulse.chunk(said=False) is not None:
            pass


async def test_what_the_caller_was_told_puts_the_ping_off() -> None:
    pulse = Pulse(Upstream(*[0.03] * 10), keepalive_s=0.2, idle_s=5)
    for _ in range(10):
        assert await pulse.chunk(said=True) is not None


async def test_s09_silence_is_counted_over_pings() -> None:
    pulse, heard = Pulse(Upstream(), keepalive_s=0.2, idle_s=0.75), []

    async def listen() -> None:
        while True:
            heard.append(await pulse.chunk(said=True))

    async with asyncio.timeout(30):
        with pytest.raises(UpstreamError) as raised:
            await listen()
    assert raised.value.reason == "timeout"
    assert heard in ([None] * pings for pings in (1, 2, 3))


async def test_s09_the_time_a_slow_caller_takes_is_not_the_upstreams_silence() -> None:
    pulse = Pulse(Upstream(0.0, 0.05), keepalive_s=5, idle_s=0.1)
    assert await pulse.chunk(said=True)
    await asyncio.sleep(0.3)
    assert await pulse.chunk(said=True)


async def test_a_stream_that_waits_is_cut_off_at_once() -> None:
    pulse = Pulse(Upstream(), keepalive_s=50, idle_s=50)
    asyncio.get_running_loop().call_later(0.02, pulse.cut)
    async with asyncio.timeout(2):
        with pytest.raises(Closing):
            await pulse.chunk(said=True)


async def test_a_stream_that_does_not_wait_is_cut_off_at_the_next_look() -> None:
    pulse = Pulse(Upstream(0.0, 0.0), keepalive_s=50, idle_s=50)
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

    pulse = Pulse(LocalResponse(LocalAnswer(200, "text/event-stream", frames())), keepalive_s=0.01, idle_s=50)
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
    assert await Pulse(response, keepalive_s=0.01, idle_s=50).chunk(said=True) is None
    response.abort()
    async with asyncio.timeout(5):
        await left.wait()
