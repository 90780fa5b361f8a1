"""A request body of Anthropic's Messages API, read into the neutral request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import (
    ChatRequest,
    Json,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolChoice,
)
from conduit_desktop.wire.anthropic.messages_reader import (
    NAME,
    Fields,
    SourceForm,
    read_cache,
    read_content,
    required,
    rest,
    wrong,
)

_KNOWN = frozenset({
    "model", "messages", "system", "tools", "tool_choice", "max_tokens", "stop_sequences", "temperature", "top_p", "top_k",
    "thinking", "output_config", "output_format", "metadata", "service_tier", "stream",
})  # fmt: skip

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none", "tool": "tool"}


def read_request(body: Fields, path: Mapping[str, Any]) -> ChatRequest:
    """`body` as a neutral request; raises BadRequest with the field's path. `path` may hold the model and `stream`.

    The top-level `system` becomes the first message and is remembered in `source_form`, so that it can be told from a
    message of role `system` in the same place. Fields that are null count as not said, but are said again.
    """
    request = ChatRequest(NAME, _model(body, path), include_usage=True)
    request.extra = rest(body, "", request.source_form, *_KNOWN)
    if body.get("system") is not None:
        request.source_form["system"] = "top"
        request.messages.append(_system(body["system"], request.source_form))
    request.messages.extend(_messages(body, request.source_form))
    request.max_tokens = required(body, "max_tokens", int, "")
    _read_sampling(request, body)
    _read_tools(request, body)
    _read_thinking(request, body)
    _read_output(request, body)
    _read_rest(request, body, path)
    return request


def _model(body: Fields, path: Mapping[str, Any]) -> str:
    if body.get("model") is None and isinstance(path.get("model"), str):
        return str(path["model"])
    return str(required(body, "model", str, ""))


def _system(system: Json, source_form: SourceForm) -> Message:
    parts, plain = read_content(system, "system", source_form)
    for index, part in enumerate(parts):
        if not isinstance(part, Text):
            raise wrong(f"system.{index}.type", "Input should be 'text'")
    return Message("system", parts, plain=plain)


def _messages(body: Fields, source_form: SourceForm) -> list[Message]:
    messages = required(body, "messages", list, "")
    if not messages:
        raise wrong("messages", "at least one message is required")
    return [_message(message, f"messages.{index}", source_form) for index, message in enumerate(messages)]


def _message(message: Json, where: str, source_form: SourceForm) -> Message:
    if not isinstance(message, dict):
        raise wrong(where, "Input should be an object")
    role = _ROLES.get(required(message, "role", str, where))
    if role is None:
        raise wrong(f"{where}.role", "Input should be 'user', 'assistant' or 'system'")
    parts: list[Part] = []
    plain = True
    # One that sets the output of a turn may say nothing.
    if role != "system" or "content" in message or not message.get("output_config"):
        parts, plain = read_content(message.get("content"), f"{where}.content", source_form)
    return Message(role, parts, plain=plain, extra=rest(message, where, source_form, "role", "content"))


def _read_sampling(request: ChatRequest, body: Fields) -> None:
    request.temperature = _number(body, "temperature")
    request.top_p = _number(body, "top_p")
    request.top_k = _optional(body, "top_k", int)
    request.stop = _optional(body, "stop_sequences", list)
    for index, stop in enumerate(request.stop or ()):
        if not isinstance(stop, str):
            raise wrong(f"stop_sequences.{index}", "Input should be a string")


def _optional(body: Fields, key: str, kind: type) -> Any:
    return None if body.get(key) is None else required(body, key, kind, "")


def _number(body: Fields, key: str) -> float | None:
    value = body.get(key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise wrong(key, "Input should be a number")


def _read_tools(request: ChatRequest, body: Fields) -> None:
    tools = _optional(body, "tools", list)
    if tools is not None:
        request.tools = [_tool(tool, f"tools.{index}", request.source_form) for index, tool in enumerate(tools)]
        if not tools:
            request.source_form["tools"] = "list"
    choice = _optional(body, "tool_choice", dict)
    if choice is None:
        return
    mode: Any = _CHOICES.get(required(choice, "type", str, "tool_choice"))
    if mode is None:
        raise wrong("tool_choice.type", "Input should be 'auto', 'any', 'none' or 'tool'")
    name = required(choice, "name", str, "tool_choice") if mode == "tool" else None
    single = choice.get("disable_parallel_tool_use")
    if isinstance(single, bool):
        request.parallel_tool_calls = not single
    known = ("type", "disable_parallel_tool_use") if name is None else ("type", "disable_parallel_tool_use", "name")
    request.tool_choice = ToolChoice(mode, name, rest(choice, "tool_choice", request.source_form, *known))


def _tool(tool: Json, where: str, source_form: SourceForm) -> Tool:
    if not isinstance(tool, dict):
        raise wrong(where, "Input should be an object")
    kind = tool.get("type")
    if kind is not None and not isinstance(kind, str):
        raise wrong(f"{where}.type", "Input should be a string")
    if kind not in (None, "custom"):
        return _hosted_tool(tool, where, source_form)
    extra = rest(tool, where, source_form, "type", "name", "description", "input_schema", "strict", "cache_control")
    return Tool(
        name=required(tool, "name", str, where),
        description=None if tool.get("description") is None else required(tool, "description", str, where),
        schema=required(tool, "input_schema", dict, where),
        type=kind,
        strict=None if tool.get("strict") is None else required(tool, "strict", bool, where),
        cache=read_cache(tool, where, source_form, extra),
        extra=extra,
    )


def _hosted_tool(tool: Fields, where: str, source_form: SourceForm) -> Tool:
    """A tool that runs at Anthropic's, or whose schema only the model knows. Tool sets have no name."""
    extra = rest(tool, where, source_form, "type", "name", "cache_control")
    return Tool(
        tool.get("name") or "", kind="hosted", type=tool["type"], cache=read_cache(tool, where, source_form, extra), extra=extra
    )


