"""Reads request bodies of Anthropic's Messages API into the neutral request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import (
    ChatRequest,
    Json,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolChoice,
)
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire.anthropic.messages_reader import NAME, read_cache, read_content, usual_parts
from conduit_desktop.wire.json_fields import ANTHROPIC_STYLE, FieldReader

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none", "tool": "tool"}


def read_request(body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
    """`body` as a neutral request; raises BadRequest with the field's path. `path` may hold the model and `stream`.

    The top-level `system` becomes the first message and is noted in `source_form`, which keeps it apart from a message of role
    `system` in the same place. Fields that are null count as absent.
    """
    request = ChatRequest(NAME, "", include_usage=True)
    fields = FieldReader(body, "", request.source_form, ANTHROPIC_STYLE)
    request.model = _model(fields, path)
    if "system" in fields.rest:
        request.source_form["system"] = "top"
        request.messages.append(_system(fields))
    request.messages.extend(_messages(fields))
    # Required here too: a client that forgets it should meet the same error as at Anthropic.
    request.max_tokens = fields.required_integer("max_tokens")
    request.temperature = fields.number("temperature")
    request.top_p = fields.number("top_p")
    request.top_k = fields.integer("top_k")
    request.stop = fields.strings("stop_sequences")
    _read_tools(request, fields)
    _read_thinking(request, fields)
    _read_output(request, fields)
    _read_metadata(request, fields)
    request.service_tier = fields.string("service_tier")
    request.stream = fields.boolean_or("stream", bool(path.get("stream")))
    request.extra |= fields.rest
    return request


def _model(fields: FieldReader, path: Mapping[str, Any]) -> str:
    """The body's model, else that of the URL, where Vertex AI and Bedrock have it."""
    if "model" not in fields.rest and isinstance(path.get("model"), str):
        return str(path["model"])
    return fields.required_string("model")


def _system(fields: FieldReader) -> Message:
    parts, plain = read_content(fields, "system")
    for index, part in enumerate(parts):
        if not isinstance(part, Text):
            raise fields.invalid(f"system.{index}.type", "'text'", None)
    return Message("system", parts, plain=plain)


def _messages(fields: FieldReader) -> list[Message]:
    messages = fields.array("messages")
    if messages is None:
        raise fields.missing("messages")
    if not messages:
        raise BadRequest("messages: at least one message is required", param="messages")
    return [_usual_message(message) or _message(fields.item("messages", index, message)) for index, message in enumerate(messages)]


def _usual_message(message: Json) -> Message | None:
    """A message of blocks in their usual forms, as `_message` reads it; None for any other."""
    if type(message) is not dict or len(message) != 2:
        return None
    role, parts = message.get("role"), usual_parts(message.get("content"))
    return None if parts is None or type(role) is not str or role not in _ROLES else Message(_ROLES[role], parts)


def _message(fields: FieldReader) -> Message:
    role = _ROLES.get(fields.required_string("role"))
    if role is None:
        raise fields.invalid("role", "'user', 'assistant' or 'system'", None)
    parts: list[Part] = []
    plain = True
    # A system message that changes `output_config` in the middle of a conversation needs no content.
    if role != "system" or "content" in fields.raw or not fields.rest.get("output_config"):
        parts, plain = read_content(fields)
    return Message(role, parts, plain=plain, extra=fields.rest)


def _read_tools(request: ChatRequest, fields: FieldReader) -> None:
    request.tools = [_tool(tool) for tool in fields.children("tools")]
    choice = fields.child("tool_choice")
    if choice is None:
        return
    mode: Any = _CHOICES.get(choice.required_string("type"))
    if mode is None:
        raise choice.invalid("type", "'auto', 'any', 'none' or 'tool'", None)
    name = choice.required_string("name") if mode == "tool" else None
    # Part of the choice in this dialect, but a field of its own in OpenAI's.
    single = choice.rest.pop("disable_parallel_tool_use", None)
    if isinstance(single, bool):
        request.parallel_tool_calls = not single
    request.tool_choice = ToolChoice(mode, name, choice.rest)


def _tool(fields: FieldReader) -> Tool:
    kind = fields.string("type")
    if kind not in (None, "custom"):
        # A tool that runs at Anthropic's, or whose schema only the model knows; tool sets have no name.
        name = fields.rest.pop("name", None) or ""
        return Tool(name, kind="hosted", type=kind, cache=read_cache(fields), extra=fields.rest)
    return Tool(
        name=fields.required_string("name"),
        description=fields.string("description"),
        schema=fields.required_mapping("input_schema"),
        type=kind,
        strict=fields.boolean("strict"),
        cache=read_cache(fields),
        extra=fields.rest,
    )


def _read_thinking(request: ChatRequest, fields: FieldReader) -> None:
    thinking = fields.child("thinking")
    if thinking is None:
        return
    mode: Any = thinking.required_string("type")
    if mode not in ("enabled", "adaptive", "disabled"):
        request.extra["thinking"] = thinking.raw  # a mode of Anthropic's own, as `between_tools`
        return
    budget = thinking.required_integer("budget_tokens") if mode == "enabled" else None
    request.reasoning = Reasoning(budget_tokens=budget, mode=mode, extra=thinking.rest)


def _read_output(request: ChatRequest, fields: FieldReader) -> None:
    """`output_config` holds effort and format; `output_format` is the format's older place."""
    config = fields.child("output_config")
    if config is not None:
        effort = config.string("effort")
        if effort is not None:
            request.reasoning = request.reasoning or Reasoning()
            request.reasoning.effort = effort
        output = config.child("format")
        if output is not None:
            request.output = _format(output)
        # An empty object is kept too, so that the request is written as it came.
        if config.rest or not config.raw:
            request.extra["output_config"] = config.rest
    older = fields.child("output_format")
    # The current place counts where a client fills both.
    if older is not None and request.output is None:
        request.source_form["output"] = "output_format"
        request.output = _format(older)


def _format(fields: FieldReader) -> OutputFormat:
    if fields.required_string("type") != "json_schema":
        raise fields.invalid("type", "'json_schema'", None)
    return OutputFormat("schema", fields.required_mapping("schema"), extra=fields.rest)


def _read_metadata(request: ChatRequest, fields: FieldReader) -> None:
    metadata = fields.child("metadata")
    if metadata is None:
        return
    user = metadata.rest.pop("user_id", None)
    request.user = user if isinstance(user, str) else None
    request.metadata = metadata.rest if metadata.rest or request.user is None else None
