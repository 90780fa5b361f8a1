"""Anthropic's Messages API, read and written. https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.anthropic import errors, request_writer, response
from conduit_desktop.wire.anthropic.messages_layout import (
    Layout,
    foreign_layout,
    own_layout,
)
from conduit_desktop.wire.anthropic.messages_reader import NAME
from conduit_desktop.wire.anthropic.messages_writer import AnthropicPartWriter
from conduit_desktop.wire.anthropic.provenance import without_foreign
from conduit_desktop.wire.anthropic.request_reader import read_request
from conduit_desktop.wire.anthropic.stream_reader import AnthropicReader
from conduit_desktop.wire.anthropic.stream_writer import AnthropicWriter
from conduit_desktop.wire.base import BaseDialect
from conduit_desktop.wire.json_fields import restore_source_form


class AnthropicMessages(BaseDialect):
    """The dialect of `POST /v1/messages`."""

    name = NAME
    content_type = "text/event-stream; charset=utf-8"
    read_request = staticmethod(read_request)
    reader = AnthropicReader
    writer = AnthropicWriter
    read_response = staticmethod(response.read_response)
    write_response = staticmethod(response.write_response)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """A request of this dialect is written as it was read; one of another is arranged by this dialect's rules."""
        parts = AnthropicPartWriter(own=request.dialect == NAME)
        if parts.own:
            layout = own_layout(request.messages, parts, request.source_form.get("system") == "top")
            rest = request_writer.write_own(request)
        else:
            layout = foreign_layout(request.messages, parts)
            layout.system = request_writer.with_json_instruction(layout.system, request.output)
            rest = request_writer.write_foreign(request, parts)
        tools = request_writer.write_tools(request, parts)
        if not parts.own and "tools" not in tools:
            tools = request_writer.tools_of_the_history(layout.messages)
        body = _body(model, layout) | tools | rest
        if parts.own:
            # Last, because it can only rename fields that are already written.
            restore_source_form(body, request.source_form)
        else:
            request_writer.limit_marks(body, parts)
        return WrittenRequest(body, list(parts.dropped))

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """`body` for `model`, without what other providers signed. Every stream of this dialect reports usage."""
        return {**without_foreign(body), "model": model}


def _body(model: str, layout: Layout) -> dict[str, Json]:
    body: dict[str, Json] = {"model": model, "messages": layout.messages}
    # Left out where there is none: the API refuses an empty system text.
    if layout.system is not None:
        body["system"] = layout.system
    return body
