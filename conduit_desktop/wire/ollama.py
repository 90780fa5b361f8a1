"""Ollama's own API, both ways: `/api/chat`, and `/api/generate` with its single prompt, as two dialects of one family.

The parts: `_request` reads requests, `_outgoing` writes them; `_answer` reads answers, `_writer` writes them; `_errors` is
what goes wrong. Answers stream unless the request says otherwise, one JSON object a line. https://docs.ollama.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire import Outgoing, StreamReader, StreamWriter
from conduit_desktop.wire import ollama_answer as answers
from conduit_desktop.wire import ollama_errors as errors
from conduit_desktop.wire import ollama_outgoing as outgoing
from conduit_desktop.wire.ollama_request import NAME, read_chat, read_generate
from conduit_desktop.wire.ollama_writer import OllamaWriter, write_response


class OllamaChat:
    """The dialect of `POST /api/chat`."""

    name = NAME
    content_type = "application/x-ndjson"

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """A request body in neutral form."""
        return read_chat(body, path.get("stream"))

    def write_request(self, request: ChatRequest, model: str) -> Outgoing:
        """A request for `model`, and what could not be said."""
        return outgoing.write_chat(request, model, request.dialect == self.name)

    def native_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """Only the model is another: every answer ends with its counts."""
        return {**body, "model": model}

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Always: the last line holds it."""
        return True

    def says_only_usage(self, data: bytes) -> bool:
        """Never: the last line says more."""
        return False

    def reader(self) -> StreamReader:
        """Reads one stream of lines."""
        return answers.OllamaReader()

    def writer(self, request: ChatRequest) -> StreamWriter:
        """Writes one stream of lines."""
        return OllamaWriter(request, chat=True)

    def read_response(self, body: dict[str, Json]) -> list[Event]:
        """A whole answer as events."""
        return answers.read_response(body)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """A whole answer as a body."""
        return write_response(answer, request, chat=True)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """A server's refusal, classified."""
        return self._named(errors.read_error(status, headers, body))

    def write_error(self, error: GatewayError) -> tuple[int, dict[str, Json]]:
        """Status and body of an error of ours."""
        return errors.write_error(error)

    def _named(self, error: UpstreamError) -> UpstreamError:
        error.dialect = self.name
        return error


class OllamaGenerate(OllamaChat):
    """The dialect of `POST /api/generate`."""

    name = "ollama_generate"

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """A request body in neutral form."""
        return read_generate(body, path.get("stream"), self.name)

    def write_request(self, request: ChatRequest, model: str) -> Outgoing:
        """The last prompt for `model`, and what could not be said."""
        return outgoing.write_generate(request, model, request.dialect == self.name)

    def writer(self, request: ChatRequest) -> StreamWriter:
        """Writes one stream of lines."""
        return OllamaWriter(request, chat=False)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """A whole answer as a body."""
        return write_response(answer, request, chat=False)
