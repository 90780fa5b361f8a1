"""Reads an OpenAI chat request: its settings, tools and output format; `messages_reader` reads the messages."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json, OutputFormat, Reasoning, Tool, ToolChoice
from conduit_desktop.wire.json_fields import FieldReader, SourceForm
from conduit_desktop.wire.openai_chat.fields import NAME, read_cache, read_schema, read_stream
from conduit_desktop.wire.openai_chat.messages_reader import read_messages

_CHOICES = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
"""Mistral writes `any` for `required`: https://docs.mistral.ai/capabilities/function_calling"""


def read_request(body: dict[str, Json]) -> ChatRequest:
    """A request body in neutral form; raises BadRequest naming the field that is wrong."""
    source_form: SourceForm = {}
    fields = FieldReader(body, "", source_form)
    request = ChatRequest(NAME, fields.required_string("model"), source_form=source_form)
    request.messages = read_messages(fields)
    request.tools = _tools(fields)
    by_function = source_form.get("tools") == "functions" and "tool_choice" not in body
    request.tool_choice = _function_choice(fields) if by_function else _tool_choice(fields)
    request.output = _output(fields)
    request.reasoning = _reasoning(fields)
    request.stop = _stop(fields)
    request.max_tokens = _max_tokens(fields)
    _sampling(fields, request)
    _streaming(fields, request)
    request.user = fields.string("user")
    request.metadata = fields.mapping("metadata")
    request.service_tier = fields.string("service_tier")
    request.extra |= fields.rest
    return request


def _sampling(fields: FieldReader, request: ChatRequest) -> None:
    request.temperature = fields.number("temperature")
    request.top_p = fields.number("top_p")
    request.top_k = fields.integer("top_k")
    request.frequency_penalty = fields.number("frequency_penalty")
    request.presence_penalty = fields.number("presence_penalty")
    request.seed = fields.integer("seed")
    request.n = fields.integer("n")
    request.logprobs = fields.boolean("logprobs")
    request.top_logprobs = fields.integer("top_logprobs")
    request.parallel_tool_calls = fields.boolean("parallel_tool_calls")


def _streaming(fields: FieldReader, request: ChatRequest) -> None:
    request.stream = read_stream(fields)
    options = fields.child("stream_options")
    if options is None:
        return
    usage = options.boolean("include_usage")
    request.include_usage = bool(usage)
    if usage is False:
        options.note("include_usage", "false")
    # Kept even if empty, so that the written request has the object again.
    if options.rest or not usage:
        request.extra["stream_options"] = options.rest


def _stop(fields: FieldReader) -> list[str] | None:
    value = fields.take("stop")
    if value is None:
        return None
    if isinstance(value, str):
        fields.note("stop", "string")
        return [value]
    if not isinstance(value, list):
        raise fields.invalid("stop", "a string or an array of strings", value)
    # Put back for `strings`, which names the element that is wrong by its path.
    fields.rest["stop"] = value
    return fields.strings("stop")


def _max_tokens(fields: FieldReader) -> int | None:
    """`max_completion_tokens`, or the older `max_tokens`; the newer one counts where both are there."""
    newer = fields.integer("max_completion_tokens")
    if newer is not None:
        fields.note("max_tokens", "max_completion_tokens")
        return newer
    older = fields.integer("max_tokens")
    if older is not None:
        fields.note("max_tokens", "max_tokens")
    return older


def _tools(fields: FieldReader) -> list[Tool]:
    # With `tools`, the older field is left for the vendor to judge.
    if isinstance(fields.rest.get("functions"), list) and not fields.raw.get("tools"):
        functions = fields.children("functions")
        if functions:
            fields.note("tools", "functions")
        return [_function(inner) for inner in functions]
    return [_tool(tool) for tool in fields.children("tools")]


def _function(fields: FieldReader) -> Tool:
    """A tool in the form before `tools`: what is below `function` in a tool stands alone."""
    tool = Tool(fields.required_string("name"), fields.string("description"), fields.mapping("parameters"))
    tool.extra = fields.rest
    return tool


