"""Reads and writes large JSON in slices of about a millisecond, between which other work can go on.

orjson holds the interpreter's lock until it is done, for 2 ms a megabyte: in a thread as well it would hold up every stream. The
generators here hand it a part at a time. `run` drives one in a thread, `spread` on the event loop.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Generator
from typing import Any, TypeVar, cast

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.wire import json_limits

LARGE = 4 * 1024 * 1024
"""Bytes of a text above which reading it at once would hold the event loop for more than 10 ms."""
_DENSE_FROM, _DENSE = 128 * 1024, 20_000
"""Fewer bytes with so many objects, lists and fields take 40 ms to be translated. Agents' bodies of a megabyte have fewer."""
_MANY = 600_000
"""Values, and bytes that have so many, which take 40 ms to be read."""
_TEXT = 128 * 1024 - 2
"""Bytes, or characters, of one long string that are read or written at once, without its quotation marks."""
_SLICE = 16 * 1024
"""Bytes that are looked at, read or written at once; characters of a string that is written in slices."""
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
"""A whole string, else a quotation mark without its end, a bracket or a comma."""
_INSIDE = re.compile(
    rb'(?:[^"\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\[^u])*+',
    re.DOTALL,
)
"""What is within a string, up to an escape that is not complete."""
_OPENERS = b"[{"
_OPEN_LIST, _CLOSE_LIST, _CLOSE_OBJECT, _QUOTE, _COMMA = b'[]}",'
_MOST_BLANK = 64
"""Slices that blank space within an element may fill."""
_PAUSE_S = 0.0005
"""Between the slices of a frame: as long as a slice takes."""
_BATCH = 256
"""Elements of a list or an object that are looked at before the next is."""
T = TypeVar("T")


def is_heavy(text: bytes | bytearray) -> bool:
    """Whether a text takes so long to read, and what it holds to be walked, that others would wait for it."""
    size = len(text)
    if size <= _DENSE_FROM or size > LARGE:
        return size > LARGE
    return text.count(b":") + text.count(b"[") > _DENSE or (size > _MANY and text.count(b",") > _MANY)


class NotJson(ValueError):
    """The text is not JSON; `position` is the byte at which, or shortly before which, that shows."""

    def __init__(self, position: int, why: str = "unexpected data") -> None:
        super().__init__(f"{why} near byte {position:,}")
        self.position = position


def run(work: Generator[None, None, T]) -> T:
    """The result of `work`, done at once."""
    results: list[T] = []
    for _ in _slices(work, results):
        pass
    return results[0]


def run_with_pauses(work: Generator[None, None, T]) -> T:
    """The same, in a thread: it sleeps after each slice, as a loop that writes to many sockets gives its lock away each time."""
    results: list[T] = []
    for _ in _slices(work, results):
        time.sleep(_PAUSE_S)
    return results[0]


async def spread(work: Generator[None, None, T]) -> T:
    """The result of `work`; the event loop does other things between its slices."""
    results: list[T] = []
    for _ in _slices(work, results):
        await asyncio.sleep(0)
    return results[0]


def _slices(work: Generator[None, None, T], results: list[T]) -> Generator[None, None, None]:
    """The slices of `work`, whose result is added to `results`."""
    results.append((yield from work))


def read(text: bytes | bytearray) -> Generator[None, None, Any]:
    """The value of a JSON text, as orjson reads it; raises NotJson, and TooComplex where it is nested too deep."""
    return _Reader(text).read()


