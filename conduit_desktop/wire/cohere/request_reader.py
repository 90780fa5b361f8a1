"""Reads Cohere's v2 chat requests into the neutral request. https://docs.cohere.com/v2/reference/chat"""

from __future__ import annotations

import re
from typing import Any, cast

from conduit_desktop.core.chat import (
    ChatRequest,
    Json,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.wire.function_tools import read_function_tool
from conduit_desktop.wire.json_fields import FieldReader

NAME = "cohere"
PLAN = {"tool_plan": True}
"""`Thinking.raw` of a tool plan: the text that precedes tool calls."""

_ROLES = frozenset({"system", "user", "assistant", "tool"})
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,([A-Za-z0-9+/=]*)")
_CHOICES: dict[str, Any] = {"REQUIRED": "required", "NONE": "none"}


def read_request(body: dict[str, Json], stream: bool | None) -> ChatRequest:
    """A body of `/v2/chat`; raises BadRequest with the field's path. `stream` counts where the body has none."""
    request = ChatRequest(NAME, "", include_usage=True)
    fields = FieldReader(body, "", request.source_form)
    request.model = fields.required_string("model")
    request.messages += [_message(message) for message in fields.children("messages")]
    _read_tools(request, fields)
    _read_sampling(request, fields)
    _read_format(request, fields)
    _read_thinking(request, fields)
    request.stream = fields.boolean_or("stream", bool(stream))
    # What is left has no neutral place; a writer of another dialect reports it as dropped.
    request.extra.update(fields.rest)
    return request


def _message(fields: FieldReader) -> Message:
    role = fields.required_choice("role", _ROLES, "one of system, user, assistant and tool")
    parts, plain = _content(fields)
    if role == "tool":
        parts = [ToolResult(fields.required_string("tool_call_id"), parts, plain=plain)]
    if plan := fields.filled_string("tool_plan"):
        # First, because a plan precedes the calls that it explains.
        parts.insert(0, Thinking(plan, dialect=NAME, raw=PLAN))
    parts += [_call(call) for call in fields.children("tool_calls")]
    return Message(cast(Role, role), parts, plain=plain, extra=fields.rest)


def _content(fields: FieldReader) -> tuple[list[Part], bool]:
    content = fields.take("content")
    if content is None:
        return [], True
    if isinstance(content, str):
        return [Text(content)], True
    if not isinstance(content, list):
        raise fields.invalid("content", "a string or an array", content)
    if not content:
        fields.note("content", "list")
    return [_part(part) for part in fields.items("content", content)], False


def _part(fields: FieldReader) -> Part:
    kind = fields.required_string("type")
    if kind == "text":
        return Text(fields.required_string("text"), extra=fields.rest)
    if kind == "thinking":
        return Thinking(fields.required_string("thinking"), extra=fields.rest, dialect=NAME)
    if kind == "image_url":
        return _image(fields)
    return Opaque(NAME, kind, fields.raw)


def _image(fields: FieldReader) -> Media:
    inner = fields.required_child("image_url")
    url, detail = inner.required_string("url"), inner.string("detail")
    extra = fields.rest_with(inner)
    # Other vendors want the data apart from its media type.
    encoded = _DATA_URL.fullmatch(url)
    if encoded is None:
        return Media("image", url=url, detail=detail, extra=extra)
    return Media("image", data=encoded[2], media_type=encoded[1], detail=detail, extra=extra)


def _call(fields: FieldReader) -> ToolCall:
    call_id, kind, inner = fields.required_string("id"), fields.string("type"), fields.required_child("function")
    if kind is None:
        fields.note("type", "absent")
    name, arguments = inner.required_string("name"), inner.string("arguments")
    return ToolCall(call_id, name, arguments or "", extra=fields.rest_with(inner))


def _read_tools(request: ChatRequest, fields: FieldReader) -> None:
    request.tools = [read_function_tool(tool) for tool in fields.children("tools")]
    choice = fields.string("tool_choice")
    # Cohere has no word for `auto`: without the field the model is free.
    if choice is not None and choice not in _CHOICES:
        raise fields.invalid("tool_choice", "REQUIRED or NONE", choice)
    if choice is not None:
        request.tool_choice = ToolChoice(_CHOICES[choice])


def _read_sampling(request: ChatRequest, fields: FieldReader) -> None:
    request.max_tokens = fields.integer("max_tokens")
    request.temperature = fields.number("temperature")
    request.top_p, request.top_k = fields.number("p"), fields.integer("k")
    request.seed = fields.integer("seed")
    request.frequency_penalty = fields.number("frequency_penalty")
    request.presence_penalty = fields.number("presence_penalty")
    request.logprobs = fields.boolean("logprobs")
    request.stop = fields.strings("stop_sequences")


def _read_format(request: ChatRequest, fields: FieldReader) -> None:
    inner = fields.child("response_format")
    if inner is None:
        return
    kind = inner.required_choice("type", ("text", "json_object"), "text or json_object")
    schema = inner.mapping("json_schema")
    if schema is None and (schema := inner.mapping("schema")) is not None:
        inner.note("json_schema", "schema")  # its older name
    request.output = OutputFormat("text" if kind == "text" else "json" if schema is None else "schema", schema, extra=inner.rest)


def _read_thinking(request: ChatRequest, fields: FieldReader) -> None:
    inner = fields.child("thinking")
    if inner is None:
        return
    mode = inner.required_choice("type", ("enabled", "disabled"), "enabled or disabled")
    request.reasoning = Reasoning(budget_tokens=inner.integer("token_budget"), mode=cast(Any, mode), extra=inner.rest)
