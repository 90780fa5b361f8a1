"""The answers of providers: over the network, compressed, and of local provider kinds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import cast

import aiohttp

from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.gateway.upstream.connections import LARGE, DirectAnswer
from conduit_desktop.gateway.upstream.transport_errors import READING
from conduit_desktop.providers import LocalAnswer

# Far more than any vendor's error has, and little enough to be parsed on the loop.
ERROR_BODY_LIMIT = 1024 * 1024
ERROR_BODY_S = 10.0
WHOLE_LIMIT, MEDIA_LIMIT = 64 * 1024 * 1024, 512 * 1024 * 1024
"""Bytes of the longest answer that is read whole: of a chat, and of a media endpoint, where it fits a dozen images."""
MOST_TIMES, ALWAYS = 100, 4 * 1024 * 1024
"""An answer that unpacks to more than so many times its size is refused, once it has more than so many bytes."""


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
        with READING:
            # `readany`, not lines: what has arrived is passed on at once, and the dialect's splitter finds the frames.
            return await self._response.content.readany()

    async def read(self) -> bytes:
        if self.status >= 400:
            return await self._read_error()
        length = self._response.content_length
        # A small body of known length needs no counting; a compressed one may be far larger than its length.
        if length is not None and length <= LARGE and "content-encoding" not in self.headers:
            with READING:
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
        with READING:
            # Shielded: a reader that stops waiting, as for a ping, would end the generator.
            data = await asyncio.shield(self._coming)
        self._coming = None
        return data

    async def read(self) -> bytes:
        with READING:
            return b"".join([frame async for frame in self._frames])

    def finish(self) -> None:
        """No connection to keep."""

    def abort(self) -> None:
        """The frames stop with their last reader."""
        if self._coming is not None:
            self._coming.cancel()
