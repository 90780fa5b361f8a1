"""JSON lines (application/x-ndjson): one JSON value a line. https://github.com/ndjson/ndjson-spec"""

from __future__ import annotations

from conduit_desktop.wire.framing.base import Frame, Splitter, joined, part_of

_LARGE = 1024 * 1024
"""Bytes of a line that is not copied at once."""


class LineSplitter(Splitter):
    """Cuts a byte stream into lines. Blank lines are frames without data, so that a relay passes them on too."""

    end = b"\n"

    def feed(self, data: bytes) -> list[Frame]:
        # Most pieces of a long line end nothing: they are kept without joining all that came before.
        if b"\n" not in data:
            self._hold_more(data)
            return []
        held = self._size
        data = joined([*self._held, data])
        if held > _LARGE:
            # The first line is copied piece by piece, as it may have many megabytes.
            end = data.index(b"\n", held)
            first = Frame(None, part_of(data, 0, end), part_of(data, 0, end + 1))
            self._hold(b"")
            return [first, *self.feed(bytes(data[end + 1 :]))]
        *lines, rest = data.split(b"\n")
        self._hold(rest)
        return [Frame(None, line.strip(), line + b"\n") for line in lines]

    @classmethod
    def may_end(cls, tail: bytes, data: bytes) -> bool:
        return b"\n" in data

    @classmethod
    def last_end(cls, buffer: bytes, searched: int = 0) -> int:
        return buffer.rfind(b"\n", searched) + 1


def write(data: bytes) -> bytes:
    """One line. `data` must not hold a line break (JSON as orjson writes it never does)."""
    return data + b"\n"
