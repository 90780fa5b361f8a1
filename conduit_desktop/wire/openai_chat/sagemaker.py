"""OpenAI's chat as SageMaker's endpoints stream it: chunks of the usual stream, wrapped into AWS's binary frames."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import GatewayError, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire import StreamReader, StreamWriter
from conduit_desktop.wire.bedrock import errors as bedrock_errors
from conduit_desktop.wire.framing.aws_eventstream import EventFrame, EventSplitter, write
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader
from conduit_desktop.wire.openai_chat.dialect import OpenAIChat
from conduit_desktop.wire.openai_chat.stream_reader import ChatReader

NAME = "sagemaker"


class SageMakerChat(OpenAIChat):
    """What `POST /endpoints/{name}/invocations` of an OpenAI-compatible container takes and gives."""

    name = NAME
    content_type = "application/vnd.amazon.eventstream"

    def reader(self) -> StreamReader:
        """Reads one stream of wrapped chunks."""
        return PayloadReader()

    def writer(self, request: ChatRequest) -> StreamWriter:
        """Writes one stream of wrapped chunks."""
        return PayloadWriter(super().writer(request))

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """A refusal of SageMaker's own, or of the container behind it, whose words then count."""
        try:
            fields = orjson.loads(body)
        except orjson.JSONDecodeError:
            fields = None
        if isinstance(fields, dict) and isinstance(fields.get("OriginalMessage"), str):
            code = fields.get("OriginalStatusCode")
            error = super().read_error(code if isinstance(code, int) else status, {}, fields["OriginalMessage"].encode())
            error.status = status if error.status < 400 else error.status
        else:
            error = bedrock_errors.read_error(status, headers, body)
        error.dialect = NAME
        return error


class PayloadReader(FrameReader):
    """Takes the chunks out of their frames and reads them."""

    terminal = "[DONE]"

    def __init__(self) -> None:
        super().__init__(EventSplitter())
        self._inner = ChatReader()

    def read(self, frame: Frame, events: list[Event]) -> None:
        """One piece of the inner stream, cut anywhere; raises UpstreamError for an exception."""
        if isinstance(frame, EventFrame) and frame.fault is not None:
            raise _fault(frame)
        events += self._inner.feed(frame.data)
        self._inner.feed(b"")  # a fault behind what it gave
        self._over = self._inner.done

    def close(self) -> list[Event]:
        """What the inner stream held back; raises StreamBroken where it did not end."""
        self._raise_pending()
        if self._splitter.rest:
            raise StreamBroken("the stream ended within a frame")
        return self._inner.close()


def _fault(frame: EventFrame) -> UpstreamError:
    try:
        fields = orjson.loads(frame.data)
    except orjson.JSONDecodeError:
        fields = {}
    said = next((fields[key] for key in ("Message", "message") if fields.get(key)), "") if isinstance(fields, dict) else ""
    error = bedrock_errors.error_in_answer(frame.fault, {"message": said or frame.fault})
    error.dialect = NAME
    return error


class PayloadWriter:
    """Wraps what OpenAI's writer writes."""

    def __init__(self, inner: StreamWriter) -> None:
        self._inner = inner

    def write(self, event: Event) -> bytes:
        """The wrapped chunk that says `event`."""
        return _wrapped(self._inner.write(event))

    def end(self) -> bytes:
        """What is owed at the end."""
        return _wrapped(self._inner.end())

    def fail(self, error: GatewayError) -> bytes:
        """The error, as the container would say it."""
        return _wrapped(self._inner.fail(error))

    def ping(self) -> bytes:
        """A wrapped comment."""
        return _wrapped(self._inner.ping())


def _wrapped(data: bytes) -> bytes:
    headers = {":event-type": "PayloadPart", ":content-type": "application/octet-stream", ":message-type": "event"}
    return write(data, headers) if data else b""
