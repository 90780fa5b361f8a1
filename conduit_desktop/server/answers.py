"""Answers that are sent in fewer steps than aiohttp's own."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientConnectionResetError, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.http_writer import _serialize_headers
from aiohttp.web_response import REASON_PHRASES
from multidict import CIMultiDict

_AT_ONCE = 32 * 1024
"""Bytes of a body: together with its head, less than a transport takes before it asks to wait."""


class WholeAnswer(web.Response):
    """A response whose head and body are written together, where the body is small.

    aiohttp prepares a response in a dozen steps for what these never have: compression, chunks, cookies, bodies of other types.
    They take a twentieth of the time of a small call.
    """

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """`headers` has each name once, and the content's type among them; it is kept."""
        self._state = {}
        self._status, self._reason = status, REASON_PHRASES.get(status, "")
        given: Any = headers
        self._headers = given
        self._body = body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it; raises ConnectionError where the client is gone."""
        if self._eof_sent:
            return None
        body: Any = self._body
        protocol = request.protocol
        if (
            len(body) > _AT_ONCE
            or protocol.writing_paused
            or request.version != HttpVersion11
            or request.method == "HEAD"
            or self._status < 200
            or self._status in (204, 304)
        ):
            self._headers = CIMultiDict(self._headers)
            return await super().prepare(request)
        transport = protocol.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("the client is gone")
        headers = self._headers
        headers["Content-Length"] = str(len(body))
        headers["Date"] = rfc822_formatted_time()
        headers["Server"] = SERVER_SOFTWARE
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        if not self._keep_alive:
            headers["Connection"] = "close"
        data = _serialize_headers(f"HTTP/1.1 {self._status} {self._reason}", headers) + body
        transport.write(data)
        # By it aiohttp knows, as for any other response, that nothing else can be answered.
        request.writer.output_size += len(data)
        self._eof_sent, self._body_length = True, len(data)
        return None


class StreamedAnswer(web.StreamResponse):
    """A response in chunks, each of which is written in one step where the client keeps up: aiohttp takes five for each."""

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send a chunk; raises ConnectionError where the client is gone."""
        request, writer = self._req, self._payload_writer
        if type(data) is not bytes or len(data) > _AT_ONCE or request is None or not getattr(writer, "chunked", False):
            await super().write(data)
            return
        protocol = request.protocol
        transport = protocol.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("the client is gone")
        # An empty chunk would be the end.
        if data:
            transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        if protocol.writing_paused:
            assert writer is not None
            await writer.drain()
