"""Writes a passed-through body with its numbers as the client spelled them: `1e3`, `1.10`, whole numbers of more than 64 bits.

The text itself is never sent on, not even in parts: of a member that is there twice, the vendor could take the other one, and
what was estimated and allowed would not be what is answered.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.wire import sliced_json

_NUMBER = re.compile(rb"\s*:\s*(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?=[\s,}])")
_CLASSES = bytes.maketrans(b"123456789eE", b"000000000..")
"""Digits as zeros, exponents as points: fixed texts are found in a fraction of the time of a pattern."""
_DIGITS = b"0" * 18
_SEARCHED = 64 * 1024
_SEARCHED_FOR_MODEL = 4 * 1024 * 1024
_STEP = 256 * 1024
LARGEST = 8 * 1024 * 1024
"""Bytes of the largest body that is parsed a second time for its numbers."""


def spelled(
    raw: bytes | bytearray, received: dict[str, Json], sent: dict[str, Json], may_have_floats: bool = True
) -> bytes | bytearray:
    """`sent` as JSON, where the numbers that it shares with `received` (by identity) are spelled as in `raw`, the latter's text.

    Not `may_have_floats`: there are none below the top for certain.
    """
    written: bytes | bytearray = b""
    own = [name for name, value in received.items() if type(value) is float]
    # Most bodies hold no number with a second spelling. A long one is quicker to walk than to search, as most of it is text.
    if len(raw) <= _SEARCHED:
        found = _respelled(raw)
        if not found:
            return orjson.dumps(sent)
        # Those at the top, such as `temperature`, are all there are.
        is_flat = found == len(own)
    elif not (own or may_have_floats):
        return _text_of(sent, len(raw))
    # And quicker still to compare: most clients write JSON without spaces, as orjson does.
    elif _is_same_but_for_model(raw, received, text := _text_of(sent, len(raw)), sent):
        return text
    else:
        is_flat = False
        written = text
    if (
        is_flat
        or not may_have_floats
        or not any(_has_float(value) for value in received.values() if type(value) is dict or type(value) is list)
    ):
        kept = {name: _as_in(raw, name, value) for name in own if type(value := sent.get(name)) is float}
        if kept and len(raw) <= sliced_json.LARGE:
            return orjson.dumps({**sent, **kept})
        return written or orjson.dumps(sent)
    if len(raw) > LARGEST:
        return written or orjson.dumps(sent)
    try:
        # The slower parser, because it shows the text of each number.
        return orjson.dumps(_merged(sent, received, json.loads(raw, parse_float=_fragment, parse_int=_whole)))
    # A text that the one parser takes and the other does not, or deeper than the latter follows.
    except (ValueError, RecursionError, orjson.JSONEncodeError):
        return orjson.dumps(sent)


def _text_of(sent: dict[str, Json], size: int) -> bytes | bytearray:
    # A body that large is prepared in a thread, and a writer that does it at once would have the interpreter's lock throughout.
    return sliced_json.run(sliced_json.write(sent)) if size > sliced_json.LARGE else orjson.dumps(sent)


def _respelled(raw: bytes | bytearray) -> int:
    """At least the count of the numbers that have a second spelling; 0 where there is none.

    Such a number has a fraction, an exponent, more digits than 64 bits, or is a negative zero.
    """
    classes = raw.translate(_CLASSES)
    return classes.count(b"0.") + classes.count(_DIGITS) + raw.count(b"-0")


def _is_same_but_for_model(
    raw: bytes | bytearray, received: dict[str, Json], text: bytes | bytearray, sent: dict[str, Json]
) -> bool:
    """Whether `text`, which `sent` was written as, is `raw` with another model: then its numbers are spelled as they came."""
    ours, theirs = (b'"model":' + orjson.dumps(body.get("model")) for body in (sent, received))
    if len(text) - len(ours) != len(raw) - len(theirs):
        return False
    # From the end as well: some clients write the model last. A model amid 100 MB is not looked for.
    at = text.find(ours, 0, _SEARCHED_FOR_MODEL)
    at = at if at >= 0 else text.rfind(ours, -min(len(text), _SEARCHED_FOR_MODEL))
    return (
        at >= 0
        and raw.startswith(theirs, at)
        and _is_same(raw, 0, text, 0, at)
        and _is_same(raw, at + len(theirs), text, at + len(ours), len(text))
    )


def _is_same(raw: bytes | bytearray, begin: int, text: bytes | bytearray, start: int, end: int) -> bool:
    """Whether `text` from `start` to `end` also stands in `raw` from `begin` on."""
    # In steps: 100 MB at once would have the interpreter's lock for 30 ms.
    steps = range(start, end, _STEP)
    return all(raw.startswith(text[at : min(at + _STEP, end)], at - start + begin) for at in steps)


def _as_in(raw: bytes | bytearray, name: str, value: float) -> Any:
    """A number at the top as it is spelled in `raw`, where the only member of that name has this value."""
    key = f'"{name}"'.encode("utf-8", "surrogatepass")
    at = raw.find(key)
    if at < 0 or raw.find(key, at + 1) >= 0:
        return value
    found = _NUMBER.match(raw, at + len(key))
    return orjson.Fragment(found[1]) if found and float(found[1]) == value else value


def _has_float(value: Json) -> bool:
    """Whether a number in it may have been spelled in another way. Whole numbers of more than 64 bits are read as floats, too."""
    for inner in value.values() if type(value) is dict else value:
        kind = type(inner)
        if kind is float or ((kind is dict or kind is list) and _has_float(inner)):
            return True
    return False


def _fragment(text: str) -> orjson.Fragment:
    return orjson.Fragment(text)


def _whole(text: str) -> int | orjson.Fragment:
    return int(text) if len(text) < 19 and text != "-0" else orjson.Fragment(text)


def _merged(sent: Any, received: Any, twin: Any) -> Any:
    """`sent` with the numbers of `twin`, which is `received` with its numbers as text."""
    if sent is received:
        return twin
    if type(sent) is dict and type(received) is dict:
        return {name: _merged(value, received[name], twin[name]) if name in received else value for name, value in sent.items()}
    if type(sent) is list and type(received) is list:
        index = {id(value): n for n, value in enumerate(received)}
        # A changed element is mostly still in its old place.
        places = [index.get(id(value), n) for n, value in enumerate(sent)]
        return [_merged(value, received[n], twin[n]) if n < len(received) else value for n, value in zip(places, sent, strict=True)]
    return sent
