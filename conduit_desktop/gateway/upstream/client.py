"""The HTTP client for providers: sends prepared requests, and turns every failure into an UpstreamError."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any, cast

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.helpers import TimerNoop
from aiohttp.http_writer import _serialize_headers
from multidict import CIMultiDict
from yarl import URL

from conduit_desktop import __version__
from conduit_desktop.core.errors import Reason, UpstreamError, release
from conduit_desktop.gateway.upstream.deadlines import Deadlines
from conduit_desktop.providers import LocalAnswer, OutboundRequest, UpstreamResponse

log = logging.getLogger(__name__)

SLEPT_S = 30.0
"""Wall clock and monotonic clock this much apart: the computer slept (or its clock was set), and idle connections are dead."""
# Far more than any vendor's error has, and little enough to be parsed on the loop.
ERROR_BODY_LIMIT = 1024 * 1024
ERROR_BODY_S = 10.0
WHOLE_LIMIT, MEDIA_LIMIT = 64 * 1024 * 1024, 512 * 1024 * 1024
"""Bytes of the longest answer that is read whole: of a chat, and of a media endpoint, where it fits a dozen images."""
MOST_TIMES, ALWAYS = 100, 4 * 1024 * 1024
"""An answer that unpacks to more than so many times its size is refused, once it has more than so many bytes."""
LARGE = 512 * 1024
_PIECE = 256 * 1024
_READ_BUFFER = 2**18
"""Bytes; with aiohttp's 64 KiB, reading a large answer pauses the socket several times as often."""
_LONGEST_LINE = 2**16
"""Bytes; aiohttp's default of 8,190 would fail a whole answer for one long header of a proxy in between."""
_NO_TIMER = TimerNoop()
_WRITTEN_AT_ONCE = 32 * 1024
"""Bytes of a body: together with a head, less than a transport takes before it asks to wait."""
STALE_S, STALE_TRIES = 2.0, 3
"""Within so many seconds, a request goes out again so many times at most, where its kept connection is closed before an answer."""
_USER_AGENT = f"conduit-desktop/{__version__}"


class MappedErrors:
    """A context manager that maps exceptions of aiohttp to UpstreamErrors. It has no state: one serves every request."""

    __slots__ = ("_reset",)

    def __init__(self, reset: Reason) -> None:
        """`reset` is the reason of a lost connection: `connect` before an answer, `broken` within one."""
        self._reset = reset

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and (mapped := _mapped(error, self._reset)) is not None:
            raise mapped from error


_CONNECTING = MappedErrors("connect")
_READING = MappedErrors("broken")


