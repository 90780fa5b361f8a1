"""Token counts and reasons to stop, between Gemini's words and neutral ones."""

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
"""Every other reason is `other`."""

_NUMBERS = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
    "MALFORMED_FUNCTION_CALL",
)  # fmt: skip
"""Reasons by their numbers, for answers with `enum-encoding=int`."""
_AUDIO = ("AUDIO", 4)

_SAID: dict[FinishReason, str] = {
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


def reason_name(said: Json) -> str:
    """A finish reason or block reason in words."""
    if isinstance(said, int):
        return _NUMBERS[said] if 0 <= said < len(_NUMBERS) else "OTHER"
    return str(said)


def read_finish(said: Json, called: bool, extra: Fields) -> Finished:
    """Why a candidate ended. Gemini says STOP where it calls functions."""
    raw = reason_name(said)
    reason = FINISH.get(raw, "other")
    return Finished("tool_calls" if reason == "stop" and called else reason, raw, extra=extra)


def write_finish(finish: Finished | None, own: bool) -> str:
    """The finish reason; Gemini's own word where it was one."""
    if finish is None:
        return "STOP"
    return finish.raw if own and finish.raw is not None else _SAID[finish.reason]


def read_usage(raw: Fields) -> Usage:
    """Counts in neutral classes.

    `promptTokenCount` includes what came from the cache but not what hosted tools brought in (`toolUsePromptTokenCount`, paid
    as input); `candidatesTokenCount` does not include the thoughts. Sound is counted by itself, by modality.
    """
    prompt = _count(raw, "promptTokenCount") + _count(raw, "toolUsePromptTokenCount")
    cached, thoughts = _count(raw, "cachedContentTokenCount"), _count(raw, "thoughtsTokenCount")
    written = _count(raw, "candidatesTokenCount") or _count(raw, "responseTokenCount")
    heard = max(0, _audio(raw.get("promptTokensDetails")) - _audio(raw.get("cacheTokensDetails")))
    heard = min(heard, max(0, prompt - cached))
    spoken = min(_audio(raw.get("candidatesTokensDetails")), written)
    extra = {key: value for key, value in raw.items() if key not in _COUNTED or not isinstance(value, int) or value == 0}
    return Usage(
        input=max(0, prompt - cached - heard),
        cache_read=cached,
        output=written - spoken + thoughts,
        reasoning=thoughts,
        audio_in=heard,
        audio_out=spoken,
        extra=extra,
    )


def _count(raw: Fields, name: str) -> int:
    return count(raw.get(name))


def _audio(details: Json) -> int:
    rows = details if isinstance(details, list) else []
    return sum(_count(row, "tokenCount") for row in rows if isinstance(row, dict) and row.get("modality") in _AUDIO)


def write_usage(usage: Usage, own: bool) -> Fields:
    """Counts in Gemini's words. `own`: `usage.extra` is this dialect's too."""
    tools = _count(usage.extra, "toolUsePromptTokenCount") if own else 0
    counts = {
        "promptTokenCount": usage.total_input - tools,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.total_output - usage.reasoning,
        "thoughtsTokenCount": usage.reasoning,
    }
    if own:
        return {**{name: count for name, count in counts.items() if count > 0}, **usage.extra}
    always = ("promptTokenCount", "candidatesTokenCount")
    written: Fields = {name: count for name, count in counts.items() if count > 0 or name in always}
    written["totalTokenCount"] = usage.total_input + usage.total_output
    for name, whole, sound in (
        ("promptTokensDetails", usage.total_input, usage.audio_in),
        ("candidatesTokensDetails", usage.total_output - usage.reasoning, usage.audio_out),
    ):
        if sound:
            rows = (("TEXT", whole - sound), ("AUDIO", sound))
            written[name] = [{"modality": modality, "tokenCount": count} for modality, count in rows if count > 0]
    return written
