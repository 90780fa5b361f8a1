"""OpenAI's Responses API, both ways.

The parts: `_request`, `_items` and `_parts` read requests; `_outgoing` and `_turns` write them, `_names` flattens
namespaces; `_answer` and `_reader` read answers; `_writer`, `_output` and `_skeleton` write them; `_foreign`
is what other providers made; `_usage` and `_errors`. Source: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire import Outgoing
from conduit_desktop.wire.openai_chat_errors import write_error
from conduit_desktop.wire.openai_responses_answer import read_response
from conduit_desktop.wire.openai_responses_errors import read_error
from conduit_desktop.wire.openai_responses_fields import NAME
from conduit_desktop.wire.openai_responses_foreign import without_foreign
from conduit_desktop.wire.openai_responses_outgoing import write_request
from conduit_desktop.wire.openai_responses_reader import ResponsesReader
from conduit_desktop.wire.openai_responses_request import read_request
from conduit_desktop.wire.openai_responses_writer import ResponsesWriter, write_response


class OpenAIResponses:
    """The dialect of `POST /v1/responses`. The path says nothing that the body does not."""

    name = NAME
    content_type = "text/event-stream; charset=utf-8"

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """A request body in neutral form."""
        return read_request(body)

    def write_request(self, request: ChatRequest, model: str) -> Outgoing:
        """A request for `model`, and what could not be said."""
        return write_request(request, model)

    def native_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """`body` for `model`, without what other providers made and the caller carries: OpenAI refuses it."""
        return {**without_foreign(body), "model": model}

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Always: every stream of this dialect ends with it."""
        return True

    def says_only_usage(self, data: bytes) -> bool:
        """Never: usage is part of the whole response."""
        return False

    def reader(self) -> ResponsesReader:
        """A reader for one stream."""
        return ResponsesReader()

    def writer(self, request: ChatRequest) -> ResponsesWriter:
        """A writer for one stream."""
        return ResponsesWriter(request)

    def read_response(self, body: dict[str, Json]) -> list[Event]:
        """Raises UpstreamError for a response that failed, MalformedStream for what is none."""
        return read_response(body)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """The first choice as a response."""
        return write_response(answer, request)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """A provider's refusal, classified."""
        return read_error(status, headers, body)

    def write_error(self, error: GatewayError) -> tuple[int, dict[str, Json]]:
        """Status and body, in OpenAI's one shape for errors."""
        return write_error(error)
