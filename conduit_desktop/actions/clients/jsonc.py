"""Edits one value of a JSON or JSONC text, and leaves every other byte as it is: comments, order, indentation, trailing commas.

What such files may hold beyond JSON: `//` and `/* */` comments, and a comma after the last member.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from conduit_desktop.actions.clients.documents import ABSENT, CannotEdit, Unreadable, newline_of

Path = Sequence[str]
_SPACE = re.compile(r"[ \t\r\n]*")
_SAME_LINE = re.compile(r"[ \t]*(?://[^\r\n]*|/\*(?:(?!\*/)[^\r\n])*\*/)")
"""A comment behind a value on its line: it belongs to that value."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_DEEPEST = 200


@dataclass(slots=True)
class Node:
    """A value between two offsets. `members` of an object; `comma` of a member is the offset of the comma behind it, or -1."""

    start: int
    end: int
    value: Any
    members: list[Member] | None = None


@dataclass(slots=True)
class Member:
    """One name with its value in an object."""

    name: str
    start: int
    node: Node
    comma: int = -1


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0
    depth: int = 0
    comments: list[tuple[int, int]] = field(default_factory=list)

    def fail(self, what: str, at: int | None = None) -> Unreadable:
        return Unreadable(self.text.count("\n", 0, self.at if at is None else at) + 1, what)

    def skip(self) -> None:
        """Go past white space and comments."""
        while True:
            found = _SPACE.match(self.text, self.at)
            assert found is not None
            self.at = found.end()
            if self.text.startswith("//", self.at):
                stop = re.compile(r"[\r\n]|$").search(self.text, self.at)
                end = stop.start() if stop else len(self.text)
            elif self.text.startswith("/*", self.at):
                close = self.text.find("*/", self.at + 2)
                if close < 0:
                    raise self.fail("a comment without an end")
                end = close + 2
            else:
                return
            self.comments.append((self.at, end))
            self.at = end

    def value(self) -> Node:
        """The value that begins here."""
        start, char = self.at, self.text[self.at : self.at + 1]
        if char in ("{", "["):
            self.depth += 1
            if self.depth > _DEEPEST:
                raise self.fail(f"more than {_DEEPEST} levels")
            node = self._object() if char == "{" else self._list()
            self.depth -= 1
            return node
        if char == '"':
            text = self._string()
            return Node(start, self.at, text)
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            return Node(start, self.at, json.loads(number[0]))
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return Node(start, self.at, value)
        raise self.fail("a value is missing" if not char else f"{char!r} begins no value")

    def _string(self) -> str:
        found = _STRING.match(self.text, self.at)
        if found is None:
            raise self.fail("a text without an end, or with a wrong escape")
        self.at = found.end()
        text: str = json.loads(found[0])
        return text

    def _object(self) -> Node:
        start = self.at
        members: list[Member] = []
        self.at += 1
        while True:
            self.skip()
            if self.text.startswith("}", self.at):
                self.at += 1
                return Node(start, self.at, {one.name: one.node.value for one in members}, members)
            if members and members[-1].comma < 0:
                raise self.fail("a comma or a closing brace is missing")
            at = self.at
            if not self.text.startswith('"', at):
                raise self.fail("a name in double quotes is missing")
            name = self._string()
            self.skip()
            if not self.text.startswith(":", self.at):
                raise self.fail(f"a colon is missing behind {name!r}")
            self.at += 1
            self.skip()
            members.append(Member(name, at, self.value()))
            self.skip()
            if self.text.startswith(",", self.at):
                members[-1].comma = self.at
                self.at += 1

    def _list(self) -> Node:
        start, comma = self.at, True
        items: list[Any] = []
        self.at += 1
        while True:
            self.skip()
            if self.text.startswith("]", self.at):
                self.at += 1
                return Node(start, self.at, items)
            if not comma:
                raise self.fail("a comma or a closing bracket is missing")
            items.append(self.value().value)
            self.skip()
            comma = self.text.startswith(",", self.at)
            self.at += comma


