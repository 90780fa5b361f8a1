"""JSON schemas of functions as vendors accept them: an object at the root, with its properties, and arrays with their items.

Any valid schema is allowed to tools of MCP servers and of Anthropic. OpenAI answers 400 to an object without `properties` or an
array without `items`, which means the same: https://github.com/github/copilot-cli/issues/2223
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conduit_desktop.core.chat import Json

_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties")
_UNIONS = ("anyOf", "oneOf", "allOf")
# "'default' is not permitted", "'uri' is not a valid format": strict mode refuses what it cannot follow.
_NOT_STRICT = (
    "oneOf", "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties", "default",
    "uniqueItems", "contains", "minContains", "maxContains", "minProperties", "maxProperties", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_STRICT_FORMATS = (None, "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_MAX_DEPTH = 10
_NOT_AT_ROOT = ("enum", "not", "if", "then", "else")


def function_schema(schema: dict[str, Json] | None) -> dict[str, Json]:
    """The schema with an object at its root; it means the same. The same object where nothing was missing."""
    if not schema:
        return {"type": "object", "properties": {}}
    found = _resolved(mapped(schema, _with_items), schema)
    kind = found.get("type")
    if kind is None or (isinstance(kind, list) and "object" in kind):
        found = {**found, "type": "object"}
    if found.get("type") == "object" and not isinstance(found.get("properties"), dict):
        found = {**found, "properties": {}}
    return found


def mapped(schema: dict[str, Json], change: Callable[[dict[str, Json]], dict[str, Json]]) -> dict[str, Json]:
    """`schema` with `change` applied to it and to every schema inside of it, the innermost first.

    `change` returns its argument or a copy; the same object is returned where nothing changed.
    """
    made: dict[str, Json] = {}
    for name, value in schema.items():
        if name in _MAPS and isinstance(value, dict):
            inner: Any = {key: mapped(one, change) if isinstance(one, dict) else one for key, one in value.items()}
            changed = any(inner[key] is not value[key] for key in value)
        elif name in _LISTS and isinstance(value, list):
            inner = [mapped(one, change) if isinstance(one, dict) else one for one in value]
            changed = any(new is not old for new, old in zip(inner, value, strict=True))
        elif name in _SCHEMAS and isinstance(value, dict):
            inner = mapped(value, change)
            changed = inner is not value
        else:
            continue
        if changed:
            made[name] = inner
    return change({**schema, **made} if made else schema)


_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})


def for_grammars(schema: dict[str, Json]) -> dict[str, Json]:
    """The schema as llama.cpp (b11549) reads it to make a grammar: it refuses true and false as schemas inside of it, types that
    JSON Schema does not have, empty lists of alternatives or values, and a reference to the root.
    """
    return mapped(schema, _for_grammar)


def _for_grammar(schema: dict[str, Json]) -> dict[str, Json]:
    made = dict(schema)
    for name, value in schema.items():
        if name in _MAPS and isinstance(value, dict):
            made[name] = {key: _as_object(one) for key, one in value.items()}
        elif name in ("anyOf", "oneOf", "allOf", "enum") and value == []:
            del made[name]
        elif name in _LISTS and isinstance(value, list):
            made[name] = [_as_object(one) for one in value]
        elif name == "items":
            made[name] = _as_object(value)
        elif name == "type" and isinstance(value, str) and value not in _TYPES:
            del made[name]
    if made.get("$ref") == "#":
        made = {**{name: value for name, value in made.items() if name != "$ref"}, "type": "object"}
    return schema if made == schema else made


def _as_object(schema: Any) -> Any:
    return schema if not isinstance(schema, bool) else {} if schema else {"not": {}}


def _with_items(schema: dict[str, Json]) -> dict[str, Json]:
    kind = schema.get("type")
    if (kind == "array" or (isinstance(kind, list) and "array" in kind)) and "items" not in schema:
        return {**schema, "items": {}}
    return schema


def without_root_union(schema: dict[str, Json]) -> tuple[dict[str, Json], list[str]]:
    """The schema without what OpenAI and Anthropic refuse at its root, and the names of the keywords that are lost.

    The properties of all alternatives stand side by side; required is what each of them requires.
    """
    lost = [name for name in (*_UNIONS, *_NOT_AT_ROOT) if name in schema]
    if not lost:
        return schema, []
    root = {name: value for name, value in schema.items() if name not in lost}
    properties = dict(root.get("properties") or {})
    required = list(root.get("required") or [])
    for union in _UNIONS:
        branches = [_resolved(branch, schema) for branch in schema.get(union) or [] if isinstance(branch, dict)]
        for branch in branches:
            for name, value in (branch.get("properties") or {}).items():
                known = properties.get(name)
                # Two alternatives with different types for one property: either is allowed.
                properties[name] = value if known in (None, value) else {"anyOf": [*_alternatives(known), value]}
        needed = [set(branch.get("required") or []) for branch in branches]
        if needed:
            every = set.union(*needed) if union == "allOf" else set.intersection(*needed)
            required += sorted(every - set(required))
    root |= {"type": "object", "properties": properties}
    if required:
        root["required"] = required
    return root, lost


def strict_schema(schema: dict[str, Json]) -> dict[str, Json] | None:
    """The schema, closed, for OpenAI's strict mode; None where it allows what that mode cannot.

    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    if schema.get("type") != "object" or any(name in schema for name in _UNIONS) or _depth(schema) > _MAX_DEPTH:
        return None
    fits = True

    def close(one: dict[str, Json]) -> dict[str, Json]:
        nonlocal fits
        if any(name in one for name in _NOT_STRICT) or one.get("format") not in _STRICT_FORMATS or ("$ref" in one and len(one) > 1):
            fits = False
        kind = one.get("type")
        if kind != "object" and not (isinstance(kind, list) and "object" in kind):
            return one
        properties = one.get("properties") or {}
        # Neither an optional property nor an object of any properties can be expressed.
        if set(properties) - set(one.get("required") or ()) or one.get("additionalProperties", False) is not False:
            fits = False
        if not properties and one is not schema and "additionalProperties" not in one:
            fits = False
        return one if one.get("additionalProperties") is False else {**one, "additionalProperties": False}

    closed = mapped(schema, close)
    return closed if fits else None


def _depth(schema: Any) -> int:
    """How deep objects and arrays nest."""
    if not isinstance(schema, dict):
        return 0
    inner = [*(schema.get("properties") or {}).values(), schema.get("items")]
    unions = [one for name in _UNIONS for one in schema.get(name) or ()]
    return max(1 + max(map(_depth, inner), default=0), *map(_depth, unions), 0)


def _alternatives(schema: Json) -> list[Json]:
    return list(schema["anyOf"]) if isinstance(schema, dict) and list(schema) == ["anyOf"] else [schema]


def _resolved(branch: dict[str, Json], root: dict[str, Json]) -> dict[str, Json]:
    """The definition that a schema is a reference to, with what stands beside the reference; or the schema itself."""
    reference = branch.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return branch
    found: Any = root
    for step in reference[2:].split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    beside = {name: value for name, value in branch.items() if name != "$ref"}
    return {**found, **beside} if isinstance(found, dict) else branch
