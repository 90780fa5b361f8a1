"""OpenAI's Chat Completions with the extensions of compatible vendors, read and written.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire import StreamReader, StreamWriter, WrittenRequest
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.openai_chat.errors import read_error, write_error
from conduit_desktop.wire.openai_chat.fields import NAME
from conduit_desktop.wire.openai_chat.reasoning import without_foreign
from conduit_desktop.wire.openai_chat.request_reader import read_request
from conduit_desktop.wire.openai_chat.request_writer import write_request
from conduit_desktop.wire.openai_chat.response import read_response, write_response
from conduit_desktop.wire.openai_chat.stream_reader import ChatReader
from conduit_desktop.wire.openai_chat.stream_writer import ChatWriter


class OpenAIChat(BaseDialect):
    """The dialect of `POST /v1/chat/completions`."""

    name = NAME
    content_type = "text/event-stream"
    read_response = staticmethod(read_response)
    write_response = staticmethod(write_response)
    read_error = staticmethod(read_error)
    write_error = staticmethod(write_error)

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """The neutral request of a body; raises BadRequest."""
        return read_request(body)

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """A request for `model`, with the names of dropped fields."""
        return write_request(request, model)

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """`body` for `model` without foreign thinking signatures; a stream is made to report its usage."""
        passed = {**without_foreign(body), "model": model}
        if body.get("stream"):
            # Without it there is no usage in the stream, and the call could not be accounted for.
            options = body.get("stream_options")
            passed["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        return passed

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Whether the caller set `stream_options.include_usage`."""
        options = body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    def is_usage_only(self, data: bytes) -> bool:
        """Whether it is the last chunk, with usage and empty `choices`."""
        # `[DONE]` is not JSON.
        chunk = orjson.loads(data) if data.startswith(b"{") else {}
        # Either alone is not enough: some vendors send usage with the last choice, and Azure a first chunk without choices.
        return bool(chunk.get("usage")) and chunk.get("choices") == []

    def reader(self) -> StreamReader:
        """A reader of one stream of chunks."""
        return ChatReader()

    def writer(self, request: ChatRequest) -> StreamWriter:
        """A writer of one stream of chunks."""
        return ChatWriter(request)


class OpenRouterChat(OpenAIChat):
    """As OpenRouter reads it: with Anthropic's cache marks on tools and parts.

    https://openrouter.ai/docs/features/prompt-caching
    """

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """A request for `model`, with the names of dropped fields."""
        return write_request(request, model, cache_marks=True)
