"""JSON Schema and Gemini's own subset of OpenAPI's: read from the one, written for the other.

What is written goes into `parametersJsonSchema` and `responseJsonSchema`, which every Gemini since 2.5 takes in place of the
older `parameters` and `responseSchema`: types in lower case, unions, `$defs`. Keywords beyond Google's list are left out,
since some of them are refused, and references are put in place of what they name, except those that name themselves.
https://ai.google.dev/gemini-api/docs/structured-output#json_schema_support
"""

from __future__ import annotations

from collections.abc import Callable

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.gemini.field_names import INT64

Fields = dict[str, Json]

_TYPES = ("", "string", "number", "integer", "boolean", "array", "object", "null")
"""By their numbers in Google's `Type`."""
_KEPT = frozenset({
    "type", "format", "title", "description", "enum", "items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf",
    "oneOf", "properties", "additionalProperties", "required", "propertyOrdering", "pattern", "minLength", "maxLength",
    "minProperties", "maxProperties", "default", "$defs", "$ref",
})  # fmt: skip
_MAPS = ("properties", "$defs")
_LISTS = ("anyOf", "oneOf", "prefixItems")
_ONES = ("items", "additionalProperties")


def to_json_schema(schema: Json) -> Json:
    """Gemini's subset as JSON Schema: types in lower case, `nullable` as a union, without Google's own keywords."""
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if key not in ("nullable", "propertyOrdering", "example")}
    kind = _type(made.get("type"))
    if kind is not None:
        made["type"] = kind
    if schema.get("nullable") is True and isinstance(kind, str):
        made["type"] = [kind, "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
    for name in ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"):
        if isinstance(made.get(name), str) and INT64.fullmatch(made[name]):
            made[name] = int(made[name])
    return _within(made, to_json_schema)


def _type(kind: Json) -> Json:
    if isinstance(kind, str):
        lower = kind.lower()
        return lower if lower in _TYPES[1:] else None if lower == "type_unspecified" else kind
    if isinstance(kind, int) and not isinstance(kind, bool) and 0 < kind < len(_TYPES):
        return _TYPES[kind]
    return kind


def _within(schema: Fields, change: Callable[[Json], Json]) -> Fields:
    """`schema` with the schemas in it changed."""
    for name in _MAPS:
        if isinstance(schema.get(name), dict):
            schema[name] = {key: change(inner) for key, inner in schema[name].items()}
    for name in _LISTS:
        if isinstance(schema.get(name), list):
            schema[name] = [change(inner) for inner in schema[name]]
    for name in _ONES:
        if isinstance(schema.get(name), dict):
            schema[name] = change(schema[name])
    return schema


def for_gemini(schema: Fields) -> Fields:
    """A JSON Schema with what Gemini takes alone."""
    defs = {name: schema[name] for name in ("$defs", "definitions") if isinstance(schema.get(name), dict)}
    writer = _Writer(defs)
    made: Fields = writer.write({key: value for key, value in schema.items() if key not in defs}, ())
    if writer.kept:
        made["$defs"] = writer.definitions()
    return made


class _Writer:
    """Writes one schema. `kept` are the definitions that cannot be put in place, for they hold themselves."""

    def __init__(self, defs: dict[str, Fields]) -> None:
        self._defs = defs
        self.kept: dict[str, Json] = {}

    def definitions(self) -> Fields:
        """The definitions that are still referred to."""
        made: Fields = {}
        while rest := [name for name in self.kept if name not in made]:
            for name in rest:
                made[name] = self.write(self.kept[name], (name,))
        return made

    def write(self, schema: Json, within: tuple[str, ...]) -> Json:
        """`schema`, met inside the definitions `within`."""
        if not isinstance(schema, dict):
            return schema
        schema = _merged(schema)
        if isinstance(schema.get("$ref"), str):
            return self._resolved(schema, within)
        made = {key: value for key, value in schema.items() if key in _KEPT}
        if "const" in schema and "enum" not in made:
            made["enum"] = [schema["const"]]
            made.setdefault("type", _json_type(schema["const"]))
        for low, high, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
            bound = schema.get(low)
            if high not in made and isinstance(bound, int) and not isinstance(bound, bool) and made.get("type") == "integer":
                made[high] = bound + step
        return _within(made, lambda inner: self.write(inner, within))

    def _resolved(self, schema: Fields, within: tuple[str, ...]) -> Json:
        place, _, name = schema["$ref"].removeprefix("#/").partition("/")
        target = self._defs.get(place, {}).get(name)
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if target is None:  # the whole schema again, or somewhere else
            return {key: value for key, value in beside.items() if key in _KEPT} or {"type": "object"}
        if name in within:
            self.kept[name] = target
            return {"$ref": f"#/$defs/{name}"}
        return self.write({**target, **beside} if isinstance(target, dict) else target, (*within, name))


def _merged(schema: Fields) -> Fields:
    """`allOf` folded into the schema that holds it, as far as one word can say it."""
    parts = schema.get("allOf")
    if not isinstance(parts, list):
        return schema
    made: Fields = {}
    for part in (*parts, {key: value for key, value in schema.items() if key != "allOf"}):
        for key, value in part.items() if isinstance(part, dict) else ():
            if key == "properties" and isinstance(made.get(key), dict):
                made[key] = {**made[key], **value}
            elif key == "required" and isinstance(made.get(key), list):
                made[key] = list(dict.fromkeys([*made[key], *value]))
            else:
                made[key] = value
    return made


def _json_type(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "integer", float: "number", list: "array", dict: "object"}.get(type(value), "null")