class _Reader:
    """Cuts a text into runs of whole elements, which orjson reads; an element that is longer than a slice is entered."""

    def __init__(self, text: bytes | bytearray) -> None:
        self._text = cast("bytes", text)

    def read(self) -> Generator[None, None, Any]:
        start = self._after_blank(0)
        if self._text[start : start + 1] not in (b"[", b"{"):
            return self._loads(self._text, 0)  # a long string or number alone is no request and no answer
        value, end = yield from self._container(start, 1)
        if self._after_blank(end) < len(self._text):
            raise NotJson(end)
        return value

    def _container(self, opened: int, level: int) -> Generator[None, None, tuple[Any, int]]:
        """The list or object that is opened at a place, and the place behind its end. `level` is 1 for the outermost."""
        text, size = self._text, len(self._text)
        container: Any = [] if text[opened] == _OPEN_LIST else {}
        closer = _CLOSE_LIST if text[opened] == _OPEN_LIST else _CLOSE_OBJECT
        at = opened + 1
        """The beginning of what is not read yet: of an element."""
        is_after_comma = False
        reach = _SLICE
        while True:
            limit = min(at + reach, size)
            end, comma, inner, string = self._scan(at, limit, level)
            yield
            if end >= 0:
                if text[end] != closer:
                    raise NotJson(end)
                if is_after_comma or text[at:end].strip():
                    self._add(container, at, end)
                return container, end + 1
            if comma >= 0:
                self._add(container, at, comma)
                at, is_after_comma, reach = comma + 1, True, _SLICE
                continue
            if inner < 0 and string < 0:
                if limit == size or reach > _MOST_BLANK * _SLICE:
                    raise NotJson(limit, "unexpected end" if limit == size else "a number or blank space that is too long")
                reach *= 2
                continue
            reach = _SLICE
            key = self._key(container, at, string if inner < 0 else inner)
            if inner >= 0:
                value, at = yield from self._container(inner, level + 1)
            else:
                value, at = yield from self._long_string(string + 1)
            if type(container) is list:
                container.append(value)
            else:
                container[key] = value
            at = self._after_blank(at) + 1
            follows = text[at - 1 : at]
            if follows == b"%c" % closer:
                return container, at
            if follows != b",":
                raise NotJson(at - 1)
            is_after_comma = True

    def _scan(self, at: int, limit: int, level: int) -> tuple[int, int, int, int]:
        """Looks at the elements from `at` on. The places of, or -1 where there is none up to `limit`: the container's end, its last
        comma, the first container in it, a string without its end. Raises TooComplex.
        """
        text = self._text
        end = comma = inner = string = -1
        depth = 0
        for token in _TOKEN.finditer(text, at, limit):
            place = token.start()
            first = text[place]
            if first == _QUOTE:
                if token.end() - place == 1:
                    string = place
                    break
            elif first == _COMMA:
                if not depth:
                    comma = place
            elif first in _OPENERS:
                if not depth and inner < 0:
                    inner = place
                depth += 1
                if level + depth > json_limits.DEEPEST:
                    raise json_limits.too_deep()
            elif depth:
                depth -= 1
            else:
                end = place
                break
        return end, comma, inner, string

    def _after_blank(self, at: int) -> int:
        while at < len(self._text):
            piece = self._text[at : at + _SLICE]
            if rest := piece.lstrip(b" \t\r\n"):
                return at + len(piece) - len(rest)
            at += len(piece)
        return at

    def _key(self, container: Any, start: int, value: int) -> str | None:
        """The name of the member whose value is at `value`; None in a list."""
        name = bytes(self._text[start:value]).strip()
        if type(container) is list:
            if name:
                raise NotJson(start)
            return None
        key = self._loads(name[:-1], start) if name.endswith(b":") else None
        if type(key) is not str:
            raise NotJson(start)
        return key

    def _add(self, container: Any, start: int, end: int) -> None:
        """Read the elements between two places, of which there must be one at least."""
        part = self._text[start:end]
        if type(container) is list:
            read = self._loads(b"[%b]" % part, start)
            container += read
        else:
            read = self._loads(b"{%b}" % part, start)
            container.update(read)
        if not read:
            raise NotJson(start)

    def _long_string(self, at: int) -> Generator[None, None, tuple[str, int]]:
        """The string that begins at `at`, behind its quotation mark, and the place behind its end."""
        text, size = self._text, len(self._text)
        value = ""
        while True:
            # Escapes take fifty times as long.
            is_plain = text.find(b"\\", at, at + _TEXT) < 0
            limit = min(at + (_TEXT if is_plain else _SLICE), size)
            if is_plain:
                end = text.find(b'"', at, limit)
                end = limit if end < 0 else end
            else:
                match = _INSIDE.match(text, at, limit)
                end = match.end() if match is not None else at
            is_end = end < size and text[end] == _QUOTE
            if not is_end:
                # Not within a character.
                while end > at and end < size and text[end] & 0xC0 == 0x80:
                    end -= 1
                if end <= at or limit == size:
                    raise NotJson(end, "a string without its end")
            # Appended to a local name: then the interpreter lets the string grow in place, and nothing is copied at the end.
            value += self._loads(b'"%b"' % text[at:end], at)
            at = end
            yield
            if is_end:
                return value, at + 1

    def _loads(self, part: bytes | bytearray, start: int) -> Any:
        try:
            return orjson.loads(part)
        except orjson.JSONDecodeError as error:
            raise NotJson(start + error.pos, error.msg) from None


def write(value: Json) -> Generator[None, None, bytearray]:
    """The value as JSON, as orjson writes it; raises orjson.JSONEncodeError and RecursionError."""
    writer = _Writer()
    yield from writer.write(value)
    return writer.out


class _Writer:
    """Writes values one after the other; those that are small are written together."""

    def __init__(self) -> None:
        self.out = bytearray()
        self._since = 0
        """The length of `out` at the last pause."""

    def write(self, value: Any) -> Generator[None, None, None]:
        """Append the value."""
        out, kind = self.out, type(value)
        if kind is str and len(value) > _SLICE:
            out += b'"'
            for at in range(0, len(value), _TEXT):
                out += orjson.dumps(value[at : at + _TEXT])[1:-1]
                yield
            out += b'"'
        elif kind is list and value:
            out += b"["
            for at in range(0, len(value), _BATCH):
                batch = value[at : at + _BATCH]
                if _is_small(batch):
                    out += orjson.dumps(batch)[1:-1] + b","
                    if self._is_due():
                        yield
                else:
                    for one in batch:
                        yield from self.write(one)
                        out += b","
            out[-1:] = b"]"
        elif kind is dict and value and not (len(value) <= _BATCH and _is_small(value.values())):
            out += b"{"
            for name, one in value.items():
                out += orjson.dumps(name) + b":"
                yield from self.write(one)
                out += b","
            out[-1:] = b"}"
        else:
            out += orjson.dumps(value)
        if self._is_due():
            yield

    def _is_due(self) -> bool:
        if len(self.out) - self._since < _SLICE:
            return False
        self._since = len(self.out)
        return True


def _is_small(values: Any) -> bool:
    """Whether values hold no containers and little text."""
    total = 0
    for value in values:
        if type(value) is dict or type(value) is list:
            return False
        if type(value) is str:
            total += len(value)
    return total <= _SLICE
