"""Reads an OpenAI chat request: its settings, tools and formats; the turns are read next door."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json, OutputFormat, Reasoning, Tool, ToolChoice
from conduit_desktop.wire.openai_chat.fields import NAME, FieldReader, invalid, missing
from conduit_desktop.wire.openai_chat.messages_reader import read_cache, read_messages

_CHOICES = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
"""`any` is Mistral's word for `required`."""


def read_request(body: dict[str, Json]) -> ChatRequest:
    """A request body in neutral form; raises BadRequest naming the field that is wrong."""
    source_form: dict[str, str] = {}
    fields = FieldReader(body, "", source_form)
    request = ChatRequest(NAME, fields.need_text("model"), source_form=source_form)
    request.messages = read_messages(fields)
    request.tools = _tools(fields)
    request.tool_choice = _tool_choice(fields)
    request.output = _output(fields)
    request.reasoning = _reasoning(fields)
    request.stop = _stop(fields)
    request.max_tokens = _max_tokens(fields)
    _sampling(fields, request)
    _streaming(fields, request)
    request.user = fields.text("user")
    request.metadata = fields.mapping("metadata")
    request.service_tier = fields.text("service_tier")
    request.extra |= fields.rest
    return request


def _sampling(fields: FieldReader, request: ChatRequest) -> None:
    request.temperature = fields.number("temperature")
    request.top_p = fields.number("top_p")
    request.top_k = fields.whole("top_k")
    request.frequency_penalty = fields.number("frequency_penalty")
    request.presence_penalty = fields.number("presence_penalty")
    request.seed = fields.whole("seed")
    request.n = fields.whole("n")
    request.logprobs = fields.flag("logprobs")
    request.top_logprobs = fields.whole("top_logprobs")
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")


def _streaming(fields: FieldReader, request: ChatRequest) -> None:
    stream = fields.flag("stream")
    request.stream = bool(stream)
    if stream is False:
        fields.source_form["stream"] = "false"
    raw = fields.mapping("stream_options")
    if raw is None:
        return
    options = FieldReader(raw, "stream_options", fields.source_form)
    usage = options.flag("include_usage")
    request.include_usage = bool(usage)
    if usage is False:
        fields.source_form["stream_options.include_usage"] = "false"
    if options.rest or not usage:
        request.extra["stream_options"] = options.rest


def _stop(fields: FieldReader) -> list[str] | None:
    value = fields.take("stop")
    if value is None:
        return None
    if isinstance(value, str):
        fields.source_form["stop"] = "string"
        return [value]
    if not isinstance(value, list):
        raise invalid("stop", "a string or an array of strings", value)
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise invalid(f"stop[{index}]", "a string", item)
    return list(value)


def _max_tokens(fields: FieldReader) -> int | None:
    """`max_completion_tokens`, or its older source_form; who says both means the newer."""
    newer = fields.whole("max_completion_tokens")
    if newer is not None:
        fields.source_form["max_tokens"] = "max_completion_tokens"
        return newer
    older = fields.whole("max_tokens")
    if older is not None:
        fields.source_form["max_tokens"] = "max_tokens"
    return older


def _tools(fields: FieldReader) -> list[Tool]:
    raw = fields.array("tools")
    if raw == []:
        fields.source_form["tools"] = "list"
    return [_tool(FieldReader(value, f"tools[{index}]", fields.source_form)) for index, value in enumerate(raw or [])]


def _tool(fields: FieldReader) -> Tool:
    kind = fields.text("type")
    if kind == "custom":
        inner = fields.inner("custom")
        tool = Tool(inner.need_text("name"), inner.text("description"), kind="custom", type=kind, cache=read_cache(fields))
    elif kind == "function" or (kind is None and "function" in fields.rest):
        inner = fields.inner("function")
        tool = Tool(inner.need_text("name"), inner.text("description"), inner.mapping("parameters"), type=kind)
        tool.strict = inner.flag("strict")
        tool.cache = read_cache(fields)
    else:
        name = fields.rest.get("name")
        kind = kind or fields.need_text("type")
        return Tool(name if isinstance(name, str) else kind, kind="hosted", type=kind, extra=fields.rest)
    tool.extra = {**fields.rest, **({tool.kind: inner.rest} if inner.rest else {})}
    return tool


def _tool_choice(fields: FieldReader) -> ToolChoice | None:
    value = fields.take("tool_choice")
    if value is None:
        return None
    if isinstance(value, str):
        if value not in _CHOICES:
            raise invalid("tool_choice", "'auto', 'none', 'required' or an object", value)
        if value == "any":
            fields.source_form["tool_choice"] = "any"
        return ToolChoice(_CHOICES[value])  # type: ignore[arg-type]  # the table's values are the modes
    match value:
        case {"function": {"name": str(name), **more_inner}, **more} if not more_inner and more in ({}, {"type": "function"}):
            if not more:
                fields.source_form["tool_choice.type"] = "absent"
            return ToolChoice("tool", name)
        case {"type": "custom", "custom": {"name": str(name)}}:
            return ToolChoice("tool", name)
        case {"type": "allowed_tools", "allowed_tools": {"mode": "required"}}:
            return ToolChoice("required", extra=value)
        case {"type": "function"}:
            raise invalid("tool_choice.function.name", "a string", None)
        case {"type": str()}:
            return ToolChoice("auto", extra=value)
        case dict():
            raise missing("tool_choice.type")
    raise invalid("tool_choice", "a string or an object", value)


def _output(fields: FieldReader) -> OutputFormat | None:
    raw = fields.mapping("response_format")
    if raw is None:
        return None
    inner = FieldReader(raw, "response_format", fields.source_form)
    kind = inner.need_text("type")
    if kind in ("text", "json_object"):
        return OutputFormat("text" if kind == "text" else "json", extra=inner.rest)
    if kind != "json_schema":
        fields.rest["response_format"] = raw
        return None
    schema = inner.inner("json_schema")
    output = OutputFormat(
        "schema", schema.mapping("schema"), schema.text("name"), schema.text("description"), schema.flag("strict")
    )
    output.extra = {**inner.rest, **({"json_schema": schema.rest} if schema.rest else {})}
    return output


def _reasoning(fields: FieldReader) -> Reasoning | None:
    """`reasoning_effort`, or OpenRouter's `reasoning` object."""
    effort = fields.text("reasoning_effort")
    raw = fields.rest.get("reasoning")
    if effort is not None or not isinstance(raw, dict):
        return Reasoning(effort) if effort is not None else None
    inner = FieldReader(fields.rest.pop("reasoning"), "reasoning", fields.source_form)
    fields.source_form["reasoning"] = "object"
    reasoning = Reasoning(inner.text("effort"), inner.whole("max_tokens"), summary=inner.text("summary"))
    enabled = inner.rest.get("enabled")
    if isinstance(enabled, bool):
        reasoning.mode = "enabled" if enabled else "disabled"
        del inner.rest["enabled"]
    reasoning.extra = inner.rest
    return reasoning
