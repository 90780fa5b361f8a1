"""Which price of the operator holds for a model: the rule of patterns, for the gateway and for what shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable


def matches(pattern: str, names: Iterable[str]) -> bool:
    """Whether a pattern is one of `names`, or with `*` fits one; both in lower case."""
    head, star, rest = pattern.partition("*")
    if not star:
        return pattern in names
    # First by the beginning: of many patterns few get further, and an expression costs a hundred times as much.
    candidates = [name for name in names if name.startswith(head)]
    if not candidates:
        return False
    # Not fnmatch: `[` and `?` in a model's name stand for themselves.
    expression = re.compile(".*" + ".*".join(re.escape(piece) for piece in rest.split("*")), re.DOTALL)
    return any(expression.fullmatch(name, len(head)) for name in candidates)


def precedence(pattern: str) -> tuple[bool, int]:
    """The larger one of two patterns that match holds: exact before `*`, then the longer one."""
    return "*" not in pattern, len(pattern)


def names_of(provider: str, model: str) -> tuple[str, str]:
    """The names of a target that patterns are compared with, in lower case."""
    return f"{provider}/{model}".lower(), model.lower()