def _read_thinking(request: ChatRequest, body: Fields) -> None:
    thinking = _optional(body, "thinking", dict)
    if thinking is None:
        return
    mode: Any = required(thinking, "type", str, "thinking")
    if mode not in ("enabled", "adaptive", "disabled"):
        request.extra["thinking"] = thinking  # a mode of Anthropic's own, as `between_tools`
        return
    budget = required(thinking, "budget_tokens", int, "thinking") if mode == "enabled" else None
    known = ("type", "budget_tokens") if budget is not None else ("type",)
    request.reasoning = Reasoning(budget_tokens=budget, mode=mode, extra=rest(thinking, "thinking", request.source_form, *known))


def _read_output(request: ChatRequest, body: Fields) -> None:
    """`output_config` holds effort and format; `output_format` is the format's older place."""
    config = _optional(body, "output_config", dict)
    if config is not None:
        left = rest(config, "output_config", request.source_form, "effort", "format")
        if config.get("effort") is not None:
            request.reasoning = request.reasoning or Reasoning()
            request.reasoning.effort = required(config, "effort", str, "output_config")
        if config.get("format") is not None:
            request.output = _format(required(config, "format", dict, "output_config"), "output_config.format", request.source_form)
        if left or not config:
            request.extra["output_config"] = left
    older = _optional(body, "output_format", dict)
    if older is not None and request.output is None:
        request.source_form["output"] = "output_format"
        request.output = _format(older, "output_format", request.source_form)


def _format(output: Fields, where: str, source_form: SourceForm) -> OutputFormat:
    if required(output, "type", str, where) != "json_schema":
        raise wrong(f"{where}.type", "Input should be 'json_schema'")
    return OutputFormat("schema", required(output, "schema", dict, where), extra=rest(output, where, source_form, "type", "schema"))


def _read_rest(request: ChatRequest, body: Fields, path: Mapping[str, Any]) -> None:
    metadata = _optional(body, "metadata", dict)
    if metadata is not None:
        user = metadata.get("user_id")
        request.user = user if isinstance(user, str) else None
        left = rest(metadata, "metadata", request.source_form, "user_id")
        request.metadata = left if left or request.user is None else None
    request.service_tier = _optional(body, "service_tier", str)
    stream = _optional(body, "stream", bool)
    if stream is None:
        request.stream = bool(path.get("stream", False))
    else:
        request.source_form["stream"] = "present"
        request.stream = stream
