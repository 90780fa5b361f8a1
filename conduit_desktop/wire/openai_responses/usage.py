"""Token counts of the Responses API, read and written: cached tokens inside the input, reasoning inside the output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.openai_chat import usage as chat_usage
from conduit_desktop.wire.usage_dimensions import names, tier, unread
from conduit_desktop.wire.values import count

_TO_CHAT = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
_FROM_CHAT = {chat_name: name for name, chat_name in _TO_CHAT.items()}
_BILLED_ITEMS = frozenset({"file_search_call", "code_interpreter_call", "image_generation_call"})
"""Calls of hosted tools with a fee of their own, by call, by session or in tokens of another model.

https://developers.openai.com/api/docs/pricing (built-in tools)
"""


def read_usage(raw: dict[str, Json]) -> Usage:
    """The usage of a response: the counts of Chat Completions under other names, with the same oddities of vendors."""
    # One reader for both: the vendors that count differently do so in both APIs.
    usage = chat_usage.read_usage({_TO_CHAT.get(name, name): value for name, value in raw.items()})
    usage.extra = {_FROM_CHAT.get(name, name): value for name, value in usage.extra.items()}
    return usage


def take_response(usage: Usage, response: dict[str, Json], hosted: Sequence[dict[str, Any]]) -> Usage:
    """Add what the response reports outside of its usage: the tier that served it, and what its hosted tools cost.

    `hosted` are the output's items of hosted tools. The usage itself is returned.
    """
    usage.service_tier = tier(response.get("service_tier")) or usage.service_tier
    tools = response.get("tool_usage")
    if usage.cost_nano is not None or not (hosted or tools):
        return usage
    unclear: list[str] = []
    by_tool: dict[str, Json] = tools if isinstance(tools, dict) else {}
    search = by_tool.get("web_search")
    counted = count(search.get("num_requests")) if isinstance(search, dict) else 0
    usage.searches = usage.searches or counted or sum(map(_is_billed_search, hosted))
    # An image's tokens are those of another model, and have its prices.
    unclear += unread(by_tool, ("web_search",), "tool_usage.")
    unclear += [item["type"] for item in hosted if item["type"] in _BILLED_ITEMS or _has_container(item)]
    if unclear:
        usage.unclear = names((*usage.unclear, *unclear))
    return usage


def _is_billed_search(item: dict[str, Any]) -> bool:
    """Whether the item is a search. Opening a page and looking for a text in it are free.

    https://developers.openai.com/api/docs/guides/tools-web-search: "search actions incur a tool call cost".
    """
    if item["type"] != "web_search_call" or item.get("status") == "failed":
        return False
    action = item.get("action")
    return not isinstance(action, dict) or action.get("type", "search") == "search"


def _has_container(item: dict[str, Any]) -> bool:
    """Whether a shell ran at the provider, in a container that is billed; without one it is the client's own."""
    environment = item.get("environment")
    return isinstance(environment, dict) and bool(environment.get("container_id"))


def write_usage(usage: Usage, own: bool) -> dict[str, Json]:
    """The usage of a response, audio tokens included in the plain ones. `own`: `usage.extra` is this dialect's."""
    extra = dict(usage.extra) if own else {}
    input_details: dict[str, Json] = {
        "cached_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
    }
    output_details: dict[str, Json] = {"reasoning_tokens": usage.reasoning}
    # Named only where there are any: OpenAI's own answers have them in these places, but not always.
    if usage.image_in:
        input_details["image_tokens"] = usage.image_in
    if usage.image_out:
        output_details["image_tokens"] = usage.image_out
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": {**input_details, **extra.pop("input_tokens_details", {})},
        "output_tokens": usage.total_output,
        "output_tokens_details": {**output_details, **extra.pop("output_tokens_details", {})},
        "total_tokens": usage.total_input + usage.total_output,
        **extra,
    }
