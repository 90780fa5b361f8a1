"""Token counts of the Responses API, read and written: cached tokens inside the input, reasoning inside the output."""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.openai_chat import usage as chat_usage

_TO_CHAT = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
_FROM_CHAT = {chat_name: name for name, chat_name in _TO_CHAT.items()}


def read_usage(raw: dict[str, Json]) -> Usage:
    """The usage of a response: the counts of Chat Completions under other names, with the same oddities of vendors."""
    # One reader for both: the vendors that count differently do so in both APIs.
    usage = chat_usage.read_usage({_TO_CHAT.get(name, name): value for name, value in raw.items()})
    usage.extra = {_FROM_CHAT.get(name, name): value for name, value in usage.extra.items()}
    return usage


def write_usage(usage: Usage, own: bool) -> dict[str, Json]:
    """The usage of a response, audio tokens included in the plain ones. `own`: `usage.extra` is this dialect's."""
    extra = dict(usage.extra) if own else {}
    input_details = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h}
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": {**input_details, **extra.pop("input_tokens_details", {})},
        "output_tokens": usage.total_output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning, **extra.pop("output_tokens_details", {})},
        "total_tokens": usage.total_input + usage.total_output,
        **extra,
    }
