"""Token counts and finish reasons of Bedrock's Converse API, read and written."""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Finished, FinishReason, Usage
from conduit_desktop.wire.event_validation import word
from conduit_desktop.wire.token_counts import count

_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
_WORDS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
    "refusal": "content_filtered",
    "pause": "end_turn",
    "error": "end_turn",
    "other": "end_turn",
}


def read_finish(said: str, extra: dict[str, Json]) -> Finished:
    """Why the model stopped."""
    return Finished(_REASONS.get(said, "other"), word(said), extra=extra)


def read_usage(raw: dict[str, Json]) -> Usage:
    """Counts as Converse says them: `inputTokens` are the fresh ones alone."""
    written = count(raw.get("cacheWriteInputTokens"))
    details = [each for each in raw.get("cacheDetails") or () if isinstance(each, dict)]
    one_hour = sum(count(each.get("inputTokens")) for each in details if each.get("ttl") == "1h")
    return Usage(
        input=count(raw.get("inputTokens")),
        cache_read=count(raw.get("cacheReadInputTokens")),
        cache_write_5m=max(0, written - one_hour),
        cache_write_1h=one_hour,
        output=count(raw.get("outputTokens")),
        extra=raw,
    )


def write_usage(usage: Usage | None, own: bool) -> dict[str, Json]:
    """Counts in Converse's words. Sound counts as plain tokens here."""
    usage = usage or Usage()
    if own and usage.extra:
        return usage.extra
    written = usage.cache_write_5m + usage.cache_write_1h
    said: dict[str, Json] = {
        "inputTokens": usage.input + usage.audio_in,
        "outputTokens": usage.total_output,
        "totalTokens": usage.total_input + usage.total_output,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": written,
    }
    if usage.cache_write_1h:
        said["cacheDetails"] = [{"inputTokens": usage.cache_write_1h, "ttl": "1h"}]
    return said


def finish_word(finish: Finished | None, own: bool, called: bool) -> str:
    """How the answer ended, in Converse's word; an answer that calls tools must say so."""
    if finish is None:
        return "tool_use" if called else "end_turn"
    word = finish.raw if own and finish.raw else _WORDS[finish.reason]
    if word == "end_turn" and finish.stop_sequence is not None:
        word = "stop_sequence"
    return "tool_use" if called and word == "end_turn" else word
