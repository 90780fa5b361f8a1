"""Cohere's v2 chat API, both ways.

The parts: `_request` reads requests, `_outgoing` writes them; `_answer` is answers whole, `_stream` answers streamed;
`_errors` is what goes wrong. https://docs.cohere.com/v2/reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire import Outgoing, StreamReader, StreamWriter
from conduit_desktop.wire import cohere_answer as answers
from conduit_desktop.wire import cohere_errors as errors
from conduit_desktop.wire.cohere_outgoing import write_request
from conduit_desktop.wire.cohere_request import NAME, read_request
from conduit_desktop.wire.cohere_stream import CohereReader, CohereWriter


class Cohere:
    """The dialect of `POST /v2/chat`."""

    name = NAME
    content_type = "text/event-stream"

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """A request body in neutral form."""
        return read_request(body, path.get("stream"))

    def write_request(self, request: ChatRequest, model: str) -> Outgoing:
        """A request for `model`, and what could not be said."""
        return write_request(request, model)

    def native_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """Only the model is another: every answer ends with its counts."""
        return {**body, "model": model}

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Always: `message-end` holds it."""
        return True

    def says_only_usage(self, data: bytes) -> bool:
        """Never: `message-end` says more."""
        return False

    def reader(self) -> StreamReader:
        """Reads one stream."""
        return CohereReader()

    def writer(self, request: ChatRequest) -> StreamWriter:
        """Writes one stream."""
        return CohereWriter(request)

    def read_response(self, body: dict[str, Json]) -> list[Event]:
        """A whole answer as events."""
        return answers.read_response(body)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """A whole answer as a body."""
        return answers.write_response(answer, request)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Cohere's refusal, classified."""
        return errors.read_error(status, headers, body)

    def write_error(self, error: GatewayError) -> tuple[int, dict[str, Json]]:
        """Status and body of an error of ours."""
        return errors.write_error(error)
