"""What all framings share: a frame, and the interface of a splitter, which cuts a byte stream into frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from conduit_desktop.core.errors import MalformedStream

MAX_FRAME = 32 * 1024 * 1024
"""Bytes one frame may have before the stream counts as malformed; images arrive in single frames."""
_AT_ONCE, _PIECE = 1024 * 1024, 128 * 1024
"""Bytes that are copied at once; of more, pieces, between which other threads can have the interpreter's lock."""


@dataclass(slots=True)
class Frame:
    """One frame of a stream: the event's name where the framing has names, its data, and its bytes as they came."""

    event: str | None
    data: bytes
    raw: bytes


def frames_from(frames: Sequence[Frame], faulty: Frame | None) -> int:
    """How many of `frames` there are from the one that could not be read (by identity) to the last; 0 where it is none of them."""
    return next((len(frames) - at for at, frame in enumerate(frames) if frame is faulty), 0)


def joined(pieces: Sequence[bytes]) -> bytes:
    """The pieces as one text; a large one is a bytearray, made piece by piece."""
    if sum(map(len, pieces)) <= _AT_ONCE:
        return b"".join(pieces)
    out = bytearray()
    for piece in pieces:
        _copy(piece, 0, len(piece), out)
    return cast("bytes", out)


def part_of(text: bytes, start: int, end: int) -> bytes:
    """The bytes of `text` from `start` to `end`; the text itself where that is all of it. A large part is a bytearray."""
    if end - start == len(text):
        return text
    if end - start <= _AT_ONCE:
        return text[start:end]
    out = bytearray()
    _copy(text, start, end, out)
    return cast("bytes", out)


def _copy(text: bytes, start: int, end: int, out: bytearray) -> None:
    with memoryview(text) as view:
        for at in range(start, end, _PIECE):
            out += view[at : min(at + _PIECE, end)]


class Splitter:
    """Cuts one byte stream, fed in any split, into frames.

    Bytes that end no frame are kept in a list and joined once, so that a frame of many megabytes costs no more than its length.
    """

    end = b""
    """The bytes that end a frame; empty where a frame carries its own length or closes itself."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0

    @property
    def rest(self) -> bytes:
        """The bytes that no frame has taken yet."""
        return joined(self._held)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete; raises MalformedStream for a frame over `MAX_FRAME` or a damaged one."""
        raise NotImplementedError

    @classmethod
    def last_end(cls, buffer: bytes, searched: int = 0) -> int:
        """The end of the last whole frame of `buffer`, which starts with a frame; 0 where none is whole. None ends in the first
        `searched` bytes.
        """
        raise NotImplementedError

    @classmethod
    def may_end(cls, tail: bytes, data: bytes) -> bool:
        """Whether a frame may end in `data`, which follows `tail` (some bytes at least): else no search of all before is needed."""
        return True

    @classmethod
    def split(cls, data: bytes) -> list[Frame]:
        """The frames of `data`, which is made of whole frames."""
        return cls().feed(data)

    def _hold(self, data: bytes) -> None:
        """Keep `data` alone, in place of what was held."""
        # No empty entry, so that `if self._held` alone shows whether a frame is open.
        self._held = [data] if data else []
        self._size = len(data)

    def _hold_more(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        self._check_size()

    def _check_size(self) -> None:
        if self._size > MAX_FRAME:
            raise MalformedStream(f"a frame of more than {MAX_FRAME} bytes")
