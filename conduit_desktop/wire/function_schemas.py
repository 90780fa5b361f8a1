"""JSON schemas of functions as vendors accept them: an object at the root, with its properties, and arrays with their items.

Any valid schema is allowed to tools of MCP servers and of Anthropic. OpenAI answers 400 to an object without `properties` or an
array without `items`, which means the same: https://github.com/github/copilot-cli/issues/2223
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from conduit_desktop.core.chat import Json

_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
"""Lists of schemas. `items` is one before draft 2020-12."""
_SCHEMAS = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties")
_UNIONS = ("anyOf", "oneOf", "allOf")
# "'default' is not permitted", "'uri' is not a valid format": strict mode refuses what it cannot follow.
_NOT_STRICT = (
    "oneOf", "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties", "default",
    "uniqueItems", "contains", "minContains", "maxContains", "minProperties", "maxProperties", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties", "prefixItems", "additionalItems",
)  # fmt: skip
_STRICT_FORMATS = (None, "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_MAX_DEPTH = 10
_MAX_ENUM_VALUES = 1000
_NOT_FINE_TUNED = (
    "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "multipleOf", "minItems", "maxItems",
)  # fmt: skip
"""What strict mode knows for OpenAI's own models only."""
_NOT_AT_ROOT = ("enum", "not", "if", "then", "else")


def function_schema(schema: dict[str, Json] | None) -> dict[str, Json]:
    """The schema with an object at its root; it means the same. The same object where nothing was missing."""
    if not schema:
        return {"type": "object", "properties": {}}
    current = mapped(schema, lambda one: _with_items(current_draft(one)))
    found = resolved(current, current)
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


def current_draft(schema: dict[str, Json]) -> dict[str, Json]:
    """One schema, whose inner ones are done, in the keywords of draft 2020-12; it means the same. To be applied by `mapped`.

    MCP servers still send older ones, and vendors answer 400: "[{…}] is not of type 'object', 'boolean'", "True is not of type
    'number'", "JSON schema is invalid. It must match JSON Schema draft 2020-12". https://github.com/vercel/ai/issues/2271
    """
    made = schema
    if isinstance(schema.get("items"), list):
        # A tuple. What may follow it has moved from `additionalItems` to `items`.
        made = {name: value for name, value in schema.items() if name not in ("items", "additionalItems")}
        made["prefixItems"] = schema["items"]
        rest = schema.get("additionalItems")
        if isinstance(rest, dict):
            made["items"] = rest
        elif rest is False:
            made.setdefault("maxItems", len(schema["items"]))
    for strict, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(strict), bool):
            # Until draft 4 it is a boolean next to the bound.
            made = {**made}
            if made.pop(strict) and bound in made:
                made[strict] = made.pop(bound)
    if isinstance(made.get("properties"), dict) and any(map(_marks_itself, made["properties"].values())):
        made = _with_required(made)
    return made


def _marks_itself(schema: Any) -> bool:
    return isinstance(schema, dict) and isinstance(schema.get("required"), bool)


def _with_required(schema: dict[str, Json]) -> dict[str, Json]:
    """Draft 3: a property says of itself that it is required."""
    needed = schema["required"] if isinstance(schema.get("required"), list) else []
    needed = [*needed, *(name for name, one in schema["properties"].items() if _marks_itself(one) and one["required"])]
    properties = {
        name: {key: value for key, value in one.items() if key != "required"} if _marks_itself(one) else one
        for name, one in schema["properties"].items()
    }
    made = {**schema, "properties": properties}
    if needed:
        made["required"] = list(dict.fromkeys(needed))
    elif "required" in made and not isinstance(made["required"], bool):
        made["required"] = []
    return made


def with_description(schema: dict[str, Json], described: dict[str, Json]) -> dict[str, Json]:
    """The schema with keywords in its description, in JSON."""
    if not described:
        return schema
    text = orjson.dumps(described).decode()
    before = schema.get("description")
    return {**schema, "description": f"{before}\n\n{text}" if isinstance(before, str) and before else text}


_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})


def for_grammars(schema: dict[str, Json]) -> dict[str, Json]:
    """The schema as llama.cpp (b11549) reads it to make a grammar: it refuses true and false as schemas inside of it, types that
    JSON Schema does not have, empty lists of alternatives or values, a reference to the root, and lengths and counts over 2000,
    which go into the description. https://github.com/flagdizero/jenny-android-ai-agent/issues/2
    """
    return mapped(schema, _for_grammar)


