"""Cohere's v2 chat API, read and written. https://docs.cohere.com/v2/reference/chat"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.cohere import errors, response
from conduit_desktop.wire.cohere.request_reader import NAME, read_request
from conduit_desktop.wire.cohere.request_writer import write_request
from conduit_desktop.wire.cohere.stream_reader import CohereReader
from conduit_desktop.wire.cohere.stream_writer import CohereWriter


class CohereChat(BaseDialect):
    """The dialect of `POST /v2/chat`."""

    name = NAME
    content_type = "text/event-stream"
    write_request = staticmethod(write_request)
    reader = CohereReader
    writer = CohereWriter
    read_response = staticmethod(response.read_response)
    write_response = staticmethod(response.write_response)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """The neutral request of a body; raises BadRequest."""
        return read_request(body, path.get("stream"))
