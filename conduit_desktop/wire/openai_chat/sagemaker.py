"""Chat Completions as SageMaker's endpoints stream it: pieces of the usual stream in AWS's binary frames.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream.html
"""

from __future__ import annotations

from collections.abc import Mapping

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import GatewayError, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire import StreamReader, StreamWriter
from conduit_desktop.wire.bedrock import errors as bedrock_errors
from conduit_desktop.wire.errors.error_body import parse_json
from conduit_desktop.wire.framing.aws_eventstream import EventFrame, EventSplitter, write
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader
from conduit_desktop.wire.openai_chat.dialect import OpenAIChat
from conduit_desktop.wire.openai_chat.stream_reader import ChatReader

NAME = "sagemaker"


class SageMakerChat(OpenAIChat):
    """The dialect of an OpenAI-compatible container behind `POST /endpoints/{name}/invocations`."""

    name = NAME
    content_type = "application/vnd.amazon.eventstream"

    def reader(self) -> StreamReader:
        """A reader of one stream of wrapped chunks."""
        return PayloadReader()

    def writer(self, request: ChatRequest) -> StreamWriter:
        """A writer of one stream of wrapped chunks."""
        return PayloadWriter(super().writer(request))

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """An error of SageMaker, or the error of the container that SageMaker wraps as `OriginalMessage`."""
        fields = parse_json(body)
        # SageMaker answers 424 for a 400 of its container: only the inner error shows what is wrong with the request.
        if isinstance(fields, dict) and isinstance(fields.get("OriginalMessage"), str):
            code = fields.get("OriginalStatusCode")
            error = super().read_error(code if isinstance(code, int) else status, {}, fields["OriginalMessage"].encode())
            error.status = status if error.status < 400 else error.status
        else:
            error = bedrock_errors.read_error(status, headers, body)
        error.dialect = NAME
        return error


class PayloadReader(FrameReader):
    """Unwraps the pieces and reads the stream that they make."""

    terminal = "[DONE]"

    def __init__(self) -> None:
        super().__init__(EventSplitter())
        self._inner = ChatReader()

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Read one piece of the inner stream, cut anywhere; raises UpstreamError for an exception frame."""
        if isinstance(frame, EventFrame) and frame.fault is not None:
            raise _fault(frame)
        events += self._inner.feed(frame.data)
        self._inner.feed(b"")  # raises a fault that came after the events
        self._over = self._inner.done

    def close(self, clean: bool = False) -> list[Event]:
        """The events the inner stream held back; raises StreamBroken where it is not whole."""
        self._raise_pending()
        if self._splitter.rest:
            raise StreamBroken("the stream ended within a frame")
        return self._inner.close(clean)


def _fault(frame: EventFrame) -> UpstreamError:
    fields = parse_json(frame.data)
    message = next((fields[key] for key in ("Message", "message") if fields.get(key)), "") if isinstance(fields, dict) else ""
    # Both services write exceptions into AWS's event streams in the same way.
    error = bedrock_errors.error_in_answer(frame.fault, {"message": message or frame.fault})
    error.dialect = NAME
    return error


class PayloadWriter:
    """Wraps the bytes of a Chat Completions writer."""

    def __init__(self, inner: StreamWriter) -> None:
        self._inner = inner

    def write(self, event: Event) -> bytes:
        """The wrapped chunk of `event`."""
        return _wrapped(self._inner.write(event))

    def end(self) -> bytes:
        """The wrapped end of the stream."""
        return _wrapped(self._inner.end())

    def fail(self, error: GatewayError) -> bytes:
        """The error as the container would send it, wrapped."""
        return _wrapped(self._inner.fail(error))

    def ping(self) -> bytes:
        """A wrapped comment."""
        return _wrapped(self._inner.ping())


def _wrapped(data: bytes) -> bytes:
    headers = {":event-type": "PayloadPart", ":content-type": "application/octet-stream", ":message-type": "event"}
    # No bytes, no frame: an event that chunks cannot express must not become an empty one.
    return write(data, headers) if data else b""
