"""OpenAI Chat Completions, and what its compatible vendors made of it.

The door of the dialect; its rooms are the `openai_chat_*` files beside it. https://platform.openai.com/docs/api-reference/chat
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
    """See `Dialect`. The path says nothing that the body does not."""

    name = NAME
    content_type = "text/event-stream"
    read_response = staticmethod(read_response)
    write_response = staticmethod(write_response)
    read_error = staticmethod(read_error)
    write_error = staticmethod(write_error)

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """A request body in neutral form."""
        return read_request(body)

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """A request for `model`, and what could not be said."""
        return write_request(request, model)

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """`body` for `model`, without the signatures of others; a stream always reports its usage."""
        native = {**without_foreign(body), "model": model}
        if body.get("stream"):
            options = body.get("stream_options")
            native["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        return native

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Whether the caller set `stream_options.include_usage`."""
        options = body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    def is_usage_only(self, data: bytes) -> bool:
        """The extra chunk at the end, whose `choices` are empty."""
        chunk = orjson.loads(data) if data.startswith(b"{") else {}
        return bool(chunk.get("usage")) and chunk.get("choices") == []

    def reader(self) -> StreamReader:
        """Reads one stream of chunks."""
        return ChatReader()

    def writer(self, request: ChatRequest) -> StreamWriter:
        """Writes one stream of chunks."""
        return ChatWriter(request)
