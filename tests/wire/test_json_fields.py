"""The reader of JSON request fields: values, error texts of each protocol, and the notes of how the source wrote a field."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire.json_fields import (
    ANTHROPIC_STYLE,
    GOOGLE_STYLE,
    OPENAI_STYLE,
    FieldReader,
    PathStyle,
    SourceForm,
    restore_source_form,
)


def reader(body: dict[str, Any], style: PathStyle = OPENAI_STYLE) -> FieldReader:
    return FieldReader(body, "", {}, style)


@pytest.mark.parametrize(
    ("style", "path", "missing", "invalid"),
    [
        (
            OPENAI_STYLE,
            "messages[0].name",
            "Missing required parameter: 'messages[0].name'.",
            "Invalid value for 'messages[0].name': expected a string, got an integer.",
        ),
        (ANTHROPIC_STYLE, "messages.0.name", "messages.0.name: Field required", "messages.0.name: Input should be a string"),
        (
            GOOGLE_STYLE,
            "messages.0.name",
            "messages.0.name is not specified",
            "Invalid value at 'messages.0.name': expected a string",
        ),
    ],
    ids=["openai", "anthropic", "google"],
)
def test_errors_name_the_path_in_the_style_of_the_protocol(style: PathStyle, path: str, missing: str, invalid: str) -> None:
    for value, text, code in ({}, missing, "missing_parameter"), ({"name": 7}, invalid, "invalid_parameter"):
        (item,) = reader({"messages": [value]}, style).children("messages")
        with pytest.raises(BadRequest) as caught:
            item.required_string("name")
        assert (caught.value.message, caught.value.param, caught.value.code) == (text, path, code)


@pytest.mark.parametrize(
    ("method", "good", "bad"),
    [
        ("string", "x", 1),
        ("number", 1.5, True),
        ("number", 1, "1"),
        ("integer", 1, True),
        ("integer", 1, 1.0),
        ("boolean", False, 0),
        ("mapping", {}, []),
        ("array", [1], {}),
        ("strings", ["x"], ["x", 1]),
    ],
)
def test_a_value_of_another_json_type_is_refused(method: str, good: Any, bad: Any) -> None:
    assert getattr(reader({"f": good}), method)("f") == good
    assert getattr(reader({}), method)("f") is None
    assert getattr(reader({"f": None}), method)("f") is None
    with pytest.raises(BadRequest) as caught:
        getattr(reader({"f": bad}), method)("f")
    assert str(caught.value.param).startswith("f")


def test_the_element_of_another_type_is_named() -> None:
    with pytest.raises(BadRequest) as caught:
        reader({"stop": ["a", 1]}).strings("stop")
    assert caught.value.param == "stop[1]"


def test_fields_that_were_not_read_stay_in_rest_also_those_of_a_child() -> None:
    fields = reader({"known": 1, "unknown": 2, "child": {"name": "x", "more": 3}, "empty": {"name": "y"}})
    children = [fields.required_child("child"), fields.required_child("empty")]
    assert [fields.integer("known"), *(child.required_string("name") for child in children)] == [1, "x", "y"]
    assert fields.rest_with(*children) == {"unknown": 2, "child": {"more": 3}}


def test_unknown_nulls_are_kept_unless_the_protocol_takes_nulls_for_absent() -> None:
    body = {"a": None, "b": 1}
    kept, left_out = reader(body), reader(body, ANTHROPIC_STYLE)
    assert (kept.rest, kept.source_form) == (body, {})
    assert (left_out.rest, left_out.source_form) == ({"b": 1}, {"a": "null"})
    assert left_out.raw is body


@pytest.mark.parametrize("style", [OPENAI_STYLE, ANTHROPIC_STYLE], ids=["openai", "anthropic"])
def test_nulls_empty_values_and_absent_defaults_are_restored(style: PathStyle) -> None:
    notes: SourceForm = {}
    source = {"user": None, "items": [{"list": [], "text": "", "type": "function"}, {"text": "x"}]}
    fields = FieldReader(source, "", notes, style)
    assert fields.string("user") is None
    for item in fields.children("items"):
        assert not item.array("list")
        item.filled_string("text")
        if item.string("type") is None:
            item.note_absent("type")
    written = {"items": [{"type": "function"}, {"text": "x", "type": "function"}]}
    restore_source_form(written, notes)
    assert written == source


def test_a_value_that_was_written_since_is_not_replaced_by_a_note() -> None:
    written = {"a": "now", "b": {"c": 1}, "d": [1]}
    restore_source_form(written, {"a": "null", "b.c": "absent", "b.x.y": "null", "d[3].e": "null", "d": "list"})
    assert written == {"a": "now", "b": {"c": 1}, "d": [1]}
