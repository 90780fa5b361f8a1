"""Ollama's request bodies, read into the neutral request. https://docs.ollama.com/api/chat"""

from __future__ import annotations

from typing import Any, cast

import orjson

from conduit_desktop.core.chat import (
    ChatRequest,
    Json,
    Media,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire.openai_chat.fields import FieldReader, invalid

NAME = "ollama"

OPTIONS: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "num_predict": ("max_tokens", int),
    "temperature": ("temperature", (int, float)),
    "top_p": ("top_p", (int, float)),
    "top_k": ("top_k", int),
    "seed": ("seed", int),
    "frequency_penalty": ("frequency_penalty", (int, float)),
    "presence_penalty": ("presence_penalty", (int, float)),
}
"""The options that other dialects know too: the neutral field, and the type it takes."""

_UNBOUNDED: dict[str, tuple[int, ...]] = {"num_predict": (0, -1, -2)}
"""Values by which an option means: no limit."""

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


def read_chat(body: dict[str, Json], stream: bool | None) -> ChatRequest:
    """A body of `/api/chat`; raises BadRequest. `stream`: what the caller wants, where the body is not asked."""
    request, fields = _begin(body, NAME, stream)
    turns = _Turns(request.source_form)
    for index, message in enumerate(fields.array("messages") or ()):
        request.messages.append(turns.read(message, f"messages[{index}]"))
    _read_tools(request, fields)
    return _finish(request, fields)


def read_generate(body: dict[str, Json], stream: bool | None, name: str) -> ChatRequest:
    """A body of `/api/generate`: one prompt, with or without a system text."""
    request, fields = _begin(body, name, stream)
    system = fields.text("system")
    if system is not None:
        request.messages.append(Message("system", [Text(system)], plain=True))
    prompt = fields.text("prompt")
    asked: list[Part] = [] if prompt is None else [Text(prompt)]
    asked += [Media("image", data=str(image)) for image in _list(fields, "images")]
    if asked:
        request.messages.append(Message("user", asked, plain=True))
    return _finish(request, fields)


def _begin(body: dict[str, Json], name: str, stream: bool | None) -> tuple[ChatRequest, FieldReader]:
    request = ChatRequest(name, "", include_usage=True)
    fields = FieldReader(body, "", request.source_form)
    request.model = fields.need_text("model")
    said = fields.flag("stream")
    if said is not None:
        request.source_form["stream"] = "present"
    request.stream = said if said is not None else stream if stream is not None else True
    return request, fields


def _finish(request: ChatRequest, fields: FieldReader) -> ChatRequest:
    _read_options(request, fields)
    _read_format(request, fields)
    _read_think(request, fields)
    request.logprobs = fields.flag("logprobs")
    request.top_logprobs = fields.whole("top_logprobs")
    request.extra.update(fields.rest)
    return request


def _list(fields: FieldReader, name: str) -> list[Json]:
    found = fields.array(name)
    if found == []:
        fields.source_form[fields.at(name)] = "list"
    return found or []


def _text(fields: FieldReader, name: str) -> str | None:
    """A text that says something; that it was there and empty is kept in the source_form."""
    found = fields.text(name)
    if found == "":
        fields.source_form[fields.at(name)] = "empty"
    return found or None


class _Turns:
    """Reads messages. Calls and results have no ids here, or need none: results meet the calls by name, then in order."""

    def __init__(self, source_form: dict[str, str]) -> None:
        self._source_form = source_form
        self._made = 0
        self._open: list[tuple[str, str]] = []

    def read(self, message: Json, path: str) -> Message:
        """One message."""
        fields = FieldReader(message, path, self._source_form)
        role = fields.need_text("role")
        if role not in _ROLES:
            raise invalid(fields.at("role"), "one of system, user, assistant and tool", role)
        parts: list[Part] = []
        if thinking := _text(fields, "thinking"):
            parts.append(Thinking(thinking, dialect=NAME))
        if content := _text(fields, "content"):
            parts.append(Text(content))
        parts += [Media("image", data=str(image)) for image in _list(fields, "images")]
        if role == "tool":
            parts = [self._result(fields, parts)]
        calls = _list(fields, "tool_calls")
        if calls:
            self._open = []
        parts += [self._call(call, f"{path}.tool_calls[{index}]") for index, call in enumerate(calls)]
        return Message(cast(Role, role), parts, plain=True, extra=fields.rest)

    def _call(self, call: Json, path: str) -> ToolCall:
        fields = FieldReader(call, path, self._source_form)
        call_id = fields.text("id")
        inner = fields.inner("function")
        name, arguments = inner.need_text("name"), inner.take("arguments")
        if isinstance(arguments, str):
            self._source_form[inner.at("arguments")] = "text"
        text = arguments if isinstance(arguments, str) else orjson.dumps({} if arguments is None else arguments).decode()
        if not call_id:
            call_id, self._made = f"call_{self._made}", self._made + 1
            self._source_form[fields.at("id")] = "made"
        self._open.append((call_id, name))
        extra = {**fields.rest, **({"function": inner.rest} if inner.rest else {})}
        return ToolCall(call_id, name, text, extra=extra)

    def _result(self, fields: FieldReader, parts: list[Part]) -> ToolResult:
        name, call_id = fields.text("tool_name"), fields.text("tool_call_id")
        if not call_id:
            self._source_form[fields.at("tool_call_id")] = "made"
            fits = [known for known in self._open if known[1] == name] or self._open
            if not fits:
                fits, self._made = [(f"call_{self._made}", "")], self._made + 1
            call_id = fits[0][0]
        self._open = [known for known in self._open if known[0] != call_id]
        return ToolResult(call_id, parts, name=name, plain=all(isinstance(part, Text) for part in parts))


def _read_tools(request: ChatRequest, fields: FieldReader) -> None:
    for index, tool in enumerate(_list(fields, "tools")):
        outer = FieldReader(tool, f"tools[{index}]", request.source_form)
        kind, inner = outer.text("type"), outer.inner("function")
        schema = inner.mapping("parameters")
        extra = {**({"function": inner.rest} if inner.rest else {})}
        made = Tool(inner.need_text("name"), inner.text("description"), schema, type=kind, extra=extra)
        made.extra.update(outer.rest)
        request.tools.append(made)


def _read_options(request: ChatRequest, fields: FieldReader) -> None:
    """What an option's value must be is the server's to judge: odd ones stay as they are."""
    options = fields.mapping("options")
    if options is None:
        return
    left = dict(options)
    for option, (name, kind) in OPTIONS.items():
        value = left.get(option)
        if isinstance(value, kind) and not isinstance(value, bool) and value not in _UNBOUNDED.get(option, ()):
            setattr(request, name, left.pop(option))
    stop: Any = left.get("stop")
    if isinstance(stop, list) and all(isinstance(text, str) for text in stop):
        request.stop = left.pop("stop")
    if left or not options:
        request.extra["options"] = left


def _read_format(request: ChatRequest, fields: FieldReader) -> None:
    said = fields.take("format")
    if said == "json":
        request.output = OutputFormat("json")
    elif isinstance(said, dict):
        request.output = OutputFormat("schema", said)
    elif said == "":
        request.source_form["format"] = "empty"
    elif said is not None:
        raise invalid("format", '"json" or a JSON schema', said)


def _read_think(request: ChatRequest, fields: FieldReader) -> None:
    said = fields.take("think")
    if isinstance(said, bool):
        request.reasoning = Reasoning(mode="enabled" if said else "disabled")
    elif isinstance(said, str) and said:
        request.reasoning = Reasoning(effort=said)
    elif said is not None:
        raise invalid("think", "a boolean or a level", said)
