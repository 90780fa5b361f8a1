"""The HTTP client for providers: sends prepared requests, and turns every failure into an UpstreamError."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import lru_cache

import aiohttp
from yarl import URL

from conduit_desktop import __version__
from conduit_desktop.gateway.upstream.connections import (
    NO_TIMER,
    BoundedResolver,
    Connector,
    DirectAnswer,
    DirectRequest,
    KeptConnectionLost,
    LargePayload,
    OneBody,
    ProviderRequest,
    payload_of,
)
from conduit_desktop.gateway.upstream.deadlines import Deadlines
from conduit_desktop.gateway.upstream.responses import HttpResponse, PackedResponse
from conduit_desktop.gateway.upstream.transport_errors import CONNECTING
from conduit_desktop.providers import OutboundRequest, UpstreamResponse

log = logging.getLogger(__name__)

SLEPT_S = 30.0
"""Wall clock and monotonic clock this much apart: the computer slept (or its clock was set), and idle connections are dead."""
_READ_BUFFER = 2**18
"""Bytes; with aiohttp's 64 KiB, reading a large answer pauses the socket several times as often."""
_LONGEST_LINE = 2**16
"""Bytes; aiohttp's default of 8,190 would fail a whole answer for one long header of a proxy in between."""
STALE_S, STALE_TRIES = 2.0, 3
"""Within so many seconds, a request goes out again so many times at most, where its kept connection is closed before an answer."""
_USER_AGENT = f"conduit-desktop/{__version__}"


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
        with CONNECTING:
            # Ours first, so that a header of the provider kind or of the operator replaces it.
            headers = {"user-agent": _USER_AGENT, "accept": "*/*", **outbound.headers}
            tries = 0
            while True:
                payload = payload_of(outbound.body)
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
                timer=NO_TIMER,
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
