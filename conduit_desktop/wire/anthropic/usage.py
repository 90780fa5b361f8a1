"""Token counts and stop reasons of Anthropic's Messages API, read and written."""

from __future__ import annotations

from conduit_desktop.core.events import Finished, FinishReason, Usage
from conduit_desktop.wire.anthropic.messages_reader import Fields
from conduit_desktop.wire.event_validation import text_or_none
from conduit_desktop.wire.values import count

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "compaction": "pause",
    "refusal": "refusal",
}
"""Every other reason is `other`. https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons"""

_STOP_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "error": "end_turn",
    "other": "end_turn",
}

_COUNTED = frozenset({
    "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation",
    "output_tokens_details",
})  # fmt: skip


def read_usage(raw: Fields) -> Usage:
    """The usage in neutral classes. `input_tokens` are the uncached ones alone, `output_tokens` include thinking.

    `message_delta` has only the total of cache writes, without the split by lifetime: what the split lacks counts as written
    for five minutes, the default. https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    """
    split, details = _fields(raw, "cache_creation"), _fields(raw, "output_tokens_details")
    one_hour = count(split.get("ephemeral_1h_input_tokens"))
    five_minutes = count(split.get("ephemeral_5m_input_tokens"))
    total = count(raw.get("cache_creation_input_tokens"))
    return Usage(
        input=count(raw.get("input_tokens")),
        cache_read=count(raw.get("cache_read_input_tokens")),
        # The larger of the two, because a report may have only the total or only the split.
        cache_write_5m=max(total - one_hour, five_minutes),
        cache_write_1h=one_hour,
        output=count(raw.get("output_tokens")),
        reasoning=count(details.get("thinking_tokens")),
        extra={key: value for key, value in raw.items() if key not in _COUNTED and value is not None},
    )


def _fields(raw: Fields, name: str) -> Fields:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def write_usage(usage: Usage | None, own: bool) -> Fields:
    """The usage as Anthropic reports it, audio tokens included in the plain ones. `own`: `usage.extra` is this dialect's."""
    # Zeros and not nothing: the SDKs' types require both counts.
    usage = usage or Usage()
    written: Fields = {
        "input_tokens": usage.input + usage.audio_in,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output + usage.audio_out,
    }
    if usage.reasoning:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if own:
        written.update(usage.extra)
    return written


def merge_usage(known: Fields, news: Fields) -> None:
    """Merge a later report into `known`. Counts are cumulative, so each replaces the one before; a zero never does."""
    for key, value in news.items():
        if value or key not in known:
            known[key] = value


def read_finish(stop_reason: str, fields: Fields, extra: Fields) -> Finished:
    """The finish of `stop_reason`; `fields` has its `stop_sequence`, `extra` the further fields to keep."""
    return Finished(
        FINISH.get(stop_reason, "other"), text_or_none(stop_reason), text_or_none(fields.get("stop_sequence")), extra=extra
    )


def write_finish(finish: Finished | None, called: bool, refused: bool) -> Fields:
    """`stop_reason` and `stop_sequence`.

    An answer with tool calls (`called`) always has `tool_use`, whatever reason its vendor gave: clients act on the reason alone.
    """
    if finish is None:
        finish = Finished("stop")
    sequence = finish.stop_sequence
    # The vendor's own word is more exact than the neutral reason, but only where it is one of Anthropic's.
    if finish.raw is not None and FINISH.get(finish.raw) == finish.reason:
        reason = finish.raw
    elif finish.reason == "stop" and sequence is not None:
        reason = "stop_sequence"
    else:
        reason = _STOP_REASONS[finish.reason]
    if reason == "end_turn" and (called or refused):
        reason = "tool_use" if called else "refusal"
    return {"stop_reason": reason, "stop_sequence": sequence}
