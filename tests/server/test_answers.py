"""A whole answer is on the wire what aiohttp's own response would be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from conduit_desktop.server.answers import WholeAnswer

HEADERS = {"x-conduit-provider": "vendor", "Content-Type": "application/json"}
REQUEST = b"POST /%s HTTP/%s\r\nHost: localhost\r\nContent-Length: 0\r\n%s\r\n"


@asynccontextmanager
async def connection(size: int, status: int = 200) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server that answers at `/ours` as the gateway does, and at `/theirs` as aiohttp would."""
    body = b"a" * size

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/ours":
            return WholeAnswer(status, dict(HEADERS), body)
        return web.Response(status=status, headers=HEADERS, body=body)

    async with RawTestServer(answer) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        yield reader, writer
        writer.close()
        await writer.wait_closed()


async def ask(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: bytes, version: bytes = b"1.1", more: bytes = b""
) -> tuple[list[bytes], bytes]:
    """The lines of the answer's head, but its date, and the body."""
    reader, writer = streams
    writer.write(REQUEST % (path, version, more))
    head = (await reader.readuntil(b"\r\n\r\n")).splitlines()
    length = next(int(line.partition(b":")[2]) for line in head if line.lower().startswith(b"content-length"))
    assert any(line.startswith(b"Date: ") for line in head)
    return sorted(line for line in head if not line.startswith(b"Date: ")), await reader.readexactly(length)


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, 2_000_000])
@pytest.mark.parametrize("status", [200, 201, 404, 529])
async def test_an_answer_of_any_size_is_that_of_aiohttp(size: int, status: int) -> None:
    async with connection(size, status) as streams:
        assert await ask(streams, b"ours") == await ask(streams, b"theirs")


async def test_the_connection_is_kept_for_the_next_request() -> None:
    async with connection(10) as streams:
        first = await ask(streams, b"ours")
        assert await ask(streams, b"ours") == first


@pytest.mark.parametrize(("version", "more"), [(b"1.1", b"Connection: close\r\n"), (b"1.0", b"")])
async def test_the_connection_ends_where_the_client_wants_it(version: bytes, more: bytes) -> None:
    async with connection(10) as streams:
        head, _ = await ask(streams, b"ours", version, more)
        assert await streams[0].read() == b""
    async with connection(10) as streams:
        assert (await ask(streams, b"theirs", version, more))[0] == head


async def test_an_old_client_that_wants_to_keep_its_connection_may() -> None:
    async with connection(10) as streams:
        head, _ = await ask(streams, b"ours", b"1.0", b"Connection: keep-alive\r\n")
        assert b"Connection: keep-alive" in head
        assert await ask(streams, b"theirs", b"1.0", b"Connection: keep-alive\r\n") == (head, b"a" * 10)


async def test_requests_that_came_together_are_answered_in_their_order() -> None:
    async with connection(10) as (reader, writer):
        writer.write((REQUEST % (b"ours", b"1.1", b"")) * 50 + REQUEST % (b"ours", b"1.1", b"Connection: close\r\n"))
        assert (await reader.read()).count(b"HTTP/1.1 200 OK\r\n") == 51


async def test_a_slow_reader_holds_up_its_own_answers_alone() -> None:
    """What is written is bounded by the transport's buffer, not by what a client asks for and does not read."""
    async with connection(30_000) as (reader, writer):
        writer.write((REQUEST % (b"ours", b"1.1", b"")) * 300 + REQUEST % (b"ours", b"1.1", b"Connection: close\r\n"))
        assert len(await reader.read()) > 301 * 30_000


@pytest.mark.parametrize("value", ["a\r\nx-more: 1", "a\nb", "a\x00b"])
async def test_a_header_with_a_line_break_is_never_sent(value: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        await _prepared(WholeAnswer(200, {"x-conduit-model": value}, b"{}"))


async def _prepared(answer: WholeAnswer) -> None:
    failed: list[BaseException] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            await answer.prepare(request)
        except ValueError as error:
            failed.append(error)
        return web.Response()

    async with RawTestServer(handle) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(REQUEST % (b"", b"1.1", b"Connection: close\r\n"))
        await reader.read()
        writer.close()
    for error in failed:
        raise error


async def test_a_client_that_is_gone_is_a_lost_connection() -> None:
    raised: list[type[BaseException]] = []
    done = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        try:
            await WholeAnswer(200, dict(HEADERS), b"{}").prepare(request)
        except ConnectionError as error:
            raised.append(type(error))
            raise
        finally:
            done.set()
        raise AssertionError("it was sent")

    async with RawTestServer(handle) as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(REQUEST % (b"", b"1.1", b""))
        await done.wait()
        writer.close()
    assert len(raised) == 1
