"""How it is said: one file a dialect, both ways, without I/O, clock or vendor.

A dialect reads bodies and streams into neutral values (`core.chat`, `core.events`) and writes them back. Readers and
writers are state machines fed any split of bytes. What a dialect cannot express is named, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.core.events import Event


@dataclass(slots=True)
class WrittenRequest:
    """A request body in one dialect, and the names of what that dialect could not express."""

    body: dict[str, Json]
    dropped: list[str] = field(default_factory=list)


class StreamReader(Protocol):
    """Reads one streamed answer."""

    @property
    def done(self) -> bool:
        """The terminal event has been read: the answer is whole, whether or not the connection ends."""
        ...

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes, split anywhere; give the events they complete.

        Raises MalformedStream for bytes that cannot be read, UpstreamError for an error the provider sent in the
        stream. What stands before the fault in the same bytes is given first, and the next call (with b"" too) raises.
        """
        ...

    def close(self) -> list[Event]:
        """The bytes are over: give what was held back; raises StreamBroken if the terminal event never came."""
        ...


class StreamWriter(Protocol):
    """Writes one streamed answer."""

    def write(self, event: Event) -> bytes:
        """The bytes that say `event`, possibly none yet."""
        ...

    def end(self) -> bytes:
        """What is owed at the end of a successful answer: open blocks closed, usage, the terminal frame."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The dialect's error event, and nothing that could pass for success."""
        ...

    def ping(self) -> bytes:
        """A frame or comment that says: still here. Valid before the first event too."""
        ...


@runtime_checkable
class ReframingWriter(StreamWriter, Protocol):
    """Writes a dialect's frames in a framing of its own, so that in the native lane each is framed anew."""

    def frame(self, chunk: bytes) -> bytes:
        """The frame that holds `chunk`."""
        ...

    def close(self) -> bytes:
        """What is owed after the last frame of a good end."""
        ...


class Dialect(Protocol):
    """One way of saying a chat request and its answer.

    `read_request` raises BadRequest naming the field in `param`. `path` holds what the URL says and the body does not
    (`model` and `stream` for Gemini and Bedrock). `read_error` takes header names in lower case.
    """

    name: str
    content_type: str
    """Of a streamed answer."""

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest: ...
    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest: ...
    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """The native lane's body: `body` for `model`, asking for usage in streams. May share parts with `body`."""
        ...

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Whether the caller itself asked for usage in the stream (always true where the dialect always sends it)."""
        ...

    def is_usage_only(self, data: bytes) -> bool:
        """Whether a frame's `data` holds nothing but the usage that `passthrough_request` asked for."""
        ...

    def reader(self) -> StreamReader: ...
    def writer(self, request: ChatRequest) -> StreamWriter: ...
    def read_response(self, body: dict[str, Json]) -> list[Event]: ...
    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]: ...
    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError: ...
    def write_error(self, error: GatewayError) -> tuple[int, dict[str, Json]]: ...


_DIALECTS = {
    "openai_chat": ("conduit_desktop.wire.openai_chat.dialect", "OpenAIChat"),
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
    """The dialect of that name, loaded when first asked for."""
    module, cls = _DIALECTS[name]
    made: Dialect = getattr(import_module(module), cls)()
    return made
