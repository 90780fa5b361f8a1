"""Which price of the operator holds for a model: the rule of patterns, for the gateway and for what shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable


def matches(pattern: str, names: Iterable[str]) -> bool:
    """Whether a pattern is one of `names`, or with `*` fits one; both in lower case."""
    if "*" not in pattern:
        return pattern in names
    # Not fnmatch: `[` and `?` in a model's name stand for themselves.
    expression = re.compile(".*".join(re.escape(piece) for piece in pattern.split("*")), re.DOTALL)
    return any(expression.fullmatch(name) for name in names)


def precedence(pattern: str) -> tuple[bool, int]:
    """The larger one of two patterns that match holds: exact before `*`, then the longer one."""
    return "*" not in pattern, len(pattern)


def names_of(provider: str, model: str) -> tuple[str, str]:
    """The names of a target that patterns are compared with, in lower case."""
    return f"{provider}/{model}".lower(), model.lower()
