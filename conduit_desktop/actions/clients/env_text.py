"""Edits one variable of an env file (`NAME=value` lines), and leaves every other line as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from conduit_desktop.actions.clients.documents import ABSENT, CannotEdit, Path, newline_of

_LINE = re.compile(
    r"(?P<head>[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*)(?P<value>[^\r\n]*)(?P<end>\r?\n|$)"
)
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,\[\]-]*")
_COMMENT = re.compile(r"[ \t]+#.*$")


def get(text: str, path: Path) -> Any:
    """The value of the variable `path[0]`, without its quotes, or ABSENT."""
    found = _last(text, path[0])
    return ABSENT if found is None else _value(found["value"])


def put(text: str, path: Path, value: Any) -> str:
    """The text with the variable; the last line that sets it counts, as for those who read such files."""
    written = str(value)
    if not _PLAIN.fullmatch(written):
        if any(char in written for char in "\r\n\"'\\$`"):
            raise CannotEdit(f"{path[0]}: the value has a character that an env file cannot hold in all tools")
        written = f'"{written}"'
    found = _last(text, path[0])
    if found is not None:
        return text[: found.start("value")] + written + text[found.end("value") :]
    newline = newline_of(text)
    between = newline if text and not text.endswith("\n") else ""
    return f"{text}{between}{path[0]}={written}{newline}"


def take_back(text: str, base: str | None, path: Path) -> str:
    """The text with the line that `base` has, or without one."""
    found = _last(text, path[0])
    if found is None:
        return text
    former = _last(base or "", path[0])
    if former is not None:
        return text[: found.start("value")] + former["value"] + text[found.end("value") :]
    taken = text[: found.start()] + text[found.end() :]
    # The line end that `put` added behind a last line without one.
    return base if base is not None and taken.rstrip("\r\n") == base.rstrip("\r\n") else taken


def _last(text: str, name: str) -> re.Match[str] | None:
    return next((one for one in reversed(list(_lines(text))) if one["name"] == name), None)


def _lines(text: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(text):
        if found := _LINE.match(text, at):
            yield found
        at = text.find("\n", at) + 1 or len(text)


def _value(written: str) -> str:
    if written[:1] in ("'", '"') and (end := written.find(written[0], 1)) > 0:
        return written[1:end]
    return _COMMENT.sub("", written).strip()
