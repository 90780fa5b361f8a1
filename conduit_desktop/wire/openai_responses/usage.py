"""Token counts in the words of the Responses API: cached tokens inside the input, reasoning inside the output."""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.openai_chat import usage as chat

_CHAT_WORDS = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
_OUR_WORDS = {word: ours for ours, word in _CHAT_WORDS.items()}


def read_usage(raw: dict[str, Json]) -> Usage:
    """`usage` of a response. The same counts as in chat, under other names, with the same oddities of vendors."""
    usage = chat.read_usage({_CHAT_WORDS.get(name, name): value for name, value in raw.items()})
    usage.extra = {_OUR_WORDS.get(name, name): value for name, value in usage.extra.items()}
    return usage


def write_usage(usage: Usage, own: bool) -> dict[str, Json]:
    """`own`: the counts came in this dialect, so `usage.extra` can be said again. Sound counts as plain tokens here."""
    extra = dict(usage.extra) if own else {}
    heard = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h}
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": {**heard, **extra.pop("input_tokens_details", {})},
        "output_tokens": usage.total_output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning, **extra.pop("output_tokens_details", {})},
        "total_tokens": usage.total_input + usage.total_output,
        **extra,
    }
