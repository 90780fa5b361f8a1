"""Edits one value of a TOML text by tomlkit, which keeps comments, order and white space."""

from __future__ import annotations

import re
import tomllib
from collections.abc import MutableMapping
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import InlineTable

from conduit_desktop.actions.clients.documents import ABSENT, CannotEdit, Path, Unreadable, newline_of, same_but_blank_lines

_BARE = re.compile(r"(?<!\r)\n")


def get(text: str, path: Path) -> Any:
    """The value at `path`, or ABSENT. Raises Unreadable."""
    found: Any = _plain(text)
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return ABSENT
        found = found[name]
    return found


def put(text: str, path: Path, value: Any) -> str:
    """The text with `value` at `path`; tables on the path are made. Raises Unreadable, CannotEdit."""
    document = _parsed(text)
    expected = _with(_plain(text), path, value)
    if len(path) == 1 and path[0] not in document and _begins_with_a_table(document):
        # tomlkit would put it behind the comment that belongs to the first table.
        line = tomlkit.dumps({path[0]: value})
        return _checked(_lines_as(text, f"{line}\n{text}"), expected)
    owner: Any = document
    for depth, name in enumerate(path[:-1]):
        if name not in owner:
            inner = isinstance(owner, InlineTable)
            owner[name] = tomlkit.inline_table() if inner else tomlkit.table(is_super_table=depth < len(path) - 2)
        owner = owner[name]
        if not isinstance(owner, MutableMapping):
            raise CannotEdit(f"{'.'.join(path[: depth + 1])} is no table")
    try:
        owner[path[-1]] = value
        return _checked(_lines_as(text, tomlkit.dumps(document)), expected)
    except (TOMLKitError, ValueError) as error:
        raise CannotEdit(f"{'.'.join(path)}: {error}") from error


def take_back(text: str, base: str | None, path: Path) -> str:
    """The text with what `base` has at `path`, or without it and the tables that are empty then. Raises Unreadable."""
    if get(text, path) is ABSENT:
        return text
    former = get(base or "", path)
    if former is not ABSENT:
        was: Any = _parsed(base or "")
        for name in path:
            was = was[name]
        # The item and not its value: it keeps how it was written.
        taken = put(text, path, was)
    else:
        document = _parsed(text)
        for depth in range(len(path) - 1, -1, -1):
            owner: Any = document
            for name in path[:depth]:
                owner = owner[name]
            if depth < len(path) - 1 and (owner[path[depth]] or get(base or "", path[: depth + 1]) is not ABSENT):
                break
            del owner[path[depth]]
        taken = _lines_as(text, tomlkit.dumps(document))
        _plain(taken)
    return base if base is not None and same_but_blank_lines(taken, base) else taken


def _begins_with_a_table(document: tomlkit.TOMLDocument) -> bool:
    values = [value for key, value in document.body if key is not None]
    return bool(values) and isinstance(values[0], (tomlkit.items.Table, tomlkit.items.AoT))


def _with(values: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    owner = values
    for name in path[:-1]:
        owner = owner.setdefault(name, {})
        if not isinstance(owner, dict):
            raise CannotEdit(f"{'.'.join(path)}: {name} is no table")
    owner[path[-1]] = value
    return values


def _checked(text: str, expected: dict[str, Any]) -> str:
    if _plain(text) != expected:
        raise CannotEdit("the file is written in a form in which this value cannot be set")
    return text


def _lines_as(text: str, changed: str) -> str:
    """`changed` with the line ends of `text`: tomlkit writes new lines with `\\n`."""
    return _BARE.sub("\r\n", changed) if newline_of(text) == "\r\n" and not _BARE.search(text) else changed


def _parsed(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        raise Unreadable(error.line, str(error).partition(" at line ")[0]) from error
    except TOMLKitError as error:
        raise Unreadable(1, str(error)) from error


def _plain(text: str) -> dict[str, Any]:
    _parsed(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise Unreadable(int(found[1]) if found else 1, str(error).partition(" (at line")[0]) from error
