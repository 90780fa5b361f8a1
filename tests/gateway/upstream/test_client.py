"""Every HTTP failure becomes an UpstreamError with the reason that failover decides by."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aioresponses import aioresponses

from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.gateway.upstream import connections, responses
from conduit_desktop.gateway.upstream.client import Upstream
from conduit_desktop.gateway.upstream.connections import LARGE, LargePayload
from conduit_desktop.providers import OutboundRequest, UpstreamResponse

URL = "https://api.vendor.example/v1/chat/completions"
KEY = ConnectionKey("api.vendor.example", 443, True, True, None, None, None)
NO_NAME = OSError(-2, "Name or service not known")

FAILURES = [
    (aiohttp.ConnectionTimeoutError("late"), "timeout", 504, "the connection timed out"),
    (aiohttp.ServerTimeoutError("late"), "timeout", 504, "no answer in time"),
    (TimeoutError(), "timeout", 504, "no answer in time"),
    (aiohttp.ClientConnectorSSLError(KEY, OSError(1, "wrong version number")), "connect", 502, "TLS failed: wrong version number"),
    (ssl.SSLError(1, "unknown protocol"), "connect", 502, "TLS failed: unknown protocol"),
    (aiohttp.ClientConnectorDNSError(KEY, NO_NAME), "connect", 502, "the host name api.vendor.example cannot be resolved"),
    (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "refused")), "connect", 502,
     "cannot connect to api.vendor.example:443: connection refused"),
    (aiohttp.ClientConnectorError(KEY, OSError(113, "No route to host")), "connect", 502,
     "cannot connect to api.vendor.example:443: No route to host"),
    (aiohttp.ServerDisconnectedError(), "connect", 502, "the connection was closed before an answer"),
    (aiohttp.ClientOSError(104, "Connection reset by peer"), "connect", 502, "the connection broke"),
    (ConnectionResetError(), "connect", 502, "the connection broke"),
    (aiohttp.InvalidURL("x"), "connect", 502, "the provider's address is not a valid URL"),
]  # fmt: skip


@pytest.mark.parametrize(("failure", "reason", "status", "text"), FAILURES, ids=[type(row[0]).__name__ for row in FAILURES])
async def test_a_failure_has_a_reason_a_status_and_a_message(failure: Exception, reason: str, status: int, text: str) -> None:
    # With the system's proxy, requests go through the session's own method, which is what is replaced here.
    upstream = Upstream(use_system_proxy=True)
    with aioresponses() as network:
        network.post(URL, exception=failure)
        with pytest.raises(UpstreamError) as raised:
            await upstream.send(OutboundRequest("POST", URL, {"authorization": "Bearer sk-secret"}, b"{}"), connect_s=5)
    await upstream.close()
    assert (raised.value.reason, raised.value.status, raised.value.message) == (reason, status, text)
    assert raised.value.__cause__ is failure


@pytest.mark.parametrize(("failure", "reason", "status", "text"), FAILURES, ids=lambda value: type(value).__name__)
async def test_a_failure_is_the_same_without_a_proxy(
    failure: Exception, reason: str, status: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: object, **kwargs: object) -> object:
        raise failure

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", fail)
    upstream = Upstream()
    with pytest.raises(UpstreamError) as raised:
        await upstream.send(OutboundRequest("POST", URL, {"authorization": "Bearer sk-secret"}, b"{}"), connect_s=5)
    await upstream.close()
    assert (raised.value.reason, raised.value.status) == (reason, status)
    assert raised.value.message == text or isinstance(failure, TimeoutError)


async def test_a_bug_of_our_own_is_no_failure_of_a_provider() -> None:
    upstream = Upstream(use_system_proxy=True)
    with aioresponses() as network:
        network.post(URL, exception=ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            await upstream.send(OutboundRequest("POST", URL, {}, b"{}"), connect_s=5)
    await upstream.close()


async def never(*args: Any, **kwargs: Any) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("place", "name"), [(aiohttp.ThreadedResolver, "resolve"), (aiohttp.connector.aiohappyeyeballs, "start_connection")]
)
async def test_looking_up_a_host_and_connecting_to_it_are_bounded(place: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, name, never)
    upstream = Upstream()
    with pytest.raises(UpstreamError) as raised:
        await upstream.send(OutboundRequest("POST", "http://localhost:9/v1", {}, b"{}"), connect_s=0.05)
    await upstream.close()
    assert (raised.value.reason, raised.value.status) == ("timeout", 504)


@asynccontextmanager
async def closing_upstream(answers: int) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that closes each connection at the request after so many answers; and the requests of each connection."""
    seen: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = len(seen)
        seen.append(0)
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            seen[at] += 1
            if seen[at] > answers:
                break
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, asyncio.timeout(10):
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}/", seen


