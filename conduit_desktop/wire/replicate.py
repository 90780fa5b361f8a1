"""Replicate's predictions as a way to chat: one prompt in, text out. https://replicate.com/docs/topics/predictions

`_request` is what a model is asked, `_answer` what it says, whole or streamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire import Outgoing, StreamReader, StreamWriter
from conduit_desktop.wire import replicate_answer as answers
from conduit_desktop.wire.replicate_request import NAME, read_request, write_request


class Replicate:
    """The dialect of `POST /v1/models/{owner}/{name}/predictions`, and of the streams behind it."""

    name = NAME
    content_type = "text/event-stream"

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """The input of a prediction in neutral form; the model stands in the path."""
        return read_request(body, str(path.get("model") or ""))

    def write_request(self, request: ChatRequest, model: str) -> Outgoing:
        """The input for `model`, and what could not be said."""
        return write_request(request, model)

    def native_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """As it came: the model stands in the address."""
        return dict(body)

    def override(self, body: dict[str, Json], name: str, value: Json) -> None:
        """Set (or, with None, remove) one input of the model."""
        inputs = body.setdefault("input", {})
        if value is None:
            inputs.pop(name, None)
        else:
            inputs[name] = value

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Always: a finished prediction holds its metrics."""
        return True

    def says_only_usage(self, data: bytes) -> bool:
        """Never."""
        return False

    def reader(self) -> StreamReader:
        """Reads one stream, and the finished prediction behind it."""
        return answers.ReplicateReader()

    def writer(self, request: ChatRequest) -> StreamWriter:
        """Writes one stream."""
        return answers.ReplicateWriter(request)

    def read_response(self, body: dict[str, Json]) -> list[Event]:
        """A finished prediction as events."""
        return answers.read_response(body)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """A whole answer as a finished prediction."""
        return answers.write_response(answer, request)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Replicate's refusal, classified."""
        return answers.read_error(status, headers, body)

    def write_error(self, error: GatewayError) -> tuple[int, dict[str, Json]]:
        """The status and `{"title", "detail", "status"}`."""
        return answers.write_error(error)
