"""Bedrock's Converse API, both ways: one shape for the models of every vendor there.

The parts: `_request` and `_blocks` read requests, `_outgoing`, `_parts` and `_models` write them; `_answer` is answers whole,
`_reader` and `_writer` answers streamed (`eventstream` cuts their frames); `_errors` is what goes wrong.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.bedrock import errors
from conduit_desktop.wire.bedrock import response as answers
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
    read_response = staticmethod(answers.read_response)
    write_response = staticmethod(answers.write_response)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """As it is: the model stands in the address, and every answer ends with its counts."""
        return dict(body)
