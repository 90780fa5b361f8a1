"""Reads Converse requests into the neutral request; the model and whether to stream are in the path of the URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Message, OutputFormat, Role, Tool, ToolChoice
from conduit_desktop.wire.bedrock.messages_reader import NAME, read_content
from conduit_desktop.wire.json_fields import FieldReader

_CHOICES: dict[str, Any] = {"auto": "auto", "any": "required", "tool": "tool"}


def read_request(body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
    """A Converse body; raises BadRequest with the field's path."""
    request = ChatRequest(NAME, str(path.get("model") or ""), stream=bool(path.get("stream")), include_usage=True)
    fields = FieldReader(body, "", request.source_form)
    if system := read_content(fields, "system"):
        # Converse has no role `system`: the note marks the first message as the field.
        fields.note("system", "present")
        request.messages.append(Message("system", system))
    request.messages += [_message(message) for message in fields.children("messages")]
    _read_tools(request, fields)
    _read_sampling(request, fields)
    _read_output(request, fields)
    _read_metadata(request, fields)
    request.extra.update(fields.rest)
    return request


def _message(fields: FieldReader) -> Message:
    role = fields.required_choice("role", ("user", "assistant"), "user or assistant")
    return Message(cast(Role, role), read_content(fields, "content"), extra=fields.rest)


def _read_tools(request: ChatRequest, fields: FieldReader) -> None:
    inner = fields.child("toolConfig")
    if inner is None:
        return
    tools = inner.array("tools")
    if tools is None:
        inner.note("tools", "absent")
    for tool in inner.items("tools", tools or []):
        _add_tool(request.tools, tool)
    choice = inner.child("toolChoice")
    if choice is not None:
        mode = next((mode for mode in _CHOICES if mode in choice.rest), None)
        if mode is None:
            raise inner.invalid("toolChoice", "auto, any or tool", choice.raw)
        name = choice.required_child(mode).required_string("name") if mode == "tool" else None
        request.tool_choice = ToolChoice(_CHOICES[mode], name)
    if inner.rest:
        request.extra["toolConfig"] = inner.rest


def _add_tool(tools: list[Tool], fields: FieldReader) -> None:
    point = fields.rest.get("cachePoint")
    if point is not None and tools and tools[-1].cache is None and point in ({"type": "default"}, {"type": "default", "ttl": "1h"}):
        tools[-1].cache = "1h" if point.get("ttl") else "5m"
        return
    # System tools, later kinds, and a cache point that marks no tool keep their place as entries of their own.
    if "toolSpec" not in fields.rest:
        tools.append(Tool("", kind="hosted", type=next(iter(fields.rest), ""), extra=fields.rest))
        return
    spec = fields.required_child("toolSpec")
    form = spec.child("inputSchema")
    schema = form.mapping("json") if form is not None else None
    added = Tool(spec.required_string("name"), spec.string("description"), schema, strict=spec.boolean("strict"))
    added.extra = spec.rest
    tools.append(added)


def _read_sampling(request: ChatRequest, fields: FieldReader) -> None:
    inner = fields.child("inferenceConfig")
    if inner is None:
        return
    request.max_tokens = inner.integer("maxTokens")
    request.temperature, request.top_p = inner.number("temperature"), inner.number("topP")
    request.stop = inner.strings("stopSequences")
    # Kept even if empty, so that the written request has the object again.
    request.extra["inferenceConfig"] = inner.rest


def _read_output(request: ChatRequest, fields: FieldReader) -> None:
    """A schema comes as JSON text; the text is noted as it came, white space included, for the same dialect."""
    config: Any = fields.take("outputConfig")
    match config:
        # Only a format that the neutral form can give back whole; any other stays as it came.
        case {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": str(text), **more}}}} if len(
            config
        ) == 1 and set(more) <= {"name", "description"}:
            try:
                schema = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise fields.invalid("outputConfig.textFormat.structure.jsonSchema.schema", "JSON", text) from None
            if not isinstance(schema, dict):
                raise fields.invalid("outputConfig.textFormat.structure.jsonSchema.schema", "an object as JSON", schema)
            names: Any = more
            request.output = OutputFormat("schema", schema, names.get("name"), names.get("description"))
            request.source_form["outputConfig.schema"] = text
        case None:
            return
        case _:
            request.extra["outputConfig"] = config


def _read_metadata(request: ChatRequest, fields: FieldReader) -> None:
    request.metadata = fields.mapping("requestMetadata")
    tier = fields.take("serviceTier")
    if isinstance(tier, dict) and isinstance(tier.get("type"), str) and len(tier) == 1:
        request.service_tier = tier["type"]
    elif tier is not None:
        request.extra["serviceTier"] = tier