async def test_a_kept_connection_that_the_provider_closed_is_no_failure() -> None:
    upstream = Upstream()
    async with closing_upstream(answers=1) as (url, seen):
        for _ in range(3):
            assert (await upstream.fetch(OutboundRequest("POST", url, {}, b""), connect_s=5))[1] == b"{}"
        await upstream.close()
    assert seen == [2, 2, 1]


async def test_a_new_connection_that_is_closed_before_an_answer_is_a_failure_at_once() -> None:
    upstream = Upstream()
    async with closing_upstream(answers=0) as (url, seen):
        with pytest.raises(UpstreamError) as raised:
            await upstream.fetch(OutboundRequest("POST", url, {}, b""), connect_s=5)
        await upstream.close()
    assert (raised.value.reason, seen) == ("connect", [1])


async def test_a_kept_connection_that_is_closed_after_a_long_wait_is_a_failure() -> None:
    now = iter(range(0, 1000, 3))
    upstream = Upstream(wall=lambda: 0.0, ticks=lambda: float(next(now)))
    async with closing_upstream(answers=1) as (url, seen):
        await upstream.fetch(OutboundRequest("POST", url, {}, b""), connect_s=5)
        with pytest.raises(UpstreamError) as raised:
            await upstream.fetch(OutboundRequest("POST", url, {}, b""), connect_s=5)
        await upstream.close()
    assert (raised.value.reason, seen) == ("connect", [2])


@asynccontextmanager
async def answered(head: str, body: bytes, closes: bool) -> AsyncIterator[UpstreamResponse]:
    """The response of a server that sends this head, and then this body: either it closes the connection, or the gateway must."""
    head_read, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {head}\r\n\r\n".encode())
        await head_read.wait()
        writer.write(body)
        if not closes:
            await reader.read()  # until the gateway closes the connection
        writer.close()
        closed.set()

    upstream = Upstream()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, asyncio.timeout(10):
        host, port = server.sockets[0].getsockname()[:2]
        answer = await upstream.send(OutboundRequest("GET", f"http://{host}:{port}/", {}, b""), connect_s=5)
        head_read.set()
        yield answer
        await closed.wait()
    await upstream.close()


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "stalled"])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("content-length: 99", b'{"error":'),
        ("transfer-encoding: chunked", b'9\r\n{"error":\r\n'),
        ("transfer-encoding: chunked", b"zz\r\n"),
        ("content-encoding: gzip\r\ncontent-length: 9", b'{"error":'),
        ("content-length: 99", b""),
    ],
    ids=["length", "chunks", "chunk size", "no gzip", "nothing"],
)
async def test_an_error_whose_body_is_broken_is_still_that_error(
    headers: str, body: bytes, closes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "ERROR_BODY_S", 10 if closes else 0.05)
    async with answered(f"429 X\r\n{headers}", body, closes) as answer:
        assert answer.status == 429
        assert b'{"error":'.startswith(await answer.read())


async def read_pieces(answer: UpstreamResponse) -> None:
    while await answer.chunk():
        pass


DEFLATED = zlib.compress(b'{"choices": []}')
FAULTY = [
    ("transfer-encoding: chunked", b"2\r\n{}\r\nzz\r\n{}\r\n0\r\n\r\n"),
    ("content-encoding: deflate\r\ntransfer-encoding: chunked", b"9\r\n" + DEFLATED[:9] + b"\r\n0\r\n\r\n"),
    (f"content-encoding: deflate\r\ncontent-length: {len(DEFLATED) - 5}", DEFLATED[:-5]),
    ("content-encoding: gzip\r\ncontent-length: 15", b'{"choices": []}'),
]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("headers", "body"), FAULTY, ids=["chunk size", "deflate in chunks", "deflate", "no gzip"])
async def test_a_body_that_breaks_the_framing_ends_in_a_failure_at_once(headers: str, body: bytes, whole: bool) -> None:
    async with answered(f"200 OK\r\n{headers}", body, closes=False) as answer:
        with pytest.raises(UpstreamError) as raised:
            await (answer.read() if whole else read_pieces(answer))
        answer.abort()
    assert (raised.value.reason, raised.value.status) == ("broken", 502)


