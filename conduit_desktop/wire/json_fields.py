"""Reads the JSON objects of a request field by field, and names the field that is wrong in the protocol's own style.

Every dialect reads its requests through `FieldReader`. A `PathStyle` holds what differs between the protocols: how the path
of an array element is written, and the text of the errors.

What neutral values cannot hold (a null, an empty list, an older field name) is noted in `ChatRequest.source_form` under the
field's path. `restore_source_form` applies these notes to a body that the same dialect has written, so that a request which
is read and written again is the one the client sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest

SourceForm = dict[str, str]
"""Field path to how the source wrote the field: a key of `_FORMS`, `absent`, or a value that only one dialect's writer reads."""

_FORMS: dict[str, Json] = {"null": None, "empty": "", "false": False, "list": [], "5m": "5m"}
_DEFAULTS = (None, "", "function", "auto")
"""What a writer puts where the neutral request holds nothing; anything else is a value and is not replaced."""
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_TYPE_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    dict: "an object",
    list: "an array",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class PathStyle:
    """How one protocol writes field paths and the errors about them. The texts are `str.format` templates."""

    index: str
    """The path of an array's element, from `{path}` and `{index}`."""
    missing_text: str
    """Error for a required field that is not there, from `{path}`."""
    invalid_text: str
    """Error for an unusable value, from `{path}`, `{expected}` ("a string") and `{actual}` (the value's JSON type)."""
    boolean: str = "a boolean"
    nulls_are_absent: bool = False
    """Nulls are noted and left out of `FieldReader.rest`, known field or not."""

    def item(self, path: str, index: int) -> str:
        """The path of element `index` of the array at `path`."""
        return self.index.format(path=path, index=index)

    def missing(self, path: str) -> BadRequest:
        """The error for a required field that is not there."""
        return BadRequest(self.missing_text.format(path=path), code="missing_parameter", param=path)

    def invalid(self, path: str, expected: str, value: Json = None) -> BadRequest:
        """The error for a value that is not what was `expected`."""
        actual = _TYPE_NAMES.get(type(value), "something else")
        return BadRequest(self.invalid_text.format(path=path, expected=expected, actual=actual), param=path)


OPENAI_STYLE = PathStyle(
    "{path}[{index}]",
    "Missing required parameter: '{path}'.",
    "Invalid value for '{path}': expected {expected}, got {actual}.",
)
"""`messages[0].content`; also for Bedrock, Cohere and Ollama, whose own servers name no path that clients would parse."""
ANTHROPIC_STYLE = PathStyle(
    "{path}.{index}",
    "{path}: Field required",
    "{path}: Input should be {expected}",
    boolean="true or false",
    nulls_are_absent=True,
)
"""`messages.0.content: Field required`, as pydantic words it on Anthropic's side."""
GOOGLE_STYLE = PathStyle("{path}.{index}", "{path} is not specified", "Invalid value at '{path}': expected {expected}")
"""`contents.0.parts`."""


