"""Connections to providers, the requests that are written on them, and the answers that come back, on top of aiohttp's."""

from __future__ import annotations

import asyncio
import socket
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.helpers import TimerNoop
from aiohttp.http_writer import _serialize_headers
from multidict import CIMultiDict
from yarl import URL

from conduit_desktop.core.errors import release

LARGE = 512 * 1024
"""Bytes of a body that is written in pieces."""
_PIECE = 256 * 1024
_WRITTEN_AT_ONCE = 32 * 1024
"""Bytes of a body: together with a head, less than a transport takes before it asks to wait."""
NO_TIMER = TimerNoop()

_lookup_s: ContextVar[float | None] = ContextVar("lookup_s", default=None)
"""The `connect_s` of the request that needs a connection, for the resolver: aiohttp hands it the host alone."""


# Threads, not aiodns: getaddrinfo resolves names as the user's other programs do (hosts file, VPN, .local).
class BoundedResolver(aiohttp.ThreadedResolver):
    """Looks host names up within the `connect_s` of the request that needs the connection."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        # aiohttp's `sock_connect` begins after the look-up: a dead name server would not be bounded by it.
        async with asyncio.timeout(_lookup_s.get()):
            return await super().resolve(host, port, family)


class KeptConnectionLost(aiohttp.ServerDisconnectedError):
    """A connection that had served before was closed before the next answer."""


class ProviderConnection(ResponseHandler):
    """A connection whose faults reach the answer that is being read.

    aiohttp 3.14 takes a fault of the framing (a chunk's size, a truncated deflate body) for one of the connection alone: the
    reader of the body would wait until its time-out.
    """

    def resume_reading(self, resume_parser: bool = True) -> None:
        """As aiohttp's, which feeds the parser nothing after each piece of a body that is read, also where reading goes on."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Fail the head that is awaited, and the body that is read."""
        payload = self._payload  # of the last answer on this connection, until the next one's head has come
        if payload is not None and payload.is_eof() and isinstance(exc, aiohttp.ClientConnectionError):
            exc = KeptConnectionLost(str(exc))
        super().set_exception(exc, *cause)
        # A lost connection is left to aiohttp, which knows whether the body may end with it.
        if payload is not None and not self._connection_lost_called and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(aiohttp.ClientPayloadError(str(exc)), *cause)


class ProviderRequest(aiohttp.ClientRequest):
    """A request whose small body is written together with its head.

    For each body aiohttp starts a task, which takes a twentieth of the time of a small call. A body that fits into the
    connection's buffer is written without waiting, and needs none.
    """

    _bytes: OneBody | None = None

    async def write_bytes(self, writer: AbstractStreamWriter, conn: Any, content_length: int | None = None) -> None:
        """As aiohttp's, without the cycle that it leaves behind where the connection is lost: error, frame, request, body."""
        payload: Any = self._body
        await super().write_bytes(writer, conn, content_length)
        if (failure := getattr(payload, "failure", None)) is not None:
            release(failure)

    def update_headers(self, headers: Any) -> None:
        """As aiohttp's, for headers that the session has merged already, without a step for each."""
        host = self.url.host_port_subcomponent
        assert host is not None  # only a relative URL has none
        self.headers = CIMultiDict({hdrs.HOST: host})
        if headers:
            self.headers.update(headers)

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
        """As aiohttp's; `OneBody` becomes a payload only where it has to be written by a task."""
        if type(body) is not OneBody:
            super().update_body_from_data(body, _stacklevel)
            return
        self._bytes = body
        if hdrs.CONTENT_LENGTH not in self.headers:
            self.headers[hdrs.CONTENT_LENGTH] = str(len(body.value))

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Send the request on the connection; the answer's head is still to be read."""
        body, protocol = self._bytes, conn.protocol
        if body is None or protocol is None:
            return await super().send(conn)
        if len(body.value) > _WRITTEN_AT_ONCE or protocol.writing_paused or self.proxy:
            self._body = OnePayload(body)
            return await super().send(conn)
        writer = aiohttp.http.StreamWriter(protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        try:
            await writer.write_eof(body.value)
        except Exception as error:
            # As for a body that a task writes: whoever waits for the answer gets it, and a connection that was kept is tried again.
            protocol.set_exception(aiohttp.ClientConnectionError(f"the request could not be written: {error!r}"), error)
        else:
            body.sent = True
            protocol.start_timeout()
        return self.response_class(
            self.method, self.original_url, writer=None, continue100=None, timer=self._timer, request_info=self.request_info,
            traces=self._traces, loop=self.loop, session=self._session, stream_writer=writer,
        )  # fmt: skip


class DirectRequest(ProviderRequest):
    """Such a request without a proxy, cookies, compression and traces, which is made in a third of the time."""

    chunked = compress = length = server_hostname = proxy = proxy_auth = proxy_headers = None
    version = aiohttp.HttpVersion11
    response_class = aiohttp.ClientResponse
    _timer = NO_TIMER
    _ssl = True

    def __init__(
        self, method: str, url: URL, headers: dict[str, str], body: OneBody | LargePayload | None, session: aiohttp.ClientSession
    ) -> None:
        self._session, self._traces, self.loop = session, [], asyncio.get_running_loop()
        self.method, self.url, self.original_url = method, url, url
        self.update_headers(headers)
        if hdrs.ACCEPT_ENCODING not in self.headers:
            self.headers[hdrs.ACCEPT_ENCODING] = self.DEFAULT_HEADERS[hdrs.ACCEPT_ENCODING]
        if url.raw_user is not None:
            self.update_host(url)
            self.update_auth(None)
        self.update_body_from_data(body)

    @property
    def connection_key(self) -> ConnectionKey:
        """As aiohttp's: which connections of the pool may be used."""
        return _connection_key(self.url)

    async def answered(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse | DirectAnswer:
        """Send the request on the connection: the answer's head, its body to be read. Raises what aiohttp raises."""
        body, protocol = self._bytes, connection.protocol
        assert protocol is not None
        value = b"" if body is None else body.value
        if self._body is not None or len(value) > _WRITTEN_AT_ONCE or protocol.writing_paused:
            response = await self.send(connection)
            try:
                return await response.start(connection)
            except BaseException:
                response.close()
                raise
        transport = protocol.transport
        if transport is None or transport.is_closing():
            # As where a task writes: a connection that was kept, and is closed before the answer, is tried again.
            protocol.set_exception(aiohttp.ClientConnectionResetError("the connection is closed"))
        else:
            transport.write(_serialize_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers) + value)
            if body is not None:
                body.sent = True
        while True:
            try:
                message, payload = await protocol.read()
            except aiohttp.http.HttpProcessingError as error:
                raise aiohttp.ClientResponseError(
                    self.request_info, (), status=error.code, message=error.message, headers=error.headers
                ) from error
            # 100 Continue and the like come before the answer.
            if not 100 <= message.code < 200 or message.code == 101:
                return DirectAnswer(connection, message, payload)


class DirectAnswer:
    """An answer on a connection of the pool, which has it back at the answer's end."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(
        self, connection: aiohttp.connector.Connection, message: aiohttp.http.RawResponseMessage, content: aiohttp.StreamReader
    ) -> None:
        self._connection: aiohttp.connector.Connection | None = connection
        self.status = message.code
        self.headers = message.headers
        self.content = content
        content.on_eof(self.release)

    @property
    def content_length(self) -> int | None:
        """The stated length of the body in bytes; None where none is stated."""
        length = self.headers.get(hdrs.CONTENT_LENGTH)
        return None if length is None else int(length)

    def release(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def close(self) -> None:
        """End the connection; whoever reads the body gets a ClientConnectionError."""
        if self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientConnectionError("Connection closed"))
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Connector(aiohttp.TCPConnector):
    """Opens connections of the class above."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        connection: Any = ProviderConnection
        self._factory = partial(connection, loop=self._loop)

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 (of the base class)
    ) -> ResponseHandler:
        # Here, because most requests find a connection that is kept, and need no name looked up.
        _lookup_s.set(timeout.sock_connect)
        return await super()._create_connection(req, traces, timeout)


class OneBody:
    """A body that is written in one piece; `sent` where that is done."""

    __slots__ = ("sent", "value")

    def __init__(self, value: bytes) -> None:
        self.value = value
        self.sent = False


class OnePayload(aiohttp.BytesPayload):
    """Such a body as aiohttp's task writes it. `failure` is why it could not be written."""

    failure: OSError | None = None

    def __init__(self, body: OneBody) -> None:
        super().__init__(body.value)
        self._body = body

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body, whose length is the content's."""
        try:
            await writer.write(self._value)
        except OSError as error:
            self.failure = error
            raise
        self._body.sent = True


class LargePayload(aiohttp.Payload):
    """A body that is written in pieces: in one piece it would hold up every other stream.

    aiohttp's own for large bodies copies each piece, and its pieces have 64 KiB: each costs an iteration of the event loop.
    """

    _autoclose = True
    sent = False
    """Whether it was written whole."""
    failure: OSError | None = None
    """Why it could not be."""

    def __init__(self, value: bytes | bytearray) -> None:
        super().__init__(value, content_type="application/octet-stream")
        self._size = len(value)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body; other tasks run between its pieces."""
        view = memoryview(self._value)
        for at in range(0, len(view), _PIECE):
            if at:
                await asyncio.sleep(0)
            try:
                await writer.write(view[at : at + _PIECE])
            except OSError as error:
                self.failure = error
                raise
        self.sent = True


def payload_of(body: bytes | bytearray) -> OneBody | LargePayload | None:
    """The body as a request takes it, by its size; None for an empty one."""
    if not body:
        return None
    return LargePayload(body) if len(body) > LARGE else OneBody(bytes(body))


@lru_cache(maxsize=1024)
def _connection_key(url: URL) -> ConnectionKey:
    # Without proxy, client certificate and name of its own, as a DirectRequest has none of them.
    return ConnectionKey(url.raw_host or "", url.port, url.scheme == "https", True, None, None, None)
