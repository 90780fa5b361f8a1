"""What all framings share: a frame, and the interface of a splitter, which cuts a byte stream into frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conduit_desktop.core.errors import MalformedStream

MAX_FRAME = 32 * 1024 * 1024
"""Bytes one frame may have before the stream counts as malformed; images arrive in single frames."""


@dataclass(slots=True)
class Frame:
    """One frame of a stream: the event's name where the framing has names, its data, and its bytes as they came."""

    event: str | None
    data: bytes
    raw: bytes


def frames_from(frames: Sequence[Frame], faulty: Frame | None) -> int:
    """How many of `frames` there are from the one that could not be read (by identity) to the last; 0 where it is none of them."""
    return next((len(frames) - at for at, frame in enumerate(frames) if frame is faulty), 0)


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
        return b"".join(self._held)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete; raises MalformedStream for a frame over `MAX_FRAME` or a damaged one."""
        raise NotImplementedError

    @classmethod
    def last_end(cls, buffer: bytes) -> int:
        """The end of the last whole frame of `buffer`, which starts with a frame; 0 where none is whole."""
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
