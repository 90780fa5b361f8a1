"""Token counts and finish reasons of Bedrock's Converse API, read and written."""

from __future__ import annotations

from collections.abc import Iterator

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Finished, FinishReason, Usage
from conduit_desktop.wire.event_validation import text_or_none
from conduit_desktop.wire.usage_dimensions import faulty, names, surcharge, tier, unread
from conduit_desktop.wire.values import count

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "refusal",  # Claude's own reasons
    "pause_turn": "pause",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
_STOP_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
    "refusal": "content_filtered",
    "pause": "end_turn",
    "error": "end_turn",
    "other": "end_turn",
}


_MAIN_COUNTS = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "totalTokens")
_READ = frozenset({*_MAIN_COUNTS, "cacheDetails"})
_DEEPEST = 8


def read_finish(stop_reason: str, extra: dict[str, Json]) -> Finished:
    """The finish of `stopReason`; `extra` holds the response's further fields."""
    return Finished(_FINISH.get(stop_reason, "other"), text_or_none(stop_reason), extra=extra)


def read_usage(raw: dict[str, Json]) -> Usage:
    """The usage in neutral classes. `inputTokens` does not include tokens read from or written to the cache.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
    """
    written = count(raw.get("cacheWriteInputTokens"))
    # `cacheDetails` splits the writes by lifetime; what it lacks counts as the default of five minutes.
    details = [each for each in raw.get("cacheDetails") or () if isinstance(each, dict)]
    one_hour = sum(count(each.get("inputTokens")) for each in details if each.get("ttl") == "1h")
    unclear = faulty(raw, _MAIN_COUNTS)
    unclear += unread(raw, _READ)
    if one_hour > written:
        unclear.append("cacheDetails")
    return Usage(
        input=count(raw.get("inputTokens")),
        cache_read=count(raw.get("cacheReadInputTokens")),
        cache_write_5m=max(0, written - one_hour),
        cache_write_1h=one_hour,
        output=count(raw.get("outputTokens")),
        unclear=names(unclear) if unclear else (),
        extra=raw,
    )


def take_answer(usage: Usage, body: dict[str, Json]) -> Usage:
    """Add what the body or the metadata event reports outside of its usage; the usage itself is returned.

    That is the tier that served it, faster inference, and guardrails, which are billed by units of text.
    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
    """
    served, performance = body.get("serviceTier"), body.get("performanceConfig")
    if isinstance(served, dict):
        usage.service_tier = tier(served.get("type"))
    if isinstance(performance, dict):
        usage.surcharges = surcharge("speed", performance.get("latency"), ("standard",))
    trace = body.get("trace")
    if isinstance(trace, dict) and any(_guardrail_units(trace, 0)):
        usage.unclear = names((*usage.unclear, "guardrail"))
    return usage


def _guardrail_units(value: Json, depth: int) -> Iterator[int]:
    """The units of text of every policy that is not free: https://aws.amazon.com/bedrock/pricing/"""
    if depth > _DEEPEST or not isinstance(value, (dict, list)):
        return
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(name, str) and name.endswith("PolicyUnits"):
            yield count(inner)
        else:
            yield from _guardrail_units(inner, depth + 1)


def write_usage(usage: Usage | None, own: bool) -> dict[str, Json]:
    """The usage as Converse reports it, audio tokens included in the plain ones."""
    usage = usage or Usage()
    # The counts as they came, since the neutral usage does not hold all of Converse's fields.
    if own and usage.extra:
        return usage.extra
    written = usage.cache_write_5m + usage.cache_write_1h
    counts: dict[str, Json] = {
        "inputTokens": usage.input + usage.audio_in,
        "outputTokens": usage.total_output,
        "totalTokens": usage.total_input + usage.total_output,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": written,
    }
    if usage.cache_write_1h:
        counts["cacheDetails"] = [{"inputTokens": usage.cache_write_1h, "ttl": "1h"}]
    return counts


def write_finish(finish: Finished | None, own: bool, called: bool) -> str:
    """The `stopReason`: `tool_use` for every answer with tool calls (`called`), because clients act on the reason alone."""
    if finish is None:
        return "tool_use" if called else "end_turn"
    reason = finish.raw if own and finish.raw else _STOP_REASONS[finish.reason]
    # Converse has no field for the text that stopped the answer, so the reason alone can show it.
    if reason == "end_turn" and finish.stop_sequence is not None:
        reason = "stop_sequence"
    return "tool_use" if called and reason == "end_turn" else reason
