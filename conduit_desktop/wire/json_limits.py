"""Bounds the work that a JSON text can cause: how deep it is nested, and how many values it has."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import orjson

DEEPEST = 200
"""Levels of lists and objects. orjson writes 254, and a translation puts some around what it was given."""
MOST_FIELDS = 200_000
"""Objects, lists and named fields: each costs a microsecond to parse, and several whenever the text is walked."""
MOST_VALUES = 1_000_000
"""Values in lists and objects; numbers in a row cost little each."""
LARGE = 1024 * 1024
"""Bytes of a text that is checked before it is parsed. A smaller one cannot hold so much that it matters."""
SHALLOW = 2 * DEEPEST
"""Bytes of a text that cannot be nested too deep."""
_SLICE, _STRUCTURE = 256 * 1024, 64 * 1024
"""Bytes that are counted, or looked at bracket by bracket, before others go on."""
_COUNTED = 16 * 1024 * 1024
"""Bytes up to which it is quicker to write a text once more than to look for its depth."""
_ESCAPED = (b"\\\\", b'\\"')
_SEARCHED = 32 * 1024
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENERS = frozenset(b"[{")
_WRAPPINGS = 254 - DEEPEST


class TooComplex(Exception):  # not a ConduitError: who sent the text decides what it becomes
    """The text is nested too deep, or holds too much; `code` says which of the two."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def too_deep() -> TooComplex:
    """The error of a text that is nested too deep."""
    return TooComplex(f"the JSON is nested deeper than {DEEPEST} levels", "nested_too_deep")


def may_be_deep(text: bytes | bytearray) -> bool:
    """Whether a text has enough brackets to be nested too deep; a large one is not looked through for them."""
    return len(text) > _SEARCHED or text.count(b"[") + text.count(b"{") > DEEPEST


def check_depth(value: Any) -> None:
    """Raises TooComplex where a value is nested deeper than DEEPEST."""
    # orjson refuses to write deeper nesting: far quicker than any walk in Python.
    for _ in range(_WRAPPINGS):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise too_deep() from None


def check(text: bytes | bytearray, most_values: int = MOST_VALUES, most_fields: int = MOST_FIELDS) -> Generator[None, None, bool]:
    """Checks a large text without parsing it, and yields about every millisecond; raises TooComplex.

    Returns whether the depth of its value is still to be checked.

    Counts what might be structure first. Only where that is too much, what is within strings is left out of it.
    """
    openers = colons = commas = 0
    for at in range(0, len(text), _SLICE):
        end = at + _SLICE
        openers += text.count(b"{", at, end) + text.count(b"[", at, end)
        colons += text.count(b":", at, end)
        commas += text.count(b",", at, end)
        yield
    if openers + colons > most_fields or commas > most_values or (openers > DEEPEST and len(text) > _COUNTED):
        yield from _check_structure(text, most_values, most_fields)
        return False
    return openers > DEEPEST


def _check_structure(text: bytes | bytearray, most_values: int, most_fields: int) -> Iterator[None]:
    fields = values = depth = at = 0
    in_string = False
    while at < len(text):
        piece = text[at : at + _STRUCTURE]
        # An escape must not be cut: what follows an odd number of backslashes belongs to them.
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            piece = text[at : at + len(piece) + 1]
        at += len(piece)
        if b"\\" in piece:
            for escaped in _ESCAPED:
                piece = piece.replace(escaped, b"")
        # Without escapes, every other piece between quotation marks is a string.
        parts = piece.split(b'"')
        outside = b"".join(parts[in_string::2])
        in_string ^= len(parts) % 2 == 0
        brackets = outside.translate(None, _NO_BRACKETS)
        fields += brackets.count(b"{") + brackets.count(b"[") + outside.count(b":")
        values += outside.count(b",")
        if fields > most_fields or values > most_values:
            raise TooComplex(
                f"the JSON has more than {most_fields:,} objects, lists and fields, or {most_values:,} values", "too_many_values"
            )
        for bracket in brackets:
            depth += 1 if bracket in _OPENERS else -1
            if depth > DEEPEST:
                raise too_deep()
            if depth < 0:
                return  # no JSON: the parser says where
        yield
