"""The sum of large bodies in flight is bounded: further ones wait for room, and are refused where none becomes free."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from conduit_desktop.core.errors import TooManyLargeBodies
from conduit_desktop.core.paths import Home
from conduit_desktop.server import large_bodies
from conduit_desktop.server.large_bodies import AT_ONCE, HeldBody, LargeBodies
from tests.fakes.gateway import KEY, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.vendor import Vendor
from tests.fakes.waiting import WITHIN_S

MB = 1024 * 1024


@pytest.fixture
def bodies() -> LargeBodies:
    return LargeBodies()


async def _grown(body: HeldBody, *sizes: int, ends: asyncio.Event) -> None:
    for size in sizes:
        await body.grow(size)
    body.came(sizes[-1])
    await ends.wait()


def _start(bodies: LargeBodies, ends: asyncio.Event, *sizes: int) -> tuple[HeldBody, asyncio.Task[None]]:
    body = HeldBody(bodies, 10 * MB)
    return body, asyncio.ensure_future(_grown(body, *sizes, ends=ends))


async def test_a_body_without_room_waits_for_the_end_of_another(bodies: LargeBodies) -> None:
    ends, never = asyncio.Event(), asyncio.Event()
    first = [_start(bodies, ends, 10 * MB) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    oldest, task = _start(bodies, never, 2 * MB, 6 * MB)  # of those that are coming, this one goes on
    waiting, other = _start(bodies, never, 2 * MB)
    late, third = _start(bodies, never, 5 * MB)
    await asyncio.sleep(0.01)
    assert (oldest.size, waiting.size, late.size) == (6 * MB, 2 * MB, 0)
    ends.set()
    await asyncio.gather(*(one for _, one in first))
    await asyncio.sleep(0.01)
    assert (late.size, bodies.held) == (5 * MB, 13 * MB)
    for one in (task, other, third):
        one.cancel()
    await asyncio.gather(task, other, third, return_exceptions=True)
    assert bodies.held == 0


async def test_bodies_that_came_whole_and_are_not_answered_yet_keep_their_room(bodies: LargeBodies) -> None:
    never = asyncio.Event()
    # One after the other each becomes the oldest of those that are coming.
    started = [_start(bodies, never, 5 * MB, 10 * MB) for _ in range(12)]
    await asyncio.sleep(0.01)
    assert bodies.held == (AT_ONCE + 1) * 10 * MB
    for _, one in started:
        one.cancel()
    await asyncio.gather(*(one for _, one in started), return_exceptions=True)
    assert bodies.held == 0


async def test_bodies_in_parts_never_wait_for_each_other(bodies: LargeBodies) -> None:
    ends = asyncio.Event()
    ends.set()
    steps = [at * MB for at in range(2, 11)]
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*(_start(bodies, ends, *steps)[1] for _ in range(50)))
    assert bodies.held == 0


async def test_no_more_than_the_bound_and_one_body_are_ever_in_memory(bodies: LargeBodies) -> None:
    most = 0

    async def one() -> None:
        nonlocal most
        body = HeldBody(bodies, 10 * MB)
        for size in range(2, 11):
            await body.grow(size * MB)
            most = max(most, bodies.held)
            await asyncio.sleep(0)
        body.came(10 * MB)
        await asyncio.sleep(0)

    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*(asyncio.ensure_future(one()) for _ in range(40)))
    assert 30 * MB < most <= (AT_ONCE + 1) * 10 * MB


async def test_a_body_that_waits_for_too_long_is_refused(bodies: LargeBodies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_bodies, "WAIT_S", 0.01)
    ends = asyncio.Event()
    others = [_start(bodies, ends, 10 * MB) for _ in range(AT_ONCE)]
    oldest = HeldBody(bodies, 10 * MB)
    bodies.begin(oldest)
    await asyncio.sleep(0)
    _, task = _start(bodies, ends, 5 * MB)
    with pytest.raises(TooManyLargeBodies) as refused:
        await task
    assert refused.value.retry_after
    assert bodies.held == AT_ONCE * 10 * MB
    ends.set()
    await asyncio.gather(*(one for _, one in others))
    assert bodies.held == 0


class Caller:
    """Sends requests over sockets that are closed at the end of the test."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._writers: list[asyncio.StreamWriter] = []

    async def send(self, path: str, body: bytes, headers: str = "", keep: int = 0) -> asyncio.StreamReader:
        """A request without the last `keep` bytes of its body."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        self._writers.append(writer)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n{headers}"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        writer.write(body[: len(body) - keep])
        await asyncio.sleep(0.05)
        return reader

    def go_on(self, rest: bytes) -> None:
        """Send the rest of every body."""
        for writer in self._writers:
            writer.write(rest)

    async def close(self) -> None:
        """Close every socket."""
        for writer in self._writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


@pytest.fixture
async def caller(home: Home) -> AsyncIterator[Caller]:
    async with Vendor() as vendor, open_gateway(home, port=0, max_body_mb=2) as gateway, listening(home, gateway) as context:
        await gateway.add_provider("v", vendor.openai_url)
        await gateway.add_alias("m", "v/m")
        await gateway.add_key()
        assert context.server.address is not None
        host, _, port = context.server.address.removeprefix("http://").partition(":")
        caller = Caller(host, int(port))
        try:
            yield caller
        finally:
            await caller.close()


def _body(size: int) -> bytes:
    return b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"' + b"x" * size + b'"}]}'


async def _fill(caller: Caller) -> list[asyncio.StreamReader]:
    """As many large bodies as there is room for and more, each without its last byte."""
    return [await caller.send("/v1/chat/completions", _body(1_900_000), keep=1) for _ in range(AT_ONCE + 3)]


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/chat/completions", b'"code":"too_many_large_bodies"'), ("/v1/messages", b'"type":"error"')]
)
@pytest.mark.parametrize("is_packed", [False, True])
async def test_a_large_body_is_refused_in_its_dialect_with_a_time_to_try_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, path: str, kind: bytes, is_packed: bool
) -> None:
    await _fill(caller)
    monkeypatch.setattr(large_bodies, "WAIT_S", 0.05)
    text = _body(1_900_000)
    body, headers = (gzip.compress(text), "Content-Encoding: gzip\r\n") if is_packed else (text, "")
    async with asyncio.timeout(WITHIN_S):
        answer = await (await caller.send(path, body, headers)).read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 5\r\n" in answer.lower()
    assert kind in answer


async def test_a_small_body_never_waits(caller: Caller) -> None:
    await _fill(caller)
    async with asyncio.timeout(WITHIN_S):
        reader = await caller.send("/v1/chat/completions", _body(500_000))
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


async def test_large_bodies_that_waited_are_answered(caller: Caller) -> None:
    coming = await _fill(caller)
    caller.go_on(b"}")
    async with asyncio.timeout(WITHIN_S):
        answers = [(await reader.read())[:13] for reader in coming]
    assert answers == [b"HTTP/1.1 200 "] * len(coming)
