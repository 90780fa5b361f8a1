"""The editor of JSON and JSONC: only the value at the path changes, and taking it back gives the same characters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.actions.clients import jsonc
from conduit_desktop.actions.clients.documents import ABSENT, CannotEdit, Unreadable

NAMES = st.sampled_from(["env", "model", "a", "b", "deep", "ü", "with space"])
SCALARS = (
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)
COMMENTS = st.sampled_from(['// {"a": 1}\n', "/* , } */", "/* two\n lines */", "// end\n"])


@st.composite
def documents(draw: st.DrawFn, newline: str = "\n") -> str:
    """An object as people write it: with comments, any white space, and commas behind the last member."""
    space = st.lists(st.sampled_from([" ", "  ", "\t", "\n", "\n\n"]) | COMMENTS, max_size=3).map("".join)

    def written(value: Any) -> str:
        if isinstance(value, (dict, list)):
            parts = (
                [f"{json.dumps(k)}{draw(space)}:{draw(space)}{written(v)}" for k, v in value.items()]
                if isinstance(value, dict)
                else [written(one) for one in value]
            )
            inside = f"{draw(space)},{draw(space)}".join(parts)
            last = "," if parts and draw(st.booleans()) else ""
            opened, closed = "{}" if isinstance(value, dict) else "[]"
            return f"{opened}{draw(space)}{inside}{draw(space)}{last}{draw(space)}{closed}"
        return json.dumps(value, ensure_ascii=draw(st.booleans()))

    value = draw(st.dictionaries(NAMES, VALUES, max_size=5))
    text = draw(space) + written(value) + draw(space)
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


PATHS = st.lists(NAMES, min_size=1, max_size=3)


def with_value(value: Any, path: list[str], new: Any) -> Any:
    return {**value, path[0]: with_value(value.get(path[0], {}), path[1:], new)} if path else new


@given(documents(), PATHS, VALUES)
def test_a_value_that_is_set_is_there_and_nothing_else_changed(text: str, path: list[str], value: Any) -> None:
    before = jsonc.parse(text).value
    try:
        changed = jsonc.put(text, path, value)
    except CannotEdit:
        assert any(not isinstance(jsonc.get(text, path[:depth]), (dict, type(ABSENT))) for depth in range(1, len(path)))
        return
    assert jsonc.parse(changed).value == with_value(before, path, value)
    # Every character of the old text is still there, in its order, but those of a replaced value.
    node = jsonc._find(jsonc.parse(text), path)
    kept = text if node is None else text[: node.start] + text[node.end :]
    rest = iter(changed)
    assert all(char in rest for char in kept)
    assert ("\r\n" in text) <= ("\n" not in changed.replace("\r\n", ""))


@given(documents(), st.lists(st.tuples(PATHS, VALUES), min_size=1, max_size=3))
def test_what_is_taken_back_leaves_the_same_characters(text: str, values: list[tuple[list[str], Any]]) -> None:
    changed, done = text, []
    for path, value in values:
        if any(path[: len(other)] == other or other[: len(path)] == path for other, _ in done):
            continue
        try:
            changed = jsonc.put(changed, path, value)
        except CannotEdit:
            continue
        done.append((path, value))
    for path, _ in reversed(done):
        changed = jsonc.take_back(changed, text, path)
    assert changed == text


@given(documents(), PATHS, VALUES, VALUES)
def test_what_others_changed_meanwhile_is_kept(text: str, path: list[str], value: Any, theirs: Any) -> None:
    try:
        changed = jsonc.put(jsonc.put(text, path, value), ["theirs"], theirs)
    except CannotEdit:
        return
    after = jsonc.parse(jsonc.take_back(changed, text, path)).value
    assert after == {**jsonc.parse(text).value, "theirs": theirs}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '{\n  "env": {\n    "A": "1"\n  }\n}\n'),
        ("{}", '{\n  "env": {\n    "A": "1"\n  }\n}'),
        ('{"a": 1}', '{"a": 1, "env": {"A": "1"}}'),
        ('{\n    "a": 1 // note\n}\n', '{\n    "a": 1, // note\n    "env": {\n        "A": "1"\n    }\n}\n'),
        ('{\n\t"a": 1,\n}\n', '{\n\t"a": 1,\n\t"env": {\n\t\t"A": "1"\n\t},\n}\n'),
        ('{\r\n  "a": 1\r\n}', '{\r\n  "a": 1,\r\n  "env": {\r\n    "A": "1"\r\n  }\r\n}'),
        ('{\n  // nothing yet\n}', '{\n  // nothing yet\n  "env": {\n    "A": "1"\n  }\n}'),
        ('{"env": {"A": "0", "B": "2"} /* x */}', '{"env": {"A": "1", "B": "2"} /* x */}'),
    ],
)  # fmt: skip
def test_a_new_value_is_written_as_its_neighbours_are(text: str, expected: str) -> None:
    assert jsonc.put(text, ["env", "A"], "1") == expected
    assert jsonc.take_back(expected, text, ["env", "A"]) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", 1), ('{\n"a" 1}', 2), ('{"a": 1,\n\n"b": }', 3), ("{'a': 1}", 1), ('{"a": 1} x', 1), ("{/* x", 1), ('{"a": 01}', 1),
        ('{"a": 1 "b": 2}', 1), ('["a" "b"]', 1), ('{\n"a": "line\nbreak"}', 2), ("[" * 300, 1), ('{"a": NaN}', 1),
    ],
)  # fmt: skip
def test_a_broken_text_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(Unreadable) as failed:
        jsonc.put(text, ["a"], 1)
    assert failed.value.line == line


@pytest.mark.parametrize("text", ["[]", "1", '{"env": []}', '{"env": null}', '{"env": "x"}'])
def test_a_value_has_no_place_in_what_is_no_object(text: str) -> None:
    with pytest.raises(CannotEdit):
        jsonc.put(text, ["env", "A"], "1")


def test_of_a_name_that_occurs_twice_the_last_counts() -> None:
    assert jsonc.put('{"a": 1, "a": 2}', ["a"], 3) == '{"a": 1, "a": 3}'


def test_an_old_value_comes_back_as_it_was_written() -> None:
    text = '{"a": 1.50e1, "b": "\\u00e9"}'
    assert jsonc.take_back(jsonc.put(text, ["a"], "x"), text, ["a"]) == text
