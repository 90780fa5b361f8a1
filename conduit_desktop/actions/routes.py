"""Paths with names in them: `/keys/{id}/rotate`, and `/models/{alias*}` where the name may hold slashes."""

from __future__ import annotations

import re
from urllib.parse import unquote

from conduit_desktop.core.errors import ActionError

_NAME = re.compile(r"\{(\w+)(\*?)\}")


class PathPattern:
    """A path's pattern, compiled."""

    __slots__ = ("pattern",)

    def __init__(self, path: str) -> None:
        text, at = "", 0
        for found in _NAME.finditer(path):
            text += re.escape(path[at : found.start()]) + f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"
            at = found.end()
        self.pattern = re.compile(text + re.escape(path[at:]) + "/?")


class WrongMethod(ActionError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(f"{method} is not possible here; {', '.join(allowed)} is.")
        self.allowed = allowed


def find(route: PathPattern, path: str) -> dict[str, str] | None:
    """The names in a percent-encoded `path`, decoded; None where it does not fit."""
    found = route.pattern.fullmatch(path)
    # Decoded after the match: an encoded slash inside a name must not divide the path.
    return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}
