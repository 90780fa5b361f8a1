"""Converse requests, read into the neutral request; the model and whether to stream stand in the path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Message, OutputFormat, Role, Tool, ToolChoice
from conduit_desktop.wire.bedrock.messages_reader import NAME, read_content
from conduit_desktop.wire.openai_chat.fields import FieldReader, invalid

_CHOICES: dict[str, Any] = {"auto": "auto", "any": "required", "tool": "tool"}


def read_request(body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
    """A Converse body; raises BadRequest with the field's path."""
    request = ChatRequest(NAME, str(path.get("model") or ""), stream=bool(path.get("stream")), include_usage=True)
    fields = FieldReader(body, "", request.source_form)
    system = fields.array("system")
    if system is not None:
        request.source_form["system"] = "present" if system else "list"
    if system:
        request.messages.append(Message("system", read_content(system, "system", request.source_form)))
    for index, message in enumerate(fields.array("messages") or ()):
        request.messages.append(_message(message, f"messages[{index}]", request.source_form))
    _read_tools(request, fields)
    _read_sampling(request, fields)
    _read_output(request, fields)
    _read_labels(request, fields)
    request.extra.update(fields.rest)
    return request


def _message(message: Json, path: str, source_form: dict[str, str]) -> Message:
    fields = FieldReader(message, path, source_form)
    role = fields.need_text("role")
    if role not in ("user", "assistant"):
        raise invalid(fields.at("role"), "user or assistant", role)
    content = fields.array("content") or []
    return Message(cast(Role, role), read_content(content, fields.at("content"), source_form), extra=fields.rest)


def _read_tools(request: ChatRequest, fields: FieldReader) -> None:
    config = fields.mapping("toolConfig")
    if config is None:
        return
    inner = FieldReader(config, "toolConfig", request.source_form)
    tools = inner.array("tools")
    if not tools:
        request.source_form["toolConfig.tools"] = "list" if tools == [] else "absent"
    for index, tool in enumerate(tools or ()):
        _add_tool(request.tools, tool, f"toolConfig.tools[{index}]", request.source_form)
    choice = inner.mapping("toolChoice")
    if choice is not None:
        mode = next((word for word in _CHOICES if word in choice), None)
        if mode is None:
            raise invalid("toolConfig.toolChoice", "auto, any or tool", choice)
        name = FieldReader(choice[mode], "toolConfig.toolChoice.tool", {}).need_text("name") if mode == "tool" else None
        request.tool_choice = ToolChoice(_CHOICES[mode], name)
    if inner.rest:
        request.extra["toolConfig"] = inner.rest


def _add_tool(tools: list[Tool], tool: Json, path: str, source_form: dict[str, str]) -> None:
    fields = FieldReader(tool, path, source_form)
    point = fields.rest.get("cachePoint")
    if point is not None and tools and tools[-1].cache is None and point in ({"type": "default"}, {"type": "default", "ttl": "1h"}):
        tools[-1].cache = "1h" if point.get("ttl") else "5m"
        return
    if "toolSpec" not in fields.rest:
        tools.append(Tool("", kind="hosted", type=next(iter(fields.rest), ""), extra=fields.rest))
        return
    spec = fields.inner("toolSpec")
    said = spec.mapping("inputSchema")
    schema = FieldReader(said, spec.at("inputSchema"), {}).mapping("json") if said is not None else None
    made = Tool(spec.need_text("name"), spec.text("description"), schema, strict=spec.flag("strict"))
    made.extra = spec.rest
    tools.append(made)


def _read_sampling(request: ChatRequest, fields: FieldReader) -> None:
    config = fields.mapping("inferenceConfig")
    if config is None:
        return
    inner = FieldReader(config, "inferenceConfig", request.source_form)
    request.max_tokens = inner.whole("maxTokens")
    request.temperature, request.top_p = inner.number("temperature"), inner.number("topP")
    request.stop = inner.texts("stopSequences")
    request.extra["inferenceConfig"] = inner.rest


def _read_output(request: ChatRequest, fields: FieldReader) -> None:
    """A schema comes as text; how it was spaced is kept, for the same dialect to say it again."""
    config: Any = fields.take("outputConfig")
    match config:
        case {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": str(text), **more}}}} if len(
            config
        ) == 1 and set(more) <= {"name", "description"}:
            try:
                schema = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise invalid("outputConfig.textFormat.structure.jsonSchema.schema", "JSON", text) from None
            if not isinstance(schema, dict):
                raise invalid("outputConfig.textFormat.structure.jsonSchema.schema", "an object as JSON", schema)
            said: Any = more
            request.output = OutputFormat("schema", schema, said.get("name"), said.get("description"))
            request.source_form["outputConfig.schema"] = text
        case None:
            return
        case _:
            request.extra["outputConfig"] = config


def _read_labels(request: ChatRequest, fields: FieldReader) -> None:
    request.metadata = fields.mapping("requestMetadata")
    tier = fields.take("serviceTier")
    if isinstance(tier, dict) and isinstance(tier.get("type"), str) and len(tier) == 1:
        request.service_tier = tier["type"]
    elif tier is not None:
        request.extra["serviceTier"] = tier
