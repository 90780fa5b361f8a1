"""Gemini's `generateContent`, both ways.

The parts: `_spelling`, `_contents`, `_config`, `_schema` and `_request` read requests; `_parts` and `_outgoing` write them;
`_candidate`, `_answer`, `_reader`, `_writer` and `_usage` are answers whole and streamed; `_errors` is what goes wrong.
Source: ai.google.dev/api/generate-content, and the same method of Vertex AI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire import Outgoing
from conduit_desktop.wire import gemini_answer as answers
from conduit_desktop.wire import gemini_errors as errors
from conduit_desktop.wire.gemini_config import NUMBERS
from conduit_desktop.wire.gemini_outgoing import write_request
from conduit_desktop.wire.gemini_reader import GeminiReader
from conduit_desktop.wire.gemini_request import read_request
from conduit_desktop.wire.gemini_signature import without_foreign
from conduit_desktop.wire.gemini_spelling import NAME
from conduit_desktop.wire.gemini_writer import ArrayWriter, GeminiWriter

_CONFIG = {name: said for said, name in NUMBERS.items()} | {"stop": "stopSequences", "max_completion_tokens": "maxOutputTokens"}


class Gemini:
    """The dialect of `:generateContent` and of `:streamGenerateContent?alt=sse`."""

    name = NAME
    content_type = "text/event-stream"

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """Raises BadRequest with the field's path in `param` (`contents.2.parts.0.text`). `path`: `model`, `stream`."""
        return read_request(body, path)

    def write_request(self, request: ChatRequest, model: str) -> Outgoing:
        """A request of this dialect comes out as it went in; the model is the URL's business."""
        return write_request(request)

    def native_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """As it came, but for the thoughts of others: the model stands in the URL, and usage is in every stream."""
        return {key: value for key, value in without_foreign(body).items() if key != "model"}

    def override(self, body: dict[str, Json], name: str, value: Json) -> None:
        """Set (None: remove) a parameter by its neutral name, which lies in `generationConfig`, or by Gemini's own on top."""
        said = _CONFIG.get(name)
        if said is None:
            owner, key = body, name
        else:
            spelled = "generation_config" if "generation_config" in body else "generationConfig"
            owner = body[spelled] = dict(body.get(spelled) or {})
            snake = "max_output_tokens" if said == "maxOutputTokens" else "stop_sequences" if name == "stop" else name
            owner.pop(snake, None)
            key = said
        if value is None:
            owner.pop(key, None)
        else:
            owner[key] = value

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Always: every chunk has it."""
        return True

    def says_only_usage(self, data: bytes) -> bool:
        """Never: usage comes with the answer."""
        return False

    def reader(self) -> GeminiReader:
        """A reader for one stream, in either framing."""
        return GeminiReader()

    def writer(self, request: ChatRequest) -> GeminiWriter:
        """A writer for one stream."""
        return GeminiWriter(request)

    def read_response(self, body: dict[str, Json]) -> list[Event]:
        """Raises MalformedStream for a body that is no answer, UpstreamError for an error in one."""
        return answers.read_response(body)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """The answer with all its candidates."""
        return answers.write_response(answer, request)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Classified by Google's reason, then its status name, then the text; header names in lower case."""
        return errors.read_error(status, headers, body)

    def write_error(self, error: GatewayError) -> tuple[int, dict[str, Json]]:
        """The status and `{"error": {"code", "message", "status"}}`."""
        return errors.write_error(error)


class GeminiArray(Gemini):
    """The same for a caller of `:streamGenerateContent` without `alt=sse`: the stream is one JSON array."""

    content_type = "application/json; charset=UTF-8"

    def writer(self, request: ChatRequest) -> ArrayWriter:
        """A writer for one stream."""
        return ArrayWriter(request)
