"""Hosted web search: the settings that the vendors with such a tool share, read from one vendor's tool and written as another's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from conduit_desktop.core.chat import ChatRequest, Json, Tool
from conduit_desktop.wire.openai_chat.fields import NAME as CHAT

_SEARCH = re.compile(r"web_search(_preview)?(_20\d\d.*)?|googleSearch(Retrieval)?|google_search(_retrieval)?")
WEB_SEARCH = "web_search"
_OPTIONS = "web_search_options"


@dataclass(slots=True)
class SearchSettings:
    """`allowed` and `blocked` are domains, `location` is the object that OpenAI and Anthropic share; `rest` is the vendor's own."""

    allowed: list[Json] = field(default_factory=list)
    blocked: list[Json] = field(default_factory=list)
    location: Json = None
    rest: dict[str, Json] = field(default_factory=dict)


def is_search(tool: Tool) -> bool:
    """Whether `tool` is a vendor's web search."""
    return tool.kind == "hosted" and _SEARCH.fullmatch(tool.type or tool.name) is not None


def read_search(tool: Tool) -> SearchSettings:
    """The settings of a web search of any vendor."""
    rest = {name: value for name, value in tool.extra.items() if value not in (None, "", [], {})}
    rest.pop("name", None)
    filters = rest.pop("filters", None)
    holder = {**rest, **filters} if isinstance(filters, dict) else rest
    allowed, blocked = _list(holder, "allowed_domains"), _list(holder, "blocked_domains") or _list(holder, "excludeDomains")
    taken = ("allowed_domains", "blocked_domains", "excludeDomains", "user_location")
    more = {name: value for name, value in holder.items() if name not in taken}
    return SearchSettings(allowed, blocked, holder.get("user_location"), more)


def for_anthropic(tool: Tool, dropped: list[str]) -> dict[str, Json]:
    """The search as Anthropic's tool. https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool"""
    search = read_search(tool)
    written: dict[str, Json] = {"type": "web_search_20250305", "name": WEB_SEARCH}
    # Both lists at once are refused.
    if search.allowed:
        written["allowed_domains"] = search.allowed
        dropped += _named(tool, {"blocked_domains": search.blocked})
    elif search.blocked:
        written["blocked_domains"] = search.blocked
    if isinstance(search.location, dict):
        # The one kind there is, which OpenAI's clients may leave out.
        written["user_location"] = {"type": "approximate", **search.location}
    else:
        dropped += _named(tool, {"user_location": search.location})
    dropped += _named(tool, search.rest)
    return written


def for_responses(tool: Tool, dropped: list[str]) -> dict[str, Json]:
    """The search as the tool of OpenAI's Responses API. https://developers.openai.com/api/docs/guides/tools-web-search"""
    search = read_search(tool)
    written: dict[str, Json] = {"type": WEB_SEARCH}
    if search.allowed:
        written["filters"] = {"allowed_domains": search.allowed}
    if search.location is not None:
        written["user_location"] = search.location
    if (size := search.rest.pop("search_context_size", None)) is not None:
        written["search_context_size"] = size
    dropped += _named(tool, {"blocked_domains": search.blocked, **search.rest})
    return written


def with_search_tool(request: ChatRequest) -> ChatRequest:
    """`request` with the search of OpenAI's chats, a field of its own there, as a tool; the same object where there is none."""
    options = request.extra.get(_OPTIONS) if request.dialect == CHAT else None
    if not isinstance(options, dict):
        return request
    settings = dict(options)
    location = settings.get("user_location")
    # What the Responses API and Anthropic have in one object stands one level deeper here.
    if isinstance(location, dict) and isinstance(location.get("approximate"), dict):
        settings["user_location"] = {"type": "approximate", **location["approximate"]}
    extra = {name: value for name, value in request.extra.items() if name != _OPTIONS}
    tool = Tool(WEB_SEARCH, kind="hosted", type=WEB_SEARCH, extra=settings)
    return replace(request, tools=[*request.tools, tool], extra=extra)


def _list(holder: Mapping[str, Json], name: str) -> list[Json]:
    value = holder.get(name)
    return value if isinstance(value, list) else []


def _named(tool: Tool, settings: Mapping[str, Json]) -> list[str]:
    return [f"tools[{tool.type or tool.name}].{name}" for name, value in settings.items() if value]
