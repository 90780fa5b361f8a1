"""Cohere's v2 chat requests, read into the neutral request. https://docs.cohere.com/v2/reference/chat"""

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
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.wire.openai_chat.fields import FieldReader, invalid

NAME = "cohere"
PLAN = {"tool_plan": True}
"""`Thinking.raw` of a tool plan: what the model means to do with its tools, said before it calls them."""

_ROLES = frozenset({"system", "user", "assistant", "tool"})
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,([A-Za-z0-9+/=]*)")
_CHOICES: dict[str, Any] = {"REQUIRED": "required", "NONE": "none"}


def read_request(body: dict[str, Json], stream: bool | None) -> ChatRequest:
    """A body of `/v2/chat`; raises BadRequest with the field's path. `stream` holds where the body says nothing of it."""
    request = ChatRequest(NAME, "", include_usage=True)
    fields = FieldReader(body, "", request.source_form)
    request.model = fields.need_text("model")
    for index, message in enumerate(fields.array("messages") or ()):
        request.messages.append(_message(message, f"messages[{index}]", request.source_form))
    _read_tools(request, fields)
    _read_sampling(request, fields)
    _read_format(request, fields)
    _read_thinking(request, fields)
    said = fields.flag("stream")
    if said is not None:
        request.source_form["stream"] = "present"
    request.stream = bool(stream) if said is None else said
    request.extra.update(fields.rest)
    return request


def _message(message: Json, path: str, source_form: dict[str, str]) -> Message:
    fields = FieldReader(message, path, source_form)
    role = fields.need_text("role")
    if role not in _ROLES:
        raise invalid(fields.at("role"), "one of system, user, assistant and tool", role)
    parts, plain = _content(fields, source_form)
    if role == "tool":
        parts = [ToolResult(fields.need_text("tool_call_id"), parts, plain=plain)]
    plan = fields.text("tool_plan")
    if plan:
        parts.insert(0, Thinking(plan, dialect=NAME, raw=PLAN))
    elif plan == "":
        source_form[fields.at("tool_plan")] = "empty"
    calls = fields.array("tool_calls")
    if calls == []:
        source_form[fields.at("tool_calls")] = "list"
    parts += [_call(call, f"{path}.tool_calls[{index}]", source_form) for index, call in enumerate(calls or ())]
    return Message(cast(Role, role), parts, plain=plain, extra=fields.rest)


def _content(fields: FieldReader, source_form: dict[str, str]) -> tuple[list[Part], bool]:
    content = fields.take("content")
    if content is None:
        return [], True
    if isinstance(content, str):
        return [Text(content)], True
    if not isinstance(content, list):
        raise invalid(fields.at("content"), "a string or an array", content)
    if not content:
        source_form[fields.at("content")] = "list"
    return [_part(part, f"{fields.at('content')}[{index}]", source_form) for index, part in enumerate(content)], False


def _part(part: Json, path: str, source_form: dict[str, str]) -> Part:
    fields = FieldReader(part, path, source_form)
    kind = fields.need_text("type")
    if kind == "text":
        return Text(fields.need_text("text"), extra=fields.rest)
    if kind == "thinking":
        return Thinking(fields.need_text("thinking"), extra=fields.rest, dialect=NAME)
    if kind == "image_url":
        return _image(fields)
    return Opaque(NAME, kind, part)


def _image(fields: FieldReader) -> Media:
    inner = fields.inner("image_url")
    url, detail = inner.need_text("url"), inner.text("detail")
    extra = {**fields.rest, **({"image_url": inner.rest} if inner.rest else {})}
    encoded = _DATA_URL.fullmatch(url)
    if encoded is None:
        return Media("image", url=url, detail=detail, extra=extra)
    return Media("image", data=encoded[2], media_type=encoded[1], detail=detail, extra=extra)


def _call(call: Json, path: str, source_form: dict[str, str]) -> ToolCall:
    fields = FieldReader(call, path, source_form)
    call_id, kind, inner = fields.need_text("id"), fields.text("type"), fields.inner("function")
    if kind is None:
        source_form[f"{path}.type"] = "absent"
    name, arguments = inner.need_text("name"), inner.text("arguments")
    extra = {**fields.rest, **({"function": inner.rest} if inner.rest else {})}
    return ToolCall(call_id, name, arguments or "", extra=extra)


def _read_tools(request: ChatRequest, fields: FieldReader) -> None:
    tools = fields.array("tools")
    if tools == []:
        request.source_form["tools"] = "list"
    for index, tool in enumerate(tools or ()):
        outer = FieldReader(tool, f"tools[{index}]", request.source_form)
        kind, inner = outer.text("type"), outer.inner("function")
        made = Tool(inner.need_text("name"), inner.text("description"), inner.mapping("parameters"), type=kind)
        made.extra = {**outer.rest, **({"function": inner.rest} if inner.rest else {})}
        request.tools.append(made)
    choice = fields.text("tool_choice")
    if choice is not None and choice not in _CHOICES:
        raise invalid("tool_choice", "REQUIRED or NONE", choice)
    if choice is not None:
        request.tool_choice = ToolChoice(_CHOICES[choice])


def _read_sampling(request: ChatRequest, fields: FieldReader) -> None:
    request.max_tokens = fields.whole("max_tokens")
    request.temperature = fields.number("temperature")
    request.top_p, request.top_k = fields.number("p"), fields.whole("k")
    request.seed = fields.whole("seed")
    request.frequency_penalty = fields.number("frequency_penalty")
    request.presence_penalty = fields.number("presence_penalty")
    request.logprobs = fields.flag("logprobs")
    request.stop = fields.texts("stop_sequences")


def _read_format(request: ChatRequest, fields: FieldReader) -> None:
    said = fields.mapping("response_format")
    if said is None:
        return
    inner = FieldReader(said, "response_format", request.source_form)
    kind = inner.need_text("type")
    if kind not in ("text", "json_object"):
        raise invalid("response_format.type", "text or json_object", kind)
    schema = inner.mapping("json_schema")
    if schema is None and (schema := inner.mapping("schema")) is not None:
        request.source_form["response_format.json_schema"] = "schema"  # its older name
    request.output = OutputFormat("text" if kind == "text" else "json" if schema is None else "schema", schema, extra=inner.rest)


def _read_thinking(request: ChatRequest, fields: FieldReader) -> None:
    said = fields.mapping("thinking")
    if said is None:
        return
    inner = FieldReader(said, "thinking", request.source_form)
    mode = inner.need_text("type")
    if mode not in ("enabled", "disabled"):
        raise invalid("thinking.type", "enabled or disabled", mode)
    request.reasoning = Reasoning(budget_tokens=inner.whole("token_budget"), mode=cast(Any, mode), extra=inner.rest)
