"""Signatures of thoughts, as Google's clients take them: bytes in base64."""

from __future__ import annotations

import base64
import binascii
import re

_ALPHABET = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


def as_base64(signature: str) -> str:
    """`signature` if it is base64 already (of either alphabet), else its bytes in base64: SDKs decode it."""
    if _ALPHABET.fullmatch(signature):
        try:
            base64.b64decode(signature.translate(str.maketrans("-_", "+/")), validate=True)
        except binascii.Error:
            pass
        else:
            return signature
    return base64.b64encode(signature.encode("utf-8", "surrogatepass")).decode()
