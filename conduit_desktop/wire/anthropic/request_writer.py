"""Everything of a request but its conversation, written for Anthropic's Messages API: tools, limits, thinking, format."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json, OutputFormat, Reasoning, Tool
from conduit_desktop.wire import custom_tools as free_text
from conduit_desktop.wire.anthropic.messages_reader import Fields
from conduit_desktop.wire.anthropic.messages_writer import AnthropicPartWriter

DEFAULT_MAX_TOKENS = 8192
"""`max_tokens` where the caller said nothing: it is required here, and every Claude since 3.5 can answer that much."""

MIN_BUDGET = 1024
"""The smallest thinking budget Anthropic takes."""

EFFORT_BUDGETS = {"minimal": MIN_BUDGET, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
"""Thinking tokens for an effort word, each step about twice the one before, up to what needs no streaming."""

OWN_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
"""The words `output_config.effort` takes."""

_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_CHOICES = {"auto": "auto", "required": "any", "none": "none", "tool": "tool"}
_PLAIN = ("temperature", "top_p", "top_k")


def write_tool(tool: Tool, parts: AnthropicPartWriter) -> Fields | None:
    """One tool; None for one that runs at another vendor's. Free-text tools get one string, `input`."""
    if tool.kind == "hosted":
        if parts.own:
            return _with_extra({"type": tool.type, **({"name": tool.name} if tool.name else {})}, tool, parts)
        parts.drop(f"tools[{tool.type or tool.name}]")
        return None
    written: Fields = {"name": tool.name, "input_schema": _schema(tool, parts.own)}
    description = tool.description if parts.own else free_text.described(tool)
    if description is not None:
        written["description"] = description
    if tool.kind == "custom" and not parts.own:
        parts.drop("tools.custom")
    elif tool.type is not None and parts.own:
        written["type"] = tool.type
    if tool.strict is not None and (tool.strict or parts.own):
        written["strict"] = tool.strict
    return _with_extra(written, tool, parts)


def _with_extra(written: Fields, tool: Tool, parts: AnthropicPartWriter) -> Fields:
    return parts.marks(written, tool.cache, tool.extra, "tools")


def _schema(tool: Tool, own: bool) -> Fields:
    if own:
        return tool.schema or {}
    if tool.kind == "custom":
        return free_text.schema()
    schema = tool.schema or {}
    return schema if schema.get("type") == "object" else {**schema, "type": "object"}  # the one thing the API insists on


def write_tools(request: ChatRequest, parts: AnthropicPartWriter) -> Fields:
    """`tools` and `tool_choice`."""
    tools = [written for tool in request.tools if (written := write_tool(tool, parts)) is not None]
    body: Fields = {"tools": tools} if tools else {}
    choice = _choice(request, parts)
    if choice is None:
        return body
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
        return {"type": "auto", "disable_parallel_tool_use": True}
    written: Fields = {"type": _CHOICES[choice.mode]}
    if choice.name is not None:
        written["name"] = choice.name
    if parallel is not None and (parts.own or (not parallel and choice.mode != "none")):
        written["disable_parallel_tool_use"] = not parallel
    return parts.marks(written, None, choice.extra, "tool_choice")


def _possible(choice: Fields, tools: list[Fields]) -> bool:
    """Whether the tools left allow the choice: without any, none may be made."""
    return any(tool["name"] == choice["name"] for tool in tools) if choice["type"] == "tool" else bool(tools)


def write_own(request: ChatRequest) -> Fields:
    """The parameters as this dialect said them."""
    body: Fields = {"max_tokens": request.max_tokens}
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


