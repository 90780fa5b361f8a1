"""Usage of media endpoints: tokens, images, characters and seconds of audio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.wire.openai_chat.usage import read_usage
from conduit_desktop.wire.values import count

READ_ONLY = frozenset({"embeddings", "rerank", "moderations"})
"""Endpoints whose models generate nothing, so that all reported tokens are input."""


def requested_units(endpoint: str, body: dict[str, Json]) -> Units:
    """The units that a request is for, by its fields; the response may report them more exactly (`read_units`)."""
    # OpenAI's default is one image.
    if endpoint in ("images", "image_edits"):
        return Units(images=count(body.get("n")) or 1)
    if endpoint == "speech":
        text = body.get("input")
        return Units(characters=len(text) if isinstance(text, str) else 0)
    if endpoint in ("transcriptions", "translations"):
        # Unknown until the answer: no field of the request shows how long a recording is.
        return Units(seconds=None)
    return Units()


def read_units(endpoint: str, answer: dict[str, Json], requested: Units) -> Units:
    """The units of a response: its images, or the seconds of audio that it reports; else those requested."""
    data = answer.get("data")
    if endpoint in ("images", "image_edits") and isinstance(data, list):
        # A vendor may return fewer images than were requested.
        return Units(images=len(data))
    if endpoint in ("transcriptions", "translations"):
        usage = answer.get("usage")
        seconds = usage.get("seconds") if isinstance(usage, dict) else None
        reported = _seconds(seconds) or _seconds(answer.get("duration"))
        return Units(seconds=reported) if reported else requested
    return requested


def read_media_usage(endpoint: str, answer: dict[str, Json]) -> Usage | None:
    """The tokens of a response in OpenAI's format, with `prompt_tokens` or `input_tokens`; None where it reports none."""
    raw = answer.get("usage")
    if not isinstance(raw, dict):
        return None
    counted = _read_input_tokens(raw) if "input_tokens" in raw or "output_tokens" in raw else read_usage(raw)
    if endpoint in READ_ONLY:
        # Some rerankers report nothing but `total_tokens`.
        tokens = counted.total_input + counted.total_output
        counted = Usage(input=tokens, cost_nano=counted.cost_nano, extra=counted.extra)
    has_tokens = any(isinstance(value, (int, float)) for name, value in raw.items() if name.endswith("_tokens"))
    return counted if has_tokens or counted.cost_nano is not None else None


def input_usage(counts: Sequence[Json]) -> Usage | None:
    """The usage of several responses by their counts of input tokens; None where one of them reports none."""
    return Usage(input=sum(map(count, counts))) if all(isinstance(each, (int, float)) for each in counts) else None


def _read_input_tokens(raw: dict[str, Any]) -> Usage:
    total, output = count(raw.get("input_tokens")), count(raw.get("output_tokens"))
    # The images API has `input_tokens_details`, the transcription API `input_token_details`.
    details = raw.get("input_tokens_details") or raw.get("input_token_details")
    audio = min(total, count(details.get("audio_tokens"))) if isinstance(details, dict) else 0
    cached = min(total - audio, count(details.get("cached_tokens"))) if isinstance(details, dict) else 0
    return Usage(input=total - audio - cached, cache_read=cached, audio_in=audio, output=output)


def _seconds(value: Json) -> float | None:
    """A duration in seconds, as a number or as text (from Whisper servers); None where it is neither or too large."""
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else 0.0
    except ValueError:
        return None
    return seconds if 0 < seconds < 10**7 else None
