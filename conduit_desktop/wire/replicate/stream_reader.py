"""Reads the streams of a prediction. https://replicate.com/docs/topics/predictions/streaming"""

from __future__ import annotations

from conduit_desktop.core.errors import MalformedStream, StreamBroken
from conduit_desktop.core.events import Event, Finished, Started, TextDelta
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.frame_reader import FrameReader
from conduit_desktop.wire.replicate.errors import parse_json, prediction_failed
from conduit_desktop.wire.replicate.request_writer import NAME
from conduit_desktop.wire.replicate.response import end_events

FINISHED = "prediction"
"""The event that holds the finished prediction. It is not Replicate's own: the provider asks for it when a stream is done."""


class ReplicateReader(FrameReader):
    """Reads `output`, `logs`, `error` and `done`, and the finished prediction where it follows."""

    terminal = "its event done"

    def __init__(self) -> None:
        super().__init__(sse.FrameSplitter())
        self._begun = False
        self._done = False

    def read(self, frame: sse.Frame, events: list[Event]) -> None:
        """One event."""
        if not self._begun:
            self._begun = True
            events.append(Started(dialect=NAME))
        match frame.event:
            case "output":
                events.append(TextDelta(frame.data.decode("utf-8", "replace")))
            case "error":
                raise prediction_failed("failed", _detail(frame.data))
            case "done":
                self._end(frame.data)
            case "prediction":
                self._finish(frame.data, events)
            case _:
                pass  # logs, and whatever else there may come to be

    def _end(self, data: bytes) -> None:
        """`{}`, or the reason for another end: `error` or `canceled`."""
        fields = parse_json(data)
        reason = fields.get("reason") if isinstance(fields, dict) else None
        if reason:
            raise prediction_failed(str(reason), None)
        self._done = True

    def _finish(self, data: bytes, events: list[Event]) -> None:
        body = parse_json(data)
        if not isinstance(body, dict):
            raise MalformedStream("the finished prediction is no JSON object")
        if body.get("status") in ("failed", "canceled", "aborted"):
            raise prediction_failed(str(body["status"]), body.get("error"))
        events += end_events(body)
        self._over = True

    def close(self) -> list[Event]:
        """A stream that was done is whole, though nobody could tell its metrics; raises StreamBroken for any other."""
        try:
            return super().close()
        except StreamBroken:
            if not self._done:
                raise
            self._over = True
            return [Finished("stop")]


def _detail(data: bytes) -> str:
    fields = parse_json(data)
    return str(fields.get("detail") or fields) if isinstance(fields, dict) else data.decode("utf-8", "replace")
