"""JSON lines (application/x-ndjson), both ways: one value a line, in the frames that server-sent events use too."""

from __future__ import annotations

from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.framing.sse import MAX_FRAME, Frame


class LineSplitter:
    """Cuts a byte stream into lines. Blank lines are frames without data, so that nothing is lost in passing on."""

    end = b"\n"

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The lines these bytes complete; raises MalformedStream for one that does not end."""
        first = data.find(b"\n")
        if first < 0:
            self._held.append(data)
            self._size += len(data)
            if self._size > MAX_FRAME:
                raise MalformedStream(f"a line of more than {MAX_FRAME} bytes")
            return []
        if self._held:
            data = self.rest + data
        *lines, rest = data.split(b"\n")
        self._held = [rest] if rest else []
        self._size = len(rest)
        return [Frame(None, line.strip(), line + b"\n") for line in lines]

    @property
    def rest(self) -> bytes:
        """What no line break has ended yet."""
        return b"".join(self._held)
