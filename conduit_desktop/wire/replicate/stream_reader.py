"""Reads the streams of a prediction. https://replicate.com/docs/topics/predictions/streaming"""

from __future__ import annotations

from conduit_desktop.core.errors import MalformedStream, StreamBroken
from conduit_desktop.core.events import Event, Finished, Started, TextDelta
from conduit_desktop.wire.errors.error_body import parse_json
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader
from conduit_desktop.wire.replicate.errors import FAILED, prediction_failed
from conduit_desktop.wire.replicate.request_writer import NAME
from conduit_desktop.wire.replicate.response import FINISHED_EVENT, end_events


class ReplicateReader(FrameReader):
    """Reads the events `output`, `error` and `done`, and the finished prediction if it follows."""

    terminal = "its event done"

    def __init__(self) -> None:
        super().__init__(sse.SseSplitter())
        self._begun = False
        self._done = False

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Read one event; raises UpstreamError for `error`, and for a prediction that was cancelled."""
        # Replicate has no start event, so the first frame stands for it.
        if not self._begun:
            self._begun = True
            events.append(Started(dialect=NAME))
        match frame.event:
            case "output":
                # Bare text, unlike the JSON in other vendors' streams.
                events.append(TextDelta(frame.data.decode("utf-8", "replace")))
            case "error":
                raise prediction_failed("failed", _detail(frame.data))
            case "done":
                self._end(frame.data)
            case event if event == FINISHED_EVENT:
                self._finish(frame.data, events)
            case _:
                pass  # `logs`, and events added later

    def _end(self, data: bytes) -> None:
        """The data of `done`: `{}`, or a `reason` (`error`, `canceled`) if the prediction did not succeed."""
        fields = parse_json(data)
        reason = fields.get("reason") if isinstance(fields, dict) else None
        if reason:
            raise prediction_failed(str(reason), None)
        self._done = True

    def _finish(self, data: bytes, events: list[Event]) -> None:
        body = parse_json(data)
        if not isinstance(body, dict):
            raise MalformedStream("the finished prediction is not a JSON object")
        if body.get("status") in FAILED:
            raise prediction_failed(str(body["status"]), body.get("error"))
        events += end_events(body)
        self._over = True

    def close(self, clean: bool = False) -> list[Event]:
        """A stream that ended after `done` is complete, without usage; raises StreamBroken for any other."""
        try:
            return super().close(clean)
        except StreamBroken:
            if not self._done:
                raise
            self._over = True
            return [Finished("stop")]


def _detail(data: bytes) -> str:
    fields = parse_json(data)
    return str(fields.get("detail") or fields) if isinstance(fields, dict) else data.decode("utf-8", "replace")
