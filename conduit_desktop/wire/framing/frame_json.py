"""Reads the JSON of frames that are so large that reading one at once would hold up other streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire import json_limits, json_text, sliced_json

SMALL = 128 * 1024
"""Bytes of a frame that is read at once, whatever it holds."""
_MENDED = 1024 * 1024
"""Bytes of a frame that `loads` may get at once, where it may read what the slices cannot: halves of characters."""


def read_large(data: bytes, loads: Callable[[bytes], Any] = json_text.loads_exact) -> Any:
    """The JSON of a frame of more than SMALL bytes; `loads` reads one that holds little.

    Raises MalformedStream for a frame over the bounds of `json_limits`, and what `loads` raises. To be called in a thread: the
    largest takes up to a second, in slices between which others can have the interpreter's lock.
    """
    if not sliced_json.is_heavy(data):
        return loads(data)
    try:
        # The bounds of a caller's body: no frame has more, as the largest repeats the request.
        sliced_json.run_with_pauses(json_limits.check(data))
        return sliced_json.run_with_pauses(sliced_json.read(data))
    except json_limits.TooComplex as error:
        raise MalformedStream(f"a frame cannot be read: {error}") from None
    except sliced_json.NotJson as error:
        if len(data) <= _MENDED:
            return loads(data)
        raise MalformedStream(f"a frame is not JSON: {error}") from None
