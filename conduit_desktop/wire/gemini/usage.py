"""Token counts and finish reasons of Gemini, read and written. https://ai.google.dev/api/generate-content#FinishReason"""

from __future__ import annotations

import re

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Finished, FinishReason, Usage
from conduit_desktop.wire.gemini.field_names import Fields
from conduit_desktop.wire.usage_dimensions import faulty, names, tier, unread
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
_MODALITIES: dict[Json, str] = {
    "AUDIO": "audio", 4: "audio", "IMAGE": "image", 2: "image",
    **dict.fromkeys(("MODALITY_UNSPECIFIED", "TEXT", "VIDEO", "DOCUMENT", 0, 1, 3, 5), ""),
}  # fmt: skip
"""Modalities with a class of their own, by name and by number. Frames and pages have the price of text."""

_VERSION = re.compile(r"gemini-(\d{1,3})")

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
_MAIN_COUNTS = (*_COUNTED, "toolUsePromptTokenCount", "totalTokenCount")
_READ_AS_WELL = frozenset({
    "toolUsePromptTokenCount", "responseTokenCount", "tokenCount", "trafficType", *_COUNTED,
    "promptTokensDetails", "promptTokenDetails", "cacheTokensDetails", "candidatesTokensDetails", "responseTokensDetails",
    "toolUsePromptTokensDetails",
})  # fmt: skip
"""Further names that are read here, and are written back as they came."""


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
    input). `candidatesTokenCount` does not include thinking. Audio and image tokens are given by modality.
    """
    prompt = _count(raw, "promptTokenCount") + _count(raw, "toolUsePromptTokenCount")
    cached, thoughts = _count(raw, "cachedContentTokenCount"), _count(raw, "thoughtsTokenCount")
    written = _count(raw, "candidatesTokenCount") or _count(raw, "responseTokenCount")
    unclear = faulty(raw, _MAIN_COUNTS)
    audio_in, image_in = _modalities(raw, unclear, "promptTokensDetails", "promptTokenDetails")
    audio_out, image_out = _modalities(raw, unclear, "candidatesTokensDetails", "responseTokensDetails")
    if "cacheTokensDetails" in raw:
        audio_kept, image_kept = _modalities(raw, unclear, "cacheTokensDetails")
        if audio_kept:
            # Sound read from the cache costs more than text that is: a price which no class has.
            unclear.append("cached_audio_tokens")
        audio_in, image_in = max(0, audio_in - audio_kept), max(0, image_in - image_kept)
    if "toolUsePromptTokensDetails" in raw:
        audio_of_tools, image_of_tools = _modalities(raw, unclear, "toolUsePromptTokensDetails")
        audio_in, image_in = audio_in + audio_of_tools, image_in + image_of_tools
    if audio_in > max(0, prompt - cached) or image_in > prompt:
        unclear.append("promptTokensDetails")
    if audio_out + image_out > written:
        unclear.append("candidatesTokensDetails")
    # Counts by modality may not add up with the totals, and no class may become negative.
    audio_in, audio_out = min(audio_in, max(0, prompt - cached)), min(audio_out, written)
    if cached > prompt:
        unclear.append("cachedContentTokenCount")
    total = _count(raw, "totalTokenCount")
    if total and total != prompt + written + thoughts and not _may_be_partial(raw, total, prompt, written, thoughts):
        unclear.append("totalTokenCount")
    extra = {key: value for key, value in raw.items() if key not in _COUNTED or not isinstance(value, int) or value == 0}
    unclear += unread(extra, _READ_AS_WELL)
    fresh = max(0, prompt - cached - audio_in)
    return Usage(
        input=fresh,
        cache_read=cached,
        output=written - audio_out + thoughts,
        reasoning=thoughts,
        audio_in=audio_in,
        audio_out=audio_out,
        image_in=min(image_in, fresh),
        image_out=min(image_out, written - audio_out),
        service_tier=_tier(raw) if "serviceTier" in raw or "trafficType" in raw else "",
        unclear=names(unclear) if unclear else (),
        extra=extra,
    )


def _count(raw: Fields, name: str) -> int:
    return count(raw.get(name))


def _may_be_partial(raw: Fields, total: int, prompt: int, written: int, thoughts: int) -> bool:
    """Whether a total that is no sum is explained all the same: by the tools' tokens, or by a chunk that leaves a count out."""
    tools = _count(raw, "toolUsePromptTokenCount")
    return total in (prompt - tools + written + thoughts, prompt, prompt + thoughts, prompt + written)


