"""Schemas of functions: what vendors refuse is written in another way that means the same, or is named as lost."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.wire.closed_schemas import is_recursive
from conduit_desktop.wire.function_schemas import (
    current_draft,
    for_grammars,
    function_schema,
    mapped,
    strict_schema,
    with_object_schemas,
    without_root_union,
)

STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"properties": {"a": STRING}}, {"type": "object", "properties": {"a": STRING}}),
        ({"type": ["object", "null"], "properties": {}}, {"type": "object", "properties": {}}),
        ({"type": "object", "description": "d", "properties": None}, {"type": "object", "description": "d", "properties": {}}),
    ],
)
def test_the_root_is_an_object_with_properties(given: dict[str, Any] | None, written: dict[str, Any]) -> None:
    assert function_schema(given) == written


@pytest.mark.parametrize(
    "place",
    [
        lambda inner: {"properties": {"a": inner}},
        lambda inner: {"properties": {}, "$defs": {"a": inner}},
        lambda inner: {"properties": {"a": {"anyOf": [STRING, inner]}}},
        lambda inner: {"properties": {"a": {"type": "array", "items": inner}}},
        lambda inner: {"properties": {}, "additionalProperties": inner},
    ],
)
@pytest.mark.parametrize("kind", ["array", ["array", "null"]])
def test_an_array_has_items_wherever_it_stands(place: Any, kind: Any) -> None:
    assert function_schema({"type": "object", **place({"type": kind})}) == {"type": "object", **place({"type": kind, "items": {}})}


def test_a_complete_schema_is_the_same_object_and_no_schema_is_changed_in_place() -> None:
    complete = {"type": "object", "properties": {"a": {"type": "array", "items": STRING}, "type": STRING}}
    assert function_schema(complete) is complete
    bare: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "array"}}}
    function_schema(bare)
    assert bare == {"type": "object", "properties": {"a": {"type": "array"}}}


def test_a_root_that_is_a_reference_becomes_what_it_refers_to() -> None:
    definition = {"type": "object", "properties": {"a": STRING}, "required": ["a"]}
    schema = {"$ref": "#/$defs/Args", "$defs": {"Args": definition}}
    assert function_schema(schema) == {**definition, "$defs": {"Args": definition}}


def test_properties_named_like_keywords_are_no_schemas() -> None:
    named: dict[str, Any] = {"type": "object", "properties": {"items": {"type": "string"}, "type": {"enum": ["array"]}}}
    assert function_schema(named) is named


def test_the_alternatives_at_the_root_stand_side_by_side() -> None:
    a = {"type": "object", "properties": {"a": STRING, "x": STRING}, "required": ["a", "x"]}
    b = {"type": "object", "properties": {"b": STRING, "x": {"type": "integer"}}, "required": ["x"]}
    flat, lost = without_root_union({"type": "object", "properties": {}, "anyOf": [a, b], "description": "d"})
    assert flat == {
        "type": "object",
        "description": "d",
        "properties": {"a": STRING, "x": {"anyOf": [STRING, {"type": "integer"}]}, "b": STRING},
        "required": ["x"],
    }
    assert lost == ["anyOf"]


def test_all_parts_of_a_root_are_required_and_definitions_are_looked_up() -> None:
    base = {"type": "object", "properties": {"a": STRING}, "required": ["a"]}
    schema = {"allOf": [{"$ref": "#/$defs/Base"}, {"properties": {"b": STRING}, "required": ["b"]}], "$defs": {"Base": base}}
    flat, lost = without_root_union(schema)
    assert flat["properties"] == {"a": STRING, "b": STRING}
    assert flat["required"] == ["a", "b"]
    assert flat["$defs"] == {"Base": base}
    assert lost == ["allOf"]


def test_a_root_without_alternatives_is_the_same_object() -> None:
    schema = {"type": "object", "properties": {"a": {"anyOf": [STRING]}}}
    assert without_root_union(schema) == (schema, [])
    assert without_root_union(schema)[0] is schema


def test_a_strict_schema_is_closed_everywhere() -> None:
    inner = {"type": "object", "properties": {"b": {"type": ["string", "null"]}}, "required": ["b"]}
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": inner}}, "required": ["a"]}
    closed = {"additionalProperties": False}
    assert strict_schema(schema) == {**schema, "properties": {"a": {"type": "array", "items": {**inner, **closed}}}, **closed}
    assert strict_schema({"type": "object", "properties": {}}) == {"type": "object", "properties": {}, **closed}


def nested(depth: int) -> dict[str, Any]:
    inner = nested(depth - 1) if depth > 1 else STRING
    return {"type": "object", "properties": {"a": inner}, "required": ["a"]}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": STRING}},
        {"type": "object", "properties": {"a": STRING}, "required": ["a"], "additionalProperties": True},
        {"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"allOf": [STRING]}}, "required": ["a"]},
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A", "description": "d"}},
            "required": ["a"],
            "$defs": {"A": STRING},
        },
        {"type": "object", "properties": {}, "patternProperties": {"^x": STRING}},
        {"type": "object", "anyOf": [{"type": "object", "properties": {}}]},
        {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": "string", "format": "uri"}}, "required": ["a"]},
        {"type": "array", "items": STRING},
        nested(11),
    ],
)
def test_a_schema_that_strict_mode_cannot_express_is_none(schema: dict[str, Any]) -> None:
    assert strict_schema(schema) is None


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"properties": {"a": True, "b": False}}, {"properties": {"a": {}, "b": {"not": {}}}}),
        ({"type": "array", "items": True}, {"type": "array", "items": {}}),
        ({"anyOf": [True, STRING]}, {"anyOf": [{}, STRING]}),
        ({"type": "string", "enum": []}, STRING),
        ({"oneOf": []}, {}),
        ({"properties": {"a": {"type": "any", "description": "d"}}}, {"properties": {"a": {"description": "d"}}}),
        ({"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"type": "object"}}}),
        # A property may have the name of a keyword.
        ({"properties": {"type": STRING, "enum": True}}, {"properties": {"type": STRING, "enum": {}}}),
    ],
)
def test_a_schema_for_a_grammar_has_only_what_llama_cpp_reads(given: dict[str, Any], written: dict[str, Any]) -> None:
    assert for_grammars(given) == written


def test_a_schema_that_llama_cpp_reads_stays_the_same_object() -> None:
    fine = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "additionalProperties": False, "$defs": {"A": STRING}}
    assert for_grammars(fine) is fine


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"items": [STRING, {"type": "number"}]}, {"prefixItems": [STRING, {"type": "number"}]}),
        ({"items": [STRING], "additionalItems": False}, {"prefixItems": [STRING], "maxItems": 1}),
        ({"items": [STRING], "additionalItems": STRING}, {"prefixItems": [STRING], "items": STRING}),
        ({"minimum": 0, "exclusiveMinimum": True}, {"exclusiveMinimum": 0}),
        ({"maximum": 9, "exclusiveMaximum": False}, {"maximum": 9}),
        ({"exclusiveMinimum": True}, {}),
        (
            {"properties": {"a": {**STRING, "required": True}, "b": {**STRING, "required": False}}},
            {"properties": {"a": STRING, "b": STRING}, "required": ["a"]},
        ),
        (
            {"properties": {"a": {**STRING, "required": True}, "b": STRING}, "required": ["b", "a"]},
            {"properties": {"a": STRING, "b": STRING}, "required": ["b", "a"]},
        ),
    ],
)
def test_older_drafts_of_json_schema_are_written_in_the_current_one(given: dict[str, Any], written: dict[str, Any]) -> None:
    nested = {"type": "object", "properties": {"x": {"anyOf": [given]}}}
    assert mapped(nested, current_draft) == {"type": "object", "properties": {"x": {"anyOf": [written]}}}


def test_a_schema_of_the_current_draft_is_the_same_object() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "exclusiveMinimum": 0}}, "required": ["a"]}
    assert mapped(schema, current_draft) is schema


def test_a_strict_schema_of_a_fine_tuned_model_states_no_limits() -> None:
    schema = {"type": "object", "properties": {"a": {**STRING, "minLength": 1}}, "required": ["a"], "additionalProperties": False}
    assert strict_schema(schema) == schema
    assert strict_schema(schema, fine_tuned=True) is None


def test_a_strict_schema_has_at_most_a_thousand_values_in_its_enums() -> None:
    def of(count: int) -> dict[str, Any]:
        values = {**STRING, "enum": [f"v{number}" for number in range(count)]}
        return {"type": "object", "properties": {"a": values, "b": values}, "required": ["a", "b"], "additionalProperties": False}

    assert strict_schema(of(500)) is not None
    assert strict_schema(of(501)) is None


def test_lengths_that_make_a_grammar_too_long_are_described() -> None:
    given = {"type": "object", "properties": {"a": {**STRING, "maxLength": 50_000, "minLength": 1, "description": "text"}}}
    assert for_grammars(given)["properties"]["a"] == {**STRING, "minLength": 1, "description": 'text\n\n{"maxLength":50000}'}


def test_true_and_false_become_objects_where_ollama_reads_properties() -> None:
    given = {"properties": {"a": True, "b": {"type": "array", "items": False}, "c": None}, "additionalProperties": False}
    made = with_object_schemas(given)
    assert made == {"properties": {"a": {}, "b": {"type": "array", "items": {"not": {}}}, "c": {}}, "additionalProperties": False}
    assert with_object_schemas(made) is made


def test_a_schema_is_recursive_whatever_stands_where_definitions_should() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    assert is_recursive({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert not is_recursive({"type": "object", "properties": {}, "definitions": [1], "$defs": None})
