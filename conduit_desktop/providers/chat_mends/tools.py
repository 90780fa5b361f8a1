"""Mends of tools and their schemas in a body of OpenAI's chat dialect."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.chat_mends.answer_format import _format_of
from conduit_desktop.providers.chat_mends.fields import dropping, without_tool_settings
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import Body, Mend
from conduit_desktop.wire.changed_items import change_items
from conduit_desktop.wire.function_schemas import (
    current_draft,
    for_grammars,
    function_schema,
    mapped,
    resolved,
    with_object_schemas,
    without_root_union,
)


def unknown_tools(body: Body, facts: ModelFacts) -> list[str]:
    """For models that are known to have no tools."""
    if facts.tools is not False or not body.get("tools"):
        return []
    del body["tools"]
    return ["tools", *without_tool_settings(body)]


def logprobs_or_streamed_tools(body: Body, facts: ModelFacts) -> list[str]:
    """A stream with tools has no log probabilities."""
    return dropping("logprobs", "top_logprobs")(body, facts) if body.get("stream") and body.get("tools") else []


def grammar_schemas(body: Body, facts: ModelFacts) -> list[str]:
    """The schemas of tools and of the answer as llama.cpp reads them to make grammars."""

    def change(function: dict[str, Json]) -> dict[str, Json]:
        schema = function.get("parameters")
        made = for_grammars(schema) if isinstance(schema, dict) else schema
        return function if made is schema else {**function, "parameters": made}

    with_functions(change)(body, facts)
    wanted = body.get("response_format")
    inner = wanted.get("json_schema") if isinstance(wanted, dict) else None
    if isinstance(wanted, dict) and isinstance(inner, dict) and isinstance(schema := inner.get("schema"), dict):
        made = for_grammars(schema)
        if made is not schema:
            body["response_format"] = {**wanted, "json_schema": {**inner, "schema": made}}
    return []


def at_most_tools(count: int) -> Mend:
    """Refuse a request with more tools: which of them could be left out only the client knows."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        tools = body.get("tools")
        if isinstance(tools, list) and len(tools) > count:
            text = f"This model takes at most {count} tools, and the request has {len(tools)}."
            raise BadRequest(text, code="invalid_parameter", param="tools")
        return []

    return mend


def named_tool_alone(body: Body, facts: ModelFacts) -> list[str]:
    """A choice of one tool for vendors that take only words: that tool is the only one offered, and a call is required."""
    choice = body.get("tool_choice")
    if not isinstance(choice, dict):
        return []
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    chosen = [tool for tool in body.get("tools") or () if _name_of(tool) == name]
    if name is None or not chosen:
        body["tool_choice"] = "auto"
        return ["tool_choice"]
    body |= {"tools": chosen, "tool_choice": "required"}
    return []


def offered_tools_only(body: Body, facts: ModelFacts) -> list[str]:
    """For vendors that know the choice `auto` alone: `none` is expressed by sending no tools."""
    choice = body.pop("tool_choice", None)
    if choice == "none":
        body.pop("tools", None)
    return [] if choice in (None, "auto", "none") else ["tool_choice"]


def only_chosen(*words: str) -> Mend:
    """For vendors that know these words of a tool choice alone; any other becomes `auto`."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        if body.get("tool_choice") is None or body["tool_choice"] in words:
            return []
        body["tool_choice"] = "auto"
        return ["tool_choice"]

    return mend


def search_settings(body: Body, facts: ModelFacts) -> list[str]:
    """A hosted search without its settings is switched on."""
    tools = body.get("tools")
    if isinstance(tools, list) and any(_bare_search(tool) for tool in tools):
        body["tools"] = [{**tool, "web_search": {"enable": True}} if _bare_search(tool) else tool for tool in tools]
    return []


def _bare_search(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "web_search" and not tool.get("web_search")


def _name_of(tool: Any) -> str | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def with_functions(change: Callable[[dict[str, Json]], dict[str, Json]]) -> Mend:
    """Change every function; `change` returns its argument or a copy. For changes without loss."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        change_items(body, "tools", lambda tool: _changed(tool, change))
        return []

    return mend


