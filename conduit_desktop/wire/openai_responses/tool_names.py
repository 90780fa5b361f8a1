"""Flat names for tools in namespaces: only the Responses dialect has namespaces."""

from __future__ import annotations

import hashlib
import re

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.json_fields import SourceForm

_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_LENGTH = 64
"""OpenAI's and Anthropic's limit for the name of a function."""
_KEY = "flat:"
"""Prefix of a flat name's key in `source_form`."""


def flat_name(namespace: str, name: str, taken: frozenset[str]) -> str:
    """One name for `name` in `namespace`: allowed by every vendor, not in `taken`, and the same in every request."""
    joined = f"{namespace}{'' if namespace.endswith('_') else '__'}{name}"
    clean = _NOT_ALLOWED.sub("_", joined)
    # A digest only where it is needed, since the model reads the name too.
    if clean == joined and len(clean) <= _MAX_LENGTH and clean not in taken:
        return clean
    # Cutting and replacing characters can make two names equal; the digest keeps them apart.
    digest = hashlib.sha256(f"{namespace}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{clean[: _MAX_LENGTH - 9]}_{digest}"


class FlatToolNames:
    """The flat names of one request, kept in its `source_form`. `taken` are the names outside all namespaces."""

    def __init__(self, source_form: SourceForm, taken: frozenset[str] = frozenset()) -> None:
        self._source_form = source_form
        self._taken = taken

    def flatten(self, namespace: Json, name: str) -> str:
        """The flat name of a tool; its own name where it has no namespace."""
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
        # Kept rather than split again: a cut or replaced name cannot be undone.
        namespace, own = orjson.loads(kept)
        return own, {"namespace": namespace}
