"""Whether the arguments of a tool call that is being streamed are complete."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.wire import json_text


def is_complete(pieces: Sequence[str]) -> bool:
    """Whether the pieces are a whole JSON object, to which nothing can be added.

    They are parsed only if the last one ends with a brace: otherwise a long call would be parsed again for every piece.
    """
    if not pieces or not pieces[-1].rstrip().endswith("}"):
        return False
    try:
        json_text.loads("".join(pieces))
    except orjson.JSONDecodeError:
        return False
    return True
