"""The reader of a stream: when a ping is due, and whose silence counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from conduit_desktop.core.errors import Closing, UpstreamError
from conduit_desktop.gateway.upstream.responses import LocalResponse
from conduit_desktop.gateway.upstream.timed_reader import TimedReader
from conduit_desktop.providers import LocalAnswer
from tests.fakes.loop import run_in_jumping_time
from tests.fakes.waiting import WITHIN_S


class Upstream:
    """Sends `data` after each of the pauses, then nothing more."""

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


def test_s27_a_ping_is_due_when_the_client_was_sent_nothing_whatever_the_upstream_sends() -> None:
    async def scenario() -> float:
        reader = TimedReader(Upstream(*[3.0] * 30), keepalive_s=10, idle_s=60)
        while await reader.chunk(sent=False) is not None:
            pass
        return asyncio.get_running_loop().time()

    assert run_in_jumping_time(scenario()) == pytest.approx(10, abs=0.01)


async def test_s27_a_ping_is_due_even_if_the_upstream_never_pauses() -> None:
    reader = TimedReader(Upstream(*[0.0] * 1_000_000), keepalive_s=0.05, idle_s=5)
    async with asyncio.timeout(WITHIN_S):
        while await reader.chunk(sent=False) is not None:
            pass


def test_what_the_client_is_sent_postpones_the_ping() -> None:
    async def scenario() -> list[bytes | None]:
        reader = TimedReader(Upstream(*[3.0] * 10), keepalive_s=10, idle_s=60)
        return [await reader.chunk(sent=True) for _ in range(10)]

    assert None not in run_in_jumping_time(scenario())


def test_s09_silence_is_counted_over_pings() -> None:
    received: list[bytes | None] = []

    async def listen() -> None:
        reader = TimedReader(Upstream(), keepalive_s=20, idle_s=75)
        while True:
            received.append(await reader.chunk(sent=True))

    async def scenario() -> float:
        with pytest.raises(UpstreamError) as raised:
            await listen()
        assert raised.value.reason == "timeout"
        return asyncio.get_running_loop().time()

    assert run_in_jumping_time(scenario()) == pytest.approx(75, abs=0.01)
    assert received == [None] * 3


def test_s09_the_time_a_slow_client_takes_is_not_silence_of_the_upstream() -> None:
    async def scenario() -> tuple[bytes | None, bytes | None]:
        reader = TimedReader(Upstream(0.0, 5.0), keepalive_s=500, idle_s=10)
        first = await reader.chunk(sent=True)
        await asyncio.sleep(30)
        return first, await reader.chunk(sent=True)

    assert all(run_in_jumping_time(scenario()))


async def test_a_stream_that_waits_is_closed_at_once() -> None:
    reader = TimedReader(Upstream(), keepalive_s=50, idle_s=50)
    asyncio.get_running_loop().call_later(0.02, reader.close)
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(Closing):
            await reader.chunk(sent=True)


async def test_a_stream_that_does_not_wait_is_closed_at_the_next_chunk() -> None:
    reader = TimedReader(Upstream(0.0, 0.0), keepalive_s=50, idle_s=50)
    assert await reader.chunk(sent=True)
    reader.close()
    with pytest.raises(Closing):
        await reader.chunk(sent=True)


def test_many_chunks_set_one_timer_and_it_is_cancelled_at_the_end() -> None:
    timers: list[asyncio.TimerHandle] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        upstream = Upstream(*[0.1] * 50)
        reader = TimedReader(upstream, keepalive_s=20, idle_s=75)
        call_at = loop.call_at

        def counted(when: float, callback: Any, *args: Any, **more: Any) -> asyncio.TimerHandle:
            timer = call_at(when, callback, *args, **more)
            if callback == reader._on_timer:
                timers.append(timer)
            return timer

        loop.call_at = counted  # type: ignore[method-assign]
        try:
            for _ in range(50):
                assert await reader.chunk(sent=True)
        finally:
            loop.call_at = call_at  # type: ignore[method-assign]
        reader.stop()

    run_in_jumping_time(scenario())
    assert len(timers) == 1
    assert timers[0].cancelled()


async def test_a_cancellation_from_outside_is_neither_a_ping_nor_an_end() -> None:
    reader = TimedReader(Upstream(), keepalive_s=50, idle_s=50)
    reading = asyncio.ensure_future(reader.chunk(sent=True))
    await asyncio.sleep(0)
    reader.close()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert reading.cancelled()


async def test_a_ping_leaves_no_cancellation_behind_in_the_task() -> None:
    reader = TimedReader(Upstream(), keepalive_s=0.01, idle_s=50)
    assert await reader.chunk(sent=True) is None
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_pings_do_not_end_the_answer_of_a_local_provider() -> None:
    ready = asyncio.Event()

    async def frames() -> AsyncIterator[bytes]:
        await ready.wait()
        yield b"one"
        yield b"two"

    reader = TimedReader(LocalResponse(LocalAnswer(200, "text/event-stream", frames())), keepalive_s=0.01, idle_s=50)
    assert [await reader.chunk(sent=True) for _ in range(3)] == [None, None, None]
    ready.set()
    received: list[bytes] = []
    while b"" not in received:
        data = await reader.chunk(sent=True)
        received += [] if data is None else [data]
    assert received == [b"one", b"two", b""]


async def test_the_answer_of_a_local_provider_stops_with_its_reader() -> None:
    left = asyncio.Event()

    async def frames() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        yield b""

    response = LocalResponse(LocalAnswer(200, "text/event-stream", frames()))
    assert await TimedReader(response, keepalive_s=0.01, idle_s=50).chunk(sent=True) is None
    response.abort()
    async with asyncio.timeout(WITHIN_S):
        await left.wait()
