"""What an answer beside chat says it took: tokens, pictures, seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.wire.openai_chat.usage import read_usage
from conduit_desktop.wire.token_counts import count

READ_ONLY = frozenset({"embeddings", "rerank", "moderations"})
"""Endpoints whose models only read: whatever tokens are reported are input."""


def requested_units(endpoint: str, body: dict[str, Json]) -> Units:
    """The units that a request asks for; an answer may say it better."""
    if endpoint in ("images", "image_edits"):
        return Units(images=count(body.get("n")) or 1)
    if endpoint == "speech":
        text = body.get("input")
        return Units(characters=len(text) if isinstance(text, str) else 0)
    if endpoint in ("transcriptions", "translations"):
        return Units(seconds=None)
    return Units()


def read_units(endpoint: str, answer: dict[str, Json], asked: Units) -> Units:
    """The units of an answer: the pictures in it, the seconds it says it heard."""
    data = answer.get("data")
    if endpoint in ("images", "image_edits") and isinstance(data, list):
        return Units(images=len(data))
    if endpoint in ("transcriptions", "translations"):
        usage = answer.get("usage")
        seconds = usage.get("seconds") if isinstance(usage, dict) else None
        told = _seconds(seconds) or _seconds(answer.get("duration"))
        return Units(seconds=told) if told else asked
    return asked


def read_media_usage(endpoint: str, answer: dict[str, Json]) -> Usage | None:
    """The tokens of an answer in OpenAI's words, old (`prompt_tokens`) or new (`input_tokens`); None where it has none."""
    raw = answer.get("usage")
    if not isinstance(raw, dict):
        return None
    counted = _new_words(raw) if "input_tokens" in raw or "output_tokens" in raw else read_usage(raw)
    if endpoint in READ_ONLY:
        tokens = counted.total_input + counted.total_output
        counted = Usage(input=tokens, cost_nano=counted.cost_nano, extra=counted.extra)
    said = any(isinstance(value, (int, float)) for name, value in raw.items() if name.endswith("_tokens"))
    return counted if said or counted.cost_nano is not None else None


def summed(counts: Sequence[Json]) -> Usage | None:
    """The input of an answer that came in parts; None where one of them does not say."""
    return Usage(input=sum(map(count, counts))) if all(isinstance(each, (int, float)) for each in counts) else None


def _new_words(raw: dict[str, Any]) -> Usage:
    read, made = count(raw.get("input_tokens")), count(raw.get("output_tokens"))
    details = raw.get("input_tokens_details") or raw.get("input_token_details")
    heard = min(read, count(details.get("audio_tokens"))) if isinstance(details, dict) else 0
    cached = min(read - heard, count(details.get("cached_tokens"))) if isinstance(details, dict) else 0
    return Usage(input=read - heard - cached, cache_read=cached, audio_in=heard, output=made)


def _seconds(value: Json) -> float | None:
    """Seconds, also as the text that Whisper servers give."""
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else 0.0
    except ValueError:
        return None
    return seconds if 0 < seconds < 10**7 else None
