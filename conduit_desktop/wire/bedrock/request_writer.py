"""Writes a chat request for Bedrock's Converse API, and names what that cannot express."""

from __future__ import annotations

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Message, OutputFormat, Text, Tool, ToolCall, ToolResult
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire import WrittenRequest, custom_tools
from conduit_desktop.wire.bedrock.messages_reader import NAME
from conduit_desktop.wire.bedrock.messages_writer import BedrockPartWriter, Block, cache_point
from conduit_desktop.wire.bedrock.model_fields import model_fields
from conduit_desktop.wire.closed_schemas import closed, is_recursive, tool_schema
from conduit_desktop.wire.json_fields import restore_source_form
from conduit_desktop.wire.json_instruction import json_instruction

_SAMPLING = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"}
_UNSUPPORTED = ("user", "seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs")
_TIERS = frozenset({"priority", "default", "flex", "reserved"})
MAX_CACHE_POINTS = 4
"""https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html"""
MAX_DOCUMENTS = 5
MAX_IMAGES = 20
"""The most documents and images of a message. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html"""
_FILLER = "."
"""The text where the API requires one and the request has none."""


def write_request(request: ChatRequest, model: str) -> WrittenRequest:
    """The body. `model` is in the URL, and decides which further fields are written."""
    # Converse's `context` and `citations` of a document are Claude's, and no other dialect has them.
    cites = request.dialect == "anthropic_messages" and "anthropic.claude" in model
    parts = BedrockPartWriter(request.dialect == NAME, request.source_form, cites)
    body = _own(request, parts) if parts.own else _foreign(request, parts, model)
    return WrittenRequest(body, list(parts.dropped))


def _own(request: ChatRequest, parts: BedrockPartWriter) -> Block:
    """The request as it was read."""
    messages = request.messages
    body: Block = {}
    if request.source_form.get("system") == "present":
        body["system"] = parts.content(messages[0].parts, "system")
        messages = messages[1:]
    body["messages"] = [
        {"role": message.role, "content": parts.content(message.parts, f"messages[{index}].content"), **message.extra}
        for index, message in enumerate(messages)
    ]
    extra = dict(request.extra)
    if request.tools or request.tool_choice or "toolConfig.tools" in request.source_form or "toolConfig" in extra:
        body["toolConfig"] = {**_tools(request, parts), **extra.pop("toolConfig", {})}
    if "inferenceConfig" in extra:
        body["inferenceConfig"] = {**_sampling(request), **extra.pop("inferenceConfig")}
    if request.output is not None:
        body["outputConfig"] = _format(request.output, request.source_form["outputConfig.schema"])
    if request.metadata is not None:
        body["requestMetadata"] = request.metadata
    if request.service_tier is not None:
        body["serviceTier"] = {"type": request.service_tier}
    body.update(extra)
    restore_source_form(body, request.source_form)
    return body


def _sampling(request: ChatRequest) -> Block:
    return {name: value for field, name in _SAMPLING.items() if (value := getattr(request, field)) is not None}


def _tools(request: ChatRequest, parts: BedrockPartWriter) -> Block:
    written: list[Json] = []
    for tool in request.tools:
        if (definition := _tool(tool, parts)) is not None:
            written.append(definition)
            if tool.cache is not None:
                written.append(cache_point(tool.cache))
    choice = request.tool_choice
    if not parts.own and choice is not None and choice.mode == "none" and not _called(request.messages):
        # Converse has no choice `none`: without tools none is called. With calls in the history there must be tools.
        return {}
    config: Block = {"tools": written} if written else {}
    if choice is not None and choice.mode != "none" and (written or parts.own):
        mode = {"auto": "auto", "required": "any", "tool": "tool"}[choice.mode]
        config["toolChoice"] = {mode: {"name": choice.name} if choice.mode == "tool" else {}}
        if not parts.own:
            parts.drop(*(f"tool_choice.{name}" for name in choice.extra))
    # Converse has no choice `none`, so that one is lost even where the tools are written.
    elif choice is not None and (choice.mode == "none" or choice.demands):
        parts.drop("tool_choice")
    return config


def _tool(tool: Tool, parts: BedrockPartWriter) -> Json:
    if tool.kind == "hosted":
        if parts.own:
            return tool.extra
        parts.drop(f"tools[{tool.type or tool.name}]")
        return None
    spec: Block = {"name": tool.name}
    description = custom_tools.described(tool)
    # Converse refuses an empty description, which other dialects allow.
    if description or (parts.own and description is not None):
        spec["description"] = description
    schema = custom_tools.schema() if tool.kind == "custom" else tool.schema
    if not parts.own:
        schema = tool_schema(schema or {})  # other vendors allow a function without one
        parts.drop(*(f"tools.{name}" for name in tool.extra))
    if schema is not None:
        spec["inputSchema"] = {"json": schema}
    # False is the default, so it is written only where the client wrote it.
    if tool.strict is not None and (tool.strict or parts.own):
        spec["strict"] = tool.strict
    if tool.strict and not parts.own and schema is not None:
        if is_recursive(schema):
            del spec["strict"]
            parts.drop("tools.strict")
        else:
            spec["inputSchema"] = {"json": closed(schema)}
    return {"toolSpec": {**spec, **(tool.extra if parts.own else {})}}


def _format(output: OutputFormat, schema: str) -> Block:
    fields = {"schema": schema, "name": output.name, "description": output.description}
    present = {name: value for name, value in fields.items() if value is not None}
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": present}}}