class FieldReader:
    """One JSON object at `path`. Each read takes a field out of `rest`; what stays there is unknown to the dialect.

    The typed reads return None for a field that is absent or null and raise BadRequest for a value of another type; the
    `required_` ones raise it for an absent field too. `raw` is the object as it came.
    """

    __slots__ = ("_index", "_path", "raw", "rest", "source_form", "style")

    def __init__(
        self,
        value: Json,
        path: str,
        source_form: SourceForm,
        style: PathStyle = OPENAI_STYLE,
        expected: str = "an object",
        index: int | None = None,
    ) -> None:
        """`index`: the object is that element of the array at `path`."""
        self._path, self._index = path, index
        self.style = style
        if not isinstance(value, dict):
            raise style.invalid(self.path, expected, value)
        self.raw: dict[str, Json] = value
        # A copy, as reads take fields out of it and `raw` must stay as it came.
        self.rest: dict[str, Json] = dict(value)
        self.source_form = source_form
        # Here and not at each read, so that nulls under unknown names are noted too.
        if style.nulls_are_absent and None in value.values():
            for name in [name for name, each in value.items() if each is None]:
                self.take(name)

    @property
    def path(self) -> str:
        """Where the object stands in the request."""
        # Made when it is asked for: a long conversation has thousands of elements, and few of them are named.
        if self._index is not None:
            self._path, self._index = self.style.item(self._path, self._index), None
        return self._path

    @property
    def name(self) -> str:
        """The last name in `path`."""
        return self.path.rpartition(".")[2]

    def at(self, name: str) -> str:
        """The path of the field `name`."""
        return f"{self.path}.{name}" if self.path else name

    def note(self, name: str, form: str) -> None:
        """Record how the source wrote the field `name`."""
        self.source_form[self.at(name)] = form

    def note_absent(self, name: str) -> None:
        """Record that the field is absent, unless a null was noted for it."""
        self.source_form.setdefault(self.at(name), "absent")

    def missing(self, name: str) -> BadRequest:
        """The error for the field `name` not being there."""
        return self.style.missing(self.at(name))

    def invalid(self, name: str, expected: str, value: Json) -> BadRequest:
        """The error for the field `name` not being what was `expected`."""
        return self.style.invalid(self.at(name), expected, value)

    def take(self, name: str) -> Json:
        """The field's value, of any type; None where it is absent or null."""
        if name not in self.rest:
            return None
        value = self.rest.pop(name)
        if value is None:
            self.note(name, "null")
        return value

    def _typed(self, name: str, types: tuple[type, ...], expected: str) -> Any:
        # Most fields are absent from most requests.
        if name not in self.rest:
            return None
        value = self.take(name)
        # The exact type: in Python a bool is an int, in JSON `true` is no number.
        if value is not None and type(value) not in types:
            raise self.invalid(name, expected, value)
        return value

    def _required(self, name: str, value: Any) -> Any:
        if value is None:
            raise self.missing(name)
        return value

    def string(self, name: str) -> str | None:
        """A string."""
        text: str | None
        if type(text := self.rest.get(name)) is str:
            del self.rest[name]
            return text
        text = self._typed(name, (str,), "a string")
        return text

    def required_string(self, name: str) -> str:
        """A string that must be there."""
        text = self.rest.get(name)
        if type(text) is str:
            del self.rest[name]
            return text
        return str(self._required(name, self.string(name)))

    def required_choice(self, name: str, choices: Collection[str], expected: str) -> str:
        """A string among `choices` that must be there."""
        text = self.required_string(name)
        if text not in choices:
            raise self.invalid(name, expected, text)
        return text

    def filled_string(self, name: str) -> str | None:
        """A string; an empty one is noted and counts as absent."""
        text = self.string(name)
        if text == "":
            self.note(name, "empty")
        return text or None

    def number(self, name: str) -> float | None:
        """A number; an integer stays an integer."""
        number: float | None = self._typed(name, (int, float), "a number")
        return number

    def integer(self, name: str) -> int | None:
        """An integer."""
        number: int | None = self._typed(name, (int,), "an integer")
        return number

    def required_integer(self, name: str) -> int:
        """An integer that must be there."""
        return int(self._required(name, self.integer(name)))

    def boolean(self, name: str) -> bool | None:
        """A boolean."""
        flag: bool | None = self._typed(name, (bool,), self.style.boolean)
        return flag

    def boolean_or(self, name: str, default: bool) -> bool:
        """A boolean, or `default` where it is absent; that it was there is noted as `present`."""
        flag = self.boolean(name)
        if flag is None:
            return default
        self.note(name, "present")
        return flag

    def mapping(self, name: str, expected: str = "an object") -> dict[str, Json] | None:
        """An object, as it came."""
        value: dict[str, Json] | None = self._typed(name, (dict,), expected)
        return value

    def required_mapping(self, name: str) -> dict[str, Json]:
        """An object that must be there, as it came."""
        value: dict[str, Json] = self._required(name, self.mapping(name))
        return value

    def child(self, name: str, expected: str = "an object") -> FieldReader | None:
        """An object, to be read field by field."""
        value = self.mapping(name, expected) if name in self.rest else None
        return None if value is None else FieldReader(value, self.at(name), self.source_form, self.style)

    def required_child(self, name: str) -> FieldReader:
        """An object that must be there, to be read field by field."""
        return FieldReader(self.required_mapping(name), self.at(name), self.source_form, self.style)

    def array(self, name: str) -> list[Json] | None:
        """An array; an empty one is noted, since a neutral list is empty for an absent one too."""
        value: list[Json] | None = self._typed(name, (list,), "an array")
        if value == []:
            self.note(name, "list")
        return value

    def strings(self, name: str) -> list[str] | None:
        """An array of strings."""
        value = self.array(name)
        for index, text in enumerate(value or ()):
            if not isinstance(text, str):
                raise self.style.invalid(self.style.item(self.at(name), index), "a string", text)
        return value

    def children(self, name: str) -> list[FieldReader]:
        """The objects of an array, each to be read field by field; none where it is absent or null."""
        return self.items(name, self.array(name) or [])

    def items(self, name: str, values: list[Json], expected: str = "an object") -> list[FieldReader]:
        """`values`, the array that stood under `name`, as objects to be read field by field."""
        path, style = self.at(name), self.style
        return [FieldReader(value, path, self.source_form, style, expected, index) for index, value in enumerate(values)]

    def item(self, name: str, index: int, value: Json, expected: str = "an object") -> FieldReader:
        """`value`, element `index` of the array that stood under `name`, as an object to be read field by field."""
        return FieldReader(value, self.at(name), self.source_form, self.style, expected, index)

    def rest_with(self, *children: FieldReader) -> dict[str, Json]:
        """`rest`, and under its own name the rest of each of `children` that has any."""
        return {**self.rest, **{child.name: child.rest for child in children if child.rest}}


def restore_source_form(body: dict[str, Json], source_form: Mapping[str, str]) -> None:
    """Write into `body` the nulls, empty values and left-out defaults that `source_form` has noted for its fields."""
    for path, form in source_form.items():
        if form not in _FORMS and form != "absent":
            continue
        *steps, name = [index or key for index, key in _STEP.findall(path)]
        owner: Any = body
        for step in steps:
            owner = step_into(owner, step)
        # A value that stands there by now was set on purpose and wins over the note.
        if not isinstance(owner, dict) or owner.get(name) not in _DEFAULTS:
            continue
        if form == "absent":
            owner.pop(name, None)
        else:
            owner[name] = [] if form == "list" else _FORMS[form]


def step_into(value: Any, step: str) -> Any:
    """The element or field `step` of a JSON value; None where there is none."""
    if isinstance(value, list):
        return value[int(step)] if step.isdecimal() and int(step) < len(value) else None
    return value.get(step) if isinstance(value, dict) else None
