"""Reads JSON as vendors and models write it, where orjson refuses it or changes its numbers."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from conduit_desktop.core.chat import Json

_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL)
"""One escape, or the two of a character above U+FFFF."""
_LONG = re.compile(r":\s*-?[0-9]{20}")
_LONG_BYTES = re.compile(_LONG.pattern.encode())
"""A whole number that may not fit into 64 bits. With the colon, because a search for digits alone is slow in long texts."""
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LARGEST = 2**64 - 1
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNREADABLE: Any = object()
_MAX_BYTES = 8 * 1024 * 1024
"""Bytes that the slower parser takes: a longer text is no tool call."""


def loads(text: bytes | bytearray | str) -> Json:
    """The JSON value in `text`; raises orjson.JSONDecodeError.

    An escaped half of a surrogate pair becomes U+FFFD: models and servers cut text within a character (vllm-project/vllm#9419), and
    most parsers take such JSON. Numbers out of range (`1e400`) are kept as they are written.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Everything else that is malformed is refused at once, without a second look at the text. Raised again from here: a frame
        # that has the error as its argument is in the error's traceback, and the two would keep the text until a full collection.
        if text[:3] != _BYTE_ORDER_MARK and (len(text) > _MAX_BYTES or not ("surrogate" in error.msg or "infinity" in error.msg)):
            raise
        mended = _tolerant(text)
        if mended is _UNREADABLE:
            raise
        return mended


def loads_exact(text: bytes | bytearray | str) -> Json:
    """As `loads`, but whole numbers of more than 64 bits are no floats: they are fragments, which orjson writes as they came."""
    if len(text) > _MAX_BYTES or not has_long_number(text):
        return loads(text)
    try:
        return _slow(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError):
        return loads(text)


def has_long_number(text: bytes | bytearray | str) -> bool:
    """Whether a field may hold a whole number of more than 64 bits."""
    if isinstance(text, str):
        return _LONG.search(text) is not None
    # Of 20 digits in a row, four are at every fifth byte: nearly every text is decided by these, in a third of the time.
    return b"0000" in text[::5].translate(_ZEROS) and _LONG_BYTES.search(text) is not None


def _tolerant(text: bytes | bytearray | str) -> Json:
    # .NET's writers put a byte-order mark before the text.
    if text[:3] == _BYTE_ORDER_MARK:
        return loads(text[3:])
    try:
        return _slow(_ESCAPE.sub(_whole_escape, text if isinstance(text, str) else text.decode()))
    except (ValueError, RecursionError):
        return _UNREADABLE


def _whole_escape(escape: re.Match[str]) -> str:
    found = escape[0]
    return "\\ufffd" if len(found) == 6 and found[2] in "dD" and found[3] in "89abcdefABCDEF" else found


def _slow(text: str) -> Json:
    value: Json = json.loads(text, parse_float=_float, parse_int=_int, parse_constant=_refuse)
    return value


def _float(text: str) -> Any:
    number = float(text)
    return orjson.Fragment(text) if number in (float("inf"), float("-inf")) else number


def _int(text: str) -> Any:
    if len(text) < 19:
        return int(text)
    # Python refuses to read very long numbers, and none of them fits.
    return number if len(text) < 22 and -(2**63) <= (number := int(text)) <= _LARGEST else orjson.Fragment(text)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
