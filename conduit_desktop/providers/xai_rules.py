"""What xAI refuses in requests of OpenAI's dialects, which it borrows, and what of OpenAI's tools it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.wire.changed_items import change_items
from conduit_desktop.wire.function_schemas import without_root_union

TOOLS = frozenset({"function", "web_search", "x_search", "code_interpreter", "code_execution", "file_search", "mcp", "live_search"})
"""The types of tools of its Responses API. Codex's namespaces and custom tools are a 422. lidge-jun/opencodex#2239"""


def has_foreign_tools(body: Mapping[str, Json]) -> bool:
    """Whether a body of the Responses API has tools of a type that xAI's does not."""
    tools = body.get("tools")
    return isinstance(tools, list) and any(isinstance(tool, dict) and tool.get("type") not in TOOLS for tool in tools)


def fit_tools(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Flattens alternatives at the root of schemas, and leaves out the setting of Codex's search that xAI does not know."""
    lost: list[str] = []
    change_items(body, "tools", lambda tool: _fitted(tool, lost))
    return lost


def _fitted(tool: Any, lost: list[str]) -> Any:
    if not isinstance(tool, dict):
        return tool
    if "external_web_access" in tool:
        # It says whether pages may be fetched anew: true is what any search does.
        lost += [] if tool["external_web_access"] else ["tools[web_search].external_web_access"]
        return {name: value for name, value in tool.items() if name != "external_web_access"}
    # Flat in the Responses API, an object of its own in chat.
    function = tool.get("function", tool)
    schema = function.get("parameters") if isinstance(function, dict) else None
    if not isinstance(schema, dict):
        return tool
    flat, flattened = without_root_union(schema)
    if not flattened:
        return tool
    lost += [f"tools.parameters.{name}" for name in flattened]
    return {**function, "parameters": flat} if function is tool else {**tool, "function": {**function, "parameters": flat}}


def without_null_contents(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Codex returns its reasoning items with `"content": null`, which xAI takes for a broken compaction."""
    change_items(body, "input", _without_null)
    return []


def _without_null(item: Any) -> Any:
    if not isinstance(item, dict) or item.get("type") != "reasoning" or item.get("content", "") is not None:
        return item
    return {name: value for name, value in item.items() if name != "content"}
