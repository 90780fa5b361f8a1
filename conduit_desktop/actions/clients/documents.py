"""What the editors of JSON, TOML, YAML and env files have in common: their errors, line ends, and the choice of one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, Literal, Protocol

from conduit_desktop.core.errors import ConduitError

Format = Literal["json", "toml", "yaml", "env"]
Step = str | tuple[str, str]
"""A name in a mapping; in YAML also the item of a list that has a value under a name."""
Path = Sequence[Any]


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""There is no value at a path; null is a value."""


class Unreadable(ConduitError):
    """A text is not of its format; `line` is where, from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


class CannotEdit(ConduitError):
    """A text is fine, but has something else where the value would have to be."""


class Editor(Protocol):
    """One format. `text` has no byte-order mark; all raise Unreadable."""

    def get(self, text: str, path: Path) -> Any:
        """The value at `path`, or ABSENT."""
        ...

    def put(self, text: str, path: Path, value: Any) -> str:
        """The text with `value` at `path`, and all else as it was; raises CannotEdit."""
        ...

    def take_back(self, text: str, base: str | None, path: Path) -> str:
        """The text with what `base` has at `path`, or without it; a text without the path stays as it is."""
        ...


_MODULES: dict[Format, str] = {"json": "jsonc", "toml": "toml_text", "yaml": "yaml_text", "env": "env_text"}


def editor(format: Format) -> Editor:
    """The editor of a format. Its library is imported now, not when the gateway starts."""
    module: Any = import_module(f"conduit_desktop.actions.clients.{_MODULES[format]}")
    return module  # type: ignore[no-any-return]


def newline_of(text: str) -> str:
    """The line end of a text: that of its first line."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def same_but_blank_lines(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but blank lines and their line ends."""
    return [line.rstrip() for line in one.splitlines() if line.strip()] == [
        line.rstrip() for line in other.splitlines() if line.strip()
    ]
