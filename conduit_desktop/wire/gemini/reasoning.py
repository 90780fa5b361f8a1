"""Thinking signatures for Google's clients, which decode them as base64, so those of other providers are marked inside of it."""

from __future__ import annotations

import base64
import binascii
import re

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.gemini.field_names import NAME, Fields
from conduit_desktop.wire.provenance import mark_foreign, unmark, without_emptied

OF_ANOTHER_MODEL = base64.b64encode(b"skip_thought_signature_validator").decode()
"""The signature that Google documents for the call of another model in the history: Gemini 3 refuses a call without any.

In base64, which Google's SDKs decode. https://ai.google.dev/gemini-api/docs/thought-signatures
"""
_ALPHABET = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_STANDARD = str.maketrans("-_", "+/")


def as_base64(signature: str) -> str:
    """`signature` where it is base64 in either alphabet, else its bytes in base64."""
    # The alphabet alone is not enough: "abcde" matches, and Google's SDKs cannot decode it.
    if _ALPHABET.fullmatch(signature):
        try:
            base64.b64decode(signature.translate(_STANDARD), validate=True)
        except binascii.Error:
            pass
        else:
            return signature
    return base64.b64encode(signature.encode("utf-8", "surrogatepass")).decode()


def portable_signature(signature: str, dialect: str) -> str:
    """The signature for a thought from a provider of `dialect`, marked where that is not Gemini's."""
    return as_base64(mark_foreign(signature, dialect, ("", NAME)))


def foreign_signature(signature: Json) -> str | None:
    """The marked signature of another provider, out of base64; None for Google's own."""
    if not isinstance(signature, str):
        return None
    try:
        text = base64.b64decode(signature.translate(_STANDARD)).decode()
    except ValueError:
        return None
    return text if unmark(text) is not None else None


def without_foreign(body: Fields) -> Fields:
    """`body` without thoughts that another provider signed, which Google refuses; the same object where there are none."""
    contents = body.get("contents")
    if not isinstance(contents, list):
        return body
    kept = without_emptied(contents, _content, "parts")
    return body if kept is contents else {**body, "contents": kept}


def _content(content: Json) -> Json:
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list) or not any(_is_foreign(part) for part in parts):
        return content
    return {**content, "parts": [part for part in parts if not _is_foreign(part)]}


def _is_foreign(part: Json) -> bool:
    if not isinstance(part, dict) or not part.get("thought"):
        return False
    return foreign_signature(part.get("thoughtSignature", part.get("thought_signature"))) is not None
