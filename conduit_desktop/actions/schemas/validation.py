"""Validation of inputs: the first field that is wrong, with its path and a plain message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar, get_args, get_origin

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from conduit_desktop.core import suggestions
from conduit_desktop.core.errors import Invalid


class Body(BaseModel):
    """A request body: unknown fields and wrong types are refused. Values stay out of its repr: some are secrets."""

    # `defer_build`: validators are built at first use, not at every start of the command line.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True, defer_build=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(sorted(self.model_fields_set))})"

    __str__ = __repr__


class Query(BaseModel):
    """A query string: numbers come as text."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


M = TypeVar("M", bound=BaseModel)


def read(model: type[M], values: Any) -> M:
    """`values` (as JSON reads them) as a `model`; raises Invalid naming the first field at fault."""
    try:
        if issubclass(model, Query):
            return model.model_validate(values)
        # Through JSON: a strict model accepts a list for a tuple, and text for a time, only when it reads JSON.
        return model.model_validate_json(orjson.dumps(values))
    except ValidationError as error:
        raise complaint(error, model) from None
    except TypeError as error:
        raise Invalid(f"cannot be written as JSON: {error}") from None


def complaint(error: ValidationError, model: type[BaseModel]) -> Invalid:
    """The first error of a `model` as Invalid; unknown fields come first, since they explain the others."""
    # Without the input: it may be a secret.
    details = error.errors(include_url=False, include_input=False)
    first = next((detail for detail in details if detail["type"] == "extra_forbidden"), details[0])
    field = path_of(first["loc"])
    message = _message(first)
    if first["type"] == "extra_forbidden":
        *place, name = first["loc"]
        message += suggestions.hint(str(name), _fields_at(model, place))
    return Invalid(f"{field}: {message}" if field else message, field or None)


def _fields_at(model: type[BaseModel], place: list[int | str]) -> list[str]:
    """The names of the fields that the object at `place` in a `model` may have; none where that is not known."""
    models = [model]
    for step in place:
        if isinstance(step, int) or step in (AS_NUMBER, AS_LIST):
            continue
        models = [inner for one in models if step in one.model_fields for inner in _models_in(one.model_fields[step].annotation)]
    return [name for one in models for name in one.model_fields]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field's type holds: itself, in a union, or as the rows of a list or an object."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None:
        for part in get_args(annotation):
            yield from _models_in(part)


AS_NUMBER, AS_LIST = "(number)", "(list)"
"""Tags of the members of a union: pydantic has them in an error's location, where they are no part of the path."""


def number_or_list(value: object) -> str:
    """The tag of the union's member that `value` is meant for."""
    return AS_LIST if isinstance(value, list | tuple) else AS_NUMBER


def path_of(loc: tuple[int | str, ...]) -> str:
    """A field's path as the API writes it: `targets[0].provider`."""
    text = ""
    for step in loc:
        if step in (AS_NUMBER, AS_LIST):
            continue
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _message(detail: Any) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return "there is no such field"
        case "missing":
            return "is required"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "model_type" | "dict_type" | "model_attributes_type":
            return "must be an object"
        case "list_type" | "too_short" if detail["type"] == "list_type":
            return "must be a list"
        case "too_short":
            return "must not be empty"
        case "finite_number":
            return "must be a finite number"
        case _:
            message = str(detail["msg"])
            return message.replace("Input should be", "must be").replace("String should", "must").replace("Value should", "must")
