"""Edits a value of a YAML text: a name of the outermost mapping, or an item of a list. All else keeps every character.

ruamel.yaml reads, and tells where each node stands; what is written here is checked by reading it again.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from conduit_desktop.actions.clients.documents import ABSENT, CannotEdit, Path, Unreadable, newline_of, same_but_blank_lines

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|https?://[A-Za-z0-9_./:\[\]-]*[A-Za-z0-9_/\]-]")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def get(text: str, path: Path) -> Any:
    """The value at `path`, or ABSENT. Raises Unreadable."""
    return _at(_plain(text), path)


def put(text: str, path: Path, value: Any) -> str:
    """The text with `value` at `path`. Raises Unreadable, CannotEdit."""
    plain, root = _plain(text), _composed(text)
    if isinstance(root, MappingNode) and root.flow_style:
        raise CannotEdit("the file is one YAML value in braces; write it in lines")
    expected = _with(plain, path, value)
    if len(path) == 1 and isinstance(path[0], str):
        changed = _put_name(text, root, path[0], value)
    else:
        changed = _put_item(text, root, path, value)
    if _plain(changed) != expected:
        raise CannotEdit("the file is written in a form in which this value cannot be set")
    return changed


def take_back(text: str, base: str | None, path: Path) -> str:
    """The text with what `base` has at `path`, or without it. Raises Unreadable, CannotEdit."""
    if get(text, path) is ABSENT:
        return text
    former = get(base or "", path)
    taken = put(text, path, former) if former is not ABSENT else _without(text, base, path)
    return base if base is not None and same_but_blank_lines(taken, base) else taken


def _at(plain: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, tuple):
            items = plain if isinstance(plain, list) else []
            plain = next((one for one in items if isinstance(one, dict) and one.get(step[0]) == step[1]), ABSENT)
        elif isinstance(plain, dict):
            plain = plain.get(step, ABSENT)
        else:
            return ABSENT
        if plain is ABSENT:
            return ABSENT
    return plain


def _with(plain: Any, path: Path, value: Any) -> Any:
    """`plain` with the value at the path."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, tuple):
        if plain is not None and not isinstance(plain, list):
            raise CannotEdit("there is no list where one has to be")
        items = list(plain or [])
        for number, one in enumerate(items):
            if isinstance(one, dict) and one.get(step[0]) == step[1]:
                items[number] = value
                return items
        return [*items, value]
    if plain is not None and not isinstance(plain, dict):
        raise CannotEdit(f"there is no mapping where {step} has to be")
    return {**(plain or {}), step: _with((plain or {}).get(step), rest, value)}


def _put_name(text: str, root: Node | None, name: str, value: Any) -> str:
    found = _value_of(root, name)
    if found is None:
        return _append(text, f"{_indent(root)}{name}: {_scalar(value)}")
    if not isinstance(found, ScalarNode):
        raise CannotEdit(f"{name} is no single value")
    return _replace(text, found, _scalar(value))


def _put_item(text: str, root: Node | None, path: Path, value: dict[str, Any]) -> str:
    name = path[0] if len(path) == 2 else None
    owner = _value_of(root, name) if name is not None else root
    newline = newline_of(text)
    if owner is None or (isinstance(owner, ScalarNode) and owner.value in ("", "null", "~")):
        if name is None:
            return _append(text, _item(value, "", newline))
        if owner is None:
            return _append(text, f"{name}:{newline}{_item(value, '  ', newline)}")
        assert isinstance(root, MappingNode)
        key = next(key for key, _ in root.value if key.value == name)
        if owner.value:
            text = text[: owner.start_mark.index].rstrip(" ") + text[owner.end_mark.index :]
        # An empty value stands, for the reader, at what follows it.
        at = _line_end(text, key.end_mark.index)
        before = text[:at] if text[:at].endswith("\n") else text[:at] + newline
        return before + _item(value, "  ", newline) + newline + text[at:]
    if not isinstance(owner, SequenceNode):
        raise CannotEdit(f"{name or 'the file'} is no list")
    selector = path[-1]
    for node in owner.value:
        if isinstance(node, MappingNode) and _selected(node, selector):
            if node.flow_style:
                return _replace(text, node, json.dumps(value, ensure_ascii=False))
            start, end = _lines_of(text, node)
            indent = " " * owner.start_mark.column
            return text[:start] + _item(value, indent, newline) + (newline if text[start:end].endswith("\n") else "") + text[end:]
    if owner.flow_style:
        if not owner.value:
            outside = "" if name is None else "  "
            before = text[: owner.start_mark.index].rstrip(" ")
            return before + (newline if name is not None else "") + _item(value, outside, newline) + text[owner.end_mark.index :]
        at = _end_of(owner.value[-1])
        return text[:at] + ", " + json.dumps(value, ensure_ascii=False) + text[at:]
    at = _line_end(text, _end_of(owner.value[-1]))
    written = _item(value, " " * owner.start_mark.column, newline)
    if text[at - 1 : at] == "\n":
        return text[:at] + written + newline + text[at:]
    return text[:at] + newline + written + text[at:]


