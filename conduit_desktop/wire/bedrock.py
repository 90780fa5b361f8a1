"""Bedrock's Converse API, both ways: one shape for the models of every vendor there.

The parts: `_request` and `_blocks` read requests, `_outgoing`, `_parts` and `_models` write them; `_answer` is answers whole,
`_reader` and `_writer` answers streamed (`eventstream` cuts their frames); `_errors` is what goes wrong.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.wire import Outgoing, StreamReader, StreamWriter
from conduit_desktop.wire import bedrock_answer as answers
from conduit_desktop.wire import bedrock_errors as errors
from conduit_desktop.wire.bedrock_blocks import NAME
from conduit_desktop.wire.bedrock_outgoing import write_request
from conduit_desktop.wire.bedrock_reader import ConverseReader
from conduit_desktop.wire.bedrock_request import read_request
from conduit_desktop.wire.bedrock_writer import ConverseWriter


class BedrockConverse:
    """The dialect of `POST /model/{id}/converse` and `/converse-stream`."""

    name = NAME
    content_type = "application/vnd.amazon.eventstream"

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """A request body in neutral form."""
        return read_request(body, path)

    def write_request(self, request: ChatRequest, model: str) -> Outgoing:
        """A request for `model`, and what could not be said."""
        return write_request(request, model)

    def native_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """As it is: the model stands in the address, and every answer ends with its counts."""
        return dict(body)

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Always: `metadata` holds it."""
        return True

    def says_only_usage(self, data: bytes) -> bool:
        """Never: `metadata` is owed to every caller."""
        return False

    def reader(self) -> StreamReader:
        """Reads one stream."""
        return ConverseReader()

    def writer(self, request: ChatRequest) -> StreamWriter:
        """Writes one stream."""
        return ConverseWriter(request)

    def read_response(self, body: dict[str, Json]) -> list[Event]:
        """A whole answer as events."""
        return answers.read_response(body)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """A whole answer as a body."""
        return answers.write_response(answer, request)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Bedrock's refusal, classified."""
        return errors.read_error(status, headers, body)

    def write_error(self, error: GatewayError) -> tuple[int, dict[str, Json]]:
        """Status and body of an error of ours."""
        return errors.write_error(error)
