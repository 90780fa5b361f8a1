"""Converts between JSON Schema and Gemini's own subset of OpenAPI's schemas.

Schemas are written into `parametersJsonSchema` and `responseJsonSchema`, which every Gemini since 2.5 takes instead of the
older `parameters` and `responseSchema`: types in lower case, unions, `$defs`. Keywords beyond Google's list are left out,
since Google refuses some of them. References are replaced by the schema that they name, except recursive ones.
https://ai.google.dev/gemini-api/docs/structured-output#json_schema_support
"""

from __future__ import annotations

from collections.abc import Callable

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.function_schemas import current_draft, mapped, with_description
from conduit_desktop.wire.gemini.field_names import INT64

Fields = dict[str, Json]

_TYPES = ("", "string", "number", "integer", "boolean", "array", "object", "null")
"""Indexed by the numbers of Google's enum `Type`."""
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
    result = {key: value for key, value in schema.items() if key not in ("nullable", "propertyOrdering", "example")}
    kind = _type(result.get("type"))
    if kind is not None:
        result["type"] = kind
    if schema.get("nullable") is True and isinstance(kind, str):
        result["type"] = [kind, "null"]
        if isinstance(result.get("enum"), list) and None not in result["enum"]:
            result["enum"] = [*result["enum"], None]
    # These are int64 in Google's schema, which protobuf's JSON writes as text.
    for name in ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"):
        if isinstance(result.get(name), str) and INT64.fullmatch(result[name]):
            result[name] = int(result[name])
    return _within(result, to_json_schema)


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
    """A JSON Schema reduced to the keywords that Gemini takes."""
    # `definitions` is the name in JSON Schema before draft 2019-09, and many tools still use it.
    defs = {name: schema[name] for name in ("$defs", "definitions") if isinstance(schema.get(name), dict)}
    writer = _Writer(defs)
    result: Fields = writer.write({key: value for key, value in schema.items() if key not in defs}, ())
    if writer.kept:
        result["$defs"] = writer.definitions()
    return _within_budget(result)


_MOST_ITEMS = 960
"""What every `maxItems` of a schema may add up to: beyond it Google answers "Request contains an invalid argument".

https://github.com/googleapis/python-genai/issues/2170, https://github.com/vercel/ai/issues/21192
"""


def _within_budget(schema: Fields) -> Fields:
    """`schema` with its greatest `maxItems` in descriptions, where they add up to too much."""
    limits: list[int] = []

    def count(one: Fields) -> Fields:
        if isinstance(one.get("maxItems"), int):
            limits.append(one["maxItems"])
        return one

    mapped(schema, count)
    if sum(limits) <= _MOST_ITEMS:
        return schema
    limits.sort()
    least = 0
    while sum(limits) > _MOST_ITEMS:
        least = limits.pop()

    def describe(one: Fields) -> Fields:
        most = one.get("maxItems")
        if not isinstance(most, int) or most < least:
            return one
        return with_description({name: value for name, value in one.items() if name != "maxItems"}, {"maxItems": most})

    return mapped(schema, describe)


class _Writer:
    """Writes one schema. `kept` are the recursive definitions, which cannot replace the references to them."""

    def __init__(self, defs: dict[str, Fields]) -> None:
        self._defs = defs
        self.kept: dict[str, Json] = {}

    def definitions(self) -> Fields:
        """The definitions that are still referred to."""
        result: Fields = {}
        while rest := [name for name in self.kept if name not in result]:
            for name in rest:
                result[name] = self.write(self.kept[name], (name,))
        return result

    def write(self, schema: Json, within: tuple[str, ...]) -> Json:
        """`schema`, which is part of the definitions named `within`."""
        if not isinstance(schema, dict):
            return schema
        schema = current_draft(_merged(schema))
        if isinstance(schema.get("$ref"), str):
            return self._resolved(schema, within)
        # An allow-list: JSON Schema has many more keywords, and Google refuses some of them.
        result = {key: value for key, value in schema.items() if key in _KEPT}
        if "const" in schema and "enum" not in result:
            result["enum"] = [schema["const"]]
            result.setdefault("type", _json_type(schema["const"]))
        # "property is not defined": a name that only `required` has.
        if isinstance(result.get("required"), list):
            known = result.get("properties")
            result["required"] = [
                name for name in result["required"] if isinstance(known, dict) and isinstance(name, str) and name in known
            ]
            if not result["required"]:
                del result["required"]
        # "cannot be empty": the empty word of an enum.
        if isinstance(result.get("enum"), list) and "" in result["enum"]:
            result["enum"] = [value for value in result["enum"] if value != ""]
            if not result["enum"]:
                del result["enum"]
        for low, high, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
            bound = schema.get(low)
            if high not in result and isinstance(bound, int) and not isinstance(bound, bool) and result.get("type") == "integer":
                # Gemini has no exclusive bounds; for integers the neighbour says the same, for other numbers nothing does.
                result[high] = bound + step
        return _within(result, lambda inner: self.write(inner, within))

    def _resolved(self, schema: Fields, within: tuple[str, ...]) -> Json:
        section, _, name = schema["$ref"].removeprefix("#/").partition("/")
        target = self._defs.get(section, {}).get(name)
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        if target is None:  # a reference to the whole schema, or to another document
            return {key: value for key, value in siblings.items() if key in _KEPT} or {"type": "object"}
        # Replacing a recursive reference would never end.
        if name in within:
            self.kept[name] = target
            return {"$ref": f"#/$defs/{name}"}
        return self.write({**target, **siblings} if isinstance(target, dict) else target, (*within, name))


def _merged(schema: Fields) -> Fields:
    """`allOf` merged into the schema that holds it: Gemini has no `allOf`. Of two values of one keyword the later counts."""
    parts = schema.get("allOf")
    if not isinstance(parts, list):
        return schema
    result: Fields = {}
    for part in (*parts, {key: value for key, value in schema.items() if key != "allOf"}):
        for key, value in part.items() if isinstance(part, dict) else ():
            if key == "properties" and isinstance(result.get(key), dict):
                result[key] = {**result[key], **value}
            elif key == "required" and isinstance(result.get(key), list):
                result[key] = list(dict.fromkeys([*result[key], *value]))
            else:
                result[key] = value
    return result


def _json_type(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "integer", float: "number", list: "array", dict: "object"}.get(type(value), "null")
