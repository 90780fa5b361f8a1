"""Writes a chat request for Gemini's `generateContent`, and names what that cannot express."""

from __future__ import annotations

import re

from conduit_desktop.core.chat import ChatRequest, Message, Text, Tool, ToolChoice
from conduit_desktop.wire import WrittenRequest, custom_tools
from conduit_desktop.wire.gemini.field_names import NAME, Fields, restore_source_form
from conduit_desktop.wire.gemini.generation_config import write_config, write_tier
from conduit_desktop.wire.gemini.messages_writer import GeminiPartWriter
from conduit_desktop.wire.gemini.schema import for_gemini

FILLER = "."
"""The user's text in a conversation that has instructions only, because `contents` are required."""

_ROLES = {"user": "user", "assistant": "model", "tool": "function"}
_MODES = {"auto": "AUTO", "required": "ANY", "tool": "ANY", "none": "NONE"}
_HOSTED = {"web_search": "googleSearch", "web_fetch": "urlContext"}
"""Tools that run at OpenAI or Anthropic, and what Google has instead, but not together with functions: before Gemini 3 both are
refused, and since then AI Studio wants a setting (`includeServerSideToolInvocations`) that Vertex AI refuses."""
_UNSUPPORTED = ("user", "metadata", "parallel_tool_calls")


def write_request(request: ChatRequest) -> WrittenRequest:
    """The body, without the model. A request that was read from this dialect is written as it was."""
    parts = GeminiPartWriter(own=request.dialect == NAME)
    body = _own_contents(request, parts) if parts.own else _contents(request.messages, parts)
    body |= _tools(request, parts)
    if config := write_config(request, parts.own, parts.dropped):
        body["generationConfig"] = config
    body |= write_tier(request, parts.own, parts.dropped)
    if parts.own:
        _write_extra(body, request)
    else:
        _drop_unsupported(request, parts)
    return WrittenRequest(body, list(dict.fromkeys(parts.dropped)))


def _own_contents(request: ChatRequest, parts: GeminiPartWriter) -> Fields:
    messages = request.messages
    body: Fields = {}
    if request.source_form.get("system") == "top" and messages and messages[0].role == "system":
        body["systemInstruction"] = {"parts": parts.content(messages[0].parts), **messages[0].extra}
        messages = messages[1:]
    body["contents"] = [{"role": _ROLES[m.role], "parts": parts.content(m.parts), **m.extra} for m in messages]
    return body


def _contents(messages: list[Message], parts: GeminiPartWriter) -> Fields:
    """The turns as `wire/turns.py` has arranged them: one message of instructions, then turns that alternate."""
    body: Fields = {}
    turns: list[Fields] = []
    for message in messages:
        if message.name is not None:
            parts.dropped.append("messages.name")
        parts.dropped += [f"messages.{key}" for key, value in message.extra.items() if value is not None]
        if message.role in ("system", "developer"):
            parts.dropped += [f"system.{type(part).__name__.lower()}" for part in message.parts if not isinstance(part, Text)]
            if system := parts.content(part for part in message.parts if isinstance(part, Text)):
                body.setdefault("systemInstruction", {"parts": []})["parts"] += system
        else:
            role = "model" if message.role == "assistant" else "user"
            # Without parts the turn would be refused, and without the turn its neighbours would not alternate.
            turns.append({"role": role, "parts": parts.content(message.parts) or [{"text": FILLER}]})
    return {**body, "contents": turns}


def _tools(request: ChatRequest, parts: GeminiPartWriter) -> Fields:
    tools = _own_tools(request) if parts.own else _foreign_tools(request, parts)
    body: Fields = {"tools": tools} if tools else {}
    choice = request.tool_choice
    if choice is None:
        return body
    if not parts.own:
        parts.dropped += [f"tool_choice.{name}" for name in choice.extra]
        names = {each["name"] for entry in tools for each in entry.get("functionDeclarations", ())}
        # Tools of other vendors were dropped above, so a choice that was valid may have lost its tool.
        if not names or (choice.name is not None and choice.name not in names):
            if choice.demands:
                parts.dropped.append("tool_choice")
            return body
    body["toolConfig"] = {"functionCallingConfig": _choice(choice, parts.own)}
    return body


def _choice(choice: ToolChoice, own: bool) -> Fields:
    config: Fields = {"mode": _MODES[choice.mode]}
    if choice.name is not None:
        config["allowedFunctionNames"] = [choice.name]
    return {**config, **choice.extra} if own else config


def _own_tools(request: ChatRequest) -> list[Fields]:
    """Each tool in the entry of `tools` that it was read from."""
    entries: dict[str, Fields] = {}
    for index, tool in enumerate(request.tools):
        entry = entries.setdefault(request.source_form.get(f"tool {index}", "0"), {})
        if tool.kind == "hosted":
            entry[tool.type or tool.name] = tool.extra.get("", tool.extra)
        else:
            entry.setdefault("functionDeclarations", []).append({**_function(tool, tool.schema), **tool.extra})
    return list(entries.values())


def _foreign_tools(request: ChatRequest, parts: GeminiPartWriter) -> list[Fields]:
    functions: list[Fields] = []
    hosted: Fields = {}
    alone = all(tool.kind == "hosted" for tool in request.tools)
    for tool in request.tools:
        if tool.kind == "hosted":
            own = _HOSTED.get(re.sub(r"_(preview|20\d\d).*", "", tool.type or tool.name)) if alone else None
            if own is None:
                parts.dropped.append(f"tools[{tool.type or tool.name}]")
            else:
                hosted[own] = {}
                parts.dropped += [f"tools[{tool.type or tool.name}].{name}" for name, value in tool.extra.items() if value]
            continue
        if tool.kind == "custom":
            parts.dropped.append("tools.custom")
        schema = custom_tools.schema() if tool.kind == "custom" else tool.schema and for_gemini(tool.schema)
        written = _function(tool, None)
        # `parameters` takes a subset of OpenAPI only: https://ai.google.dev/api/caching#FunctionDeclaration
        # Without parameters the field is left out, as models before 2.5 refuse an object without properties.
        if schema and schema.keys() - {"type", "additionalProperties", "description", "title"} and schema.get("properties") != {}:
            written["parametersJsonSchema"] = schema
        functions.append(written)
        parts.dropped += [f"tools.{name}" for name in tool.extra]
        parts.dropped += [name for name, value in (("cache_control", tool.cache), ("tools.strict", tool.strict)) if value]
    return [{"functionDeclarations": functions}] if functions else [{name: value} for name, value in hosted.items()]


def _function(tool: Tool, schema: Fields | None) -> Fields:
    fields = {"name": tool.name, "description": custom_tools.described(tool), "parameters": schema}
    return {name: value for name, value in fields.items() if value is not None}


def _write_extra(body: Fields, request: ChatRequest) -> None:
    """Add the fields that only this dialect has, and restore the source form of all fields."""
    for key, value in request.extra.items():
        owner, _, name = key.partition(".")  # the rest is one name: it may hold dots itself
        if owner in ("generationConfig", "toolConfig"):
            body.setdefault(owner, {})[name] = value
        else:
            body[key] = value
    restore_source_form(body, request.source_form)


def _drop_unsupported(request: ChatRequest, parts: GeminiPartWriter) -> None:
    for name in _UNSUPPORTED:
        value = getattr(request, name)
        if value is not None and (name != "parallel_tool_calls" or (value is False and request.tools)):
            parts.dropped.append(name)
    parts.dropped += [key for key, value in request.extra.items() if value is not None]
