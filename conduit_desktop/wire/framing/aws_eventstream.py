"""AWS's binary event streams (application/vnd.amazon.eventstream).

A frame: its length, the length of its headers, a checksum of the two, the headers, the payload, a checksum of all before.
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.framing.base import MAX_FRAME, Frame, Splitter

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_FIXED = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q"), 8: struct.Struct(">q")}
_LEAST = _PRELUDE.size + _CRC.size


@dataclass(slots=True)
class EventFrame(Frame):
    """One frame. `fault` is the type of the exception that it carries, None for an event; `event` is then `error`."""

    fault: str | None = None


class EventSplitter(Splitter):
    """Cuts a byte stream into frames and checks both checksums; raises MalformedStream for bytes that are no frame."""

    def __init__(self) -> None:
        super().__init__()
        self._need = _PRELUDE.size

    def feed(self, data: bytes) -> list[Frame]:
        self._held.append(data)
        self._size += len(data)
        # Without this every chunk of a large frame would join and check all bytes held so far.
        if self._size < self._need:
            return []
        buffer, frames, at = self.rest, list[Frame](), 0
        try:
            while len(buffer) - at >= _PRELUDE.size:
                self._need = _length(buffer, at)
                if len(buffer) - at < self._need:
                    break
                frames.append(parse(buffer[at : at + self._need]))
                at += self._need
                self._need = _PRELUDE.size
        except MalformedStream:
            if not frames:
                raise
            self._need = 0  # the frames before the damaged one first; the next call raises for it
        self._hold(buffer[at:])
        return frames

    @classmethod
    def last_end(cls, buffer: bytes, searched: int = 0) -> int:
        at = 0
        while len(buffer) - at >= _PRELUDE.size:
            total = int(_PRELUDE.unpack_from(buffer, at)[0])
            # No checksums here: they are checked once, where the frames are read.
            if total < _LEAST or len(buffer) - at < total:
                break
            at += total
        return at

    @classmethod
    def split(cls, data: bytes) -> list[Frame]:
        """The frames up to the first damaged one."""
        try:
            return cls().feed(data)
        except MalformedStream:
            return []


def _length(buffer: bytes, at: int) -> int:
    total, headers, crc = _PRELUDE.unpack_from(buffer, at)
    if zlib.crc32(buffer[at : at + 8]) != crc:
        raise MalformedStream("the checksum of a frame's prelude is wrong")
    # Checked before waiting for the bytes: a false length of 4 GiB would otherwise be buffered.
    if total < _LEAST + headers or total > MAX_FRAME:
        raise MalformedStream(f"a frame of {total} bytes")
    return int(total)


def parse(raw: bytes) -> EventFrame:
    """One whole frame."""
    if zlib.crc32(raw[: -_CRC.size]) != _CRC.unpack_from(raw, len(raw) - _CRC.size)[0]:
        raise MalformedStream("the checksum of a frame is wrong")
    end = _PRELUDE.size + int(_PRELUDE.unpack_from(raw)[1])
    try:
        headers = read_headers(raw[_PRELUDE.size : end])
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise MalformedStream(f"the headers of a frame cannot be read: {error}") from error
    payload = raw[end : -_CRC.size]
    kind = headers.get(":message-type", "event")
    if kind == "event":
        return EventFrame(headers.get(":event-type"), payload, raw)
    fault = headers.get(":exception-type") or headers.get(":error-code") or kind
    # An error without a payload would otherwise look like a frame without data, which readers skip. An `error` message has its
    # text in a header. https://smithy.io/2.0/aws/amazon-eventstream.html
    text = headers.get(":error-message")
    return EventFrame("error", payload or (orjson.dumps({"message": text}) if isinstance(text, str) else b"{}"), raw, str(fault))


def read_headers(data: bytes) -> dict[str, Any]:
    """Names and values of a frame's headers, of any type; raises struct.error, IndexError or ValueError for damaged ones."""
    headers: dict[str, Any] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind = data[at + 1 : name_end].decode(), data[name_end]
        at = name_end + 1
        if kind in (0, 1):
            headers[name] = kind == 0
        elif kind in _FIXED:
            headers[name] = _FIXED[kind].unpack_from(data, at)[0]
            at += _FIXED[kind].size
        elif kind in (6, 7):
            (size,) = struct.unpack_from(">H", data, at)
            value = data[at + 2 : at + 2 + size]
            if len(value) != size:
                raise ValueError("a value is cut short")
            headers[name] = value.decode() if kind == 7 else value
            at += 2 + size
        elif kind == 9:
            headers[name] = UUID(bytes=data[at : at + 16])
            at += 16
        else:
            raise ValueError(f"an unknown type {kind}")
    return headers


def write(payload: bytes, headers: Mapping[str, str]) -> bytes:
    """One frame; every header is a string."""
    head = b"".join(
        bytes((len(name),)) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    start = struct.pack(">II", _LEAST + len(head) + len(payload), len(head))
    frame = start + _CRC.pack(zlib.crc32(start)) + head + payload
    return frame + _CRC.pack(zlib.crc32(frame))
