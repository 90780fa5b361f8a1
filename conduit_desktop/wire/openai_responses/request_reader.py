"""Reads a Responses request: its settings, tools and formats; the items are read next door."""

from __future__ import annotations

from typing import Any, cast

from conduit_desktop.core.chat import ChatRequest, Json, Message, OutputFormat, Reasoning, Text, Tool, ToolChoice
from conduit_desktop.wire.openai_chat.fields import FieldReader, invalid, missing
from conduit_desktop.wire.openai_responses.fields import NAME, honoured, remember
from conduit_desktop.wire.openai_responses.messages_reader import ItemReader
from conduit_desktop.wire.openai_responses.tool_names import FlatToolNames

_Rest = dict[str, Json]

INSTEAD_OF_INPUT = ("previous_response_id", "prompt", "conversation")
"""Any of these may stand for `input`."""


def read_request(body: dict[str, Json]) -> ChatRequest:
    """A request body in neutral form; raises BadRequest naming the field that is wrong."""
    source_form: dict[str, str] = {}
    fields = FieldReader(body, "", source_form)
    request = ChatRequest(NAME, fields.need_text("model"), source_form=source_form)
    names = FlatToolNames(source_form, _plain_names(fields.rest.get("tools")))
    request.tools = _tools(fields, names)
    request.messages = [*_instructions(fields), *_input(fields, names)]
    request.tool_choice = _tool_choice(fields, names)
    _text(fields, request)
    request.reasoning = _reasoning(fields)
    request.max_tokens = fields.whole("max_output_tokens")
    request.temperature = fields.number("temperature")
    request.top_p = fields.number("top_p")
    request.top_logprobs = fields.whole("top_logprobs")
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")
    stream = fields.flag("stream")
    request.stream = bool(stream)
    if stream is False:
        source_form["stream"] = "false"
    request.user = fields.text("user")
    request.metadata = fields.mapping("metadata")
    request.service_tier = fields.text("service_tier")
    _rest(fields, request)
    return request


def _rest(fields: FieldReader, request: ChatRequest) -> None:
    """Unknown fields, and those that are granted to everybody: only their own writer need know of the latter."""
    granted = {name: value for name, value in fields.rest.items() if honoured(name, value)}
    if granted:
        remember(fields.source_form, "granted", granted)
    request.extra |= {name: value for name, value in fields.rest.items() if name not in granted}


def _instructions(fields: FieldReader) -> list[Message]:
    if not isinstance(fields.rest.get("instructions"), (str, type(None))):
        return []  # a list of items, as answers echo it
    text = fields.text("instructions")
    if text == "":
        fields.source_form["instructions"] = "empty"
    if not text:
        return []
    fields.source_form["instructions"] = "top"
    return [Message("system", [Text(text)], plain=True)]


def _input(fields: FieldReader, names: FlatToolNames) -> list[Message]:
    if fields.rest.get("input") is None:
        if not any(fields.rest.get(name) for name in INSTEAD_OF_INPUT):
            raise missing("input")
        fields.source_form["input"] = "null" if "input" in fields.rest else "absent"
        fields.rest.pop("input", None)
        return []
    value = fields.rest.pop("input")
    if isinstance(value, str):
        fields.source_form["input"] = "string"
        return [Message("user", [Text(value)] if value else [], plain=True)]
    if not isinstance(value, list):
        raise invalid("input", "a string or an array of items", value)
    return ItemReader(fields.source_form, names).read(value)


def _plain_names(tools: Json) -> frozenset[str]:
    entries = tools if isinstance(tools, list) else []
    names = (entry.get("name") for entry in entries if isinstance(entry, dict) and entry.get("type") != "namespace")
    return frozenset(name for name in names if isinstance(name, str))


def _tools(fields: FieldReader, names: FlatToolNames) -> list[Tool]:
    raw = fields.array("tools")
    if raw == []:
        fields.source_form["tools"] = "list"
    tools: list[Tool] = []
    for index, value in enumerate(raw or []):
        entry = FieldReader(value, f"tools[{index}]", fields.source_form)
        if entry.rest.get("type") == "namespace" and isinstance(entry.rest.get("tools"), list):
            tools += _namespace(entry, names)
        else:
            tools.append(_tool(entry))
    return tools


def _namespace(entry: FieldReader, names: FlatToolNames) -> list[Tool]:
    """The tools of a namespace, under flat names; what the namespace says of itself stands with its place."""
    inner = entry.rest.pop("tools")
    tools = [_tool(FieldReader(value, f"{entry.path}.tools[{index}]", entry.source_form)) for index, value in enumerate(inner)]
    remember(entry.source_form, entry.path, {"namespace": entry.rest, "count": len(tools)})
    for tool in tools:
        if tool.kind != "hosted":
            tool.name = names.flatten(entry.rest.get("name"), tool.name)
    return tools


def _tool(fields: FieldReader) -> Tool:
    kind = fields.need_text("type")
    if kind == "function":
        tool = Tool(fields.need_text("name"), fields.text("description"), fields.mapping("parameters"))
        tool.strict = fields.flag("strict")
    elif kind == "custom":
        tool = Tool(fields.need_text("name"), fields.text("description"), kind="custom", type=kind)
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
            fields.source_form["tool_choice.type"] = kind
            namespace = rest.pop("namespace") if isinstance(rest.get("namespace"), str) else None
            return ToolChoice("tool", names.flatten(namespace, name), extra=cast(_Rest, rest))
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, **rest} if rest:
            return ToolChoice(mode, extra=cast(_Rest, rest))
        case {"type": str()}:
            return ToolChoice("auto", extra=value)
        case dict():
            raise missing("tool_choice.type")
    raise invalid("tool_choice", "'auto', 'none', 'required' or an object", value)


def _text(fields: FieldReader, request: ChatRequest) -> None:
    """`text`: the output format, and what else it says (verbosity)."""
    raw = fields.mapping("text")
    if raw is None:
        return
    text = FieldReader(raw, "text", fields.source_form)
    fields.source_form["text"] = "object"
    form = text.mapping("format")
    request.output = _output(FieldReader(form, "text.format", fields.source_form)) if form is not None else None
    if form is not None and request.output is None:
        request.extra["text.format"] = form
    request.extra |= {f"text.{name}": value for name, value in text.rest.items()}


def _output(form: FieldReader) -> OutputFormat | None:
    kind = form.need_text("type")
    if kind in ("text", "json_object"):
        return OutputFormat("text" if kind == "text" else "json", extra=form.rest)
    if kind != "json_schema":
        return None
    output = OutputFormat("schema", form.mapping("schema"), form.text("name"), form.text("description"), form.flag("strict"))
    output.extra = form.rest
    return output


def _reasoning(fields: FieldReader) -> Reasoning | None:
    raw = fields.mapping("reasoning")
    if raw is None:
        return None
    inner = FieldReader(raw, "reasoning", fields.source_form)
    return Reasoning(inner.text("effort"), summary=inner.text("summary"), extra=inner.rest)
