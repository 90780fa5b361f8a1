"""Gemini's `generateContent` on AI Studio and Vertex AI, read and written. https://ai.google.dev/api/generate-content"""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.gemini import errors, response
from conduit_desktop.wire.gemini.field_names import NAME
from conduit_desktop.wire.gemini.generation_config import NUMBERS
from conduit_desktop.wire.gemini.reasoning import without_foreign
from conduit_desktop.wire.gemini.request_reader import read_request
from conduit_desktop.wire.gemini.request_writer import write_request
from conduit_desktop.wire.gemini.stream_reader import GeminiReader
from conduit_desktop.wire.gemini.stream_writer import ArrayWriter, GeminiWriter

_CONFIG = {name: field for field, name in NUMBERS.items()} | {"stop": "stopSequences", "max_completion_tokens": "maxOutputTokens"}


class GeminiContent(BaseDialect):
    """The dialect of `:generateContent` and of `:streamGenerateContent?alt=sse`."""

    name = NAME
    content_type = "text/event-stream"
    read_request = staticmethod(read_request)
    reader = GeminiReader
    writer = GeminiWriter
    read_response = staticmethod(response.read_response)
    write_response = staticmethod(response.write_response)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """A request of this dialect is written as it was read. The model is in the URL only."""
        return write_request(request)

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """`body` without foreign thoughts and without `model`, which is in the URL. Every stream reports usage."""
        return {key: value for key, value in without_foreign(body).items() if key != "model"}

    def override(self, body: dict[str, Json], name: str, value: Json) -> None:
        """Set a parameter, or remove it where `value` is None: an OpenAI name in `generationConfig`, any other at the top."""
        field = _CONFIG.get(name)
        if field is None:
            owner, key = body, name
        else:
            # The client's spelling is kept, or the body would have the object twice.
            spelled = "generation_config" if "generation_config" in body else "generationConfig"
            owner = body[spelled] = dict(body.get(spelled) or {})
            # Google takes both spellings: the old value must not stay under the other one.
            snake = "max_output_tokens" if field == "maxOutputTokens" else "stop_sequences" if name == "stop" else name
            owner.pop(snake, None)
            key = field
        if value is None:
            owner.pop(key, None)
        else:
            owner[key] = value


class GeminiArray(GeminiContent):
    """The dialect of `:streamGenerateContent` without `alt=sse`, whose stream is one JSON array."""

    content_type = "application/json; charset=UTF-8"
    writer = ArrayWriter
