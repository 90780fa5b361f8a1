"""Reads request bodies of `generateContent` into the neutral request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import ChatRequest, Message, Text, Tool, ToolChoice
from conduit_desktop.wire.gemini.field_names import NAME, Fields, as_list, normalise, note, note_name, note_value
from conduit_desktop.wire.gemini.generation_config import read_config
from conduit_desktop.wire.gemini.messages_reader import ContentReader
from conduit_desktop.wire.gemini.schema import to_json_schema
from conduit_desktop.wire.json_fields import GOOGLE_STYLE, FieldReader, SourceForm

_MODES = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
_MODE_NUMBERS = {1: "AUTO", 2: "ANY", 3: "NONE", 4: "VALIDATED"}


def read_request(body: Fields, path: Mapping[str, Any]) -> ChatRequest:
    """`body` as a neutral request; raises BadRequest with the field's path. `path` holds `model` and `stream` of the URL.

    Function calls without an id get one made from their position, so that results find them; `source_form` notes it.
    """
    source_form: SourceForm = {}
    fields = FieldReader(normalise(body, source_form), "", source_form, GOOGLE_STYLE)
    model = fields.rest.pop("model", None)
    request = ChatRequest(NAME, str(path.get("model") or model or ""), include_usage=True, source_form=source_form)
    request.stream = bool(path.get("stream", False))
    if model is not None:
        note_value(source_form, "model", model)
    if "systemInstruction" in fields.rest:
        source_form["system"] = "top"
        request.messages.append(_system(fields))
    request.messages += _contents(fields)
    _read_tools(request, fields)
    _read_choice(request, fields)
    read_config(request, fields)
    tier = fields.take("serviceTier")
    if isinstance(tier, str):
        request.service_tier = tier
    elif tier is not None:
        note_value(source_form, "serviceTier", tier)
    request.extra |= fields.rest
    return request


def _contents(fields: FieldReader) -> list[Message]:
    contents = fields.take("contents")
    if not contents:
        raise fields.missing("contents")
    reader = ContentReader(fields.source_form)
    return [
        reader.message(content, f"contents.{index}")
        for index, content in enumerate(as_list(contents, fields.source_form, "contents"))
    ]


def _system(fields: FieldReader) -> Message:
    """The instructions as the first message; its role, which Google ignores, is noted."""
    source_form = fields.source_form
    value = fields.rest.get("systemInstruction")
    if isinstance(value, str):
        note_value(source_form, "systemInstruction", fields.take("systemInstruction"))
        return Message("system", [Text(value)], plain=True)
    inner = FieldReader(fields.take("systemInstruction"), "systemInstruction", source_form, GOOGLE_STYLE, "a Content")
    # Taken out, or another dialect's writer would report a field as dropped that has no effect.
    if "role" in inner.rest:
        note_value(source_form, inner.at("role"), inner.take("role"))
    parts = ContentReader(source_form).parts(inner)
    plain = len(parts) == 1 and isinstance(parts[0], Text)
    return Message("system", parts, plain=plain, extra=inner.rest)


def _read_tools(request: ChatRequest, fields: FieldReader) -> None:
    """One entry may hold several functions and hosted tools; the entry of each tool is noted as `tool <index>`."""
    if "tools" not in fields.rest:
        return
    entries = as_list(fields.take("tools"), request.source_form, "tools")
    before = 0
    for index, entry in enumerate(fields.items("tools", entries, "a Tool")):
        for kind, value in entry.raw.items():
            if kind == "functionDeclarations":
                declared = as_list(value, request.source_form, entry.at(kind))
                request.tools += [_function(each) for each in entry.items(kind, declared, "a FunctionDeclaration")]
            else:
                request.tools.append(Tool(kind, kind="hosted", type=kind, extra=value if isinstance(value, dict) else {"": value}))
        for at in range(before, len(request.tools)):
            request.source_form[f"tool {at}"] = str(index)
        # An entry without tools leaves nothing behind from which it could be written again.
        if len(request.tools) == before or entry.raw.get("functionDeclarations") == []:
            note_value(request.source_form, "tools", entries)
        before = len(request.tools)
    if not entries:
        note_value(request.source_form, "tools", entries)


def _function(fields: FieldReader) -> Tool:
    tool = Tool(fields.required_string("name"), fields.string("description"), extra=fields.rest)
    field = "parametersJsonSchema" if "parametersJsonSchema" in fields.rest else "parameters"
    # Where both are there, the JSON Schema counts: it can express more.
    schema = fields.mapping(field, "a Schema")
    fields.rest.pop("parameters", None)
    if schema is None:
        return tool
    if field == "parametersJsonSchema":
        note_name(fields.source_form, fields.path, "parameters", field)
        tool.schema = schema
    else:
        tool.schema = to_json_schema(schema)
        if tool.schema != schema:
            note_value(fields.source_form, fields.at("parameters"), schema)
    return tool


def _read_choice(request: ChatRequest, fields: FieldReader) -> None:
    config = fields.child("toolConfig", "a ToolConfig")
    if config is None:
        return
    calling = config.child("functionCallingConfig")
    request.extra |= {f"toolConfig.{key}": value for key, value in config.rest.items()}
    if calling is None:
        note(request.source_form, "toolConfig", "object")
        return
    given = calling.rest.pop("mode", "AUTO")
    # protobuf's JSON takes enums as numbers as well as by name.
    mode = _MODE_NUMBERS.get(given, "AUTO") if isinstance(given, int) else str(given).upper()
    neutral = _MODES.get(mode)
    if neutral is None:
        if mode != "MODE_UNSPECIFIED":
            raise calling.invalid("mode", "AUTO, ANY, NONE or VALIDATED", given)
        neutral = "auto"
    names = calling.rest.pop("allowedFunctionNames", None)
    choice = ToolChoice(neutral, extra=calling.rest)  # type: ignore[arg-type]  # the table's values are the modes
    # One allowed name is what other dialects call a forced tool; several are applied by `wire/allowed_tools.py`.
    if mode == "ANY" and isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
        choice.mode, choice.name = "tool", names[0]
    elif names is not None:
        choice.extra["allowedFunctionNames"] = names
    if mode == "VALIDATED":
        choice.extra["mode"] = mode
    if "mode" not in calling.raw:
        note(request.source_form, calling.at("mode"), "absent")
    elif given != mode:
        note_value(request.source_form, calling.at("mode"), given)
    request.tool_choice = choice