def with_object_schemas(schema: dict[str, Json]) -> dict[str, Json]:
    """The schema with objects alone as schemas of properties and items: Ollama's Go structures hold neither booleans nor nulls."""
    return mapped(schema, _with_object_schemas)


def _with_object_schemas(schema: dict[str, Json]) -> dict[str, Json]:
    made = dict(schema)
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {key: _always_object(one) for key, one in schema["properties"].items()}
    if "items" in schema:
        made["items"] = _as_object(schema["items"])
    return schema if made == schema else made


def _always_object(schema: Any) -> Any:
    schema = _as_object(schema)
    return schema if isinstance(schema, dict) else {}


_MOST_REPETITIONS = 2000
_LENGTHS = ("minLength", "maxLength", "minItems", "maxItems")


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
    long = {name: made.pop(name) for name in _LENGTHS if isinstance(made.get(name), int) and made[name] > _MOST_REPETITIONS}
    made = with_description(made, long)
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
    required = list(_names(root.get("required")))
    for union in _UNIONS:
        branches = [resolved(branch, schema) for branch in schema.get(union) or [] if isinstance(branch, dict)]
        for branch in branches:
            for name, value in (branch.get("properties") or {}).items():
                known = properties.get(name)
                # Two alternatives with different types for one property: either is allowed.
                properties[name] = value if known in (None, value) else {"anyOf": [*_alternatives(known), value]}
        needed = [set(_names(branch.get("required"))) for branch in branches]
        if needed:
            every = set.union(*needed) if union == "allOf" else set.intersection(*needed)
            required += sorted(every - set(required))
    root |= {"type": "object", "properties": properties}
    if required:
        root["required"] = required
    return root, lost


def strict_schema(schema: dict[str, Json], fine_tuned: bool = False) -> dict[str, Json] | None:
    """The schema, closed, for OpenAI's strict mode; None where it allows what that mode cannot. `fine_tuned`: for such a model.

    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    if schema.get("type") != "object" or any(name in schema for name in _UNIONS) or _depth(schema) > _MAX_DEPTH:
        return None
    fits = True
    values = 0
    refused = _NOT_STRICT + _NOT_FINE_TUNED if fine_tuned else _NOT_STRICT

    def close(one: dict[str, Json]) -> dict[str, Json]:
        nonlocal fits, values
        values += len(one["enum"]) if isinstance(one.get("enum"), list) else 0
        if any(name in one for name in refused) or one.get("format") not in _STRICT_FORMATS or ("$ref" in one and len(one) > 1):
            fits = False
        kind = one.get("type")
        if kind != "object" and not (isinstance(kind, list) and "object" in kind):
            return one
        properties = one.get("properties") or {}
        # Neither an optional property nor an object of any properties can be expressed.
        if set(properties) - set(_names(one.get("required"))) or one.get("additionalProperties", False) is not False:
            fits = False
        if not properties and one is not schema and "additionalProperties" not in one:
            fits = False
        return one if one.get("additionalProperties") is False else {**one, "additionalProperties": False}

    closed = mapped(schema, close)
    return closed if fits and values <= _MAX_ENUM_VALUES else None


def _depth(schema: Any) -> int:
    """How deep objects and arrays nest."""
    if not isinstance(schema, dict):
        return 0
    inner = [*(schema.get("properties") or {}).values(), schema.get("items")]
    unions = [one for name in _UNIONS for one in schema.get(name) or ()]
    return max(1 + max(map(_depth, inner), default=0), *map(_depth, unions), 0)


def _names(required: Json) -> list[str]:
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _alternatives(schema: Json) -> list[Json]:
    return list(schema["anyOf"]) if isinstance(schema, dict) and list(schema) == ["anyOf"] else [schema]


def resolved(branch: dict[str, Json], root: dict[str, Json]) -> dict[str, Json]:
    """The definition that a schema is a reference to, with the keywords next to the reference; or the schema itself."""
    reference = branch.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return branch
    found: Any = root
    for step in reference[2:].split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    siblings = {name: value for name, value in branch.items() if name != "$ref"}
    return {**found, **siblings} if isinstance(found, dict) else branch
