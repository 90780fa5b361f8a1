"""Hypothesis strategies for requests, made from the SDKs' own types field by field."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import orjson
from hypothesis import strategies as st

from tests.conformance.request_types import core_schema
from tests.wire.strategies import json_objects, schemas

Fields = dict[str, Any]
Strategy = st.SearchStrategy[Any]

DEEPEST = 6
"""Below this depth only required fields are generated."""

_texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["hello", "{}", "word", " "])
_base64 = st.binary(max_size=9).map(lambda raw: base64.b64encode(raw).decode())
_urls = st.sampled_from(
    ["https://example.com/a.png", "https://example.com/a.pdf?x=1", "data:image/png;base64,aGk=", "gs://b/a.mp4"]
)
_ids = st.sampled_from(["call_1", "call_2", "toolu_1", "an id: of, another's"])
_names = st.sampled_from(["f", "g", "get_weather"])
_NAMED: dict[str, Strategy] = {
    **dict.fromkeys(("id", "call_id", "tool_call_id", "tool_use_id"), _ids),
    **dict.fromkeys(("name", "tool_name"), _names),
    **dict.fromkeys(("url", "image_url", "file_url", "file_uri"), _urls),
    **dict.fromkeys(("data", "file_data", "image", "images", "encrypted_content", "thought_signature", "signature"), _base64),
    **dict.fromkeys(("media_type", "mime_type"), st.sampled_from(["image/png", "application/pdf", "text/csv", "audio/wav", "x/y"])),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "max_completion_tokens", "num_predict"), st.integers(1, 100_000)),
    **dict.fromkeys(("temperature", "top_p"), st.sampled_from([0, 0.25, 1, 1.0])),
    **dict.fromkeys(("n", "candidate_count", "top_k"), st.integers(1, 3)),
    "model": st.just("model"),
    "budget_tokens": st.integers(1024, 50_000),
    "arguments": json_objects.map(lambda value: orjson.dumps(value).decode()) | st.sampled_from(["", "no object", "[1]"]),
}  # fmt: skip
"""Values for fields whose name implies more than their type, which is only `str` or `int`."""
_SCHEMAS = frozenset(
    {"parameters", "schema", "input_schema", "response_schema", "response_json_schema", "parameters_json_schema", "format"}
)
"""Fields whose objects are JSON schemas."""
_LEAVES: dict[str, Strategy] = {
    "str": _texts,
    "bytes": _base64,
    "int": st.integers(0, 20),
    "float": st.sampled_from([0, 0.5, 1.0]),
    "bool": st.booleans(),
    "any": json_objects,
    **dict.fromkeys(("date", "datetime"), st.just("2026-01-01T00:00:00Z")),
}
_CONVERSATIONS = ("messages", "input", "contents")
_ROLES = {"ollama": ["system", "user", "assistant", "tool"], "gemini": ["user", "model"]}


class RequestStrategies:
    """Draws values of one SDK's types."""

    def __init__(self, dialect: str) -> None:
        self._schema = core_schema(dialect)
        self._known = {each["ref"]: each for each in self._schema.get("definitions", ())}
        self._named = {**_NAMED, **({"role": st.sampled_from(_ROLES[dialect])} if dialect in _ROLES else {})}
        self._silent = dialect == "gemini"  # whose SDK leaves out what is None
        self._made: dict[tuple[int, str, int], Strategy] = {}

    def request(self) -> Strategy:
        """Whole requests without the field `stream`."""
        fields = self._fields(self._whole())
        for name in (*_CONVERSATIONS, "model"):
            if name in fields:
                fields[name] = {**fields[name], "required": True}
        return self._object({name: field for name, field in fields.items() if name != "stream"}, 0)

    def _whole(self) -> Fields:
        schema = self._schema
        while schema["type"] in ("definitions", "definition-ref"):
            schema = schema["schema"] if schema["type"] == "definitions" else self._known[schema["schema_ref"]]
        return dict(schema)

    def _fields(self, schema: Fields) -> dict[str, Fields]:
        while schema["type"] not in ("typed-dict", "model-fields"):
            schema = schema["schema"]
        return dict(schema["fields"])

    def of(self, schema: Fields, name: str, depth: int) -> Strategy:
        """Values of one type, for the field `name`."""
        key = (id(schema), name, depth)
        if key not in self._made:
            self._made[key] = st.deferred(lambda: self._of(schema, name, depth))
        return self._made[key]

    def _of(self, schema: Fields, name: str, depth: int) -> Strategy:
        match schema["type"]:
            case "definition-ref":
                return self.of(self._known[schema["schema_ref"]], name, depth)
            case "nullable":
                value = self.of(schema["schema"], name, depth)
                return value if self._silent else st.one_of(*[value] * 4, st.none()) if depth < DEEPEST else st.none()
            case "union" | "tagged-union":
                choices = schema["choices"].values() if isinstance(schema["choices"], dict) else schema["choices"]
                return self._one_of([each[0] if isinstance(each, tuple) else each for each in choices], name, depth)
            case "generator" | "list":
                return self._list(schema.get("items_schema", {"type": "any"}), name, depth)
            case "typed-dict" | "model-fields":
                return self._object(self._fields(schema), depth)
            case "dict" | "any" if name in _SCHEMAS:
                return schemas
            case "model" if name == "images":
                return _base64
            case "dict":
                return st.dictionaries(_names, self.of(schema.get("values_schema", {"type": "any"}), "", depth + 1), max_size=2)
        inner = _inner(schema)
        return self._leaf(schema, name) if inner is None else self.of(inner, name, depth)

    def _one_of(self, choices: list[Fields], name: str, depth: int) -> Strategy:
        plain = [each for each in choices if each["type"] in ("str", "literal", "none", "int")]
        return st.one_of([self.of(each, name, depth) for each in (plain if depth >= DEEPEST and plain else choices)])

    def _list(self, item: Fields | None, name: str, depth: int) -> Strategy:
        least, most = (1, 4) if name in _CONVERSATIONS else (0, 2)
        return st.lists(self.of(item or {"type": "any"}, name, depth + 1), min_size=least, max_size=most if depth < DEEPEST else 0)

    def _object(self, fields: dict[str, Fields], depth: int) -> Strategy:
        needed = [name for name, field in fields.items() if field.get("required", not _has_default(field))]
        free = [name for name in fields if name not in needed]
        most = 0 if depth >= DEEPEST or not free else 5 if depth == 0 else 2

        if not needed and not most:
            return st.just({})

        @st.composite
        def draw_object(draw: st.DrawFn) -> Fields:
            chosen = needed + (draw(st.lists(st.sampled_from(free), max_size=most, unique=True)) if most else [])
            return {_spelled(name, fields[name]): draw(self.of(fields[name]["schema"], name, depth + 1)) for name in chosen}

        return draw_object()

    def _leaf(self, schema: Fields, name: str) -> Strategy:
        kind = schema["type"]
        if name in self._named and kind in ("str", "int", "float", "bytes"):
            return self._named[name]
        match kind:
            case "literal":
                return st.sampled_from([getattr(each, "value", each) for each in schema["expected"]])
            case "enum":
                return st.sampled_from([each.value for each in schema["members"]])
            case "none" | "is-instance" | "callable":
                return st.none()
        return _LEAVES[kind]


