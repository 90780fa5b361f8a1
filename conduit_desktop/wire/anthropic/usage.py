"""Token counts and stop reasons of Anthropic's Messages API, read and written."""

from __future__ import annotations

from dataclasses import replace

from conduit_desktop.core.events import Finished, FinishReason, Usage
from conduit_desktop.wire.anthropic.messages_reader import Fields
from conduit_desktop.wire.event_validation import text_or_none
from conduit_desktop.wire.usage_dimensions import faulty, names, surcharge, tier, unread
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
_MAIN_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_READ_AS_WELL = frozenset({"web_search_requests", "thinking_tokens"})
"""Further names that are read here, and are written back as they came."""
_LIFETIMES = frozenset({"ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"})
_WORLDWIDE = frozenset({"global", "not_available"})
"""Values of `inference_geo` without a surcharge: https://platform.claude.com/docs/en/build-with-claude/data-residency"""
_IN_TOTALS = frozenset({"message", "fallback_message"})
"""Kinds of `iterations` whose tokens the totals hold."""


def read_usage(raw: Fields) -> Usage:
    """The usage in neutral classes. `input_tokens` are the uncached ones alone, `output_tokens` include thinking.

    Tokens of compaction are billed, but not in the totals, and are added (`_outside_totals`).
    """
    details = _fields(raw, "output_tokens_details")
    extra = {key: value for key, value in raw.items() if key not in _COUNTED and value is not None}
    unclear = faulty(raw, _MAIN_COUNTS)
    five_minutes, one_hour = _written(raw, unclear)
    output, reasoning = count(raw.get("output_tokens")), count(details.get("thinking_tokens"))
    if reasoning > output:
        unclear.append("output_tokens_details.thinking_tokens")
    usage = Usage(
        input=count(raw.get("input_tokens")),
        cache_read=count(raw.get("cache_read_input_tokens")),
        cache_write_5m=five_minutes,
        cache_write_1h=one_hour,
        output=output,
        reasoning=min(output, reasoning),
        extra=extra,
    )
    if details:
        unclear += unread(details, _READ_AS_WELL, "output_tokens_details.")
    if extra:
        usage.searches = count(_fields(raw, "server_tool_use").get("web_search_requests"))
        usage.service_tier = tier(raw.get("service_tier"))
        if "speed" in raw or "inference_geo" in raw:
            usage.surcharges = (
                *surcharge("speed", raw.get("speed"), ("standard",)),
                *surcharge("region", raw.get("inference_geo"), _WORLDWIDE),
            )
        unclear += unread(extra, _READ_AS_WELL)
        if raw.get("iterations"):
            _add(usage, _outside_totals(raw, unclear), 1)
    if unclear:
        usage.unclear = names(unclear)
    return usage


def _written(raw: Fields, unclear: list[str]) -> tuple[int, int]:
    """Tokens written to the cache for five minutes and for an hour.

    `message_delta` has only the total, without the split by lifetime; merged with the split of `message_start` it may be more.
    The rest has the lifetime of the other writes, and without any the default, five minutes.
    https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    """
    split = _fields(raw, "cache_creation")
    if not split:
        return count(raw.get("cache_creation_input_tokens")), 0
    five_minutes, one_hour = count(split.get("ephemeral_5m_input_tokens")), count(split.get("ephemeral_1h_input_tokens"))
    total = count(raw.get("cache_creation_input_tokens"))
    rest = total - five_minutes - one_hour
    if rest > 0 and five_minutes and one_hour:
        unclear.append("cache_creation")
    elif rest < 0 and total:
        # More by lifetime than altogether.
        unclear.append("cache_creation")
    if not _LIFETIMES.issuperset(split):
        unclear += unread(split, _LIFETIMES, "cache_creation.")
    rest = max(0, rest)
    # With both lifetimes the dearer one: what is billed must not be less than what the provider will ask for.
    return (five_minutes, one_hour + rest) if one_hour else (five_minutes + rest, one_hour)


def _outside_totals(raw: Fields, unclear: list[str]) -> Usage:
    """What `iterations` report and the totals lack: compaction by the same model. Advice has the price of another model.

    https://platform.claude.com/docs/en/build-with-claude/compaction ("to calculate total tokens consumed, sum across all
    entries in the iterations array") and .../agents-and-tools/tool-use/advisor-tool (billed at the adviser's price).
    """
    made = Usage()
    rows = raw.get("iterations")
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict) or row.get("type") in _IN_TOTALS:
            continue
        if row.get("type") != "compaction":
            unclear.append(f"iterations.{row.get('type')}")
            continue
        five_minutes, one_hour = _written(row, unclear)
        made.input += count(row.get("input_tokens"))
        made.cache_read += count(row.get("cache_read_input_tokens"))
        made.cache_write_5m += five_minutes
        made.cache_write_1h += one_hour
        made.output += count(row.get("output_tokens"))
        made.reasoning += count(_fields(row, "output_tokens_details").get("thinking_tokens"))
    return made


def _add(usage: Usage, other: Usage, sign: int) -> None:
    for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"):
        setattr(usage, name, max(0, getattr(usage, name) + sign * getattr(other, name)))


def _fields(raw: Fields, name: str) -> Fields:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def write_usage(usage: Usage | None, own: bool) -> Fields:
    """The usage as Anthropic reports it, audio tokens included in the plain ones. `own`: `usage.extra` is this dialect's."""
    # Zeros and not nothing: the SDKs' types require both counts.
    usage = usage or Usage()
    if own and usage.extra.get("iterations"):
        # `extra` brings them back: Anthropic does not have them in the totals.
        usage = replace(usage)
        _add(usage, _outside_totals(usage.extra, []), -1)
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
    elif usage.searches:
        written["server_tool_use"] = {"web_search_requests": usage.searches, "web_fetch_requests": 0}
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
