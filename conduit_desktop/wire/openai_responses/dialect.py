"""OpenAI's Responses API, read and written. https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.openai_chat.errors import write_error
from conduit_desktop.wire.openai_responses.errors import read_error
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.openai_responses.provenance import without_foreign
from conduit_desktop.wire.openai_responses.request_reader import read_request
from conduit_desktop.wire.openai_responses.request_writer import write_request
from conduit_desktop.wire.openai_responses.response import read_response, write_response
from conduit_desktop.wire.openai_responses.stream_reader import ResponsesReader
from conduit_desktop.wire.openai_responses.stream_writer import ResponsesWriter


class OpenAIResponses(BaseDialect):
    """The dialect of `POST /v1/responses`."""

    name = NAME
    content_type = "text/event-stream; charset=utf-8"
    write_request = staticmethod(write_request)
    reader = ResponsesReader
    read_response = staticmethod(read_response)
    write_response = staticmethod(write_response)
    read_error = staticmethod(read_error)
    write_error = staticmethod(write_error)

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """The neutral request of a body; raises BadRequest."""
        return read_request(body)

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """`body` for `model`, without thoughts and citations of other providers, which OpenAI refuses."""
        return {**without_foreign(body), "model": model}

    def writer(self, request: ChatRequest) -> ResponsesWriter:
        """A writer of one stream of events."""
        return ResponsesWriter(request)
