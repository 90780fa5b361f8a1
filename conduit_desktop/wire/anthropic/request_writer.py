"""Writes all of a request for Anthropic's Messages API but its conversation: tools, limits, thinking, output format."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, OutputFormat, Reasoning, Tool
from conduit_desktop.wire import custom_tools
from conduit_desktop.wire.anthropic.messages_reader import Fields, cache_mark
from conduit_desktop.wire.anthropic.messages_writer import AnthropicPartWriter
from conduit_desktop.wire.claude_fields import thinking_fields
from conduit_desktop.wire.closed_schemas import closed, is_recursive, tool_schema
from conduit_desktop.wire.hosted_search import for_anthropic, is_search
from conduit_desktop.wire.json_instruction import json_instruction
from conduit_desktop.wire.values import impersonal_user

_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_CHOICES = {"auto": "auto", "required": "any", "none": "none", "tool": "tool"}
_PLAIN = ("temperature", "top_p", "top_k")
MAX_USER = 256
"""The most characters of `metadata.user_id`. https://platform.claude.com/docs/en/api/messages"""
MAX_MARKS = 4
"""The most cache marks of a request. https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""


def write_tool(tool: Tool, parts: AnthropicPartWriter) -> Fields | None:
    """One tool; None for a hosted tool of another vendor. A free-text tool becomes a function of one string, `input`."""
    if tool.kind == "hosted":
        if parts.own:
            return _with_extra({"type": tool.type, **({"name": tool.name} if tool.name else {})}, tool, parts)
        if is_search(tool):
            lost: list[str] = []
            search = for_anthropic(tool, lost)
            parts.drop(*lost)
            return search
        parts.drop(f"tools[{tool.type or tool.name}]")
        return None
    written: Fields = {"name": tool.name, "input_schema": _schema(tool, parts.own)}
    description = tool.description if parts.own else custom_tools.described(tool)
    if description is not None:
        written["description"] = description
    if tool.kind == "custom" and not parts.own:
        parts.drop("tools.custom")
    elif tool.type is not None and parts.own:
        written["type"] = tool.type
    # False is the default, so it is written only where the client wrote it.
    if tool.strict is not None and (tool.strict or parts.own):
        written["strict"] = tool.strict
    if tool.strict and not parts.own:
        if is_recursive(written["input_schema"]):
            del written["strict"]
            parts.drop("tools.strict")
        else:
            written["input_schema"] = closed(written["input_schema"])
    return _with_extra(written, tool, parts)


def _with_extra(written: Fields, tool: Tool, parts: AnthropicPartWriter) -> Fields:
    return parts.marks(written, tool.cache, tool.extra, "tools")


def _schema(tool: Tool, own: bool) -> Fields:
    if own:
        return tool.schema or {}
    if tool.kind == "custom":
        return custom_tools.schema()
    return tool_schema(tool.schema or {})


def write_tools(request: ChatRequest, parts: AnthropicPartWriter) -> Fields:
    """`tools` and `tool_choice`."""
    tools = [written for tool in request.tools if (written := write_tool(tool, parts)) is not None]
    body: Fields = {"tools": tools} if tools else {}
    choice = _choice(request, parts)
    if choice is None:
        return body
    # Tools of other vendors were dropped above, so a choice that was valid may have lost its tool.
    if not parts.own and not _possible(choice, tools):
        if request.tool_choice is not None and request.tool_choice.demands:
            parts.drop("tool_choice")
        return body
    body["tool_choice"] = choice
    return body


def _choice(request: ChatRequest, parts: AnthropicPartWriter) -> Fields | None:
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if choice is None:
        if parallel is not False:
            return None
        # Anthropic has the setting inside `tool_choice` only, so one is made for it.
        return {"type": "auto", "disable_parallel_tool_use": True}
    written: Fields = {"type": _CHOICES[choice.mode]}
    if choice.name is not None:
        written["name"] = choice.name
    if parallel is not None and (parts.own or (not parallel and choice.mode != "none")):
        written["disable_parallel_tool_use"] = not parallel
    return parts.marks(written, None, choice.extra, "tool_choice")


def _possible(choice: Fields, tools: list[Fields]) -> bool:
    """Whether the written tools allow the choice, which the API refuses without tools."""
    return any(tool["name"] == choice["name"] for tool in tools) if choice["type"] == "tool" else bool(tools)


def write_own(request: ChatRequest) -> Fields:
    """The parameters of a request of this dialect, as they were read."""
    body: Fields = {"max_tokens": request.max_tokens}
    # Absent, not null: the body must come out as it was read.
    body.update({name: value for name in (*_PLAIN, "service_tier") if (value := getattr(request, name)) is not None})
    if request.stop is not None:
        body["stop_sequences"] = request.stop
    if request.stream or request.source_form.get("stream") == "present":
        body["stream"] = request.stream
    if request.user is not None or request.metadata is not None:
        body["metadata"] = {**(request.metadata or {}), **({} if request.user is None else {"user_id": request.user})}
    if request.reasoning is not None and request.reasoning.mode is not None:
        body["thinking"] = _own_thinking(request.reasoning)
    body.update(request.extra)
    # After `extra`, whose `output_config` lacks the effort and the format that the reader took out of it.
    body.update(_own_output(request))
    return body


def _own_thinking(reasoning: Reasoning) -> Fields:
    budget = {} if reasoning.budget_tokens is None else {"budget_tokens": reasoning.budget_tokens}
    return {"type": reasoning.mode, **budget, **reasoning.extra}


def _own_output(request: ChatRequest) -> Fields:
    config = dict(request.extra.get("output_config") or {})
    body: Fields = {}
    if request.reasoning is not None and request.reasoning.effort is not None:
        config["effort"] = request.reasoning.effort
    if request.output is not None:
        written = {"type": "json_schema", "schema": request.output.schema, **request.output.extra}
        (body if request.source_form.get("output") == "output_format" else config)[
            "output_format" if request.source_form.get("output") == "output_format" else "format"
        ] = written
    if config:
        body["output_config"] = config
    return body


def write_foreign(request: ChatRequest, parts: AnthropicPartWriter) -> Fields:
    """The parameters of a request of another dialect, as it asks for them: what a model takes of them the provider kind knows."""
    body: Fields = {} if request.max_tokens is None else {"max_tokens": request.max_tokens}
    body.update({name: value for name in _PLAIN if (value := getattr(request, name)) is not None})
    # Anthropic's range is 0 to 1, OpenAI's 0 to 2: https://platform.claude.com/docs/en/api/messages
    if request.temperature is not None and request.temperature > 1:
        body["temperature"] = 1.0
        parts.drop("temperature>1")
    # OpenAI's clients send line breaks as stop texts, which Anthropic refuses. BerriAI/litellm#3286
    if stop := [text for text in request.stop or () if text.strip()]:
        body["stop_sequences"] = stop
    if len(stop) < len(request.stop or ()):
        parts.drop("stop")  # "each stop sequence must contain non-whitespace"
    if request.stream:
        body["stream"] = True
    if request.user is not None:
        body["metadata"] = {"user_id": impersonal_user(request.user, MAX_USER)}
    if request.service_tier in _TIERS:
        body["service_tier"] = _TIERS[request.service_tier]
    elif request.service_tier is not None:
        parts.drop("service_tier")
    _think(body, request.reasoning, parts)
    _format(body, request.output, parts)
    _drop_unsupported(request, parts)
    return body


def _think(body: Fields, reasoning: Reasoning | None, parts: AnthropicPartWriter) -> None:
    if reasoning is None:
        return
    parts.drop(*(f"reasoning.{key}" for key, value in reasoning.extra.items() if value is not None))
    body.update(thinking_fields(reasoning))


def _format(body: Fields, requested: OutputFormat | None, parts: AnthropicPartWriter) -> None:
    output = parts.with_schema(requested)
    if output is None or output.schema is None:
        return
    if is_recursive(output.schema):
        parts.drop("response_format")  # the instruction of `with_json_instruction` holds the schema
        return
    schema = closed(output.schema)
    # Merged, as `_think` may have put the effort into the same object.
    body["output_config"] = {**body.get("output_config", {}), "format": {"type": "json_schema", "schema": schema}}
    if output.description is not None:
        parts.drop("response_format.description")


def with_json_instruction(system: str | list[Fields] | None, output: OutputFormat | None) -> str | list[Fields] | None:
    """`system`, with an instruction where the format of the answer cannot be written: JSON without a schema, or a recursive one."""
    if output is None or output.kind == "text" or (output.schema is not None and not is_recursive(output.schema)):
        return system
    text = json_instruction(output.schema, output.description)
    if isinstance(system, list):
        return [*system, {"type": "text", "text": text}]
    return f"{system}\n\n{text}" if system else text


def tools_of_the_history(messages: list[Fields]) -> Fields:
    """`tools` for a conversation that holds calls and a request without tools; empty where there are no calls.

    "Requests which contain `tool_use` or `tool_result` blocks must define tools." None of them may be called.
    """
    names: dict[str, None] = {}
    for message in messages:
        if isinstance(message["content"], list):
            names.update({block["name"]: None for block in message["content"] if block["type"] == "tool_use"})
    if not names:
        return {}
    return {"tools": [{"name": name, "input_schema": {"type": "object"}} for name in names], "tool_choice": {"type": "none"}}


def limit_marks(body: Fields, parts: AnthropicPartWriter) -> None:
    """Keep four cache marks, the first and the last three, and shorten a lifetime that would follow on a shorter one.

    The first is that of the stable beginning, and the last ones those of the turns to come.
    """
    marked: list[Fields] = [block for block in body.get("tools", ()) if "cache_control" in block]
    for content in (body.get("system"), *(message["content"] for message in body["messages"])):
        if type(content) is list:
            for block in content:
                if "cache_control" in block:
                    marked.append(block)
    if len(marked) > MAX_MARKS:
        for block in marked[1 : 1 - MAX_MARKS]:
            del block["cache_control"]
        marked = [marked[0], *marked[1 - MAX_MARKS :]]
        parts.drop("cache_control")
    short = False
    for block in marked:
        if block["cache_control"].get("ttl") != "1h":
            short = True
        elif short:
            block["cache_control"] = cache_mark("5m")
            parts.drop("cache_control.ttl")


def _drop_unsupported(request: ChatRequest, parts: AnthropicPartWriter) -> None:
    """Record what Anthropic cannot express, unless its value is the default."""
    names = ("seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "metadata")
    for name in names:
        value = getattr(request, name)
        # Zero is the default of the penalties, but a seed like any other.
        if value is not None and (value or name == "seed"):
            parts.drop(name)
    if request.n is not None and request.n > 1:
        parts.drop("n")
    parts.drop(*(key for key, value in request.extra.items() if value is not None))
