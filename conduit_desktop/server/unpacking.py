"""Unpacks compressed request bodies, within bounds and in slices between which other requests go on."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from typing import Protocol

from aiohttp.compression_utils import BrotliDecompressor, ZSTDDecompressor

from conduit_desktop.core.errors import BadRequest, PayloadTooLarge

ENCODINGS = ("gzip", "deflate", "br", "zstd")
MOST_TIMES = 100
"""A body that unpacks to more than so many times its size is refused: JSON and text become a tenth, hardly ever a hundredth."""
ALWAYS = 4 * 1024 * 1024
"""Bytes that every body may unpack to: a small one may repeat itself."""
_FED = 64 * 1024
"""Packed bytes that a decoder gets at once: what it does not consume, it copies at every step."""
_SLICE = 512 * 1024
"""Unpacked bytes that are made before others go on, in about a millisecond."""
_MOST_MEMBERS = 1024
"""Members of one gzip body: each costs a decoder."""


class _Decoder(Protocol):
    def decompress_sync(self, data: bytes | bytearray, max_length: int) -> bytes:
        """At most `max_length` unpacked bytes."""
        ...

    @property
    def data_available(self) -> bool:
        """More can be unpacked without further input."""
        ...


class _Zlib:
    """gzip, with all its members, and deflate, with zlib's header or without it."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._decoder = zlib.decompressobj(wbits)
        self._rest = b""
        self._members = 1
        self._is_full = False
        """The last step made all that it was allowed to: there may be more."""

    def decompress_sync(self, data: bytes | bytearray, max_length: int) -> bytes:
        self._rest += data
        if self._decoder.eof:
            if self._wbits < 16:
                raise zlib.error("bytes after the end")
            self._members += 1
            if self._members > _MOST_MEMBERS:
                raise zlib.error("too many members")
            self._decoder = zlib.decompressobj(self._wbits)
        unpacked = self._decoder.decompress(self._rest, max_length)
        self._rest = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
        self._is_full = len(unpacked) == max_length
        return unpacked

    @property
    def data_available(self) -> bool:
        return bool(self._rest) or (self._is_full and not self._decoder.eof)

    @property
    def complete(self) -> bool:
        """Whether the last member came to its end."""
        return self._decoder.eof


async def unpack(packed: bytes | bytearray, encoding: str, max_mb: float) -> bytes | bytearray:
    """The body unpacked; raises PayloadTooLarge as soon as it is over `max_mb` MiB or MOST_TIMES its size, and BadRequest."""
    if not packed:
        return packed
    limit = int(max_mb * 1024 * 1024)
    pieces: list[bytes] = []
    size = since = 0
    try:
        for piece in _pieces(packed, encoding):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise PayloadTooLarge(f"The request body unpacks to more than {max_mb} MB (the setting max_body_mb).")
            if size > ALWAYS and size > MOST_TIMES * len(packed):
                raise PayloadTooLarge(f"The request body unpacks to more than {MOST_TIMES} times its size.")
            since += len(piece)
            if since >= _SLICE:
                since = 0
                await asyncio.sleep(0)
    except PayloadTooLarge:
        raise
    # Each decoder has errors of its own, and no two of them a common base.
    except Exception:
        raise BadRequest(f"The request body cannot be decoded as {encoding}.", code="invalid_encoding") from None
    return b"".join(pieces)


def _pieces(packed: bytes | bytearray, encoding: str) -> Iterator[bytes]:
    decoder = _decoder(packed, encoding)
    for at in range(0, len(packed), _FED):
        yield decoder.decompress_sync(packed[at : at + _FED], _SLICE)
        while decoder.data_available:
            yield decoder.decompress_sync(b"", _SLICE)
    # The others do not tell whether their end was there; a JSON text that is cut off is no JSON.
    if isinstance(decoder, _Zlib) and not decoder.complete:
        raise EOFError("cut off")


def _decoder(packed: bytes | bytearray, encoding: str) -> _Decoder:
    if encoding == "br":
        return BrotliDecompressor()
    if encoding == "zstd":
        return ZSTDDecompressor()
    if encoding == "gzip":
        return _Zlib(16 + zlib.MAX_WBITS)
    # Many clients send deflate without the header that the standard asks for (RFC 9110, section 8.4.1.2).
    return _Zlib(zlib.MAX_WBITS if packed[:1] and packed[0] & 0xF == 8 else -zlib.MAX_WBITS)
