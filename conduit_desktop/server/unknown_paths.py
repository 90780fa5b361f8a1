"""The paths that clients ask for in vain: counted for `/metrics`, and each named in the log once."""

from __future__ import annotations

import logging

from conduit_desktop.core.secret_values import REDACTED, SECRETS

log = logging.getLogger(__name__)

MOST = 100
"""Paths with a count of their own: callers can invent names, so further ones are counted as `other`."""
_LONGEST_SEGMENT = 32
"""A longer part of a path is an id, or a key that a client puts there."""


class UnknownPaths:
    """Counts by method and path."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def count(self, method: str, path: str, client: str) -> None:
        """A client asked for a path that does not exist; `client` is its name and version."""
        name = (method[:10], shown(path))
        if name not in self.counts:
            if len(self.counts) >= MOST:
                name = ("", "other")
            else:
                log.info("%s asked for an unknown path: %s %s", _printable(client) or "a client", *name)
        self.counts[name] = self.counts.get(name, 0) + 1


def shown(path: str) -> str:
    """The path, printable, without ids, keys and more than ten segments."""
    # Redacted before it is split: a key may have slashes.
    path = SECRETS.redact(path).replace(REDACTED, "…")
    parts = ["…" if len(part) > _LONGEST_SEGMENT else part for part in path.split("/")[:11]]
    return _printable("/".join(parts))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
