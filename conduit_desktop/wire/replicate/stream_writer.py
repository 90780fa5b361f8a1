"""Writes the streams of a prediction. https://replicate.com/docs/topics/predictions/streaming"""

from __future__ import annotations

import orjson

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.events import Event, Refused, Started, TextDelta, UsageReported
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.replicate.errors import write_error
from conduit_desktop.wire.replicate.response import write_response

FINISHED = "prediction"
"""The event that holds the finished prediction. It is not Replicate's own: the provider asks for it when a stream is done."""


class ReplicateWriter:
    """Writes one stream: text, and the end."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._answer = Answer()

    def write(self, event: Event) -> bytes:
        """The frame that says `event`; only words can be said."""
        match event:
            case Started():
                self._answer.started = event
            case UsageReported():
                self._answer.usage = event.usage
            case TextDelta(text, 0) | Refused(text, 0) if text:
                return b"event: output\n" + b"".join(b"data: " + line + b"\n" for line in text.encode().split(b"\n")) + b"\n"
            case _:
                pass
        return b""

    def end(self) -> bytes:
        """`done`, and the finished prediction."""
        body = write_response(self._answer, self._request)
        del body["output"]
        return sse.write(b"{}", "done") + sse.write(orjson.dumps(body), FINISHED)

    def fail(self, error: GatewayError) -> bytes:
        """The error, and no `done` that could pass for success."""
        return sse.write(orjson.dumps(write_error(error)[1]), "error")

    def ping(self) -> bytes:
        """A comment."""
        return sse.comment("ping")
