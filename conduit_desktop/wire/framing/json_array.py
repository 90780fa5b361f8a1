"""A stream that is one JSON array, cut into its elements: `[{…},\\n{…}]` in any split, as Google streams without `alt=sse`."""

from __future__ import annotations

import re

from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.framing.sse import MAX_FRAME, Frame

_IN_TEXT = re.compile(rb'["\\]')
_OUTSIDE = re.compile(rb'["\[\]{}]')


class ArraySplitter:
    """Finds where elements end without parsing them; bytes are looked at once."""

    end = b""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._depth = 0
        self._in_text = False
        self._skip = False

    def feed(self, data: bytes) -> list[Frame]:
        """The elements these bytes complete; raises MalformedStream for one that grows too large."""
        if not data:
            return []
        frames: list[Frame] = []
        start = 0
        at = 1 if self._skip else 0
        self._skip = False
        while (found := (_IN_TEXT if self._in_text else _OUTSIDE).search(data, at)) is not None:
            at = found.end()
            mark = found[0]
            if mark == b"\\":
                at += 1
                self._skip = at > len(data)
            elif mark == b'"':
                self._in_text = not self._in_text
            elif mark == b"{" or (mark == b"[" and self._depth):
                start = found.start() if not self._depth else start
                self._depth += 1
            elif mark != b"[" and self._depth:
                self._depth -= 1
                if not self._depth:
                    frames.append(self._element(data[start:at]))
        if self._depth:
            self._hold(data[start:])
        return frames

    def _element(self, last: bytes) -> Frame:
        whole = b"".join([*self._held, last])
        self._held, self._size = [], 0
        return Frame(None, whole, whole)

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._size > MAX_FRAME:
            raise MalformedStream(f"an element of more than {MAX_FRAME} bytes")

    @property
    def rest(self) -> bytes:
        """The element that has not ended yet."""
        return b"".join(self._held)
