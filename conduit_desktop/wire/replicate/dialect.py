"""Chats as predictions of Replicate: one prompt in, text out. https://replicate.com/docs/topics/predictions"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.replicate.errors import read_error, write_error
from conduit_desktop.wire.replicate.request_reader import read_request
from conduit_desktop.wire.replicate.request_writer import NAME, write_request
from conduit_desktop.wire.replicate.response import read_response, write_response
from conduit_desktop.wire.replicate.stream_reader import ReplicateReader
from conduit_desktop.wire.replicate.stream_writer import ReplicateWriter


class ReplicatePredictions(BaseDialect):
    """The dialect of `POST /v1/models/{owner}/{name}/predictions`, and of the event streams of predictions."""

    name = NAME
    content_type = "text/event-stream"
    write_request = staticmethod(write_request)
    reader = ReplicateReader
    writer = ReplicateWriter
    read_response = staticmethod(read_response)
    write_response = staticmethod(write_response)
    read_error = staticmethod(read_error)
    write_error = staticmethod(write_error)

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """The neutral request of a prediction's input; the model is in the path. Raises BadRequest."""
        return read_request(body, str(path.get("model") or ""))

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """A copy: the model is in the URL."""
        return dict(body)

    def override(self, body: dict[str, Json], name: str, value: Json) -> None:
        """Set one input of the model, or remove it where `value` is None."""
        # Replicate nests the model's parameters; other dialects have them at the top.
        inputs = body.setdefault("input", {})
        if value is None:
            inputs.pop(name, None)
        else:
            inputs[name] = value
