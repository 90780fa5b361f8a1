"""Anthropic's Messages API, both ways.

The parts: `_blocks` and `_request` read requests; `_parts`, `_layout` and `_params` write them; `_answer`, `_reader`,
`_writer` and `_usage` are answers whole and streamed; `_foreign` is what other providers made; `_errors` is what goes wrong.
Source: platform.claude.com/docs/en/api.
"""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.anthropic import errors
from conduit_desktop.wire.anthropic import request_writer as params
from conduit_desktop.wire.anthropic import response as answers
from conduit_desktop.wire.anthropic.messages_layout import (
    Layout,
    foreign_layout,
    open_tool_loop_without_thinking,
    own_layout,
)
from conduit_desktop.wire.anthropic.messages_reader import NAME
from conduit_desktop.wire.anthropic.messages_writer import AnthropicPartWriter
from conduit_desktop.wire.anthropic.provenance import without_foreign
from conduit_desktop.wire.anthropic.request_reader import read_request
from conduit_desktop.wire.anthropic.stream_reader import MessagesReader
from conduit_desktop.wire.anthropic.stream_writer import MessagesWriter
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.json_fields import restore_source_form


class AnthropicMessages(BaseDialect):
    """The dialect of `POST /v1/messages`."""

    name = NAME
    content_type = "text/event-stream; charset=utf-8"
    read_request = staticmethod(read_request)
    reader = MessagesReader
    writer = MessagesWriter
    read_response = staticmethod(answers.read_response)
    write_response = staticmethod(answers.write_response)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """A request of this dialect comes out as it went in; one of another is laid out by this dialect's rules."""
        parts = AnthropicPartWriter(own=request.dialect == NAME)
        if parts.own:
            layout = own_layout(request.messages, parts, request.source_form.get("system") == "top")
            rest = params.write_own(request)
        else:
            layout = foreign_layout(request.messages, parts)
            rest = params.write_foreign(request, parts, not open_tool_loop_without_thinking(layout.messages))
        body = _body(model, layout) | params.write_tools(request, parts) | rest
        if parts.own:
            restore_source_form(body, request.source_form)
        else:
            params.mend_for_thinking(body, parts)
        return WrittenRequest(body, list(parts.dropped))

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """Only the model is another, and what other providers made stays behind; usage is in every stream of this dialect."""
        return {**without_foreign(body), "model": model}


def _body(model: str, layout: Layout) -> dict[str, Json]:
    body: dict[str, Json] = {"model": model, "messages": layout.messages}
    if layout.system is not None:
        body["system"] = layout.system
    return body