def _tool(fields: FieldReader) -> Tool:
    kind = fields.string("type")
    if kind == "custom":
        inner = fields.required_child("custom")
        tool = Tool(inner.required_string("name"), inner.string("description"), kind="custom", type=kind, cache=read_cache(fields))
    elif kind == "function" or (kind is None and "function" in fields.rest):
        inner = fields.required_child("function")
        tool = Tool(inner.required_string("name"), inner.string("description"), inner.mapping("parameters"), type=kind)
        tool.strict = inner.boolean("strict")
        tool.cache = read_cache(fields)
    else:
        name = fields.rest.get("name")
        kind = kind or fields.required_string("type")
        return Tool(name if isinstance(name, str) else kind, kind="hosted", type=kind, extra=fields.rest)
    tool.extra = fields.rest_with(inner)
    return tool


def _tool_choice(fields: FieldReader) -> ToolChoice | None:
    value = fields.take("tool_choice")
    if value is None:
        return None
    if isinstance(value, str):
        if value not in _CHOICES:
            raise fields.invalid("tool_choice", "'auto', 'none', 'required' or an object", value)
        if value == "any":
            fields.note("tool_choice", "any")
        return ToolChoice(_CHOICES[value])  # type: ignore[arg-type]  # the table's values are the modes
    match value:
        case {"function": {"name": str(name), **more_inner}, **more} if not more_inner and more in ({}, {"type": "function"}):
            if not more:
                fields.note("tool_choice.type", "absent")
            return ToolChoice("tool", name)
        case {"type": "custom", "custom": {"name": str(name)}}:
            return ToolChoice("tool", name)
        # The mode is read as well; the list of tools is applied by `wire/allowed_tools.py`.
        case {"type": "allowed_tools", "allowed_tools": {"mode": "required"}}:
            return ToolChoice("required", extra=value)
        case {"type": "function"}:
            raise fields.invalid("tool_choice.function.name", "a string", None)
        case {"type": str()}:
            return ToolChoice("auto", extra=value)
        case dict():
            raise fields.missing("tool_choice.type")
    raise fields.invalid("tool_choice", "a string or an object", value)


def _function_choice(fields: FieldReader) -> ToolChoice | None:
    """`function_call`: "none", "auto" or the name of a function."""
    match fields.rest.get("function_call"):
        case "none" | "auto" as mode:
            choice = ToolChoice("none" if mode == "none" else "auto")
        case {"name": str(name), **more} if not more:
            choice = ToolChoice("tool", name)
        case _:
            return None  # stays an unknown field
    del fields.rest["function_call"]
    fields.note("tool_choice", "function_call")
    return choice


def _output(fields: FieldReader) -> OutputFormat | None:
    inner = fields.child("response_format")
    if inner is None:
        return None
    kind = inner.required_string("type")
    if kind in ("text", "json_object"):
        return OutputFormat("text" if kind == "text" else "json", extra=inner.rest)
    if kind != "json_schema":
        # A vendor's own kind of format is left for that vendor to judge.
        fields.rest["response_format"] = inner.raw
        return None
    schema = inner.required_child("json_schema")
    output = read_schema(schema)
    output.extra = inner.rest_with(schema)
    return output


def _reasoning(fields: FieldReader) -> Reasoning | None:
    """`reasoning_effort`, or OpenRouter's `reasoning` object."""
    effort = fields.string("reasoning_effort")
    if effort is not None:
        return Reasoning(effort)
    # Any other type of `reasoning` is not OpenRouter's and stays an unknown field.
    inner = fields.child("reasoning") if isinstance(fields.rest.get("reasoning"), dict) else None
    if inner is None:
        return None
    fields.note("reasoning", "object")
    reasoning = Reasoning(inner.string("effort"), inner.integer("max_tokens"), summary=inner.string("summary"))
    enabled = inner.rest.get("enabled")
    if isinstance(enabled, bool):
        reasoning.mode = "enabled" if enabled else "disabled"
        del inner.rest["enabled"]
    reasoning.extra = inner.rest
    return reasoning
