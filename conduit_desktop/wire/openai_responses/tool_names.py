"""Tools in namespaces, under names that stand for themselves: other dialects know no namespaces."""

from __future__ import annotations

import hashlib
import re

import orjson

from conduit_desktop.core.chat import Json

_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST = 64
_KEY = "flat:"


def flat_name(namespace: str, name: str, taken: frozenset[str]) -> str:
    """One name for `name` in `namespace`: fit for every vendor, none of `taken`, and the same each time."""
    joined = f"{namespace}{'' if namespace.endswith('_') else '__'}{name}"
    clean = _UNFIT.sub("_", joined)
    if clean == joined and len(clean) <= _LONGEST and clean not in taken:
        return clean
    digest = hashlib.sha256(f"{namespace}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{clean[: _LONGEST - 9]}_{digest}"


class FlatToolNames:
    """The flat names of one request, kept in its `source_form`. `taken` are the names outside all namespaces."""

    def __init__(self, source_form: dict[str, str], taken: frozenset[str] = frozenset()) -> None:
        self._source_form = source_form
        self._taken = taken

    def flatten(self, namespace: Json, name: str) -> str:
        """The name to use for a tool; its own where it has no namespace."""
        if not isinstance(namespace, str):
            return name
        flat = flat_name(namespace, name, self._taken)
        self._source_form[_KEY + flat] = orjson.dumps([namespace, name]).decode()
        return flat

    def restore(self, name: str) -> tuple[str, dict[str, Json]]:
        """The tool's own name, and its namespace as a field."""
        kept = self._source_form.get(_KEY + name)
        if kept is None:
            return name, {}
        namespace, own = orjson.loads(kept)
        return own, {"namespace": namespace}
