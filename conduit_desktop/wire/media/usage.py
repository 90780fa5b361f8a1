"""Usage of media endpoints: tokens, images, characters and seconds of audio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.wire.openai_chat.usage import read_usage
from conduit_desktop.wire.usage_dimensions import faulty, names, tier, unread
from conduit_desktop.wire.values import count

READ_ONLY = frozenset({"embeddings", "rerank", "moderations"})
"""Endpoints whose models generate nothing, so that all reported tokens are input."""


_IMAGES = frozenset({"images", "image_edits"})
_SOUND = frozenset({"transcriptions", "translations"})
_LONGEST_WORD = 40
DOCUMENTS_A_SEARCH = 100
"""Documents that one search of a reranker may rank; more are further searches. https://cohere.com/pricing"""


def requested_units(endpoint: str, body: dict[str, Json]) -> Units:
    """The units that a request is for, by its fields; the response may report them more exactly (`read_units`)."""
    # OpenAI's default is one image.
    if endpoint in _IMAGES:
        return Units(images=count(body.get("n")) or 1, image_size=_word(body.get("size")), image_quality=_word(body.get("quality")))
    if endpoint == "speech":
        text = body.get("input")
        return Units(characters=len(text) if isinstance(text, str) else 0)
    if endpoint in _SOUND:
        # Unknown until the answer: no field of the request shows how long a recording is.
        return Units(seconds=None)
    return Units()


def read_units(endpoint: str, answer: dict[str, Json], requested: Units) -> Units:
    """The units of a response: its images, or the seconds of audio that it reports; else those requested."""
    data = answer.get("data")
    if endpoint in _IMAGES:
        # A vendor may return fewer images than were requested. Where the request left size and quality to the model, the answer
        # names them: https://platform.openai.com/docs/api-reference/images/object
        return Units(
            images=len(data) if isinstance(data, list) else requested.images,
            image_size=_word(answer.get("size")) or requested.image_size,
            image_quality=_word(answer.get("quality")) or requested.image_quality,
        )
    if endpoint in _SOUND:
        usage = answer.get("usage")
        reported = _reported_seconds(usage) if isinstance(usage, dict) else None
        reported = reported or _seconds(answer.get("duration"))
        return Units(seconds=reported) if reported else requested
    if endpoint == "rerank":
        return Units(searches=count(_billed(answer).get("search_units")))
    return requested


def read_media_usage(endpoint: str, answer: dict[str, Json]) -> Usage | None:
    """The tokens of a response in OpenAI's format, with `prompt_tokens` or `input_tokens`; None where it reports none."""
    raw = answer.get("usage")
    if not isinstance(raw, dict):
        return None
    has_tokens = any(isinstance(value, (int, float)) for name, value in raw.items() if name.endswith("_tokens"))
    counted = read_usage(_in_chat_names(raw, endpoint in READ_ONLY))
    if not has_tokens and counted.cost_nano is None:
        return None
    counted.service_tier = tier(answer.get("service_tier")) or counted.service_tier
    if endpoint in READ_ONLY:
        return _input_only(counted)
    if endpoint in _IMAGES and counted.output and not counted.image_out:
        # Without details all of the output is pictures, as GPT Image's first versions report it.
        counted.image_out = counted.output - counted.reasoning
    elif endpoint == "speech":
        counted.audio_out, counted.output = counted.audio_out + counted.output, 0
    elif endpoint in _SOUND:
        # The length is a unit of its own, which `read_units` reads.
        counted.unclear = tuple(name for name in counted.unclear if name != "prompt_audio_seconds")
    return counted


_CHAT_NAMES = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}


def _in_chat_names(raw: dict[str, Any], input_only: bool) -> dict[str, Any]:
    """The usage in the names of Chat Completions, which the images and the audio API do not use."""
    renamed = raw if "prompt_tokens" in raw else {_CHAT_NAMES.get(name, name): value for name, value in raw.items()}
    # What generates nothing has no output, and often nothing but a total.
    return {**renamed, "prompt_tokens": renamed.get("total_tokens")} if input_only and "prompt_tokens" not in renamed else renamed


def _input_only(counted: Usage) -> Usage:
    tokens = counted.total_input + counted.total_output
    return Usage(
        input=tokens - counted.audio_in,
        audio_in=counted.audio_in,
        image_in=min(counted.image_in, tokens - counted.audio_in),
        service_tier=counted.service_tier,
        unclear=counted.unclear,
        cost_nano=counted.cost_nano,
        extra=counted.extra,
    )


def billed_usage(answers: Sequence[dict[str, Json]]) -> Usage | None:
    """The tokens of Cohere's responses, from `meta.billed_units`; None where one of them reports none.

    Tokens of images are not among those of texts. https://docs.cohere.com/reference/embed
    """
    text = images = 0
    unclear: list[str] = []
    for billed in map(_billed, answers):
        if billed.get("input_tokens") is None and not count(billed.get("image_tokens")):
            return None
        text += count(billed.get("input_tokens"))
        images += count(billed.get("image_tokens"))
        # Images without tokens have a price that depends on their size.
        known = ("input_tokens", "image_tokens", "search_units", *(("images",) if count(billed.get("image_tokens")) else ()))
        unclear += unread(billed, known, "billed_units.")
        unclear += faulty(billed, ("input_tokens", "image_tokens"))
    return Usage(input=text + images, image_in=images, unclear=names(unclear))


def _billed(answer: dict[str, Json]) -> dict[str, Json]:
    meta = answer.get("meta")
    billed = meta.get("billed_units") if isinstance(meta, dict) else None
    return billed if isinstance(billed, dict) else {}


def input_usage(counts: Sequence[Json]) -> Usage | None:
    """The usage of several responses by their counts of input tokens; None where one of them reports none."""
    if not all(isinstance(each, (int, float)) for each in counts):
        return None
    wrong = [each for each in counts if each and not count(each)]
    return Usage(input=sum(map(count, counts)), unclear=("input_tokens",) if wrong else ())


def sum_usages(usages: Sequence[Usage | None]) -> Usage | None:
    """The usage of several responses that together answer one request; None where one of them reports none."""
    counted = [usage for usage in usages if usage is not None]
    # A sum over a part of the batches would be billed as the whole.
    if len(counted) < len(usages) or not counted:
        return None
    # As with tokens: a cost that lacks one batch is worse than none.
    costs = [usage.cost_nano for usage in counted if usage.cost_nano is not None]
    tiers = {usage.service_tier for usage in counted}
    mixed = ("service_tier",) if len(tiers) > 1 else ()
    return Usage(
        input=sum(usage.input for usage in counted),
        audio_in=sum(usage.audio_in for usage in counted),
        image_in=sum(usage.image_in for usage in counted),
        service_tier=counted[-1].service_tier,
        unclear=names((*mixed, *(name for usage in counted for name in usage.unclear))),
        cost_nano=sum(costs) if len(costs) == len(counted) else None,
        extra=counted[-1].extra,
    )


def _word(value: Json) -> str:
    return value[:_LONGEST_WORD] if isinstance(value, str) and value.isprintable() else ""


def _reported_seconds(usage: dict[str, Any]) -> float | None:
    # OpenAI, Mistral and others: https://docs.mistral.ai/capabilities/audio_transcription
    return next((found for name in ("seconds", "prompt_audio_seconds", "duration") if (found := _seconds(usage.get(name)))), None)


def _seconds(value: Json) -> float | None:
    """A duration in seconds, as a number or as text (from Whisper servers); None where it is neither or too large."""
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else 0.0
    except ValueError:
        return None
    return seconds if 0 < seconds < 10**7 else None
