"""JSON lines (application/x-ndjson): one JSON value a line. https://github.com/ndjson/ndjson-spec"""

from __future__ import annotations

from conduit_desktop.wire.framing.base import Frame, Splitter


class LineSplitter(Splitter):
    """Cuts a byte stream into lines. Blank lines are frames without data, so that a relay passes them on too."""

    end = b"\n"

    def feed(self, data: bytes) -> list[Frame]:
        # Most pieces of a long line end nothing: they are kept without joining all that came before.
        if b"\n" not in data:
            self._hold_more(data)
            return []
        if self._held:
            data = self.rest + data
        *lines, rest = data.split(b"\n")
        self._hold(rest)
        return [Frame(None, line.strip(), line + b"\n") for line in lines]

    @classmethod
    def may_end(cls, tail: bytes, data: bytes) -> bool:
        return b"\n" in data

    @classmethod
    def last_end(cls, buffer: bytes) -> int:
        return buffer.rfind(b"\n") + 1


def write(data: bytes) -> bytes:
    """One line. `data` must not hold a line break (JSON as orjson writes it never does)."""
    return data + b"\n"