class Written:
    """A writer that keeps what it was given."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def write(self, chunk: Any) -> None:
        self.pieces.append(bytes(chunk))


async def test_a_large_body_is_written_in_pieces_between_which_others_run() -> None:
    body = bytes(range(256)) * (LARGE // 256) + b"end"
    writer, runs = Written(), 0

    async def other() -> None:
        nonlocal runs
        while True:
            runs += 1
            await asyncio.sleep(0)

    running = asyncio.ensure_future(other())
    payload = LargePayload(body)
    await payload.write_with_length(writer, None)  # type: ignore[arg-type]
    running.cancel()
    assert (payload.size, b"".join(writer.pieces)) == (len(body), body)
    assert max(map(len, writer.pieces)) < LARGE
    assert runs >= len(writer.pieces) - 1 > 1


@asynccontextmanager
async def recording_upstream() -> AsyncIterator[tuple[str, list[tuple[bytes, bytes]]]]:
    """A server that answers `{}`, and the heads and bodies that it received."""
    seen: list[tuple[bytes, bytes]] = []
    connections: list[asyncio.Task[Any] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                seen.append((head, await reader.readexactly(length)))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, asyncio.timeout(10):
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}/v1/chat?a=%3A", seen
        await asyncio.gather(*(task for task in connections if task is not None))


@pytest.mark.parametrize("size", [1, 32 * 1024, 32 * 1024 + 1, LARGE + 1])
@pytest.mark.parametrize("proxied", [False, True])
async def test_a_body_of_any_size_arrives_with_its_head(size: int, proxied: bool) -> None:
    upstream = Upstream(use_system_proxy=proxied)
    async with recording_upstream() as (url, seen):
        for _ in range(2):
            await upstream.fetch(OutboundRequest("POST", url, {"content-type": "application/json"}, b"x" * size), connect_s=5)
        await upstream.close()
    for head, body in seen:
        assert body == b"x" * size
        assert head.startswith(b"POST /v1/chat?a=%3A HTTP/1.1\r\n")
        lines = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line]
        assert len(lines) == len(set(lines))
        assert {b"host", b"user-agent", b"accept", b"accept-encoding", b"content-type", b"content-length"} == set(lines)


async def test_a_host_that_the_operator_configured_replaces_the_urls() -> None:
    upstream = Upstream()
    async with recording_upstream() as (url, seen):
        await upstream.fetch(OutboundRequest("POST", url, {"host": "api.vendor.example"}, b"{}"), connect_s=5)
        await upstream.close()
    assert seen[0][0].lower().count(b"host:") == 1
    assert b"host: api.vendor.example\r\n" in seen[0][0].lower()


async def test_a_small_body_needs_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: object) -> None:
        raise AssertionError("a task writes the body")

    monkeypatch.setattr(aiohttp.ClientRequest, "write_bytes", fail)
    upstream = Upstream()
    async with recording_upstream() as (url, _):
        assert (await upstream.fetch(OutboundRequest("POST", url, {}, b"{}"), connect_s=5))[1] == b"{}"
        await upstream.close()


async def test_a_body_that_cannot_be_written_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = connections.DirectRequest.answered

    async def on_a_closed_one(self: Any, connection: aiohttp.connector.Connection) -> Any:
        assert connection.transport is not None
        connection.transport.close()
        return await answered(self, connection)

    monkeypatch.setattr(connections.DirectRequest, "answered", on_a_closed_one)
    upstream = Upstream()
    async with recording_upstream() as (url, seen):
        with pytest.raises(UpstreamError) as raised:
            await upstream.fetch(OutboundRequest("POST", url, {}, b"{}"), connect_s=5)
        await upstream.close()
    assert (raised.value.reason, raised.value.status, seen) == ("connect", 502, [])


@pytest.mark.parametrize("head", [b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 2])
async def test_what_comes_before_the_answer_is_passed_over(head: bytes) -> None:
    upstream = Upstream()
    async with answering(head + b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}") as url:
        response, body = await upstream.fetch(OutboundRequest("POST", url, {}, b"{}"), connect_s=5)
        assert (response.status, body) == (201, b"{}")
        await upstream.close()


async def test_a_reader_of_an_answer_that_is_given_up_does_not_wait_for_ever() -> None:
    upstream = Upstream()
    async with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{") as url:
        response = await upstream.send(OutboundRequest("POST", url, {}, b"{}"), connect_s=5)
        assert await response.chunk() == b"{"
        reading = asyncio.ensure_future(response.chunk())
        await asyncio.sleep(0)
        response.abort()
        with pytest.raises(UpstreamError) as raised:
            await reading
        assert raised.value.reason == "broken"
        await upstream.close()


async def test_an_answer_on_a_connection_is_followed_by_the_next_only_where_it_was_read_whole() -> None:
    upstream = Upstream()
    async with recording_upstream() as (url, _):
        outbound = OutboundRequest("POST", url, {}, b"{}")
        first = await upstream.send(outbound, connect_s=5)
        second, body = await upstream.fetch(outbound, connect_s=5)
        assert (second.status, body, await first.read()) == (200, b"{}", b"{}")
        first.finish()
        await upstream.close()


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that gives one answer to each connection, and waits for its end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, asyncio.timeout(10):
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}/v1/chat"


@pytest.mark.parametrize("url", ["ftp://vendor.example/v1", "http:///v1", "vendor.example/v1"])
async def test_an_address_of_another_kind_is_no_valid_url(url: str) -> None:
    upstream = Upstream()
    with pytest.raises(UpstreamError, match="not a valid URL"):
        await upstream.send(OutboundRequest("POST", url, {}, b"{}"), connect_s=5)
    await upstream.close()