def write_foreign(request: ChatRequest, parts: AnthropicPartWriter, think: bool) -> Fields:
    """The parameters in this dialect's words. `think` False: the conversation does not allow thinking."""
    body: Fields = {"max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS}
    body.update({name: value for name in _PLAIN if (value := getattr(request, name)) is not None})
    if request.temperature is not None and request.temperature > 1:
        body["temperature"] = 1.0
        parts.drop("temperature>1")
    if stop := [text for text in request.stop or () if text.strip()]:
        body["stop_sequences"] = stop
    if len(stop) < len(request.stop or ()):
        parts.drop("stop")  # "each stop sequence must contain non-whitespace"
    if request.stream:
        body["stream"] = True
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    if request.service_tier in _TIERS:
        body["service_tier"] = _TIERS[request.service_tier]
    elif request.service_tier is not None:
        parts.drop("service_tier")
    _think(body, request, parts, think)
    _format(body, request.output, parts)
    _name_the_rest(request, parts)
    return body


def _think(body: Fields, request: ChatRequest, parts: AnthropicPartWriter, think: bool) -> None:
    reasoning = request.reasoning
    if reasoning is None:
        return
    parts.drop(*(f"reasoning.{key}" for key, value in reasoning.extra.items() if value is not None))
    if reasoning.summary is not None:
        parts.drop("reasoning.summary")
    if reasoning.mode == "disabled" or reasoning.effort == "none" or reasoning.budget_tokens == 0:
        body["thinking"] = {"type": "disabled"}
    elif not think:
        parts.drop("reasoning")
    elif reasoning.mode == "adaptive":
        body["thinking"] = {"type": "adaptive"}
        if reasoning.effort in OWN_EFFORTS:
            body["output_config"] = {"effort": reasoning.effort}
    else:
        _think_by_budget(body, reasoning, request.max_tokens)


def _think_by_budget(body: Fields, reasoning: Reasoning, max_tokens: int | None) -> None:
    """The thinking budget counts against `max_tokens` here and must be less, so that is raised where it is too small."""
    budget = reasoning.budget_tokens or EFFORT_BUDGETS.get(reasoning.effort or "medium", EFFORT_BUDGETS["medium"])
    budget = max(budget, MIN_BUDGET)
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if max_tokens is None or max_tokens <= budget:
        body["max_tokens"] += budget


def mend_for_thinking(body: Fields, parts: AnthropicPartWriter) -> None:
    """Take out what a thinking model refuses: a temperature but 1, a low top_p, top_k, a forced tool."""
    if body.get("thinking", {}).get("type") not in ("enabled", "adaptive"):
        return
    refused = {
        "temperature": body.get("temperature") not in (None, 1),
        "top_p": body.get("top_p") is not None and body["top_p"] < 0.95,
        "top_k": "top_k" in body,
    }
    for name in [name for name, is_refused in refused.items() if is_refused]:
        del body[name]
        parts.drop(name)
    choice = body.get("tool_choice", {})
    if choice.get("type") in ("any", "tool"):
        parts.drop("tool_choice")
        single = {"disable_parallel_tool_use": True} if choice.get("disable_parallel_tool_use") else {}
        body["tool_choice"] = {"type": "auto", **single}


def _format(body: Fields, output: OutputFormat | None, parts: AnthropicPartWriter) -> None:
    if output is None or output.kind == "text":
        return
    if output.kind == "json" or output.schema is None:
        parts.drop("response_format")  # any JSON at all cannot be asked for
        return
    schema = closed(output.schema)
    body["output_config"] = {**body.get("output_config", {}), "format": {"type": "json_schema", "schema": schema}}
    if output.description is not None:
        parts.drop("response_format.description")


def closed(schema: Json) -> Json:
    """`schema` with every object closed, as the API demands ("'additionalProperties' must be explicitly set to false")."""
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for key in ("properties", "$defs", "definitions"):
        if isinstance(made.get(key), dict):
            made[key] = {name: closed(inner) for name, inner in made[key].items()}
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if isinstance(made.get(key), list):
            made[key] = [closed(inner) for inner in made[key]]
    if "items" in made:
        made["items"] = closed(made["items"])
    kind = made.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        made["additionalProperties"] = False
    return made


def _name_the_rest(request: ChatRequest, parts: AnthropicPartWriter) -> None:
    """What Anthropic has no word for; a value that asks for nothing is no loss."""
    names = ("seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "metadata")
    for name in names:
        value = getattr(request, name)
        if value is not None and (value or name == "seed"):
            parts.drop(name)
    if request.n is not None and request.n > 1:
        parts.drop("n")
    parts.drop(*(key for key, value in request.extra.items() if value is not None))
