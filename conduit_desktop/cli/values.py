"""Option types: name=value pairs, numbers that may be cleared, secrets that are never echoed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import orjson

F = TypeVar("F", bound=Callable[..., Any])

NONE = "none"
"""What clears a field."""


class OrNone(click.ParamType[Any]):
    """A number, or `none` to clear the field."""

    def __init__(self, kind: type[int] | type[float]) -> None:
        self.kind = kind
        self.name = "number|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """`none` stays text here; `given_fields` converts it to null."""
        if isinstance(value, str) and value.lower() == NONE:
            return NONE
        try:
            return self.kind(value)
        except ValueError:
            self.fail(f"{value!r} is no number", param, ctx)


class Pair(click.ParamType[Any]):
    """`name=value`; with `json`, a value that reads as JSON is taken as JSON."""

    name = "name=value"

    def __init__(self, json: bool = False) -> None:
        self._json = json

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name and the value; `none` stays text."""
        # click may pass a value that is converted already, such as a default.
        if isinstance(value, tuple) or value == NONE:
            return value
        name, found, text = str(value).partition("=")
        if not (found and name):
            self.fail(f"{value!r} is not name=value", param, ctx)
        return name, json_or_text(text) if self._json else text


INTEGER, NUMBER = OrNone(int), OrNone(float)


def json_or_text(text: str) -> Any:
    """`text` parsed as JSON, else the text itself."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def given_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given: None was not, an empty list of a repeatable option neither; `none` is null."""
    given = {name: value for name, value in values.items() if value is not None and value != ()}
    return {name: None if value == NONE else _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    """A repeatable option's values as a list; `none` alone empties it."""
    if isinstance(value, tuple):
        return [] if value == (NONE,) else list(value)
    return value


def merged(body: dict[str, Any], *names: str) -> dict[str, Any]:
    """`body` with its lists of pairs as objects; a pair's `none` is null, and so is `none` alone."""
    for name in names:
        if isinstance(body.get(name), list):
            body[name] = {key: None if value == NONE else value for key, value in body[name]} or None
    return body


def body_option(option: str, field: str | None = None, **more: Any) -> Callable[[F], F]:
    """An option that fills the body's field of that name."""
    return click.option(option, field or option.lstrip("-").replace("-", "_"), **more)


def secret(text: str | None, what: str, ask: bool = False) -> str | None:
    """A credential: `-` reads one line of standard input, `env:NAME` stays a reference; with `ask` a terminal prompts for it."""
    # Not only as an argument, which the list of processes and the shell's history would show.
    if text == "-":
        return sys.stdin.readline().strip() or None
    # Only on a terminal: a script would wait for an answer that nobody gives.
    if text is None and ask and sys.stdin.isatty():
        return click.prompt(what, hide_input=True, default="", show_default=False, err=True).strip() or None
    return text
