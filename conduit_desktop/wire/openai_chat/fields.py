"""Reads one JSON object of an OpenAI request field by field, and says which field is wrong.

What was said in a way that neutral values do not keep (a null, an empty list) is noted in `source_form` under the field's
path, so that `restore_source_form` can say it again in the same dialect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest

NAME = "openai_chat"

_SAID: dict[str, Json] = {"null": None, "empty": "", "false": False}
_UNSAID = (None, "", "function", "auto")
"""What this dialect writes where the source had said nothing."""
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_KINDS = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    dict: "an object",
    list: "an array",
    type(None): "null",
}


def missing(path: str) -> BadRequest:
    """The field at `path` has to be there."""
    return BadRequest(f"Missing required parameter: '{path}'.", code="missing_parameter", param=path)


def invalid(path: str, expected: str, value: Json) -> BadRequest:
    """The field at `path` is not what was `expected` ("a string")."""
    return BadRequest(
        f"Invalid value for '{path}': expected {expected}, got {_KINDS.get(type(value), 'something else')}.", param=path
    )


class FieldReader:
    """One object at `path`. Every `take` removes a field from `rest`; what stays there is unknown to this dialect."""

    __slots__ = ("path", "rest", "source_form")

    def __init__(self, value: Json, path: str, source_form: dict[str, str]) -> None:
        if not isinstance(value, dict):
            raise invalid(path, "an object", value)
        self.path = path
        self.rest: dict[str, Json] = dict(value)
        self.source_form = source_form

    def at(self, name: str) -> str:
        """The path of the field `name`."""
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str) -> Json:
        """The field's value; None where it is absent or null."""
        if name not in self.rest:
            return None
        value = self.rest.pop(name)
        if value is None:
            self.source_form[self.at(name)] = "null"
        return value

    def text(self, name: str) -> str | None:
        """A string, or None."""
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            raise invalid(self.at(name), "a string", value)
        return value

    def need_text(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if value is None:
            raise missing(self.at(name))
        return value

    def number(self, name: str) -> float | None:
        """A number, an integer left as it is, or None."""
        value = self.take(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise invalid(self.at(name), "a number", value)
        return value

    def whole(self, name: str) -> int | None:
        """An integer, or None."""
        value = self.take(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise invalid(self.at(name), "an integer", value)
        return value

    def flag(self, name: str) -> bool | None:
        """A boolean, or None."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise invalid(self.at(name), "a boolean", value)
        return value

    def mapping(self, name: str) -> dict[str, Json] | None:
        """An object, or None."""
        value = self.take(name)
        if value is not None and not isinstance(value, dict):
            raise invalid(self.at(name), "an object", value)
        return value

    def array(self, name: str) -> list[Json] | None:
        """An array, or None."""
        value = self.take(name)
        if value is not None and not isinstance(value, list):
            raise invalid(self.at(name), "an array", value)
        return value

    def texts(self, name: str) -> list[str] | None:
        """An array of strings, or None."""
        value = self.array(name)
        for index, text in enumerate(value or ()):
            if not isinstance(text, str):
                raise invalid(f"{self.at(name)}[{index}]", "a string", text)
        return value

    def inner(self, name: str) -> FieldReader:
        """An object that must be there, to be read field by field."""
        value = self.take(name)
        if value is None:
            raise missing(self.at(name))
        return FieldReader(value, self.at(name), self.source_form)


def restore_source_form(body: dict[str, Json], source_form: Mapping[str, str]) -> None:
    """Put back into `body` what was said as a null, an empty string, an empty list or a false, or not at all."""
    for path, how in source_form.items():
        if how not in _SAID and how not in ("absent", "list"):
            continue
        found = _owner(body, path)
        if found is None:
            continue
        owner, key = found
        if owner.get(key) not in _UNSAID:
            continue
        if how == "absent":
            owner.pop(key, None)
        else:
            owner[key] = [] if how == "list" else _SAID[how]


def _owner(body: dict[str, Json], path: str) -> tuple[dict[str, Any], str] | None:
    """The object that holds the field at `path`, and the field's name in it."""
    steps = [int(index) if index else name for index, name in _STEP.findall(path)]
    at: Json = body
    for step in steps[:-1]:
        if isinstance(step, int):
            at = at[step] if isinstance(at, list) and step < len(at) else None
        else:
            at = at.get(step) if isinstance(at, dict) else None
    return (at, str(steps[-1])) if isinstance(at, dict) else None