def _inner(schema: Fields) -> Any:
    """The inner type of a wrapping type; None where it does not wrap another."""
    inner = schema.get("schema") or schema.get("json_schema") or schema.get("strict_schema")
    return schema["steps"][0] if schema["type"] == "chain" else inner


def _has_default(field: Fields) -> bool:
    return bool(field["type"] == "typed-dict-field" or field["schema"]["type"] == "default")


def _spelled(name: str, field: Fields) -> str:
    alias = field.get("serialization_alias")
    return alias if isinstance(alias, str) else name


@cache
def sent_by(dialect: str) -> Strategy:
    """Requests as the dialect's SDK would send them, without the field `stream`."""
    requests = RequestStrategies(dialect).request()
    return requests.map(_as_google_sends_it) if dialect == "gemini" else requests


_TOP_LEVEL = ("systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent", "labels", "serviceTier")
"""Fields that Google's SDK takes in its configuration, but sends at the top level."""
_UNSENT = ("httpOptions", "automaticFunctionCalling", "shouldReturnHttpResponse")


def _as_google_sends_it(request: Fields) -> Fields:
    config = {name: value for name, value in request.pop("config", {}).items() if name not in _UNSENT}
    top_level = {name: config.pop(name) for name in _TOP_LEVEL if name in config}
    return {**request, **top_level, **({"generationConfig": config} if config else {})}