def parse(text: str) -> Node:
    """The value of a whole text; of a blank one, an empty object of no length. Raises Unreadable."""
    reader = _Reader(text)
    reader.skip()
    if reader.at == len(text):
        return Node(len(text), len(text), {}, [])
    node = reader.value()
    reader.skip()
    if reader.at != len(text):
        raise reader.fail("something stands behind the end")
    return node


def get(text: str, path: Path) -> Any:
    """The value at `path`, or ABSENT. Raises Unreadable."""
    node = _find(parse(text), path)
    return ABSENT if node is None else node.value


def put(text: str, path: Path, value: Any) -> str:
    """The text with `value` at `path`; objects on the path are made. Raises Unreadable, CannotEdit."""
    root = parse(text)
    if not isinstance(root.value, dict):
        raise CannotEdit("the file is no object")
    if root.start == root.end:
        newline = newline_of(text)
        between = newline if text and not text.endswith("\n") else ""
        return text + between + _written(_nested(path, value), "", "  ", newline) + newline
    node, changed = root, None
    for depth, name in enumerate(path):
        if node.members is None:
            raise CannotEdit(f"{'.'.join(path[:depth])} is no object")
        found = _member(node, name)
        if found is None:
            changed = _insert(text, node, name, _nested(path[depth + 1 :], value))
            break
        node = found.node
    if changed is None:
        inner, outer = _indents(text, node)
        changed = text[: node.start] + _written(value, outer, inner[len(outer) :] or "  ", newline_of(text)) + text[node.end :]
    if parse(changed).value != _with(root.value, path, value):
        raise CannotEdit(f"{'.'.join(path)} cannot be set in the form in which the file is written")
    return changed


def take_back(text: str, base: str | None, path: Path) -> str:
    """The text with what `base` has at `path`: the same characters, or nothing; objects that only `put` made go as well."""
    node, former = parse(text), parse(base or "")
    found = _find(node, path)
    if found is None:
        return text
    if (old := _find(former, path)) is not None:
        return text[: found.start] + (base or "")[old.start : old.end] + text[found.end :]
    text = _remove(text, node, path)
    for depth in range(len(path) - 1, -1, -1):
        node = parse(text)
        outer, was = _find(node, path[:depth]), _find(former, path[:depth])
        if outer is None or outer.members:
            break
        inside = text[outer.start + 1 : outer.end - 1].strip()
        if was is not None and base is not None and not was.members and inside == base[was.start + 1 : was.end - 1].strip():
            return _as_it_was(text, base, outer, was)
        if inside or was is not None or not depth:
            break  # a comment, or what another program left
        text = _remove(text, node, path[:depth])
    return text


def _as_it_was(text: str, base: str, outer: Node, was: Node) -> str:
    """The text with an object that is empty again written as `base` has it."""
    if was.start < was.end:
        return text[: outer.start] + base[was.start : was.end] + text[outer.end :]
    # A text without a value: `put` added the object and line ends around it.
    return base if text[: outer.start].strip() == base.strip() and not text[outer.end :].strip() else text


def _member(node: Node, name: str) -> Member | None:
    # Of a name that occurs twice, every reader takes the last.
    return next((one for one in reversed(node.members or []) if one.name == name), None)


def _find(node: Node, path: Path) -> Node | None:
    for name in path:
        member = _member(node, name)
        if member is None:
            return None
        node = member.node
    return node


