"""Writes the streams of a prediction. https://replicate.com/docs/topics/predictions/streaming"""

from __future__ import annotations

import orjson

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.events import BlockEvent, Refused, TextDelta
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.replicate.errors import write_error
from conduit_desktop.wire.replicate.request_writer import NAME
from conduit_desktop.wire.replicate.response import FINISHED_EVENT, write_response
from conduit_desktop.wire.single_choice_writer import SingleChoiceWriter


class ReplicateWriter(SingleChoiceWriter):
    """Writes one stream, which carries text alone."""

    dialect = NAME

    def _write_content(self, event: BlockEvent) -> bytes:
        if not isinstance(event, TextDelta | Refused) or not event.text:
            return b""
        # Not `sse.write`: the text is sent bare here and may hold line breaks, each of which needs its own `data:`.
        return b"event: output\n" + b"".join(b"data: " + line + b"\n" for line in event.text.encode().split(b"\n")) + b"\n"

    def end(self) -> bytes:
        """`done`, and the finished prediction without its output."""
        body = write_response(Answer(self._started, usage=self._usage), self._request)
        del body["output"]
        return sse.write(b"{}", "done") + sse.write(orjson.dumps(body), FINISHED_EVENT)

    def fail(self, error: GatewayError) -> bytes:
        """The error; no `done` follows it."""
        return sse.write(orjson.dumps(write_error(error)[1]), "error")

    def ping(self) -> bytes:
        """A comment."""
        return sse.comment("ping")
