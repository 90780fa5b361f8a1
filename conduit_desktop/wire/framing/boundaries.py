"""Where the frames of a streamed answer begin and end, by its content type: what relaying bytes unread has to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from conduit_desktop.wire.framing.aws_eventstream import EventFraming
from conduit_desktop.wire.framing.ndjson import LineSplitter
from conduit_desktop.wire.framing.sse import Frame, FrameSplitter


class Framing(Protocol):
    """One way to cut a stream into frames. `end` is what ends a frame, empty where a frame says its own length."""

    end: bytes

    def last_end(self, buffer: bytes) -> int:
        """Where the last whole frame of `buffer`, which starts with a frame, ends; 0 where none is whole."""
        ...

    def frames(self, data: bytes) -> Sequence[Frame]:
        """The frames of `data`, which is made of whole frames. An error's frame has the event `error`."""
        ...


class SseFraming:
    """Server-sent events: a blank line ends each."""

    end = FrameSplitter.end

    def last_end(self, buffer: bytes) -> int:
        """After the last blank line."""
        end = buffer.rfind(b"\n\n")
        end = end + 2 if end >= 0 else 0
        if b"\r" in buffer:
            for mark in (b"\r\n\r\n", b"\r\r"):
                at = buffer.rfind(mark)
                if at >= 0:
                    end = max(end, at + len(mark))
        return end

    def frames(self, data: bytes) -> Sequence[Frame]:
        """One an event, comments included."""
        return FrameSplitter().feed(data)


class LineFraming:
    """JSON lines: a line break ends each."""

    end = LineSplitter.end

    def last_end(self, buffer: bytes) -> int:
        """After the last line break."""
        return buffer.rfind(b"\n") + 1

    def frames(self, data: bytes) -> Sequence[Frame]:
        """One a line."""
        return LineSplitter().feed(data)


SSE: Framing = SseFraming()
_BY_TYPE: dict[str, Framing] = {
    "application/x-ndjson": LineFraming(),
    "application/vnd.amazon.eventstream": EventFraming(),
}


def framing_of(content_type: str) -> Framing:
    """The framing of a stream of that content type; server-sent events, unless another is known for it."""
    return _BY_TYPE.get(content_type.partition(";")[0], SSE)