def _tier(raw: Fields) -> str:
    """The tier that served the request: Gemini's `serviceTier`, or Vertex's `trafficType` (`ON_DEMAND_PRIORITY`) in its names.

    https://ai.google.dev/gemini-api/docs/priority-inference and
    https://cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo
    """
    return tier(raw.get("serviceTier")) or tier(raw.get("trafficType")).removeprefix("ON_DEMAND_").lower()


_NONE = (0, 0)


def _modalities(raw: Fields, unclear: list[str], *fields: str) -> tuple[int, int]:
    """Audio and image tokens of the first of the lists `fields`; modalities that are not known go to `unclear`."""
    rows = next((rows for name in fields if (rows := raw.get(name))), None)
    if not isinstance(rows, list):
        return _NONE
    audio = image = 0
    for row in rows:
        modality = row.get("modality") if isinstance(row, dict) else "TEXT"
        if modality == "TEXT":
            continue
        kind = _MODALITIES.get(modality) if isinstance(modality, (str, int)) else None
        tokens = _count(row, "tokenCount")
        if kind == "audio":
            audio += tokens
        elif kind == "image":
            image += tokens
        elif kind is None and tokens:
            unclear.append(f"{fields[0]}.{modality}")
    return audio, image


class Grounding:
    """The searches of one answer, from the grounding metadata of its candidates.

    Gemini 3 and later models bill every query once, older ones the grounded prompt:
    https://ai.google.dev/gemini-api/docs/google-search ("we ignore the empty web search queries when counting unique queries").
    """

    __slots__ = ("_others", "_queries")

    def __init__(self) -> None:
        self._queries: set[str] = set()
        self._others: list[str] = []

    def read(self, candidate: Json) -> bool:
        """Take a candidate's metadata; whether there is any."""
        metadata = candidate.get("groundingMetadata") if isinstance(candidate, dict) else None
        if not isinstance(metadata, dict):
            return False
        for name in ("webSearchQueries", "imageSearchQueries"):
            queries = metadata.get(name)
            self._queries.update(each for each in (queries if isinstance(queries, list) else ()) if isinstance(each, str) and each)
        chunks = metadata.get("groundingChunks")
        # Maps and the user's own stores have prices apart from those of searches.
        if metadata.get("googleMapsWidgetContextToken") or any(isinstance(c, dict) and "maps" in c for c in chunks or ()):
            self._others.append("groundingMetadata.maps")
        if metadata.get("retrievalQueries"):
            self._others.append("groundingMetadata.retrievalQueries")
        return True

    def add_to(self, usage: Usage, model: str) -> Usage:
        """Add the searches to the usage of an answer of `model`; the usage itself is returned."""
        if self._queries:
            version = _VERSION.search(model)
            by_prompt = version is not None and int(version[1]) < 3
            usage.searches = 1 if by_prompt else len(self._queries)
            if version is None and len(self._queries) > 1:
                self._others.append("groundingMetadata.webSearchQueries")
        if self._others:
            usage.unclear = names((*usage.unclear, *self._others))
        return usage


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
    for name, total, audio, image in (
        ("promptTokensDetails", usage.total_input, usage.audio_in, usage.image_in),
        ("candidatesTokensDetails", usage.total_output - usage.reasoning, usage.audio_out, usage.image_out),
    ):
        if audio or image:
            rows = (("TEXT", total - audio - image), ("IMAGE", image), ("AUDIO", audio))
            written[name] = [{"modality": modality, "tokenCount": count} for modality, count in rows if count > 0]
    return written
