"""Server-sent events (text/event-stream). https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

from conduit_desktop.wire.framing.base import Frame, Splitter, joined, part_of

_LARGE = 64 * 1024
_FEW_LINES = 8
_BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r\r")


class SseSplitter(Splitter):
    """Cuts a byte stream into events. Lines may end in LF, CRLF or CR; a leading byte-order mark is skipped."""

    end = b"\n\n"

    def __init__(self) -> None:
        super().__init__()
        self._tail = b""
        """The last bytes held: a blank line may begin in them."""
        self._first = True

    def feed(self, data: bytes) -> list[Frame]:
        """The events these bytes complete. Comments alone make a frame with empty data."""
        if not data:
            return []
        if self._first:
            data = self.rest + data
            self._hold(b"")
            # Too short to decide: the mark may be split between chunks.
            if len(data) < 3 and b"\xef\xbb\xbf".startswith(data):
                self._hold(data)
                return []
            # The standard allows one byte-order mark, and only at the start of the stream.
            data = data.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        searched = 0
        if self._held:
            # Only the last 3 bytes are searched again: searching all held bytes would be quadratic in the size of a frame.
            if _frame_end(self._tail + data, 0) is None:
                self._tail = (self._tail + data)[-3:]
                self._hold_more(data)
                return []
            searched = self._size - len(self._tail)
            data = joined([*self._held, data])  # one copy of what may be megabytes
        frames: list[Frame] = []
        start = 0
        while (end := _frame_end(data, start or searched)) is not None:
            frames.append(parse(part_of(data, start, end)))
            start = end
        self._hold(data[start:] if start else data)
        self._check_size()
        return frames

    def _hold(self, data: bytes) -> None:
        super()._hold(data)
        self._tail = data[-3:]

    @classmethod
    def may_end(cls, tail: bytes, data: bytes) -> bool:
        return cls.last_end(tail[-3:] + data) > 0

    @classmethod
    def last_end(cls, buffer: bytes, searched: int = 0) -> int:
        end = buffer.rfind(b"\n\n", searched)
        end = end + 2 if end >= 0 else 0
        if buffer.find(b"\r", searched) >= 0:
            for mark in (b"\r\n\r\n", b"\r\r"):
                at = buffer.rfind(mark, searched)
                if at >= 0:
                    end = max(end, at + len(mark))
        return end


def _frame_end(data: bytes, start: int) -> int | None:
    """The end of the frame that begins at `start`, its blank line included; None where it is not whole."""
    lf = data.find(b"\n\n", start)
    # The fast path: nearly every vendor ends lines in LF, and one search is then enough.
    if data.find(b"\r", start, lf + 1 if lf >= 0 else len(data)) < 0:
        return lf + 2 if lf >= 0 else None
    ends = [at + len(mark) for mark in _BLANK_LINES if (at := data.find(mark, start)) >= 0]
    return min(ends, default=None)


def parse(raw: bytes) -> Frame:
    """The frame of one event's bytes. Its data lines are joined by newlines."""
    # A picture is one line of megabytes, which is copied once here, and twice below.
    if len(raw) > _LARGE and b"\r" not in raw and (frame := _of_few_lines(raw)) is not None:
        return frame
    event: str | None = None
    data: list[bytes] = []
    # `splitlines` is for CR and CRLF; nearly every vendor ends lines in LF.
    lines = raw.splitlines() if b"\r" in raw else raw.split(b"\n")
    for line in lines:
        # One space after the colon belongs to the format; a second one is the text's own.
        if line.startswith(b"data:"):
            data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line.startswith(b"event:"):
            event = line[6:].strip().decode("utf-8", "replace")
    return Frame(event, data[0] if len(data) == 1 else b"\n".join(data), raw)


def _of_few_lines(raw: bytes) -> Frame | None:
    """As `parse`, without a copy of all lines; None where there are many, or several with data."""
    event: str | None = None
    data: bytes | None = None
    at = 0
    for _ in range(_FEW_LINES):
        end = raw.find(b"\n", at)
        end = len(raw) if end < 0 else end
        if raw.startswith(b"data:", at):
            if data is not None:
                return None
            data = part_of(raw, at + (6 if raw.startswith(b" ", at + 5) else 5), end)
        elif raw.startswith(b"event:", at):
            event = raw[at + 6 : end].strip().decode("utf-8", "replace")
        at = end + 1
        if at >= len(raw):
            return Frame(event, data or b"", raw)
    return None


def write(data: bytes, event: str | None = None) -> bytes:
    """One event. `data` must not hold a line break (JSON as orjson writes it never does)."""
    if event is None:
        return b"data: " + data + b"\n\n"
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def comment(text: str) -> bytes:
    """A comment: ignored by every reader, keeps the connection alive."""
    return b": " + text.encode() + b"\n\n"