def _without(text: str, base: str | None, path: Path) -> str:
    root = _composed(text)
    if len(path) == 1 and isinstance(path[0], str):
        return _without_name(text, root, path[0])
    name = path[0] if len(path) == 2 else None
    owner = _value_of(root, name) if name is not None else root
    assert isinstance(owner, SequenceNode)
    node = next(one for one in owner.value if isinstance(one, MappingNode) and _selected(one, path[-1]))
    if len(owner.value) == 1 and name is not None:
        was = _value_of(_composed(base or ""), name)
        if was is None:
            return _without_name(text, root, name)
        if owner.flow_style:
            return _replace(text, owner, "[]")
        # The line of the name as it was: `models: []`, or without a value.
        former, now = _name_start(base or "", name), _name_start(text, name)
        return text[:now] + (base or "")[former : _line_end(base or "", former + len(name))] + text[_lines_of(text, node)[1] :]
    if owner.flow_style:
        index = owner.value.index(node)
        start = _end_of(owner.value[index - 1]) if index else node.start_mark.index
        end = _end_of(node) if index else owner.value[1].start_mark.index
        return text[:start] + text[end:]
    start, end = _lines_of(text, node)
    return text[:start] + text[end:]


def _without_name(text: str, root: Node | None, name: str) -> str:
    assert isinstance(root, MappingNode)
    key, value = next((key, value) for key, value in root.value if key.value == name)
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    return text[:start] + text[_line_end(text, max(_end_of(value), key.end_mark.index)) :]


def _name_start(text: str, name: str) -> int:
    """Where a name of the outermost mapping stands."""
    root = _composed(text)
    assert isinstance(root, MappingNode)
    return next(int(key.start_mark.index) for key, _ in root.value if key.value == name)


def _value_of(root: Node | None, name: str) -> Node | None:
    if root is None:
        return None
    if not isinstance(root, MappingNode):
        raise CannotEdit("the file is no mapping")
    return next((value for key, value in root.value if key.value == name), None)


def _selected(node: MappingNode, selector: tuple[str, str]) -> bool:
    return any(key.value == selector[0] and value.value == selector[1] for key, value in node.value)


def _end_of(node: Node) -> int:
    """Where the last character of a node stands: a block ends, for the reader, only at what follows it."""
    if isinstance(node, MappingNode) and node.value and not node.flow_style:
        return max(_end_of(node.value[-1][1]), int(node.value[-1][0].end_mark.index))
    if isinstance(node, SequenceNode) and node.value and not node.flow_style:
        return _end_of(node.value[-1])
    return int(node.end_mark.index)


def _lines_of(text: str, node: Node) -> tuple[int, int]:
    """The lines of a list's item, from that of its dash."""
    return text.rfind("\n", 0, node.start_mark.index) + 1, _line_end(text, _end_of(node))


def _line_end(text: str, at: int) -> int:
    """The beginning of the next line; `at` itself where it is at the beginning of one, as the end of a block of text is."""
    if at and text[at - 1] == "\n":
        return at
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _replace(text: str, node: Node, written: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    if start == end and text[start - 1 : start] == ":":
        written = f" {written}"
    return text[:start] + written + text[end:]


def _append(text: str, lines: str) -> str:
    newline = newline_of(text)
    return text + (newline if text and not text.endswith("\n") else "") + lines + newline


def _indent(root: Node | None) -> str:
    return " " * (root.start_mark.column if isinstance(root, MappingNode) else 0)


def _item(value: dict[str, Any], indent: str, newline: str) -> str:
    lines = [f"{name}: {_scalar(one)}" for name, one in value.items()]
    return newline.join(f"{indent}{'  ' if number else '- '}{line}" for number, line in enumerate(lines))


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _composed(text: str) -> Node | None:
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        raise _unreadable(error) from error
    return node


def _plain(text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise _unreadable(error) from error


def _unreadable(error: YAMLError) -> Unreadable:
    mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
    problem = error.problem if isinstance(error, MarkedYAMLError) and error.problem else str(error).splitlines()[0]
    return Unreadable((mark.line if mark is not None else 0) + 1, problem)
