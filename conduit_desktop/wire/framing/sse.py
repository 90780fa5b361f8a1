"""Server-sent events, both ways: bytes in any split to frames, values to frames (WHATWG HTML, 9.2)."""

from __future__ import annotations

from dataclasses import dataclass

from conduit_desktop.core.errors import MalformedStream

MAX_FRAME = 64 * 1024 * 1024
"""Bytes one frame may have before the stream counts as malformed; images arrive in single frames."""

_BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r\r")


@dataclass(slots=True)
class Frame:
    """One event: its name, its data (lines joined by a newline), and its bytes as they came, blank line included."""

    event: str | None
    data: bytes
    raw: bytes


class FrameSplitter:
    """Cuts a byte stream into frames. Lines may end in LF, CRLF or CR; a leading byte-order mark is skipped.

    Bytes that end no frame are only gathered, so that a frame of many megabytes costs no more than its length.
    """

    end = b"\n\n"

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._tail = b""
        self._first = True

    def feed(self, data: bytes) -> list[Frame]:
        """The frames these bytes complete. Comments alone make a frame with empty data."""
        if not data:
            return []
        if self._first:
            data = self.rest + data
            self._hold(b"")
            if len(data) < 3 and b"\xef\xbb\xbf".startswith(data):
                self._hold(data)
                return []
            data = data.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        if self._held:
            if _frame_end(self._tail + data, 0) is None:
                self._held.append(data)
                self._tail = (self._tail + data)[-3:]
                self._size += len(data)
                return self._checked([])
            data = self.rest + data
        frames: list[Frame] = []
        start = 0
        while (end := _frame_end(data, start)) is not None:
            frames.append(parse(data[start:end]))
            start = end
        self._hold(data[start:] if start else data)
        return self._checked(frames)

    def _hold(self, rest: bytes) -> None:
        self._held = [rest] if rest else []
        self._tail = rest[-3:]
        self._size = len(rest)

    def _checked(self, frames: list[Frame]) -> list[Frame]:
        if self._size > MAX_FRAME:
            raise MalformedStream(f"a frame of more than {MAX_FRAME} bytes")
        return frames

    @property
    def rest(self) -> bytes:
        """What no blank line has ended yet."""
        return b"".join(self._held)


def _frame_end(data: bytes, start: int) -> int | None:
    """Where the frame that begins at `start` ends, its blank line included."""
    lf = data.find(b"\n\n", start)
    if data.find(b"\r", start, lf + 1 if lf >= 0 else len(data)) < 0:
        return lf + 2 if lf >= 0 else None
    ends = [at + len(mark) for mark in _BLANK_LINES if (at := data.find(mark, start)) >= 0]
    return min(ends, default=None)


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
