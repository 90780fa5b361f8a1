"""Gemini's two spellings made one: snake_case fields become camelCase, and what was said otherwise is said so again.

Google's JSON takes `maxOutputTokens` and `max_output_tokens` on every level, and one object where a list
belongs. `normalised` brings all that into one form and notes it under the field's path; `restore_source_form` undoes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest

NAME = "gemini"

Fields = dict[str, Json]
SourceForm = dict[str, str]
"""Path and how it was said (`contents.0.parts|single`) to what that needs (a name, a value as JSON, or nothing).

`key`: under another name. `single`: not in a list. `absent`: not at all, we made it up. `json`: as another value. `null`:
as a null. `object`: as an object with nothing in it.
"""

INT64 = re.compile(r"-?\d{1,19}", re.ASCII)
"""A whole number that Google's JSON writes as text."""
_SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_OPAQUE = frozenset({
    "args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels", "partMetadata",
})  # fmt: skip
"""Fields whose keys are the caller's own."""
_ORDER = ("single", "absent", "json", "null", "object", "key")
_MADE = ("json", "null")
"""What is said again even where nothing else is left of the object that held it."""


def missing(path: str) -> BadRequest:
    """A required field that is not there."""
    return BadRequest(f"{path} is not specified", code="missing_parameter", param=path)


def wrong(path: str, expected: str) -> BadRequest:
    """A field with a value that cannot be used."""
    return BadRequest(f"Invalid value at '{path}': expected {expected}", param=path)


@lru_cache(maxsize=1024)
def camel(key: str) -> str:
    """`max_output_tokens` as `maxOutputTokens`; any other key as it is."""
    if "_" not in key or not _SNAKE.fullmatch(key):
        return key
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


def normalised(value: Json, source_form: SourceForm, path: str = "") -> Json:
    """`value` in camelCase and without nulls; what that changed is added to `source_form`."""
    if isinstance(value, list):
        return [normalised(inner, source_form, f"{path}.{index}") for index, inner in enumerate(value)]
    if not isinstance(value, dict):
        return value
    made: Fields = {}
    for key, inner in value.items():
        name = camel(key)
        if name != key and name in value:
            name = key
        where = f"{path}.{name}" if path else name
        if inner is None:
            note(source_form, f"{path}.{key}" if path else key, "null")
            continue
        if name != key:
            note(source_form, where, "key", key)
        made[name] = inner if name in _OPAQUE else normalised(inner, source_form, where)
    return made


def note(source_form: SourceForm, path: str, how: str, value: str = "") -> None:
    """Remember how the field at `path` was said; the first note of a kind holds."""
    source_form.setdefault(f"{path}|{how}", value)


def renamed(source_form: SourceForm, path: str, canonical: str, said: str) -> None:
    """Note that the field `canonical` of the object at `path` was called `said` (itself perhaps spelled in snake_case)."""
    note(source_form, f"{path}.{canonical}", "key", source_form.pop(f"{path}.{said}|key", said))


def instead(source_form: SourceForm, path: str, value: Json) -> None:
    """Note that the field at `path` had `value`, which the neutral form does not keep."""
    note(source_form, path, "json", orjson.dumps(value).decode())


def a_list(value: Json, source_form: SourceForm, path: str) -> list[Json]:
    """The list at `path`; a single object counts as a list of one."""
    if isinstance(value, dict):
        for where in [where for where in source_form if where.startswith(f"{path}.")]:
            source_form[f"{path}.0{where[len(path) :]}"] = source_form.pop(where)
        note(source_form, path, "single")
        return [value]
    if not isinstance(value, list):
        raise wrong(path, "an array")
    return value


def restore_source_form(body: Fields, source_form: Mapping[str, str]) -> None:
    """Say again in `body`, which is in canonical form, what `source_form` remembers: the deepest fields first."""
    notes = [(*where.split("|"), value) for where, value in source_form.items() if "|" in where]
    steps = [(path.split("."), how, value) for path, how, value in notes]
    for path, how, value in sorted(steps, key=lambda step: (-len(step[0]), _ORDER.index(step[1]))):
        owner: Any = body
        for step in path[:-1]:
            if how in _MADE and isinstance(owner, dict):
                owner.setdefault(step, {})
            owner = _inner(owner, step)
        if isinstance(owner, dict):
            _say(owner, path[-1], how, value)


def _inner(owner: Any, step: str) -> Any:
    if isinstance(owner, list):
        return owner[int(step)] if step.isdecimal() and int(step) < len(owner) else None
    return owner.get(step) if isinstance(owner, dict) else None


def _say(owner: Fields, key: str, how: str, value: str) -> None:
    if how == "null":
        owner.setdefault(key, None)
    elif how == "json":
        owner[key] = orjson.loads(value)
    elif how == "object":
        owner.setdefault(key, {})
    elif key not in owner:
        return
    elif how == "key":
        owner[value] = owner.pop(key)
    elif how == "absent":
        del owner[key]
    elif how == "single" and isinstance(owner[key], list) and len(owner[key]) == 1:
        owner[key] = owner[key][0]