def _foreign(request: ChatRequest, parts: BedrockPartWriter, model: str) -> Block:
    """A request of another dialect by Converse's rules."""
    body: Block = {"messages": _turns(request.messages, parts)}
    system = [part for message in request.messages if message.role in ("system", "developer") for part in message.parts]
    parts.drop(*(f"system.{type(part).__name__.lower()}" for part in system if not isinstance(part, Text)))
    if blocks := parts.content(part for part in system if isinstance(part, Text)):
        body["system"] = blocks
    config = _tools(request, parts)
    if "tools" not in config and (names := _called(request.messages)):
        # "The toolConfig field must be defined when using toolUse and toolResult content blocks." vxcontrol/pentagi#196
        config = {"tools": [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in names]}
    if config:
        body["toolConfig"] = config
    sampling = _sampling(request)
    # The range of most models here ends at 1, OpenAI's at 2.
    if (request.temperature or 0) > 1:
        sampling["temperature"] = 1.0
        parts.drop("temperature>1")
    # Converse refuses an empty stop sequence.
    if "" in (request.stop or ()):
        sampling["stopSequences"] = [text for text in request.stop or () if text]
        parts.drop("stop")
    if sampling:
        body["inferenceConfig"] = sampling
    _write_format(body, request.output, parts)
    _write_metadata(body, request, parts)
    _drop_unsupported(request, parts)
    if fields := model_fields(request, model, parts.drop):
        body["additionalModelRequestFields"] = fields
    _limit_cache_points(body, parts)
    return body


def _called(messages: list[Message]) -> list[str]:
    names = [part.name for message in messages for part in message.parts if isinstance(part, ToolCall)]
    if not names and any(isinstance(part, ToolResult) for message in messages for part in message.parts):
        # A result without its call names no function, and the API only asks that there is a tool.
        names = ["tool"]
    return list(dict.fromkeys(names))


def _turns(messages: list[Message], parts: BedrockPartWriter) -> list[Json]:
    """The turns as `wire/turns.py` has arranged them: they alternate, the user begins, results come first in their turn."""
    turns: list[Json] = []
    for message in messages:
        if message.name is not None:
            parts.drop("messages.name")
        parts.drop(*(f"messages.{name}" for name, value in message.extra.items() if value is not None))
        if message.role not in ("system", "developer"):
            role = "assistant" if message.role == "assistant" else "user"
            turns.append({"role": role, "content": _ordered(role, parts.content(message.parts))})
    return turns


def _ordered(role: str, content: list[Block]) -> list[Block]:
    """What failed results leave behind them after all results, and a text where there is only a document, or nothing.

    Raises BadRequest where there are more files than Converse takes.
    """
    if role == "user":
        results: list[Block] = []
        others: list[Block] = []
        target = others
        for block in content:
            if "cachePoint" not in block:  # a cache point stays after its block
                target = results if "toolResult" in block else others
            target.append(block)
        content = results + others
    for name, most in (("document", MAX_DOCUMENTS), ("image", MAX_IMAGES)):
        if sum(name in block for block in content) > most:
            raise BadRequest(f"messages: Bedrock takes at most {most} {name}s in a message", param="messages")
    # Converse requires a text besides a document, and takes no empty content.
    if not content or (any("document" in block for block in content) and not any("text" in block for block in content)):
        content = [*content, {"text": _FILLER}]
    return content


def _limit_cache_points(body: Block, parts: BedrockPartWriter) -> None:
    """Keep four cache points, the first and the last three, and shorten a lifetime that would follow on a shorter one.

    The first is that of the stable beginning, and the last ones those of the turns to come.
    """
    places = [body.get("toolConfig", {}).get("tools", []), body.get("system", []), *(turn["content"] for turn in body["messages"])]
    points = [(blocks, block) for blocks in places for block in blocks if "cachePoint" in block]
    if len(points) > MAX_CACHE_POINTS:
        for blocks, point in points[1 : 1 - MAX_CACHE_POINTS]:
            blocks[:] = [block for block in blocks if block is not point]
        points = [points[0], *points[1 - MAX_CACHE_POINTS :]]
        parts.drop("cache_control")
    short = False
    for _, block in points:
        if block["cachePoint"].get("ttl") != "1h":
            short = True
        elif short:
            block["cachePoint"] = {"type": "default"}
            parts.drop("cache_control.ttl")


def _write_format(body: Block, requested: OutputFormat | None, parts: BedrockPartWriter) -> None:
    if requested is not None and requested.kind != "text" and (requested.schema is None or is_recursive(requested.schema)):
        parts.drop("response_format")
        body["system"] = [*body.get("system", ()), {"text": json_instruction(requested.schema, requested.description)}]
        return
    output = parts.with_schema(requested)
    if output is None or output.schema is None:
        return
    # Other dialects may leave the schema without a name.
    schema = OutputFormat("schema", None, output.name or "answer", output.description)
    body["outputConfig"] = _format(schema, orjson.dumps(closed(output.schema)).decode())


def _write_metadata(body: Block, request: ChatRequest, parts: BedrockPartWriter) -> None:
    if request.metadata is not None:
        # Bedrock's metadata holds texts that are not empty; other dialects allow any value.
        texts = {name: value for name, value in request.metadata.items() if isinstance(value, str) and value}
        parts.drop(*(f"metadata.{name}" for name in request.metadata if name not in texts))
        if texts:
            body["requestMetadata"] = texts
    if request.service_tier in _TIERS:
        body["serviceTier"] = {"type": request.service_tier}
    elif request.service_tier not in (None, "auto"):
        parts.drop("service_tier")


def _drop_unsupported(request: ChatRequest, parts: BedrockPartWriter) -> None:
    parts.drop(*(name for name in _UNSUPPORTED if getattr(request, name) not in (None, False)))
    if request.n is not None and request.n > 1:
        parts.drop("n")
    if request.parallel_tool_calls is False:
        parts.drop("parallel_tool_calls")
    parts.drop(*(name for name, value in request.extra.items() if value is not None))
