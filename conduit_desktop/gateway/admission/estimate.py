"""Estimates of tokens before a provider has counted: four UTF-8 bytes a token, and a fixed number for an image.

A real tokenizer would block the loop for milliseconds on the bodies that coding agents send; a reservation and an
interrupted answer need no more than this, and both are marked as estimates.
"""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.core.media import Units
from conduit_desktop.wire.media.endpoints import MediaRequest
from conduit_desktop.wire.media.usage import requested_units

BYTES_PER_TOKEN = 4
MEDIA_TOKENS = 1500
"""About what a full-size picture costs (OpenAI's high detail: 765 to 1,445; Claude's cap: about 1,600)."""

_LONGEST_TEXT_FIELD = 4096
_SKIPPED = frozenset(
    {"model", "stream", "stream_options", "type", "role", "id", "tool_call_id", "tool_use_id", "signature", "thoughtSignature"}
)


def input_tokens(body: Json) -> int:
    """Tokens of a request body of any dialect: its texts, and its pictures and documents at a flat sum."""
    size, media = _measure(body)
    return max(1, size // BYTES_PER_TOKEN) + media * MEDIA_TOKENS


def expected_units(media_request: MediaRequest) -> Units:
    """What a media request may use. A sound file's length is not stated: 128 kilobits a second are assumed."""
    units = requested_units(media_request.endpoint, media_request.body)
    return Units(seconds=media_request.form.files_size / _SOUND_BYTES_S) if units.seconds is None and media_request.form else units


_SOUND_BYTES_S = 16_000


def _measure(body: Json) -> tuple[int, int]:
    """UTF-8 bytes of all texts, and the number of pictures and documents."""
    size = media = 0
    # A stack, not recursion: clients choose how deep a body is nested.
    stack = [body]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            for name, part in item.items():
                if name in _SKIPPED:
                    continue
                # Most texts are short: they are counted here, as each step of the stack costs more than the count.
                if type(part) is str and len(part) <= _LONGEST_TEXT_FIELD and part.isascii():
                    size += len(part)
                else:
                    stack.append(part)
        elif type(item) is list:
            stack += item
        elif type(item) is not str:
            # A number or a boolean is about one token.
            size += 0 if item is None else BYTES_PER_TOKEN
        elif len(item) > _LONGEST_TEXT_FIELD and _is_encoded(item):
            media += 1
        else:
            size += len(item) if item.isascii() else len(item.encode("utf-8", "replace"))
    return size, media


def _is_encoded(text: str) -> bool:
    """A data URL or bare base64: one long run without a space."""
    return text.startswith("data:") or (" " not in text[:_LONGEST_TEXT_FIELD] and "\n" not in text[:76])


def max_output_tokens(body: dict[str, Json]) -> int:
    """The request's max output tokens, in any dialect; UNBOUNDED where it sets none."""
    nested = body.get("generationConfig") or body.get("generation_config") or body.get("inferenceConfig") or body.get("options")
    for place in (body, nested) if isinstance(nested, dict) else (body,):
        for name in _MAX_OUTPUT_FIELDS:
            value = place.get(name)
            # `True` is an int in Python: it would pass for a limit of one token.
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                n = place.get("n")
                # Each of the `n` choices may be as long as the maximum.
                return value * n if isinstance(n, int) and n > 1 else value
    return UNBOUNDED


UNBOUNDED = 2**31
_MAX_OUTPUT_FIELDS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "maxTokens", "num_predict")
