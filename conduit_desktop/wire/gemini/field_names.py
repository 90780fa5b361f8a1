"""Brings Gemini's field names into one form, and restores the form that the client used.

Google's JSON takes `maxOutputTokens` and `max_output_tokens` on every level (https://protobuf.dev/programming-guides/json/),
and Gemini takes one object where a list belongs. `normalise` makes that camelCase and lists, and notes each change in
`ChatRequest.source_form` under the field's path; `restore_source_form` undoes the changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.json_fields import GOOGLE_STYLE, SourceForm, step_into

NAME = "gemini"

Fields = dict[str, Json]
"""Keys of `source_form` are a path and a kind of note (`contents.0.parts|single`); the values depend on the kind.
In a path, a dot inside a client's own key is escaped (`_escaped`).

`key`: the field had the name in the value. `single`: it was not in a list. `absent`: it was not there, the reader made it.
`json`: it had the value given as JSON. `null`: it was null. `object`: it was an empty object.
"""

INT64 = re.compile(r"-?\d{1,19}", re.ASCII)
"""An integer as text: protobuf's JSON writes int64 as a string."""
_SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_OPAQUE = frozenset({
    "args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels", "partMetadata",
})  # fmt: skip
"""Fields whose keys are the client's own and stay as they are."""
_KINDS = ("single", "absent", "json", "null", "object", "key")
"""In the order in which the notes of one field are restored: its name last."""
_VALUES = ("json", "null")
"""Notes that are restored even where nothing else is left of the object that held the field."""


@lru_cache(maxsize=1024)
def camel(key: str) -> str:
    """`max_output_tokens` as `maxOutputTokens`; any other key as it is."""
    if "_" not in key or not _SNAKE.fullmatch(key):
        return key
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _escaped(key: str) -> str:
    """`key` as one step of a path: a client's own key may hold a dot. Escaped as JSON Pointer does (RFC 6901)."""
    return key.replace("~", "~0").replace(".", "~1") if "." in key or "~" in key else key


def _unescaped(step: str) -> str:
    return step.replace("~1", ".").replace("~0", "~") if "~" in step else step


def normalise(value: Json, source_form: SourceForm, path: str = "") -> Json:
    """`value` in camelCase and without nulls; what that changed is added to `source_form`."""
    if isinstance(value, list):
        return [normalise(inner, source_form, f"{path}.{index}") for index, inner in enumerate(value)]
    if not isinstance(value, dict):
        return value
    renamed: Fields = {}
    for key, inner in value.items():
        name = camel(key)
        if name != key and name in value:
            name = key  # both forms are there: neither can take the other's place
        parent = f"{path}." if path else ""
        inner_path = parent + _escaped(name)
        if inner is None:
            note(source_form, parent + _escaped(key), "null")
            continue
        if name != key:
            note(source_form, inner_path, "key", key)
        # Keys in there are the client's own: renaming them would change arguments and schemas.
        renamed[name] = inner if name in _OPAQUE else normalise(inner, source_form, inner_path)
    return renamed


def note(source_form: SourceForm, path: str, kind: str, value: str = "") -> None:
    """Record how the client wrote the field at `path`; the first note of a kind counts."""
    source_form.setdefault(f"{path}|{kind}", value)


def note_name(source_form: SourceForm, path: str, canonical: str, used: str) -> None:
    """Record that the field `canonical` of the object at `path` had the name `used`, perhaps in snake_case."""
    note(source_form, f"{path}.{canonical}", "key", source_form.pop(f"{path}.{used}|key", used))


def note_value(source_form: SourceForm, path: str, value: Json) -> None:
    """Record that the field at `path` had `value`, which the neutral request does not hold."""
    note(source_form, path, "json", orjson.dumps(value).decode())


def as_list(value: Json, source_form: SourceForm, path: str) -> list[Json]:
    """The list at `path`; a single object counts as a list of one."""
    if isinstance(value, dict):
        for key in [key for key in source_form if key.startswith(f"{path}.")]:
            # The object becomes element 0, and the notes on its fields must find it there.
            source_form[f"{path}.0{key[len(path) :]}"] = source_form.pop(key)
        note(source_form, path, "single")
        return [value]
    if not isinstance(value, list):
        raise GOOGLE_STYLE.invalid(path, "an array", value)
    return value


def restore_source_form(body: Fields, source_form: Mapping[str, str]) -> None:
    """Write `body`, which is in canonical form, as the client wrote it: the deepest fields first."""
    # Split at the last bar: a client's own key may hold one, a kind never does.
    notes = [(*key.rpartition("|")[::2], value) for key, value in source_form.items() if "|" in key]
    steps = [([_unescaped(step) for step in path.split(".")], kind, value) for path, kind, value in notes]
    # A field is found by canonical names, so an object is renamed only after all that it holds.
    for path, kind, value in sorted(steps, key=lambda step: (-len(step[0]), _KINDS.index(step[1]))):
        owner: Any = body
        for step in path[:-1]:
            if kind in _VALUES and isinstance(owner, dict):
                owner.setdefault(step, {})
            owner = step_into(owner, step)
        if isinstance(owner, dict):
            _restore(owner, path[-1], kind, value)


def _restore(owner: Fields, key: str, kind: str, value: str) -> None:
    if kind == "null":
        owner.setdefault(key, None)
    elif kind == "json":
        owner[key] = orjson.loads(value)
    elif kind == "object":
        owner.setdefault(key, {})
    elif key not in owner:
        return
    elif kind == "key":
        owner[value] = owner.pop(key)
    elif kind == "absent":
        del owner[key]
    elif kind == "single" and isinstance(owner[key], list) and len(owner[key]) == 1:
        owner[key] = owner[key][0]
