"""JSON schemas as Claude and Bedrock take them for structured outputs and strict tools: closed objects, and few keywords.

Limits of numbers, lengths and counts are refused. They become part of the description, where the model reads them, as in
Anthropic's own SDKs. https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

import re
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.function_schemas import current_draft, mapped, with_description, without_root_union

_KEPT = frozenset({
    "type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions", "title", "description", "default", "properties",
    "required", "additionalProperties", "items",
})  # fmt: skip
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_SILENT = frozenset({"$schema", "$id", "$comment", "strict"})
"""Say nothing about a value."""
_PROPERTY_KEY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


def closed(schema: dict[str, Json]) -> dict[str, Json]:
    """The schema with every object closed ("'additionalProperties' must be explicitly set to false") and known keywords only."""
    return mapped(schema, lambda one: _closed(current_draft(one)))


def is_recursive(schema: dict[str, Json]) -> bool:
    """Whether a definition refers to itself, in whatever number of steps: no grammar can be made of it."""
    definitions = {
        f"#/{place}/{name}": _references(inner)
        for place in ("$defs", "definitions")
        if isinstance(schema.get(place), dict)
        for name, inner in schema[place].items()
    }
    definitions["#"] = _references({name: value for name, value in schema.items() if name not in ("$defs", "definitions")})
    for start in definitions:
        seen: set[str] = set()
        waiting = list(definitions[start])
        while waiting:
            name = waiting.pop()
            if name == start:
                return True
            if name not in seen:
                seen.add(name)
                waiting += definitions.get(name, ())
    return False


def _references(value: Json) -> set[str]:
    if isinstance(value, list):
        return {name for each in value for name in _references(each)}
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own | {name for each in value.values() for name in _references(each)}


def _closed(schema: dict[str, Json]) -> dict[str, Json]:
    made: dict[str, Json] = {}
    described: dict[str, Json] = {}
    for name, value in schema.items():
        if name == "oneOf":
            made["anyOf"] = value
        elif name in _KEPT or (name == "format" and value in _FORMATS) or (name == "minItems" and value in (0, 1)):
            made[name] = value
        elif name not in _SILENT:
            described[name] = value
    kind = made.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        if made.get("additionalProperties") not in (None, True, False):
            described["additionalProperties"] = made["additionalProperties"]
        made["additionalProperties"] = False
    return with_description(made, described)


def with_known_keys(schema: dict[str, Json]) -> dict[str, Json]:
    """The schema without properties whose keys Claude refuses, which go into the description; the same object without such.

    The model can still send them: arguments are not held to the schema unless the tool is strict.
    """
    return mapped(schema, _with_known_keys)


def _with_known_keys(schema: dict[str, Json]) -> dict[str, Json]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    odd: dict[str, Any] = {name: value for name, value in properties.items() if not _PROPERTY_KEY.fullmatch(name)}
    if not odd:
        return schema
    made = {**schema, "properties": {name: value for name, value in properties.items() if name not in odd}}
    if isinstance(schema.get("required"), list):
        made["required"] = [name for name in schema["required"] if name not in odd]
        odd_required = [name for name in schema["required"] if name in odd]
    else:
        odd_required = []
    if made.get("additionalProperties") is False:
        del made["additionalProperties"]
    further: dict[str, Json] = {"further properties": odd}
    return with_description(made, {**further, **({"further required": odd_required} if odd_required else {})})


def tool_schema(schema: dict[str, Json]) -> dict[str, Json]:
    """A tool's schema with an object at its root, no union there, and keys that Claude takes; what that loses is described."""
    schema = mapped(schema, current_draft)
    made, lost = without_root_union(schema)
    made = with_known_keys(made)
    # The API refuses a schema without it: "tools.0.custom.input_schema.type: Field required".
    made = made if made.get("type") == "object" else {**made, "type": "object"}
    return with_description(made, {name: schema[name] for name in lost})