def _nested(path: Path, value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def _indents(text: str, node: Node) -> tuple[str, str]:
    """The indentation of an object's members, and of the line where it begins."""
    line = text.rfind("\n", 0, node.start) + 1
    outer = text[line : node.start]
    outer = outer[: len(outer) - len(outer.lstrip(" \t"))]
    for member in node.members or ():
        before = text[text.rfind("\n", 0, member.start) + 1 : member.start]
        if not before.strip(" \t") and text.rfind("\n", 0, member.start) > node.start:
            return before, outer
    return outer + _unit(text), outer


def _unit(text: str) -> str:
    """One step of the text's indentation."""
    found = re.search(r"[{\[][ \t]*\r?\n([ \t]+)\S", text)
    return found[1] if found and "\n" not in found[1] and len(found[1]) <= 8 else "  "


def _insert(text: str, node: Node, name: str, value: Any) -> str:
    inner, outer = _indents(text, node)
    newline = newline_of(text)
    members = node.members or []
    if members:
        last = members[-1]
        gap = text[(members[-2].comma + 1 if len(members) > 1 else node.start + 1) : last.start]
        multiline = "\n" in gap
    else:
        # A whole file on one line stays so; an empty object in a file of many lines gets lines.
        multiline = True
    written = f"{json.dumps(name, ensure_ascii=False)}: " + (
        _written(value, inner, inner[len(outer) :] or "  ", newline) if multiline else json.dumps(value, ensure_ascii=False)
    )
    before = newline + inner if multiline else " "
    if not members:
        at = node.start + 1
        inside = text[at : node.end - 1]
        if inside.strip():  # comments alone: behind them
            # A line comment ends at the line's end, which must stay before the member.
            at = node.start + 1 + len(inside.rstrip(" \t\r\n"))
            inside = text[at : node.end - 1]
        after = "" if "\n" in inside else newline + outer
        return text[:at] + before + written + after + text[at:]
    behind = last.comma + 1 if last.comma >= 0 else last.node.end
    at, in_line = _behind_comments(text, behind)
    if in_line:
        # Behind a line comment nothing can follow on its line.
        before = newline + inner
    if last.comma >= 0:
        return text[:at] + before + written + "," + text[at:]
    return text[:behind] + "," + text[behind:at] + before + written + text[at:]


def _behind_comments(text: str, at: int) -> tuple[int, bool]:
    """Where the comments behind a value end on its line, and whether the last runs to the line's end."""
    in_line = False
    while found := _SAME_LINE.match(text, at):
        at, in_line = found.end(), found[0].lstrip(" \t").startswith("//")
    return at, in_line


def _remove(text: str, root: Node, path: Path) -> str:
    """The text without the member at `path`, which is there. Raises CannotEdit."""
    owner = _find(root, path[:-1])
    member = None if owner is None else _member(owner, path[-1])
    assert owner is not None
    assert owner.members is not None
    assert member is not None
    expected = _without(root.value, path)
    # A comment that ends at a line's end must not take in what followed the member on its line: then the line end stays.
    for start in (len(text[: member.start].rstrip(" \t\r\n")), member.start):
        changed = _cut(text, owner.members, member, start)
        with suppress(Unreadable):
            if parse(changed).value == expected:
                return changed
    raise CannotEdit(f"{'.'.join(path)} cannot be taken out: it occurs twice")


def _cut(text: str, members: list[Member], member: Member, start: int) -> str:
    index = next(number for number, one in enumerate(members) if one is member)
    if member.comma < 0:
        if not index:
            return text[:start] + text[member.node.end :]
        comma = members[index - 1].comma
        return text[:comma] + text[comma + 1 : start] + text[member.node.end :]
    # What stands between a value and its comma is a comment, which goes with it.
    end = member.comma + 1
    if start == member.start or (index == 0 and len(members) > 1 and "\n" not in text[start : member.start]):
        # The first on its line: the white space behind it goes, not that before it.
        start, end = member.start, end + len(text[end:]) - len(text[end:].lstrip(" \t"))
    return text[:start] + text[end:]


def _without(value: Any, path: Path) -> Any:
    name, rest = path[0], path[1:]
    return {one: _without(inner, rest) if one == name else inner for one, inner in value.items() if rest or one != name}


def _with(value: Any, path: Path, new: Any) -> Any:
    return {**value, path[0]: _with(value.get(path[0], {}), path[1:], new)} if path else new


def _written(value: Any, indent: str, unit: str, newline: str) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=unit or "  ")
    return text.replace("\n", newline + indent)
