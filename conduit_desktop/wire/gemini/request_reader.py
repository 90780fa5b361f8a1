"""A request body of `generateContent`, read into the neutral request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import ChatRequest, Json, Message, Text, Tool, ToolChoice
from conduit_desktop.wire.gemini.field_names import (
    NAME,
    Fields,
    SourceForm,
    a_list,
    instead,
    missing,
    normalised,
    note,
    renamed,
    wrong,
)
from conduit_desktop.wire.gemini.generation_config import read_config
from conduit_desktop.wire.gemini.messages_reader import ContentReader
from conduit_desktop.wire.gemini.schema import to_json_schema

_KNOWN = ("model", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier")
_FUNCTION = ("name", "description", "parameters", "parametersJsonSchema")
_MODES = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
_MODE_NUMBERS = {1: "AUTO", 2: "ANY", 3: "NONE", 4: "VALIDATED"}


def read_request(body: Fields, path: Mapping[str, Any]) -> ChatRequest:
    """`body` as a neutral request; `path` holds what the URL says, `model` and `stream`. Raises BadRequest with the path.

    Function calls without an id get one made from their place, so that results find them; `source_form` knows it for ours.
    """
    source_form: SourceForm = {}
    fields = normalised(body, source_form)
    request = ChatRequest(NAME, str(path.get("model") or fields.get("model") or ""), include_usage=True, source_form=source_form)
    request.stream = bool(path.get("stream", False))
    if "model" in fields:
        instead(source_form, "model", fields["model"])
    if "systemInstruction" in fields:
        source_form["system"] = "top"
        request.messages.append(_system(fields["systemInstruction"], source_form))
    request.messages += _contents(fields, source_form)
    _read_tools(request, fields)
    _read_choice(request, fields)
    read_config(request, fields)
    request.service_tier = fields.get("serviceTier") if isinstance(fields.get("serviceTier"), str) else None
    if "serviceTier" in fields and request.service_tier is None:
        instead(source_form, "serviceTier", fields["serviceTier"])
    request.extra |= {key: value for key, value in fields.items() if key not in _KNOWN}
    return request


def _contents(fields: Fields, source_form: SourceForm) -> list[Message]:
    if not fields.get("contents"):
        raise missing("contents")
    reader = ContentReader(source_form)
    contents = a_list(fields["contents"], source_form, "contents")
    return [reader.message(content, f"contents.{index}") for index, content in enumerate(contents)]


def _system(value: Json, source_form: SourceForm) -> Message:
    """The instructions as the first message; its role, which Google ignores, is kept."""
    if isinstance(value, str):
        instead(source_form, "systemInstruction", value)
        return Message("system", [Text(value)], plain=True)
    if not isinstance(value, dict):
        raise wrong("systemInstruction", "a Content")
    extra = {key: inner for key, inner in value.items() if key not in ("parts", "role")}
    if "role" in value:
        instead(source_form, "systemInstruction.role", value["role"])
    parts = ContentReader(source_form).parts(value, "systemInstruction")
    plain = len(parts) == 1 and isinstance(parts[0], Text)
    return Message("system", parts, plain=plain, extra=extra)


def _read_tools(request: ChatRequest, fields: Fields) -> None:
    """One entry may hold several functions and hosted tools; which entry a tool stood in is kept in `source_form`."""
    if "tools" not in fields:
        return
    entries = a_list(fields["tools"], request.source_form, "tools")
    before = 0
    for index, entry in enumerate(entries):
        where = f"tools.{index}"
        if not isinstance(entry, dict):
            raise wrong(where, "a Tool")
        for kind, value in entry.items():
            if kind == "functionDeclarations":
                declared = a_list(value, request.source_form, f"{where}.{kind}")
                request.tools += [_function(each, f"{where}.{kind}.{n}", request.source_form) for n, each in enumerate(declared)]
            else:
                request.tools.append(Tool(kind, kind="hosted", type=kind, extra=value if isinstance(value, dict) else {"": value}))
        for at in range(before, len(request.tools)):
            request.source_form[f"tool {at}"] = str(index)
        if len(request.tools) == before or entry.get("functionDeclarations") == []:
            instead(request.source_form, "tools", entries)
        before = len(request.tools)
    if not entries:
        instead(request.source_form, "tools", entries)


def _function(value: Json, where: str, source_form: SourceForm) -> Tool:
    if not isinstance(value, dict):
        raise wrong(where, "a FunctionDeclaration")
    name = value.get("name")
    if not isinstance(name, str):
        raise missing(f"{where}.name") if name is None else wrong(f"{where}.name", "a string")
    if not isinstance(value.get("description", ""), str):
        raise wrong(f"{where}.description", "a string")
    tool = Tool(name, value.get("description"), extra={key: inner for key, inner in value.items() if key not in _FUNCTION})
    said = "parametersJsonSchema" if "parametersJsonSchema" in value else "parameters"
    schema = value.get(said)
    if schema is None:
        return tool
    if not isinstance(schema, dict):
        raise wrong(f"{where}.{said}", "a Schema")
    if said == "parametersJsonSchema":
        renamed(source_form, where, "parameters", said)
        tool.schema = schema
    else:
        tool.schema = to_json_schema(schema)
        if tool.schema != schema:
            instead(source_form, f"{where}.parameters", schema)
    return tool


def _read_choice(request: ChatRequest, fields: Fields) -> None:
    config = fields.get("toolConfig")
    if config is None:
        return
    if not isinstance(config, dict):
        raise wrong("toolConfig", "a ToolConfig")
    request.extra |= {f"toolConfig.{key}": value for key, value in config.items() if key != "functionCallingConfig"}
    calling = config.get("functionCallingConfig")
    if calling is None:
        note(request.source_form, "toolConfig", "object")
        return
    if not isinstance(calling, dict):
        raise wrong("toolConfig.functionCallingConfig", "an object")
    said = calling.get("mode", "AUTO")
    mode = _MODE_NUMBERS.get(said, "AUTO") if isinstance(said, int) else str(said).upper()
    neutral = _MODES.get(mode)
    if neutral is None:
        if mode != "MODE_UNSPECIFIED":
            raise wrong("toolConfig.functionCallingConfig.mode", "AUTO, ANY, NONE or VALIDATED")
        neutral = "auto"
    names = calling.get("allowedFunctionNames")
    extra = {key: value for key, value in calling.items() if key not in ("mode", "allowedFunctionNames")}
    choice = ToolChoice(neutral, extra=extra)  # type: ignore[arg-type]  # the table's values are the modes
    if mode == "ANY" and isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
        choice.mode, choice.name = "tool", names[0]
    elif names is not None:
        choice.extra["allowedFunctionNames"] = names
    if mode == "VALIDATED":
        choice.extra["mode"] = mode
    if said != mode or "mode" not in calling:
        _note_mode(request.source_form, calling)
    request.tool_choice = choice


def _note_mode(source_form: SourceForm, calling: Fields) -> None:
    where = "toolConfig.functionCallingConfig.mode"
    if "mode" in calling:
        instead(source_form, where, calling["mode"])
    else:
        source_form[f"{where}|absent"] = ""
