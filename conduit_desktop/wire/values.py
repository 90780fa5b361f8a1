"""Small readers and writers of values that vendors treat differently: token counts, base64, tool-call arguments and ids."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import orjson

from conduit_desktop.core.chat import Json, Media, Reasoning, ToolCall
from conduit_desktop.wire import json_text

MAX_COUNT = 10**12
"""A larger token count is a vendor's mistake, and would not fit into the database's integers once it is priced."""
_STANDARD_ALPHABET = str.maketrans("-_", "+/", " \t\r\n")
_NOT_STANDARD = "-_ \t\r\n"
_IMAGE_PREFIXES = {"/9j/": "image/jpeg", "iVBORw0KGgo": "image/png", "R0lGOD": "image/gif", "UklGR": "image/webp"}
"""The first bytes of each image format, in base64."""
_TEXT = re.compile(r"text/|application/(?:json|xml|x-javascript|javascript|x-typescript|x-python|x-sh|yaml|x-yaml|toml)\b")
"""Media types of text."""
IMAGE_TYPES = frozenset(_IMAGE_PREFIXES.values())
"""The image formats that Claude and others read."""
_PERSONAL = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d ()-]{9,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_LABELS = {"image": "An image", "document": "A file", "audio": "A recording", "video": "A video"}
_EFFORT_LIMITS = ((4_096, "low"), (16_384, "medium"))


def count(value: Json) -> int:
    """The token count in `value`: a number, or decimal digits in a string (Google's JSON of 64-bit integers); else 0."""
    # First, because nearly every count is one.
    if type(value) is int:
        return value if 0 < value <= MAX_COUNT else 0
    # The length is checked first: Python raises for very long strings of digits.
    if type(value) is str and value.isdecimal() and len(value) <= len(str(MAX_COUNT)):
        value = int(value)
    return int(value) if type(value) in (int, float) and 0 < value <= MAX_COUNT else 0


def standard_base64(data: str) -> str:
    """`data` in the standard alphabet, on one line, correctly padded: the one form that every vendor decodes.

    Callers send the URL-safe alphabet, line breaks, and too few or too many `=`.
    """
    if any(mark in data for mark in _NOT_STANDARD):
        data = data.translate(_STANDARD_ALPHABET)
    bare = data.rstrip("=")
    missing = -len(bare) % 4
    if missing == 3 or len(data) == len(bare) + missing:
        return data  # 4n + 1 characters are not base64, with whatever padding
    return bare + "=" * missing


def with_standard_base64(media: Media) -> Media:
    """`media` with its data in that form; the same object where nothing changes."""
    if media.data is None:
        return media
    data = standard_base64(media.data)
    return media if data is media.data else replace(media, data=data)


def standard_media(media: Media) -> Media:
    """`media` with its data in standard base64 and, for an image, with the type of its first bytes; else the same object.

    Clients send `image/jpg`, no type, or the wrong one: Ollama's have none, and vendors refuse what they do not know.
    """
    media = with_standard_base64(media)
    if media.kind != "image" or media.data is None:
        return media
    found = image_type(media.data) or ("image/jpeg" if media.media_type == "image/jpg" else media.media_type)
    return media if found == media.media_type else replace(media, media_type=found)


def decoded_text(media: Media) -> str | None:
    """The text of a file that is one; None for any other, and for one that cannot be decoded."""
    if media.data is None or not _TEXT.match(media.media_type or ""):
        return None
    try:
        return base64.b64decode(media.data).decode()
    except ValueError:
        return None


def named_text(name: str | None, text: str) -> str:
    """A document's text with its title before it, for vendors that take documents as text only."""
    return f"{name}\n\n{text}" if name else text


def left_out(media: Media) -> str:
    """A sentence in place of a part that the vendor does not take: the model can say why it cannot answer."""
    return f"[{_LABELS[media.kind]} was left out: the model does not take it]"


def image_type(data: str | None) -> str | None:
    """The media type that an image's first bytes show; None where they are not known. `data` is base64."""
    return next((kind for prefix, kind in _IMAGE_PREFIXES.items() if (data or "").startswith(prefix)), None)


def as_object(call: ToolCall) -> tuple[dict[str, Json], bool]:
    """A tool call's arguments as a JSON object, and whether that is lossless.

    The free text of a custom tool is wrapped as `{"input": text}`, which is lossless; so are arguments that are not a JSON
    object, which is not.
    """
    if call.kind == "custom":
        return {"input": call.arguments}, True
    try:
        value = json_text.loads_exact(call.arguments)
    except orjson.JSONDecodeError:
        # Some models stream no arguments at all for a tool without parameters.
        return ({"input": call.arguments}, False) if call.arguments.strip() else ({}, True)
    return (value, True) if isinstance(value, dict) else ({"input": value}, False)


def fitting_id(call_id: str, forbidden: re.Pattern[str], default: str, max_length: int | None = None) -> str:
    """`call_id` in a vendor's alphabet and length; unchanged where it fits, and always the same for the same id.

    `forbidden` matches one character outside the alphabet. A digest keeps two ids apart that would become equal.
    """
    clean = forbidden.sub("_", call_id)
    if clean and clean == call_id and (max_length is None or len(clean) <= max_length):
        return call_id
    digest = hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    kept = clean if max_length is None else clean[: max_length - len(digest) - 1]
    return f"{kept or default}_{digest}"


def disables_reasoning(reasoning: Reasoning) -> bool:
    """Whether the request turns thinking off, in whichever of the dialects' three forms."""
    return reasoning.mode == "disabled" or reasoning.effort == "none" or reasoning.budget_tokens == 0


def effort_for_budget(budget_tokens: int) -> str:
    """The effort nearest to a thinking budget in tokens: up to 4096 `low`, up to 16384 `medium`, else `high`."""
    return next((effort for limit, effort in _EFFORT_LIMITS if budget_tokens <= limit), "high")


def impersonal_user(user: str, max_length: int) -> str:
    """A user's id for a vendor that refuses long ones, e-mail addresses and telephone numbers: then a digest, always the same."""
    if len(user) <= max_length and not _PERSONAL.fullmatch(user):
        return user
    return hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:max_length]


def may_be_signature(signature: str) -> bool:
    """Whether this may be Claude's signature of a thinking block, which is base64; other gateways fill in texts of their own."""
    return len(signature) % 4 == 0 and _BASE64.fullmatch(signature) is not None
