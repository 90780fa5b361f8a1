"""Server-sent events, both ways: bytes in any split to frames, values to frames (WHATWG HTML, 9.2)."""

from __future__ import annotations

from dataclasses import dataclass

from conduit_desktop.core.errors import MalformedStream

MAX_FRAME = 64 * 1024 * 1024
"""Bytes one frame may have before the stream counts as malformed; images arrive in single frames."""


@dataclass(slots=True)
class Frame:
    """One event: its name, its data (lines joined by a newline), and its bytes as they came, blank line included."""

    event: str | None
    data: bytes
    raw: bytes


class FrameSplitter:
    """Cuts a byte stream into frames. Lines may end in LF, CRLF or CR; a leading byte-order mark is skipped."""

    def __init__(self) -> None:
        self._buffer = b""
        self._first = True

    def feed(self, data: bytes) -> list[Frame]:
        """The frames these bytes complete. Comments alone make a frame with empty data."""
        self._buffer = self._buffer + data if self._buffer else data
        if self._first and self._buffer:
            if b"\xef\xbb\xbf".startswith(self._buffer[:3]) and len(self._buffer) < 3:
                return []
            self._buffer = self._buffer.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        frames: list[Frame] = []
        while (end := _frame_end(self._buffer)) is not None:
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            frames.append(parse(raw))
        if len(self._buffer) > MAX_FRAME:
            raise MalformedStream(f"a frame of more than {MAX_FRAME} bytes")
        return frames

    @property
    def rest(self) -> bytes:
        """What no blank line has ended yet."""
        return self._buffer


def _frame_end(buffer: bytes) -> int | None:
    lf = buffer.find(b"\n\n")
    if b"\r" not in buffer:
        return lf + 2 if lf >= 0 else None
    ends = []
    if lf >= 0:
        ends.append(lf + 2)
    for mark in (b"\r\n\r\n", b"\n\r\n"):
        at = buffer.find(mark)
        if at >= 0:
            ends.append(at + len(mark))
    bare = buffer.find(b"\r\r")
    if bare >= 0:
        ends.append(bare + 2)
    return min(ends) if ends else None


def parse(raw: bytes) -> Frame:
    """One frame's bytes as an event."""
    event: str | None = None
    data: list[bytes] = []
    lines = raw.splitlines() if b"\r" in raw else raw.split(b"\n")
    for line in lines:
        if line.startswith(b"data:"):
            data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line.startswith(b"event:"):
            event = line[6:].strip().decode("utf-8", "replace")
    return Frame(event, data[0] if len(data) == 1 else b"\n".join(data), raw)


def write(data: bytes, event: str | None = None) -> bytes:
    """One frame. `data` must not hold a line break (JSON as orjson writes it never does)."""
    if event is None:
        return b"data: " + data + b"\n\n"
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def comment(text: str) -> bytes:
    """A comment: ignored by every reader, keeps the connection alive."""
    return b": " + text.encode() + b"\n\n"