def _changed(tool: Any, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or (made := change(function)) is function:
        return tool
    return {**tool, "function": made}


def with_parameters(function: dict[str, Json]) -> dict[str, Json]:
    """A function without a schema takes no arguments."""
    if isinstance(function.get("parameters"), dict):
        return function
    return {**function, "parameters": {"type": "object", "properties": {}}}


def with_object_parameters(function: dict[str, Json]) -> dict[str, Json]:
    """A schema that says nothing is one of an object without properties."""
    schema = function.get("parameters")
    if not isinstance(schema, dict) or (schema.get("type") == "object" and isinstance(schema.get("properties"), dict)):
        return function
    return {**function, "parameters": function_schema(schema)}


def object_schemas(function: dict[str, Json]) -> dict[str, Json]:
    """Schemas of properties and items are objects, not true and false."""
    schema = function.get("parameters")
    made = with_object_schemas(schema) if isinstance(schema, dict) else schema
    return function if made is schema else {**function, "parameters": made}


def moonshot_schemas(body: Body, facts: ModelFacts) -> list[str]:
    """Schemas of functions in Moonshot's flavour of JSON Schema (MFJS): https://github.com/MoonshotAI/walle

    The current draft, an object at the root, `items` as an object, `required` with known names only, nothing next to a reference
    that its target states too, and `type` in the alternatives.
    """
    lost: list[str] = []

    def change(function: dict[str, Json]) -> dict[str, Json]:
        schema = function.get("parameters")
        if not isinstance(schema, dict):
            return function
        flat, flattened = without_root_union(mapped(schema, current_draft))
        lost.extend(f"tools.parameters.{name}" for name in flattened)
        made = mapped(flat, lambda one: _moved_type(_flavoured(one, flat)))
        made = made if made.get("type") == "object" else {**made, "type": "object"}
        return function if made is schema else {**function, "parameters": made}

    with_functions(change)(body, facts)
    return list(dict.fromkeys(lost))


def _flavoured(schema: dict[str, Json], root: dict[str, Json]) -> dict[str, Json]:
    made = dict(schema)
    if isinstance(made.get("items"), bool) and made.pop("items") is False:
        made.setdefault("maxItems", len(made.get("prefixItems") or ()))
    if "required" in made:
        known = made.get("properties")
        names = made["required"] if isinstance(made["required"], list) else []
        made["required"] = [name for name in names if isinstance(known, dict) and name in known]
    if isinstance(made.get("$ref"), str) and len(made) > 1:
        target = resolved({"$ref": made["$ref"]}, root)
        made = {name: value for name, value in made.items() if name == "$ref" or name not in target}
    return schema if made == schema else made


def _moved_type(schema: dict[str, Json]) -> dict[str, Json]:
    branches = schema.get("anyOf")
    if "type" not in schema or not isinstance(branches, list):
        return schema
    kind = {"type": schema["type"]}
    moved = [{**kind, **one} if isinstance(one, dict) and "$ref" not in one else one for one in branches]
    return {**{name: value for name, value in schema.items() if name != "type"}, "anyOf": moved}


def strict_all_or_none(body: Body, facts: ModelFacts) -> list[str]:
    """Tools are all strict or none is."""
    functions = [tool["function"] for tool in body.get("tools") or () if isinstance(tool, dict) and "function" in tool]
    kinds = {bool(function.get("strict")) for function in functions if isinstance(function, dict)}
    if len(kinds) < 2:
        return []
    body["tools"] = [_changed(tool, lambda function: {**function, "strict": False}) for tool in body["tools"]]
    return ["tools.strict"]


def strict_where_it_can_be(required: bool, unknown: Collection[str] = ()) -> Mend:
    """Schemas that do not fulfil the vendor's conditions for `strict` are sent without it.

    Every object needs `additionalProperties: false`; with `required`, also each property in `required`; `unknown` keywords are
    refused.
    """

    def unfit(schema: Any) -> bool:
        found: list[bool] = []

        def look(one: dict[str, Json]) -> dict[str, Json]:
            properties = one.get("properties")
            found.extend(name in one for name in unknown)
            if one.get("type") == "object" or isinstance(properties, dict):
                found.append(one.get("additionalProperties") is not False)
                names = one.get("required")
                found.append(required and set(properties or ()) != set(names if isinstance(names, list) else ()))
            return one

        mapped(schema, look)
        return any(found)

    def relaxed(holder: Any, key: str) -> Any:
        if not isinstance(holder, dict) or not holder.get("strict") or not isinstance(holder.get(key), dict):
            return holder
        return {**holder, "strict": False} if unfit(holder[key]) else holder

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        lost: list[str] = []
        for at, tool in enumerate(tools := list(body.get("tools") or ())):
            function = tool.get("function") if isinstance(tool, dict) else None
            if (made := relaxed(function, "parameters")) is not function:
                tools[at] = {**tool, "function": made}
                body["tools"] = tools
                lost.append("tools.strict")
        inner = body["response_format"].get("json_schema") if _format_of(body) == "json_schema" else None
        if (made := relaxed(inner, "schema")) is not inner:
            body["response_format"] = {**body["response_format"], "json_schema": made}
            lost.append("response_format.strict")
        return lost

    return mend
