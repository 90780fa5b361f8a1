"""A stream that is one JSON array, `[{…},\\n{…}]`: Google's streams without `alt=sse`, one element a frame."""

from __future__ import annotations

import re

from conduit_desktop.wire.framing.base import Frame, Splitter

_IN_TEXT = re.compile(rb'["\\]')
_OUTSIDE = re.compile(rb'["\[\]{}]')


class ArraySplitter(Splitter):
    """Finds the ends of elements without parsing them; each byte is scanned once."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._in_text = False
        self._skip = False

    def feed(self, data: bytes) -> list[Frame]:
        if not data:
            return []
        frames: list[Frame] = []
        start = 0
        at = 1 if self._skip else 0
        self._skip = False
        # A regular expression scans in C; a loop over the bytes in Python would be far slower for inline images.
        while (found := (_IN_TEXT if self._in_text else _OUTSIDE).search(data, at)) is not None:
            at = found.end()
            mark = found[0]
            if mark == b"\\":
                at += 1
                # The escaped character may only come with the next chunk.
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
            self._hold_more(data[start:])
        return frames

    def _element(self, last: bytes) -> Frame:
        whole = b"".join([*self._held, last])
        self._hold(b"")
        return Frame(None, whole, whole)
