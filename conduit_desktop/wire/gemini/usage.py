"""Token counts and finish reasons of Gemini, read and written. https://ai.google.dev/api/generate-content#FinishReason"""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Finished, FinishReason, Usage
from conduit_desktop.wire.gemini.field_names import Fields
from conduit_desktop.wire.values import count

FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY",
         "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
        "content_filter",
    ),
    **dict.fromkeys(
        ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
         "MALFORMED_RESPONSE"),
        "error",
    ),
    "CONTINUATION": "pause",
}  # fmt: skip
"""Every other reason is `other`, or `error` where the answer has no content."""

_NUMBERS = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
    "MALFORMED_FUNCTION_CALL",
)  # fmt: skip
"""Finish reasons by their number: with `$alt=json;enum-encoding=int` Google sends enums as numbers."""
_AUDIO = ("AUDIO", 4)

_FINISH_REASONS: dict[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "OTHER",
    "error": "OTHER",
    "other": "OTHER",
}

_COUNTED = ("promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount")


def reason_name(value: Json) -> str:
    """The name of a finish reason or block reason, which may be a number."""
    if isinstance(value, int):
        return _NUMBERS[value] if 0 <= value < len(_NUMBERS) else "OTHER"
    return str(value)


def read_finish(value: Json, called: bool, extra: Fields, empty: bool = False) -> Finished:
    """The finish of a candidate. Gemini's reason is STOP for function calls (`called`) too. `empty`: it has no content."""
    raw = reason_name(value)
    reason = FINISH.get(raw, "other")
    # OTHER, NO_IMAGE, LANGUAGE and reasons to come: nothing at all is a failure, which must not pass for an empty answer.
    if reason == "other" and empty:
        reason = "error"
    detail = extra.get("finishMessage")
    return Finished(
        "tool_calls" if reason == "stop" and called else reason,
        raw,
        extra=extra,
        detail=detail if reason == "error" and isinstance(detail, str) else None,
    )


def write_finish(finish: Finished | None, own: bool) -> str:
    """The `finishReason`; the original one if the answer was read in this dialect (`own`)."""
    if finish is None:
        return "STOP"
    return finish.raw if own and finish.raw is not None else _FINISH_REASONS[finish.reason]


def read_usage(raw: Fields) -> Usage:
    """The usage in neutral classes. https://ai.google.dev/api/generate-content#UsageMetadata

    `promptTokenCount` includes cached tokens but not those of hosted tools' results (`toolUsePromptTokenCount`, billed as
    input). `candidatesTokenCount` does not include thinking. Audio tokens are given by modality.
    """
    prompt = _count(raw, "promptTokenCount") + _count(raw, "toolUsePromptTokenCount")
    cached, thoughts = _count(raw, "cachedContentTokenCount"), _count(raw, "thoughtsTokenCount")
    written = _count(raw, "candidatesTokenCount") or _count(raw, "responseTokenCount")
    audio_in = max(0, _audio(raw.get("promptTokensDetails")) - _audio(raw.get("cacheTokensDetails")))
    # Counts by modality may not add up with the totals, and no class may become negative.
    audio_in = min(audio_in, max(0, prompt - cached))
    audio_out = min(_audio(raw.get("candidatesTokensDetails")), written)
    extra = {key: value for key, value in raw.items() if key not in _COUNTED or not isinstance(value, int) or value == 0}
    return Usage(
        input=max(0, prompt - cached - audio_in),
        cache_read=cached,
        output=written - audio_out + thoughts,
        reasoning=thoughts,
        audio_in=audio_in,
        audio_out=audio_out,
        extra=extra,
    )


def _count(raw: Fields, name: str) -> int:
    return count(raw.get(name))


def _audio(details: Json) -> int:
    rows = details if isinstance(details, list) else []
    return sum(_count(row, "tokenCount") for row in rows if isinstance(row, dict) and row.get("modality") in _AUDIO)


def write_usage(usage: Usage, own: bool) -> Fields:
    """The usage as Gemini reports it. `own`: `usage.extra` is this dialect's."""
    # Subtracted, as `extra` brings the field back and the tokens would count twice.
    tools = _count(usage.extra, "toolUsePromptTokenCount") if own else 0
    counts = {
        "promptTokenCount": usage.total_input - tools,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.total_output - usage.reasoning,
        "thoughtsTokenCount": usage.reasoning,
    }
    if own:
        # `extra` holds the counts that were 0, so that they come back where Google sent them.
        return {**{name: count for name, count in counts.items() if count > 0}, **usage.extra}
    always = ("promptTokenCount", "candidatesTokenCount")
    written: Fields = {name: count for name, count in counts.items() if count > 0 or name in always}
    written["totalTokenCount"] = usage.total_input + usage.total_output
    for name, total, audio in (
        ("promptTokensDetails", usage.total_input, usage.audio_in),
        ("candidatesTokensDetails", usage.total_output - usage.reasoning, usage.audio_out),
    ):
        if audio:
            rows = (("TEXT", total - audio), ("AUDIO", audio))
            written[name] = [{"modality": modality, "tokenCount": count} for modality, count in rows if count > 0]
    return written
