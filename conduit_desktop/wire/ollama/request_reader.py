"""Reads Ollama's request bodies into the neutral request. https://docs.ollama.com/api/chat"""

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
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire.function_tools import read_function_tool
from conduit_desktop.wire.json_fields import FieldReader

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
"""Values of an option that mean "no limit"."""

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


def read_chat(body: dict[str, Json], stream: bool | None) -> ChatRequest:
    """A body of `/api/chat`; raises BadRequest with the field's path. `stream` counts where the body has none."""
    request, fields = _begin(body, NAME, stream)
    reader = _MessageReader()
    request.messages += [reader.read(message) for message in fields.children("messages")]
    request.tools = [read_function_tool(tool) for tool in fields.children("tools")]
    return _finish(request, fields)


def read_generate(body: dict[str, Json], stream: bool | None, name: str) -> ChatRequest:
    """A body of `/api/generate`: one prompt, with or without a system text."""
    request, fields = _begin(body, name, stream)
    system = fields.string("system")
    if system is not None:
        request.messages.append(Message("system", [Text(system)], plain=True))
    prompt = fields.string("prompt")
    parts: list[Part] = [] if prompt is None else [Text(prompt)]
    parts += _images(fields)
    if parts:
        request.messages.append(Message("user", parts, plain=True))
    return _finish(request, fields)


def _begin(body: dict[str, Json], name: str, stream: bool | None) -> tuple[ChatRequest, FieldReader]:
    request = ChatRequest(name, "", include_usage=True)
    fields = FieldReader(body, "", request.source_form)
    request.model = fields.required_string("model")
    # Ollama streams on both endpoints where `stream` is absent.
    request.stream = fields.boolean_or("stream", stream is not False)
    return request, fields


def _finish(request: ChatRequest, fields: FieldReader) -> ChatRequest:
    _read_options(request, fields)
    _read_format(request, fields)
    _read_think(request, fields)
    request.logprobs = fields.boolean("logprobs")
    request.top_logprobs = fields.integer("top_logprobs")
    request.extra.update(fields.rest)
    return request


def _images(fields: FieldReader) -> list[Part]:
    return [Media("image", data=str(image)) for image in fields.array("images") or ()]


class _MessageReader:
    """Reads messages. Ids of calls and results are optional in Ollama: a result without one belongs to the first open call of its
    name, else to the first open call."""

    def __init__(self) -> None:
        self._made = 0
        self._open: list[tuple[str, str]] = []

    def read(self, fields: FieldReader) -> Message:
        """One message."""
        role = fields.required_choice("role", _ROLES, "one of system, user, assistant and tool")
        parts: list[Part] = []
        if thinking := fields.filled_string("thinking"):
            parts.append(Thinking(thinking, dialect=NAME))
        if content := fields.filled_string("content"):
            parts.append(Text(content))
        parts += _images(fields)
        if role == "tool":
            parts = [self._result(fields, parts)]
        calls = fields.children("tool_calls")
        # Results belong to the latest calls: those of an earlier turn can get none any more.
        if calls:
            self._open = []
        parts += [self._call(call) for call in calls]
        return Message(cast(Role, role), parts, plain=True, extra=fields.rest)

    def _call(self, fields: FieldReader) -> ToolCall:
        call_id = fields.string("id")
        inner = fields.required_child("function")
        name, arguments = inner.required_string("name"), inner.take("arguments")
        # Ollama's own form is an object; clients that come from OpenAI's API send text.
        if isinstance(arguments, str):
            inner.note("arguments", "text")
        text = arguments if isinstance(arguments, str) else orjson.dumps({} if arguments is None else arguments).decode()
        if not call_id:
            # A plain number will do: every request holds its whole conversation, so ids need to differ only within it.
            call_id, self._made = f"call_{self._made}", self._made + 1
            fields.note("id", "made")
        self._open.append((call_id, name))
        return ToolCall(call_id, name, text, extra=fields.rest_with(inner))

    def _result(self, fields: FieldReader, parts: list[Part]) -> ToolResult:
        name, call_id = fields.string("tool_name"), fields.string("tool_call_id")
        if not call_id:
            fields.note("tool_call_id", "made")
            fits = [known for known in self._open if known[1] == name] or self._open
            if not fits:
                fits, self._made = [(f"call_{self._made}", "")], self._made + 1
            call_id = fits[0][0]
        self._open = [known for known in self._open if known[0] != call_id]
        return ToolResult(call_id, parts, name=name, plain=all(isinstance(part, Text) for part in parts))


def _read_options(request: ChatRequest, fields: FieldReader) -> None:
    """Ollama checks the options itself: values of an unexpected type stay in `extra` as they came."""
    options = fields.mapping("options")
    if options is None:
        return
    left = dict(options)
    for option, (name, kind) in OPTIONS.items():
        value = left.get(option)
        # In Python a bool is an int. Values for "no limit" stay behind, as other vendors would take them for a limit.
        if isinstance(value, kind) and not isinstance(value, bool) and value not in _UNBOUNDED.get(option, ()):
            setattr(request, name, left.pop(option))
    stop: Any = left.get("stop")
    if isinstance(stop, list) and all(isinstance(text, str) for text in stop):
        request.stop = left.pop("stop")
    if left or not options:
        request.extra["options"] = left


def _read_format(request: ChatRequest, fields: FieldReader) -> None:
    value = fields.take("format")
    if value == "json":
        request.output = OutputFormat("json")
    elif isinstance(value, dict):
        request.output = OutputFormat("schema", value)
    elif value == "":
        fields.note("format", "empty")
    elif value is not None:
        raise fields.invalid("format", '"json" or a JSON schema', value)


def _read_think(request: ChatRequest, fields: FieldReader) -> None:
    value = fields.take("think")
    if isinstance(value, bool):
        request.reasoning = Reasoning(mode="enabled" if value else "disabled")
    elif isinstance(value, str) and value:
        request.reasoning = Reasoning(effort=value)
    elif value is not None:
        raise fields.invalid("think", "a boolean or a level", value)
