"""Mutations of a valid request body: one value changed, removed, duplicated or extended."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=20),
    st.sampled_from(["", "user", "assistant", "tool", "system", "text", "function", "auto", "none", "to-anthropic", "base64"]),
)  # fmt: skip
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=8
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def mutated(body: Any, path: tuple[Any, ...], how: str, value: Any) -> Any:
    """A copy with the value at `path` changed, removed, duplicated or extended."""
    made = copy.deepcopy(body)
    if not path:
        return value
    owner = made
    for key in path[:-1]:
        owner = owner[key]
    if how == "remove":
        del owner[path[-1]]
    elif how == "double" and isinstance(owner, list):
        owner.insert(path[-1], copy.deepcopy(owner[path[-1]]))
    elif how == "add" and isinstance(owner[path[-1]], (dict, list)):
        target = owner[path[-1]]
        target.append(value) if isinstance(target, list) else target.update({"type": value})
    else:
        owner[path[-1]] = value
    return made
