"""What readers of streams share: frames in, events out, and faults told in their place."""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from conduit_desktop.core.errors import ConduitError, MalformedStream, StreamBroken
from conduit_desktop.core.events import Event
from conduit_desktop.wire.event_validation import FAULTS, EventValidator
from conduit_desktop.wire.framing.sse import Frame


class Splitter(Protocol):
    """Cuts bytes into frames; `end` is what ends a frame, empty where a frame says its own length."""

    end: bytes

    def feed(self, data: bytes) -> list[Frame]: ...
    @property
    def rest(self) -> bytes: ...


def json_object(frame: Frame) -> dict[str, Any]:
    """What a frame holds; raises MalformedStream for anything but a JSON object."""
    try:
        payload = orjson.loads(frame.data)
    except orjson.JSONDecodeError as error:
        raise MalformedStream(f"a frame is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise MalformedStream("a frame is not a JSON object")
    return payload


class FrameReader:
    """Reads one streamed answer frame by frame; a dialect's reader says what a frame means in `read`.

    What stands before a fault in the same bytes is given first, the fault is raised by the next call.
    """

    terminal = "its last event"
    """What ends a stream of the dialect, in words."""

    def __init__(self, splitter: Splitter) -> None:
        self._splitter = splitter
        self._fault: ConduitError | None = None
        self._over = False
        self.soundness = EventValidator()

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Add the events of a frame that holds data; set `_over` at the terminal one."""
        raise TypeError(f"{type(self).__name__} does not say what its frames mean")

    @property
    def done(self) -> bool:
        """The terminal event has been read."""
        return self._over

    def feed(self, data: bytes) -> list[Event]:
        """The events these bytes complete; raises MalformedStream or UpstreamError."""
        self._raise_what_waits()
        events: list[Event] = []
        try:
            for frame in self._splitter.feed(data):
                if frame.data:
                    self._read(frame, events)
        except ConduitError as fault:
            self._fault = fault
            if not events:
                raise
        return events

    def _read(self, frame: Frame, events: list[Event]) -> None:
        said: list[Event] = []
        try:
            try:
                self.read(frame, said)
            finally:
                for event in said:
                    self.soundness.check(event)
                    events.append(event)
        except FAULTS as error:
            raise MalformedStream(f"a frame lacks what its kind needs: {error!r}") from error

    def close(self) -> list[Event]:
        """The last frame, if only its end was missing; raises StreamBroken if the terminal event never came."""
        self._raise_what_waits()
        events: list[Event] = []
        if not self._over and self._splitter.end and self._splitter.rest.strip():
            try:
                events = self.feed(self._splitter.end)
            except MalformedStream:
                self._fault = None  # a frame cut in its middle: the stream is broken, not wrong
        if not self._over:
            self._raise_what_waits()
            raise StreamBroken(f"the stream ended before {self.terminal}")
        return events

    def _raise_what_waits(self) -> None:
        if self._fault is not None:
            raise self._fault
