"""The dialects: pure readers and writers between the bytes of a chat protocol and neutral values; no I/O, no clock, no vendor.

A dialect reads requests, answers and errors into `core.chat`, `core.events` and `core.errors`, and writes them back. Its stream
readers and writers are state machines that take bytes split anywhere. What a dialect cannot express is reported by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire.base import ReframingWriter, StreamReader, StreamWriter, WrittenRequest

__all__ = ["Dialect", "ReframingWriter", "StreamReader", "StreamWriter", "WrittenRequest", "dialect"]


class Dialect(Protocol):
    """One format of chat requests, answers and errors."""

    name: str
    content_type: str
    """The content type of a streamed answer."""

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """A request body in neutral form; raises BadRequest with the field in `param`.

        `path` holds what is in the URL and not in the body: `model` and `stream` for Gemini and Bedrock.
        """
        ...

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """The body of a request for `model`."""
        ...

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """The body of a passthrough request: `body` for `model`, with usage in streams. May share parts with `body`."""
        ...

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Whether the client requests usage in the stream (always true if the dialect always sends it)."""
        ...

    def is_usage_only(self, data: bytes) -> bool:
        """Whether a frame's `data` holds only the usage that `passthrough_request` added to the request."""
        ...

    def reader(self) -> StreamReader:
        """A reader of one streamed answer."""
        ...

    def writer(self, request: ChatRequest) -> StreamWriter:
        """A writer of one streamed answer to `request`."""
        ...

    def read_response(self, body: dict[str, Json]) -> list[Event]:
        """The events of a whole answer; raises UpstreamError for an error body, MalformedStream for anything else."""
        ...

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """The body of a whole answer to `request`."""
        ...

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """An error response, classified. Header names are in lower case."""
        ...

    def write_error(self, error: GatewayError) -> tuple[int, dict[str, Json]]:
        """The status and body of an error response."""
        ...


_DIALECTS = {
    "openai_chat": ("conduit_desktop.wire.openai_chat.dialect", "OpenAIChat"),
    "openrouter_chat": ("conduit_desktop.wire.openai_chat.dialect", "OpenRouterChat"),
    "openai_completions": ("conduit_desktop.wire.openai_chat.completions", "OpenAICompletions"),
    "openai_responses": ("conduit_desktop.wire.openai_responses.dialect", "OpenAIResponses"),
    "anthropic_messages": ("conduit_desktop.wire.anthropic.dialect", "AnthropicMessages"),
    "ollama": ("conduit_desktop.wire.ollama.dialect", "OllamaChat"),
    "gemini": ("conduit_desktop.wire.gemini.dialect", "GeminiContent"),
    "gemini_array": ("conduit_desktop.wire.gemini.dialect", "GeminiArray"),
    "ollama_generate": ("conduit_desktop.wire.ollama.dialect", "OllamaGenerate"),
    "cohere": ("conduit_desktop.wire.cohere.dialect", "CohereChat"),
    "bedrock": ("conduit_desktop.wire.bedrock.dialect", "BedrockConverse"),
    "replicate": ("conduit_desktop.wire.replicate.dialect", "ReplicatePredictions"),
    "sagemaker": ("conduit_desktop.wire.openai_chat.sagemaker", "SageMakerChat"),
}


@cache
def dialect(name: str) -> Dialect:
    """The dialect of that name; its modules are imported on the first call."""
    # Imported late: start-up does not wait for dialects that no call needs.
    module, cls = _DIALECTS[name]
    made: Dialect = getattr(import_module(module), cls)()
    return made
