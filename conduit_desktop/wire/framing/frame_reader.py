"""The base of the dialects' stream readers: frames in, events out, errors after the events that precede them."""

from __future__ import annotations

from typing import Any

import orjson

from conduit_desktop.core.errors import ConduitError, MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire import json_limits, json_text, sliced_json
from conduit_desktop.wire.event_validation import FAULTS, EventValidator
from conduit_desktop.wire.framing.base import Frame, Splitter, frames_from
from conduit_desktop.wire.framing.frame_json import SMALL, read_large
from conduit_desktop.wire.reported_usage import usage_in


def json_object(frame: Frame) -> dict[str, Any]:
    """The JSON object in a frame; raises MalformedStream for any other data."""
    try:
        payload = json_text.loads_exact(frame.data) if len(frame.data) <= SMALL else read_large(frame.data)
        if len(frame.data) > json_limits.SHALLOW and json_limits.may_be_deep(frame.data) and not sliced_json.is_heavy(frame.data):
            json_limits.check_depth(payload)
    except json_limits.TooComplex as error:
        raise MalformedStream(f"a frame cannot be read: {error}") from None
    except orjson.JSONDecodeError as error:
        raise MalformedStream(f"a frame is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise MalformedStream("a frame is not a JSON object")
    return payload


class FrameReader:
    """Reads one streamed answer frame by frame; a dialect overrides `read`.

    Where an error follows events in the same bytes, the events are returned and the next call raises the error.
    """

    terminal = "its last event"
    """Name of what ends a stream of the dialect, for the error text."""

    def __init__(self, splitter: Splitter) -> None:
        self._splitter = splitter
        self._fault: ConduitError | None = None
        self._over = False
        self.validator = EventValidator()

    missing_end = b""
    """See `StreamReader`: set by dialects whose last frame holds no finish reason."""

    unread = 0
    """See `StreamReader`."""

    @property
    def _finished(self) -> bool:
        """Whether every choice has its finish reason; only for dialects whose finish comes before the terminal event."""
        return False

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Add the events of a frame that holds data; set `_over` at the terminal one."""
        raise TypeError(f"{type(self).__name__} does not override read")

    @property
    def done(self) -> bool:
        """The terminal event has been read."""
        return self._over

    def feed(self, data: bytes) -> list[Event]:
        """The events these bytes complete; raises MalformedStream or UpstreamError."""
        self._raise_pending()
        events: list[Event] = []
        frames: list[Frame] = []
        frame: Frame | None = None
        try:
            frames = self._splitter.feed(data)
            for frame in frames:
                # Comments and blank lines are frames without data: vendors send them to keep the connection open.
                if frame.data:
                    self._read(frame, events)
        except ConduitError as fault:
            self._fault = fault
            self.unread = frames_from(frames, frame)
            if not events:
                raise
        return events

    def _read(self, frame: Frame, events: list[Event]) -> None:
        read: list[Event] = []
        try:
            try:
                self.read(frame, read)
            finally:
                # In `finally`: the events that precede an error in the same frame were valid, and reach the client before it.
                for event in read:
                    self.validator.check(event)
                    events.append(event)
        except UpstreamError as error:
            # A failure that reports what it used was billed.
            if error.usage is None and b'"usage' in frame.data:
                error.usage = usage_in(json_object(frame), error.dialect)
            raise
        except FAULTS as error:
            raise MalformedStream(f"a frame lacks what its kind needs: {error!r}") from error

    def close(self, clean: bool = False) -> list[Event]:
        """The last frame, if only its end was missing; raises StreamBroken where the answer is not whole (`StreamReader`)."""
        self._raise_pending()
        events: list[Event] = []
        # Some servers close without the last line break; the terminal event may be whole all the same.
        if not self._over and self._splitter.end and self._splitter.rest.strip():
            try:
                events = self.feed(self._splitter.end)
            except MalformedStream:
                # A frame cut in its middle: the vendor sent nothing malformed, but its stream is not whole.
                self._fault, clean = None, False
        if clean and self._fault is None and self._finished:
            self._over = True
        if not self._over:
            self._raise_pending()
            raise StreamBroken(f"the stream ended before {self.terminal}")
        return events

    def _raise_pending(self) -> None:
        if self._fault is not None:
            raise self._fault
