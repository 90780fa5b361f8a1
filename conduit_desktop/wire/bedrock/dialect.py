"""Bedrock's Converse API, read and written: one format for the models of every vendor on Bedrock.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.bedrock import errors, response
from conduit_desktop.wire.bedrock.messages_reader import NAME
from conduit_desktop.wire.bedrock.request_reader import read_request
from conduit_desktop.wire.bedrock.request_writer import write_request
from conduit_desktop.wire.bedrock.stream_reader import ConverseReader
from conduit_desktop.wire.bedrock.stream_writer import ConverseWriter


class BedrockConverse(BaseDialect):
    """The dialect of `POST /model/{id}/converse` and `/converse-stream`."""

    name = NAME
    content_type = "application/vnd.amazon.eventstream"
    read_request = staticmethod(read_request)
    write_request = staticmethod(write_request)
    reader = ConverseReader
    writer = ConverseWriter
    read_response = staticmethod(response.read_response)
    write_response = staticmethod(response.write_response)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """A copy: the model is in the URL, and every answer reports its usage."""
        return dict(body)
