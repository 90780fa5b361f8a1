"""Ollama's own API, read and written: `/api/chat`, and `/api/generate` with its single prompt, as two dialects.

Answers stream unless a request has `"stream": false`, one JSON object a line. https://docs.ollama.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.wire import StreamWriter, WrittenRequest
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.ollama import errors, request_writer
from conduit_desktop.wire.ollama.request_reader import NAME, read_chat, read_generate
from conduit_desktop.wire.ollama.response import read_response, write_response
from conduit_desktop.wire.ollama.stream_reader import OllamaReader
from conduit_desktop.wire.ollama.stream_writer import OllamaWriter


class OllamaChat(BaseDialect):
    """The dialect of `POST /api/chat`."""

    name = NAME
    content_type = "application/x-ndjson"
    chat = True
    """Whether answers are messages, or the texts of `/api/generate`."""
    reader = OllamaReader
    read_response = staticmethod(read_response)
    write_error = staticmethod(errors.write_error)

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """The neutral request of a body; raises BadRequest."""
        return read_chat(body, path.get("stream"))

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """A request for `model`, with the names of dropped fields."""
        return request_writer.write_chat(request, model, request.dialect == self.name)

    def writer(self, request: ChatRequest) -> StreamWriter:
        """A writer of one stream of JSON lines."""
        return OllamaWriter(request, chat=self.chat)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """The body of a whole answer."""
        return write_response(answer, request, chat=self.chat)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """The error in a response, classified; it belongs to this dialect of the two."""
        error = errors.read_error(status, headers, body)
        error.dialect = self.name
        return error


class OllamaGenerate(OllamaChat):
    """The dialect of `POST /api/generate`."""

    name = "ollama_generate"
    chat = False

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """The neutral request of a body; raises BadRequest."""
        return read_generate(body, path.get("stream"), self.name)

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """The last user message as a prompt for `model`, with the names of dropped fields."""
        return request_writer.write_generate(request, model, request.dialect == self.name)
