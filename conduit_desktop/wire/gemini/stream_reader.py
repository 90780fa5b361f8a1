"""Reads the streams of `streamGenerateContent`: server-sent events or one JSON array.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from conduit_desktop.core.errors import MalformedStream, StreamBroken
from conduit_desktop.core.events import Event
from conduit_desktop.wire import json_text
from conduit_desktop.wire.framing.base import Frame, Splitter
from conduit_desktop.wire.framing.frame_json import SMALL, read_large
from conduit_desktop.wire.framing.frame_reader import FrameReader
from conduit_desktop.wire.framing.json_array import ArraySplitter
from conduit_desktop.wire.framing.sse import SseSplitter
from conduit_desktop.wire.gemini.response import AnswerReader

_BLANK = b"\xef\xbb\xbf \t\r\n"


class _EventSplitter(SseSplitter):
    """Server-sent events; an error in the middle of a stream may be bare JSON without `data:`."""

    def feed(self, data: bytes) -> list[Frame]:
        return [self._bare(frame) if not frame.data else frame for frame in super().feed(data)]

    @staticmethod
    def _bare(frame: Frame) -> Frame:
        raw = frame.raw.strip()
        return replace(frame, data=raw) if raw[:1] in (b"{", b"[") else frame


class EitherSplitter(Splitter):
    """Cuts the stream by the framing that its first byte shows: JSON for a bracket or a brace, else server-sent events."""

    def __init__(self) -> None:
        super().__init__()
        self._chosen: ArraySplitter | _EventSplitter | None = None
        self._head = b""

    @property
    def rest(self) -> bytes:
        """The bytes of the frame that is not complete yet."""
        return self._head if self._chosen is None else self._chosen.rest

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        if self._chosen is None:
            self._head += data
            # The content type is not known here, and the first bytes may be blank or a byte-order mark.
            first = self._head.lstrip(_BLANK)[:1]
            if not first:
                return []
            self._chosen = ArraySplitter() if first in b"[{" else _EventSplitter()
            self.end = self._chosen.end
            data, self._head = self._head, b""
        return self._chosen.feed(data)


class GeminiReader(FrameReader):
    """Reads one stream. There is no terminal event: the answer is whole when every candidate has a finish and the end is clean."""

    terminal = "its finishReason"

    def __init__(self) -> None:
        super().__init__(EitherSplitter())
        self._answer = AnswerReader()

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Read one chunk."""
        if frame.data.strip() == b"[DONE]":  # some compatible servers end as OpenAI does
            return
        try:
            chunk = json_text.loads_exact(frame.data) if len(frame.data) <= SMALL else read_large(frame.data)
        except orjson.JSONDecodeError as error:
            raise MalformedStream(f"a chunk is not JSON: {error}") from error
        # Google sends an error as an array of one in streams without `alt=sse`.
        for each in chunk if isinstance(chunk, list) else (chunk,):
            if not isinstance(each, dict):
                raise MalformedStream("a chunk is not a JSON object")
            self._answer.read(each, events)

    @property
    def _finished(self) -> bool:
        return self._answer.finished

    def close(self, clean: bool = False) -> list[Event]:
        """Read the last chunk if only its end is missing; raises as `StreamReader.close`."""
        # An array has no end mark that could be added: an element that is still open was cut off.
        if self._splitter.rest.strip() and not self._splitter.end:
            raise StreamBroken(f"the stream ended in the middle of a chunk, before {self.terminal}")
        return super().close(clean)
