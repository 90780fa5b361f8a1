"""Reads a Responses request: its settings, tools and output format; `messages_reader` reads the items."""

from __future__ import annotations

from typing import Any, cast

from conduit_desktop.core.chat import ChatRequest, Json, Message, OutputFormat, Reasoning, Text, Tool, ToolChoice
from conduit_desktop.wire.json_fields import FieldReader, SourceForm
from conduit_desktop.wire.openai_chat.fields import read_schema, read_stream
from conduit_desktop.wire.openai_responses.fields import NAME, is_applied_here, note_json
from conduit_desktop.wire.openai_responses.messages_reader import ItemReader
from conduit_desktop.wire.openai_responses.tool_names import FlatToolNames

_Rest = dict[str, Json]

INSTEAD_OF_INPUT = ("previous_response_id", "prompt", "conversation")
"""Any of these may stand for `input`."""


def read_request(body: dict[str, Json]) -> ChatRequest:
    """A request body in neutral form; raises BadRequest naming the field that is wrong."""
    source_form: SourceForm = {}
    fields = FieldReader(body, "", source_form)
    request = ChatRequest(NAME, fields.required_string("model"), source_form=source_form)
    # Before the tools and the items: the names outside all namespaces decide how the others may be flattened.
    names = FlatToolNames(source_form, _plain_names(fields.rest.get("tools")))
    request.tools = _tools(fields, names)
    request.messages = [*_instructions(fields), *_input(fields, names)]
    request.tool_choice = _tool_choice(fields, names)
    _text(fields, request)
    request.reasoning = _reasoning(fields)
    request.max_tokens = fields.integer("max_output_tokens")
    request.temperature = fields.number("temperature")
    request.top_p = fields.number("top_p")
    request.top_logprobs = fields.integer("top_logprobs")
    request.parallel_tool_calls = fields.boolean("parallel_tool_calls")
    request.stream = read_stream(fields)
    request.user = fields.string("user")
    request.metadata = fields.mapping("metadata")
    request.service_tier = fields.string("service_tier")
    _rest(fields, request)
    return request


def _rest(fields: FieldReader, request: ChatRequest) -> None:
    """Unknown fields go to `extra`; those that the gateway applies itself are noted for this dialect's writer alone."""
    applied = {name: value for name, value in fields.rest.items() if is_applied_here(name, value)}
    if applied:
        note_json(fields.source_form, "applied_here", applied)
    request.extra |= {name: value for name, value in fields.rest.items() if name not in applied}


def _instructions(fields: FieldReader) -> list[Message]:
    if not isinstance(fields.rest.get("instructions"), (str, type(None))):
        return []  # a list of items, as answers echo it
    text = fields.filled_string("instructions")
    if text is None:
        return []
    fields.note("instructions", "top")
    return [Message("system", [Text(text)], plain=True)]


def _input(fields: FieldReader, names: FlatToolNames) -> list[Message]:
    if fields.rest.get("input") is None:
        if not any(fields.rest.get(name) for name in INSTEAD_OF_INPUT):
            raise fields.missing("input")
        fields.take("input")
        fields.note_absent("input")
        return []
    value = fields.rest.pop("input")
    if isinstance(value, str):
        fields.note("input", "string")
        return [Message("user", [Text(value)] if value else [], plain=True)]
    if not isinstance(value, list):
        raise fields.invalid("input", "a string or an array of items", value)
    return ItemReader(fields.source_form, names).read(value)


def _plain_names(tools: Json) -> frozenset[str]:
    entries = tools if isinstance(tools, list) else []
    names = (entry.get("name") for entry in entries if isinstance(entry, dict) and entry.get("type") != "namespace")
    return frozenset(name for name in names if isinstance(name, str))


def _tools(fields: FieldReader, names: FlatToolNames) -> list[Tool]:
    tools: list[Tool] = []
    for entry in fields.children("tools"):
        if entry.rest.get("type") == "namespace" and isinstance(entry.rest.get("tools"), list):
            tools += _namespace(entry, names)
        else:
            tools.append(_tool(entry))
    return tools


def _namespace(entry: FieldReader, names: FlatToolNames) -> list[Tool]:
    """The tools of a namespace, under flat names; the namespace's own fields are noted at its path."""
    tools = [_tool(tool) for tool in entry.children("tools")]
    note_json(entry.source_form, entry.path, {"namespace": entry.rest, "count": len(tools)})
    for tool in tools:
        # A hosted tool is known by its type, and its vendor expects its fields unchanged.
        if tool.kind != "hosted":
            tool.name = names.flatten(entry.rest.get("name"), tool.name)
    return tools


def _tool(fields: FieldReader) -> Tool:
    kind = fields.required_string("type")
    if kind == "function":
        tool = Tool(fields.required_string("name"), fields.string("description"), fields.mapping("parameters"))
        tool.strict = fields.boolean("strict")
    elif kind == "custom":
        tool = Tool(fields.required_string("name"), fields.string("description"), kind="custom", type=kind)
    else:
        name = fields.rest.get("name")
        return Tool(name if isinstance(name, str) else kind, kind="hosted", type=kind, extra=fields.rest)
    tool.extra = fields.rest
    return tool


def _tool_choice(fields: FieldReader, names: FlatToolNames) -> ToolChoice | None:
    value: Any = fields.take("tool_choice")
    match value:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(value)
        case {"type": "function" | "custom" as kind, "name": str(name), **rest}:
            fields.note("tool_choice.type", kind)
            namespace = rest.pop("namespace") if isinstance(rest.get("namespace"), str) else None
            return ToolChoice("tool", names.flatten(namespace, name), extra=cast(_Rest, rest))
        # The mode is read as well; the list of tools is applied by `wire/allowed_tools.py`.
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, **rest} if rest:
            return ToolChoice(mode, extra=cast(_Rest, rest))
        case {"type": str()}:
            return ToolChoice("auto", extra=value)
        case dict():
            raise fields.missing("tool_choice.type")
    raise fields.invalid("tool_choice", "'auto', 'none', 'required' or an object", value)


def _text(fields: FieldReader, request: ChatRequest) -> None:
    """`text`: the output format, and other settings (`verbosity`)."""
    text = fields.child("text")
    if text is None:
        return
    fields.note("text", "object")
    form = text.child("format")
    request.output = _output(form) if form is not None else None
    if form is not None and request.output is None:
        # A kind of format that is not known is left for OpenAI to judge.
        request.extra["text.format"] = form.raw
    request.extra |= {f"text.{name}": value for name, value in text.rest.items()}


def _output(form: FieldReader) -> OutputFormat | None:
    kind = form.required_string("type")
    if kind in ("text", "json_object"):
        return OutputFormat("text" if kind == "text" else "json", extra=form.rest)
    if kind != "json_schema":
        return None
    output = read_schema(form)
    output.extra = form.rest
    return output


def _reasoning(fields: FieldReader) -> Reasoning | None:
    inner = fields.child("reasoning")
    if inner is None:
        return None
    return Reasoning(inner.string("effort"), summary=inner.string("summary"), extra=inner.rest)
