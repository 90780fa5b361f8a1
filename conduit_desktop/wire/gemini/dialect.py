"""Gemini's `generateContent`, both ways.

The parts: `_source_form`, `_contents`, `_config`, `_schema` and `_request` read requests; `_parts` and `_outgoing` write them;
`_candidate`, `_answer`, `_reader`, `_writer` and `_usage` are answers whole and streamed; `_errors` is what goes wrong.
Source: ai.google.dev/api/generate-content, and the same method of Vertex AI.
"""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.gemini import errors
from conduit_desktop.wire.gemini import response as answers
from conduit_desktop.wire.gemini.field_names import NAME
from conduit_desktop.wire.gemini.generation_config import NUMBERS
from conduit_desktop.wire.gemini.reasoning import without_foreign
from conduit_desktop.wire.gemini.request_reader import read_request
from conduit_desktop.wire.gemini.request_writer import write_request
from conduit_desktop.wire.gemini.stream_reader import GeminiReader
from conduit_desktop.wire.gemini.stream_writer import ArrayWriter, GeminiWriter

_CONFIG = {name: said for said, name in NUMBERS.items()} | {"stop": "stopSequences", "max_completion_tokens": "maxOutputTokens"}


class GeminiContent(BaseDialect):
    """The dialect of `:generateContent` and of `:streamGenerateContent?alt=sse`."""

    name = NAME
    content_type = "text/event-stream"
    read_request = staticmethod(read_request)
    reader = GeminiReader
    writer = GeminiWriter
    read_response = staticmethod(answers.read_response)
    write_response = staticmethod(answers.write_response)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """A request of this dialect comes out as it went in; the model is the URL's business."""
        return write_request(request)

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
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


class GeminiArray(GeminiContent):
    """The same for a caller of `:streamGenerateContent` without `alt=sse`: the stream is one JSON array."""

    content_type = "application/json; charset=UTF-8"
    writer = ArrayWriter
