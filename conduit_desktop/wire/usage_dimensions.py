"""What usage reports have in common: counts that nothing reads, counts that cannot be, service tiers and surcharges.

A dimension that a provider bills and that no field of `core.events.Usage` holds must not vanish: its name goes to `Usage.unclear`,
and the cost is then an estimate. `NOT_BILLED` holds the names for which that would be wrong, each with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.values import MAX_COUNT, count

NOT_BILLED = {
    # Parts of a count that is read.
    "accepted_prediction_tokens": "a part of the completion, at its price: platform.openai.com/docs/guides/predicted-outputs",
    "rejected_prediction_tokens": "a part of the completion, at its price: platform.openai.com/docs/guides/predicted-outputs",
    "text_tokens": "the rest of a count whose other parts are read",
    "text": "the rest of a count whose other parts are read",
    "multimodal_tokens": "a part of the prompt, at its price (vLLM)",
    "video_tokens": "a part of the prompt, at its price: Gemini and Qwen bill frames as input",
    "document_tokens": "a part of the prompt, at its price",
    "image_pixels": "a part of the total, in tokens (Voyage)",
    "video_pixels": "a part of the total, in tokens (Voyage)",
    "draft_tokens": "speculative decoding: the accepted tokens are in the completion",
    "draft_tokens_acceptance": "speculative decoding: a ratio",
    "context_details": "xAI's counts of the last turn, which the totals hold",
    "iterations": "read by `anthropic.usage`",
    # The same count under another name.
    "total_tokens": "the sum of counts that are read",
    "totalTokens": "the sum of counts that are read",
    "totalTokenCount": "the sum of counts that are read",
    "cacheReadInputTokenCount": "Bedrock's older name of `cacheReadInputTokens`, sent with it",
    "cacheWriteInputTokenCount": "Bedrock's older name of `cacheWriteInputTokens`, sent with it",
    # Requests, tools and sources that cost nothing apart from their tokens.
    "web_fetch_requests": "free: platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool",
    "tool_search_requests": "free: platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool",
    "tool_calls_executed": "the sum of tool calls that are counted by kind (OpenRouter)",
    "tool_calls_requested": "the sum of tool calls that are counted by kind (OpenRouter)",
    "num_server_side_tools_used": "the sum of tool calls that are counted by kind (xAI)",
    "mcp_calls": "the client's own server: docs.x.ai/developers/models",
    "view_image_calls": "free: docs.x.ai/developers/models",
    "view_x_video_calls": "free: docs.x.ai/developers/models",
    "request_count": "Mistral's number of requests, which is one",
    "num_requests": "read by `openai_responses.usage`",
    # Money: what is read as the cost, or the parts of it.
    "cost": "read as the cost", "cost_details": "the parts of the cost", "estimated_cost": "read as the cost",
    "cost_in_usd_ticks": "read as the cost", "market_cost": "what the call would cost elsewhere (Vercel)",
    "cost_estimate": "a gateway's own estimate, by a price list",
    # Times and speeds.
    "acceptance_rate": "a ratio", "cache_hit_rate": "a ratio",
}  # fmt: skip
"""Names of reported numbers that change no price, whatever they are within, with the reason."""

_TIMES = re.compile(
    r"(?:^|_)(?:time|latency|duration|created|timestamp|speed|throughput|tps|ttft|itl|tpot|e2e)(?:$|_)|_m?s$|_per_|_percent(?:age)?$"
    r"|(?:Latency|Duration)Ms$"
)
"""Names of times and speeds, which local servers and fast hosts report with the counts."""

_MOST_NAMES, _LONGEST_NAME, _DEEPEST = 12, 60, 6


def is_time(name: str) -> bool:
    """Whether the name is that of a time or a speed, which no provider bills with the tokens."""
    return _TIMES.search(name) is not None


def unread(fields: dict[str, Json], read: Collection[str] = (), prefix: str = "") -> list[str]:
    """The names (`a.b`) of positive numbers in `fields` that are neither in `read` nor without a price."""
    found: list[str] = []
    # Here as well as within, since most reports hold nothing but zeros and fields that are read.
    for name, value in fields.items():
        if not value or name in read or name in NOT_BILLED:
            continue
        if type(value) is str and not value.isdecimal():
            continue
        if type(value) is not dict or any(value.values()):
            _collect({name: value}, read, prefix, 0, found)
    return found


def _collect(fields: dict[str, Json], read: Collection[str], prefix: str, depth: int, found: list[str]) -> None:
    for name, value in fields.items():
        if not value or len(found) >= _MOST_NAMES or name in read or name in NOT_BILLED or is_time(name):
            continue
        # Bounded: the names are the provider's, and go into the record.
        path = f"{prefix}{name}"[:_LONGEST_NAME]
        if isinstance(value, dict) and depth < _DEEPEST:
            _collect(value, read, f"{path}.", depth + 1, found)
        elif isinstance(value, list) and depth < _DEEPEST:
            for each in value:
                if isinstance(each, dict):
                    _collect(each, read, f"{path}.", depth + 1, found)
        elif type(value) in (int, float) or (isinstance(value, str) and value.isdecimal()):
            found.append(path)


def faulty(fields: dict[str, Json], names: Iterable[str]) -> list[str]:
    """Those of `names` whose value in `fields` is no count: negative, no number, or too large."""
    found: list[str] = []
    for name in names:
        value = fields.get(name)
        # The usual case first: this runs for nearly every answer.
        if not value or (type(value) is int and 0 < value <= MAX_COUNT):
            continue
        if count(value) <= 0:
            found.append(name)
    return found


def all_counts(fields: dict[str, Json]) -> bool:
    """Whether every value is a whole number that is not negative, and not too large."""
    try:
        values = fields.values()
        return bool(min(values) >= 0 and max(values) <= MAX_COUNT)
    except TypeError:
        return False


def names(found: Iterable[str]) -> tuple[str, ...]:
    """The names as `Usage.unclear` holds them: each once, in their order, bounded."""
    return tuple(dict.fromkeys(name[:_LONGEST_NAME] for name in found))[:_MOST_NAMES]


def tier(value: Json) -> str:
    """A service tier as the provider names it; empty where it names none."""
    return value[:_LONGEST_NAME] if isinstance(value, str) and value.isprintable() else ""


def surcharge(kind: str, value: Json, usual: Collection[str]) -> tuple[str, ...]:
    """The surcharge `kind:value`; none for a `usual` value, which the list's price is for."""
    name = tier(value)
    return (f"{kind}:{name}",) if name and name not in usual else ()
