"""Units and tokens of requests to media endpoints (images, speech, transcriptions), before a provider has counted."""

from __future__ import annotations

import math

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.wire.media.endpoints import MediaRequest
from conduit_desktop.wire.media.usage import requested_units

SOUND_BYTES_S = 16_000
"""Bytes of a second of sound where its rate is not known: 128 kilobits."""
# https://platform.openai.com/docs/guides/image-generation#cost-and-latency
_PICTURE_TOKENS = {"low": (272, 408), "medium": (1056, 1584), "high": (4160, 6240)}
"""Output tokens of one picture, square and not, by its quality; GPT Image makes more of them than other models."""
# https://platform.openai.com/docs/guides/realtime-costs: a token for 100 ms of sound. Speech has some 200 tokens of text a minute.
_AUDIO_IN_TOKENS_S, _WRITTEN_TOKENS_S = 10, 4
MOST_AUDIO_IN_TOKENS_S = 32
"""Of a second of sound, at Gemini: https://ai.google.dev/gemini-api/docs/audio"""


def expected_units(media_request: MediaRequest) -> Units:
    """What a media request may use. A sound file's length is not stated: 128 kilobits a second are assumed."""
    units = requested_units(media_request.endpoint, media_request.body)
    return Units(seconds=media_request.form.files_size / SOUND_BYTES_S) if units.seconds is None and media_request.form else units


def worst_units(media_request: MediaRequest) -> Units:
    """The most that a media request can use: speech of 8 kilobits a second is the densest that providers take."""
    units = requested_units(media_request.endpoint, media_request.body)
    return Units(seconds=media_request.form.files_size / 1000) if units.seconds is None and media_request.form else units


def media_usage(endpoint: str, units: Units, input_tokens: int) -> Usage | None:
    """The tokens of a media answer that reported none, estimated by its units; None where they do not show them."""
    if units.images:
        square, other = _PICTURE_TOKENS.get(units.image_quality.lower(), _PICTURE_TOKENS["high"])
        width, _, height = units.image_size.partition("x")
        output = units.images * (square if width and width == height else other)
        return Usage(input=input_tokens, output=output, image_out=output, source="estimated")
    if endpoint in ("transcriptions", "translations") and units.seconds:
        audio_in, written = (math.ceil(units.seconds * rate) for rate in (_AUDIO_IN_TOKENS_S, _WRITTEN_TOKENS_S))
        return Usage(audio_in=audio_in, output=written, source="estimated")
    return None


def reports_tokens(endpoint: str, body: dict[str, Json]) -> bool:
    """Whether an answer of a media endpoint can report tokens: sound and subtitles come as bytes, which do not."""
    if endpoint == "speech":
        # Only as events do they end with the tokens.
        return body.get("stream_format") == "sse"
    if endpoint in ("transcriptions", "translations"):
        return body.get("response_format") not in ("text", "srt", "vtt") or body.get("stream") in (True, "true")
    return True
