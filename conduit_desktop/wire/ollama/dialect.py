"""Ollama's own API, both ways: `/api/chat`, and `/api/generate` with its single prompt, as two dialects of one family.

The parts: `_request` reads requests, `_outgoing` writes them; `_answer` reads answers, `_writer` writes them; `_errors` is
what goes wrong. Answers stream unless the request says otherwise, one JSON object a line. https://docs.ollama.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.wire import StreamWriter, WrittenRequest
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.ollama import errors
from conduit_desktop.wire.ollama import request_writer as outgoing
from conduit_desktop.wire.ollama.request_reader import NAME, read_chat, read_generate
from conduit_desktop.wire.ollama.response import read_response, write_response
from conduit_desktop.wire.ollama.stream_reader import OllamaReader
from conduit_desktop.wire.ollama.stream_writer import OllamaWriter


class OllamaChat(BaseDialect):
    """The dialect of `POST /api/chat`."""

    name = NAME
    content_type = "application/x-ndjson"
    reader = OllamaReader
    read_response = staticmethod(read_response)
    write_error = staticmethod(errors.write_error)

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """A request body in neutral form."""
        return read_chat(body, path.get("stream"))

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """A request for `model`, and what could not be said."""
        return outgoing.write_chat(request, model, request.dialect == self.name)

    def writer(self, request: ChatRequest) -> StreamWriter:
        """Writes one stream of lines."""
        return OllamaWriter(request, chat=True)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """A whole answer as a body."""
        return write_response(answer, request, chat=True)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """A server's refusal, classified."""
        return self._named(errors.read_error(status, headers, body))

    def _named(self, error: UpstreamError) -> UpstreamError:
        error.dialect = self.name
        return error


class OllamaGenerate(OllamaChat):
    """The dialect of `POST /api/generate`."""

    name = "ollama_generate"

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """A request body in neutral form."""
        return read_generate(body, path.get("stream"), self.name)

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """The last prompt for `model`, and what could not be said."""
        return outgoing.write_generate(request, model, request.dialect == self.name)

    def writer(self, request: ChatRequest) -> StreamWriter:
        """Writes one stream of lines."""
        return OllamaWriter(request, chat=False)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """A whole answer as a body."""
        return write_response(answer, request, chat=False)
