"""Token counts as vendors tell them."""

from __future__ import annotations

from conduit_desktop.core.chat import Json

_MOST = 10**12
"""No answer has more; what says so has another meaning, and would not fit where counts are kept."""


def count(value: Json) -> int:
    """How many tokens `value` says: a number, or its digits as Google's JSON writes them; 0 for anything else."""
    if type(value) is str and value.isdecimal() and len(value) <= len(str(_MOST)):
        value = int(value)
    return int(value) if type(value) in (int, float) and 0 < value <= _MOST else 0
