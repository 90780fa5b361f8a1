"""HTTP below the router: the connections of clients, how many of strangers there may be, and JSON errors for refused heads."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import (
    ContentEncodingError,
)
from aiohttp.web_protocol import _ErrInfo

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import BadRequest, GatewayError, Internal, release
from conduit_desktop.gateway.call import new_id
from conduit_desktop.server.large_bodies import LargeBodies
from conduit_desktop.server.listeners import Place, covers
from conduit_desktop.server.middleware import dialect_of_path
from conduit_desktop.server.request_parser import FoldingParser, why_unreadable

log = logging.getLogger(__name__)

STRANGERS_OF_ADDRESS, STRANGERS = 256, 512
"""Connections without a valid key that are open at the same time, of one address and of all; far fewer than descriptors."""
_WARN_S = 60.0
_DISCARDED = 1024 * 1024
"""Bytes of a refused body that are received after the answer."""
_LINGER_S = 2.0


class ClientConnection(web.RequestHandler):
    """One connection of a client. What cannot be read as a request is answered in JSON, with one line in the log."""

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(manager, loop=loop, **options)
        # With the arguments of the base class, whose parser this one replaces.
        self._parser = FoldingParser(
            self, loop, self._read_bufsize, max_line_size=self.max_line_size, max_field_size=self.max_field_size,
            max_headers=self.max_headers, payload_exception=web.RequestPayloadError,
            auto_decompress=False,  # bodies are unpacked by who reads them, once the caller is known
            max_msg_queue_size=self._max_msg_queue_size,
        )  # fmt: skip

        self.is_stranger = True
        """No request with a valid key has come on it so far."""
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As aiohttp's; where its address has too many connections without a key, the oldest idle one is closed."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        assert isinstance(self._manager, ClientServer)
        self._manager.strangers.add(self._address, self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """As aiohttp's."""
        self.known()
        super().connection_lost(exc)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """As aiohttp's, which feeds the parser nothing after each piece of a body that is read, also where reading goes on."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def known(self) -> None:
        """A caller with a valid key uses the connection: it counts no longer as a stranger's."""
        if self.is_stranger and isinstance(self._manager, ClientServer):
            self.is_stranger = False
            self._manager.strangers.remove(self._address, self)

    @property
    def is_idle(self) -> bool:
        """No request on it is being answered."""
        return self._current_request is None

    def retire(self) -> None:
        """End the connection after the answer in progress on it; at once where there is none."""
        if self._waiter is not None and not self._waiter.done():
            self.force_close()
        else:
            # Not aiohttp's `close`: it drops the rest of a body that is still coming.
            self.finish_response = self._finish_last  # type: ignore[method-assign]

    async def _finish_last(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if not resp.prepared:
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self.close()

    def discard_rest(self) -> None:
        """Receive at most _DISCARDED of what is still to come, for _LINGER_S, and keep none of it.

        A connection that is closed while its client is sending is reset, and the client may never see the answer.
        """
        self._lingering_time = _LINGER_S
        self._parser = _Discarded(self)  # type: ignore[assignment]

    def _make_error_handler(self, err_info: _ErrInfo) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        async def refuse(request: web.BaseRequest) -> web.StreamResponse:
            # A body that came in one packet with its head is refused before there is a request with a path.
            in_body = isinstance(err_info.exc, ContentEncodingError)
            error = BadRequest(why_unreadable(err_info.exc), code="invalid_encoding" if in_body else "malformed_request")
            return _refusal(request, error, getattr(self._parser, "refused_path", ""))

        return refuse

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Log an exception with its traceback, but for a body that a client broke off or encoded wrongly."""
        # aiohttp reads the rest of each body after the answer, and logs what it meets there.
        if not isinstance(options.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **options)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What a handler did not catch itself: logged, and answered in JSON; a client that hung up is neither."""
        if isinstance(exc, ConnectionResetError):
            # By a write after the hang-up; aiohttp ends the connection. Its frames hold the answer, and this one would hold it.
            release(exc)
            try:
                raise exc
            finally:
                del exc
        self.log_exception("%s %s failed", request.method, request.path, exc_info=exc)
        if exc is not None:
            release(exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the response had begun")
        error = Internal("Internal error of the gateway; see its log.")
        error.status = status
        return _refusal(request, error)


class _Discarded:
    """In place of the parser where nothing more is to be read."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._left = _DISCARDED

    def feed_data(self, data: bytes) -> Any:
        """Drop the bytes; after too many, the client has to wait for the end of the connection."""
        self._left -= len(data)
        if self._left < 0:
            self._connection._pause_transport_reading()
        return (), False, b""

    def feed_eof(self) -> None:
        """Nothing is kept."""

    def pause_reading(self) -> None:
        """Nothing is kept."""

    def message_consumed(self) -> None:
        """Nothing is kept."""

    def set_upgraded(self, upgraded: bool) -> None:
        """Nothing is kept."""


class Strangers:
    """The open connections on which no valid key has come, by address."""

    def __init__(self, most: int) -> None:
        self._most = min(most, STRANGERS)
        self._most_of_address = min(max(most // 2, 1), STRANGERS_OF_ADDRESS)
        self._open: dict[str, dict[ClientConnection, None]] = {}
        self._count = 0
        self._warned_at = -math.inf

    def add(self, address: str, connection: ClientConnection) -> None:
        """Count a new connection; where there are too many, the oldest idle one is closed: of its address, else of the busiest."""
        of_address = self._open.setdefault(address, {})
        of_address[connection] = None
        self._count += 1
        if len(of_address) > self._most_of_address:
            self._close_one(address)
        elif self._count > self._most:
            self._close_one(max(self._open, key=lambda one: len(self._open[one])))

    def remove(self, address: str, connection: ClientConnection) -> None:
        """The connection is closed, or its caller known."""
        of_address = self._open.get(address, {})
        if connection in of_address:
            del of_address[connection]
            self._count -= 1
            if not of_address:
                del self._open[address]

    def _close_one(self, address: str) -> None:
        of_address = self._open[address]
        now = time.monotonic()
        if now - self._warned_at > _WARN_S:
            self._warned_at = now
            log.warning("%s has %d connections open without a key: the oldest are closed", address or "somebody", len(of_address))
        # The newest, where all are busy: it has not sent anything yet.
        oldest = next((one for one in of_address if one.is_idle), next(reversed(of_address)))
        self.remove(address, oldest)
        oldest.is_stranger = False
        oldest.force_close()


def _refusal(request: web.BaseRequest, error: GatewayError, path: str = "") -> web.Response:
    id = new_id(now_ms())
    # Never the exception's own text: it quotes what the client sent, which may be a key.
    log.warning("a request from %s was refused before it was read: %s (%s)", request.remote, error.message, id)
    status, body = dialect_of_path(path or request.path, request.headers).write_error(error)
    # The request that aiohttp makes up for an unreadable one has version 1.0.
    request._version = HttpVersion11
    response = web.Response(
        status=status, body=orjson.dumps(body), content_type="application/json", headers={"x-conduit-request-id": id}
    )
    response.force_close()
    return response


RequestHandler = Callable[[Any], Awaitable[web.StreamResponse]]
DIRECT: web.AppKey[Mapping[str, RequestHandler]] = web.AppKey("direct", Mapping[str, RequestHandler])
"""By path, the handlers of the POST requests that need no router: the middleware has been put around them."""


def directly(handlers: Mapping[str, RequestHandler], others: RequestHandler) -> RequestHandler:
    """Handles requests by `handlers`, all others by `others`. The router takes 5 % of the time of a small call."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        # As it came on the wire: with a query, or spelled in another way, a path goes to the router.
        handler = handlers.get(request.raw_path)
        if handler is None or request.method != "POST" or "Expect" in request.headers:
            # aiohttp refuses any other expectation with a plain text (RFC 9110, section 10.1.1).
            if request.headers.get("Expect", "100-continue").lower() != "100-continue":
                error = BadRequest("The header Expect can only be 100-continue.", code="expectation_failed")
                error.status = 417
                return _refusal(request, error)
            return await others(_with_single_slashes(request))
        return await handler(request)

    return handle


def _with_single_slashes(request: web.BaseRequest) -> web.BaseRequest:
    """The request without doubled and last slashes in its path, which come from base URLs that end in one; admin paths stay."""
    path = request.raw_path.partition("?")[0]
    if ("//" not in path and not path.endswith("/")) or path == "/" or not path.startswith("/") or path.startswith("/admin/"):
        return request
    single = "/" + "/".join(part for part in path.split("/") if part)
    if single.startswith("/admin"):
        return request
    return request.clone(rel_url=request.rel_url.with_path(single, encoded=True, keep_query=True))


class ClientServer(web.Server):
    """Makes a `ClientConnection` for each client that connects."""

    def __init__(self, *args: Any, strangers: int = STRANGERS, **options: Any) -> None:
        super().__init__(*args, **options)
        self.strangers = Strangers(strangers)
        self.large_bodies = LargeBodies()

    def __call__(self) -> web.RequestHandler:
        """The protocol of a new connection."""
        return ClientConnection(self, loop=self._loop, **self._kwargs)


class ClientRunner(web.AppRunner):
    """Runs the application behind a `ClientServer`."""

    _strangers = STRANGERS

    def retire(self, listening: Sequence[Place]) -> None:
        """End the connections that were made to other addresses, each after the answer in progress on it."""
        for connection in self.server.connections if self.server is not None else ():
            made_to = connection.transport.get_extra_info("sockname") if connection.transport is not None else None
            if made_to and not covers(listening, (str(made_to[0]), int(made_to[1]))) and isinstance(connection, ClientConnection):
                connection.retire()

    def strangers_at_most(self, count: int) -> None:
        """Bound the open connections without a valid key further; call it before `setup`."""
        self._strangers = count

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return ClientServer(
            directly(self.app[DIRECT], made.request_handler),
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=asyncio.get_running_loop(),
            strangers=self._strangers,
            **made._kwargs,
        )