class HttpResponse:
    """An answer over the network. Header names are case-insensitive."""

    __slots__ = ("_response", "headers", "most", "status")

    def __init__(self, response: aiohttp.ClientResponse | DirectAnswer) -> None:
        self._response = response
        self.most = WHOLE_LIMIT
        """Bytes that are read whole."""
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def self_delimited(self) -> bool:
        # aiohttp raises ClientPayloadError where a length or a last chunk is missing; without both, every end looks clean to it.
        return "transfer-encoding" in self.headers or "content-length" in self.headers

    async def chunk(self) -> bytes:
        with _READING:
            # `readany`, not lines: what has arrived is passed on at once, and the dialect's splitter finds the frames.
            return await self._response.content.readany()

    async def read(self) -> bytes:
        if self.status >= 400:
            return await self._read_error()
        length = self._response.content_length
        # A small body of known length needs no counting; a compressed one may be far larger than its length.
        if length is not None and length <= LARGE and "content-encoding" not in self.headers:
            with _READING:
                content = self._response.content
                # Mostly it has come in one piece with its head.
                return content.read_nowait() if content.is_eof() else await content.read()
        if length is not None and length > self.most:
            raise self._too_long()
        # It grows in place, and a large one stays a bytearray: a copy would hold up every stream for half a millisecond a megabyte.
        body = bytearray()
        while data := await self.chunk():
            body += data
            if len(body) > self.most:
                raise self._too_long()
        return bytes(body) if len(body) < LARGE else cast("bytes", body)

    def _too_long(self) -> UpstreamError:
        self.abort()
        return UpstreamError(f"the answer is longer than {self.most >> 20} MiB", status=502, reason="malformed")

    async def _read_error(self) -> bytes:
        """What comes of an error's body within its limits.

        The status says what happened, and the beginning of the text suffices to classify it: a server that refuses a request
        before it has read it whole often resets the connection.
        """
        pieces: list[bytes] = []
        size = 0
        with suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(ERROR_BODY_S):
                while size <= ERROR_BODY_LIMIT:
                    data = await self.chunk()
                    if not data:
                        return b"".join(pieces)
                    pieces.append(data)
                    size += len(data)
        self.abort()
        return b"".join(pieces)

    def finish(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            # A connection with unread bytes cannot be reused: they would be taken for the beginning of the next answer.
            self._response.close()

    def abort(self) -> None:
        self._response.close()


class PackedResponse(HttpResponse):
    """A compressed answer: what it unpacks to is bounded, and it is unpacked in slices between which other streams go on."""

    __slots__ = ()

    async def chunk(self) -> bytes:
        data = await super().chunk()
        content = self._response.content
        if content.total_bytes > ALWAYS and content.total_bytes > MOST_TIMES * content.total_raw_bytes:
            self.abort()
            raise UpstreamError(f"the answer unpacks to more than {MOST_TIMES} times its size", status=502, reason="malformed")
        # aiohttp unpacks the next slice as soon as this one is taken, without waiting for anything.
        await asyncio.sleep(0)
        return data


class LocalResponse:
    """The answer of a local provider kind, without network."""

    __slots__ = ("_coming", "_frames", "headers", "status")
    self_delimited = True

    def __init__(self, answer: LocalAnswer) -> None:
        self._coming: asyncio.Future[bytes] | None = None
        self.status = answer.status
        self.headers: Mapping[str, str] = {"content-type": answer.content_type}
        self._frames: AsyncIterator[bytes] = answer.frames

    async def chunk(self) -> bytes:
        if self._coming is None:
            self._coming = asyncio.ensure_future(anext(self._frames, b""))
        with _READING:
            # Shielded: a reader that stops waiting, as for a ping, would end the generator.
            data = await asyncio.shield(self._coming)
        self._coming = None
        return data

    async def read(self) -> bytes:
        with _READING:
            return b"".join([frame async for frame in self._frames])

    def finish(self) -> None:
        """No connection to keep."""

    def abort(self) -> None:
        """The frames stop with their last reader."""
        if self._coming is not None:
            self._coming.cancel()


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
    _timer = _NO_TIMER
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


class Upstream:
    """Sends requests over one connection pool. `wall` is the time of day, `ticks` monotonic time, both in seconds."""

    def __init__(
        self, use_system_proxy: bool = False, wall: Callable[[], float] = time.time, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._use_system_proxy = use_system_proxy
        self._wall, self._ticks = wall, ticks
        self._apart = wall() - ticks()
        self._session: aiohttp.ClientSession | None = None
        self._retired: list[aiohttp.ClientSession] = []
        self.deadlines = Deadlines()
        """Those of the attempts that are under way."""

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                # No limit of connections: the limits of keys bound what is in flight. Idle ones are closed after 30 s, because a
                # request on a connection that the provider is just closing fails.
                request_class=ProviderRequest,
                connector=Connector(limit=0, ttl_dns_cache=60, keepalive_timeout=30, resolver=BoundedResolver()),
                # Cookies of one client's answer must never be sent with another client's request.
                cookie_jar=aiohttp.DummyCookieJar(),
                # aiohttp's default of 5 minutes in total would cut long answers; the attempt has its own deadlines.
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=self._use_system_proxy,
                read_bufsize=_READ_BUFFER,
                max_line_size=_LONGEST_LINE,
                max_field_size=_LONGEST_LINE,
            )
        return self._session

    async def send(self, outbound: OutboundRequest, connect_s: float) -> UpstreamResponse:
        """The answer's head; raises UpstreamError.

        `connect_s` bounds looking the host name up, and then connecting with TLS; the caller bounds everything after that.
        """
        began = self._ticks()
        apart = self._wall() - began
        if abs(apart - self._apart) > SLEPT_S:
            log.info("the clock jumped by %.0f s: connections to providers are replaced", apart - self._apart)
            self.replace_connections()
        self._apart = apart
        with _CONNECTING:
            # Ours first, so that a header of the provider kind or of the operator replaces it.
            headers = {"user-agent": _USER_AGENT, "accept": "*/*", **outbound.headers}
            tries = 0
            while True:
                payload = _payload(outbound.body)
                try:
                    response = await self._request(outbound, payload, headers, _timeout(connect_s))
                except KeptConnectionLost:
                    # The provider was closing it, which is no fault; one that read the request first would take longer.
                    tries += 1
                    if tries > STALE_TRIES or self._ticks() - began > STALE_S:
                        raise
                else:
                    return (PackedResponse if "content-encoding" in response.headers else HttpResponse)(response)
                finally:
                    outbound.sent = payload is not None and payload.sent

    async def _request(
        self,
        outbound: OutboundRequest,
        payload: OneBody | LargePayload | None,
        headers: dict[str, str],
        bounds: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse | DirectAnswer:
        """The answer's head; raises what aiohttp raises."""
        session, url = self._open_session(), _url(outbound.url)
        if self._use_system_proxy:
            # A redirect would send the credential to another host.
            return await session.request(outbound.method, url, data=payload, headers=headers, allow_redirects=False, timeout=bounds)
        # The session's own way through connector, request and answer, without what no request to a provider has: redirects,
        # cookies, traces, middleware. It takes a tenth of the time of a small call.
        request = DirectRequest(outbound.method, url, headers, payload, session)
        try:
            assert session.connector is not None
            connection = await session.connector.connect(request, traces=[], timeout=bounds)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"connecting to {url.host} took too long") from error
        try:
            assert connection.protocol is not None
            connection.protocol.set_response_params(
                timer=_NO_TIMER,
                read_until_eof=True,
                read_bufsize=_READ_BUFFER,
                max_line_size=_LONGEST_LINE,
                max_field_size=_LONGEST_LINE,
            )
            return await request.answered(connection)
        except OSError as error:
            connection.close()
            if isinstance(error, aiohttp.ClientError | TimeoutError):
                raise
            raise aiohttp.ClientOSError(*error.args) from error
        except BaseException:
            connection.close()
            raise

    async def fetch(self, outbound: OutboundRequest, connect_s: float) -> tuple[UpstreamResponse, bytes]:
        """The answer with its body; the connection is closed where the caller is cancelled. Raises UpstreamError."""
        response = await self.send(outbound, connect_s)
        try:
            body = await response.read()
        except BaseException:
            response.abort()
            raise
        response.finish()
        return response, body

    def set_system_proxy(self, use: bool) -> None:
        """Whether connections go through the system's proxy, from the next request on; answers in progress go on as they began."""
        if use != self._use_system_proxy:
            self._use_system_proxy = use
            self.replace_connections()

    def replace_connections(self) -> None:
        """Use new connections from now on, as after the computer slept; answers in progress keep theirs."""
        if self._session is not None:
            # Not closed here: answers in progress still read from its connections.
            self._retired.append(self._session)
            self._session = None

    async def close(self) -> None:
        """Close all connections."""
        self.replace_connections()
        for session in self._retired:
            await session.close()
        self._retired.clear()


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

    def __init__(self, value: bytes) -> None:
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


def _payload(body: bytes) -> OneBody | LargePayload | None:
    if not body:
        return None
    return LargePayload(body) if len(body) > LARGE else OneBody(body)


@lru_cache(maxsize=1024)
def _connection_key(url: URL) -> ConnectionKey:
    # Without proxy, client certificate and name of its own, as a DirectRequest has none of them.
    return ConnectionKey(url.raw_host or "", url.port, url.scheme == "https", True, None, None, None)


@lru_cache(maxsize=1024)
def _url(text: str) -> URL:
    # `encoded`: yarl would quote the path anew, but Bedrock's signature covers it as it is (and its ids hold colons).
    url = URL(text, encoded=True)
    if url.scheme not in ("http", "https") or not url.raw_host:
        raise aiohttp.InvalidURL(text)
    return url


@lru_cache(maxsize=64)
def _timeout(connect_s: float) -> aiohttp.ClientTimeout:
    # Not `connect`: that is a timer for every request, also for those that reuse a connection (4 % of a small call's time).
    return aiohttp.ClientTimeout(total=None, sock_connect=connect_s)


def _mapped(error: BaseException, reset: Reason) -> UpstreamError | None:
    """The UpstreamError for an exception of aiohttp; None for any other. `reset`: the reason of a lost connection."""
    # Subclasses first: TLS and DNS errors of aiohttp are ClientConnectorErrors, and those are ClientConnectionErrors.
    match error:
        case aiohttp.ConnectionTimeoutError():
            return UpstreamError("the connection timed out", status=504, reason="timeout")
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return UpstreamError("no answer in time", status=504, reason="timeout")
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return UpstreamError(f"TLS failed: {_cause(error)}", status=502, reason="connect")
        case aiohttp.ClientConnectorDNSError():
            return UpstreamError(f"the host name {error.host} cannot be resolved", status=502, reason="connect")
        case aiohttp.ClientConnectorError():
            where, refused = f"{error.host}:{error.port}", isinstance(error.os_error, ConnectionRefusedError)
            cause = "connection refused" if refused else _cause(error.os_error)
            return UpstreamError(f"cannot connect to {where}: {cause}", status=502, reason="connect")
        case aiohttp.ServerDisconnectedError():
            # Typical for a kept connection that the provider closes at this moment: as `connect` it is retried.
            return UpstreamError("the connection was closed before an answer", status=502, reason=reset)
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | ConnectionError() | asyncio.IncompleteReadError():
            return UpstreamError("the connection broke", status=502, reason=reset)
        case aiohttp.ClientResponseError():
            return UpstreamError(f"the answer is not HTTP: {error.message}", status=502, reason="malformed")
        case aiohttp.InvalidURL():
            return UpstreamError("the provider's address is not a valid URL", status=502, reason="connect")
        case _:
            return None


def _cause(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0][:200] if text else type(error).__name__
