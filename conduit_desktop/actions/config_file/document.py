"""`conduit.toml`: settings, providers, models, keys, budgets and prices with the admin API's own fields, read and checked whole."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, PrivateAttr, ValidationError

from conduit_desktop.actions.schemas.checks import price_pattern
from conduit_desktop.actions.schemas.inputs import Label, NewBudget, NewKey, NewModel, NewPrice, NewProvider
from conduit_desktop.actions.schemas.validation import Body, complaint
from conduit_desktop.actions.settings import check
from conduit_desktop.core.errors import ActionError, ConfigFileBroken, Invalid
from conduit_desktop.core.own_secrets import is_own_secret

# The full length of a generated key is required: a short one that somebody makes up can be guessed.
_KEY = re.compile(r"condt_[A-Za-z0-9_-]{43}")
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_STEP = re.compile(r"(\w[\w-]*)|\[(\d+)\]")
_REFERENCES = frozenset({"api_key", "key"})
"""Fields in which `env:NAME` is kept as it stands: they are read from the environment when they are used."""


class FileModel(NewModel):
    """A `[[models]]`. TOML has no null, so parameters to take out of requests are listed in `remove_parameters`."""

    remove_parameters: list[str] = Field(default_factory=list)


class FileKey(NewKey):
    """A `[[keys]]`: `key` is the virtual key itself, as `env:NAME` or in full; without it, one is made by rotating."""

    key: str | None = None


class FileBudget(NewBudget):
    """A `[[budgets]]`: known by its name."""

    name: Label


class FilePrice(NewPrice):
    """A `[[prices]]`."""

    pattern: str = Field(min_length=1)


class ConfigFile(Body):
    """A whole file; `complain` says where in it something is wrong."""

    _name: str = PrivateAttr("")
    _text: str = PrivateAttr("")
    _environment: Mapping[str, str] = PrivateAttr(default_factory=dict)

    settings: dict[str, Any] = Field(default_factory=dict)
    providers: list[NewProvider] = Field(default_factory=list)
    models: list[FileModel] = Field(default_factory=list)
    keys: list[FileKey] = Field(default_factory=list)
    budgets: list[FileBudget] = Field(default_factory=list)
    prices: list[FilePrice] = Field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that this file may take."""
        return self._environment

    def complain(self, error: ActionError) -> ConfigFileBroken:
        """`error`, found later, with the file's name and the line."""
        return broken(self._name, self._text, error)


def load(path: Path) -> ConfigFile:
    """Read a file; blocks. Raises ConfigFileBroken, which names the file, the line and the field."""
    try:
        text = decoded(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigFileBroken(f"{path}: cannot be read: {reason}") from error
    return parse(text, str(path))


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 where a byte-order mark says so; raises UnicodeDecodeError."""
    # PowerShell and Notepad begin a file with such a mark; the redirection of Windows PowerShell writes UTF-16.
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


@dataclass(frozen=True, slots=True)
class VariableUse:
    """A place of a file that names an environment variable. A `reference` is read when it is used, a value with the file."""

    variable: str
    path: str
    reference: bool


def variables(text: str, name: str = "conduit.toml") -> list[VariableUse]:
    """Every environment variable that a file names, in its order; none of a text that is no TOML.

    Raises ConfigFileBroken for one that holds a secret of the gateway itself.
    """
    try:
        uses = list(_variables(tomllib.loads(text.removeprefix("\ufeff")), "", ""))
    except tomllib.TOMLDecodeError:
        return []
    for use in uses:
        if is_own_secret(use.variable):
            error = Invalid(f"{use.path}: {use.variable} is a secret of the gateway itself, and is for no file", use.path)
            raise broken(name, text, error)
    return uses


def _variables(value: Any, path: str, field: str) -> Iterator[VariableUse]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _variables(one, f"{path}.{name}" if path else name, "headers" if field == "headers" else name)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _variables(one, f"{path}[{index}]", field)
    elif isinstance(value, str) and (name := _ENV.fullmatch(value)):
        yield VariableUse(name[1], path, field in _REFERENCES or field == "headers")


def parse(text: str, name: str = "conduit.toml", allowed: Container[str] | None = None) -> ConfigFile:
    """The file's text, checked; raises ConfigFileBroken.

    Of the environment it takes the `env:NAME` values: only those `allowed`, where that is given, and no secret of the gateway's.
    """
    environment = {
        one: value for one, value in os.environ.items() if not is_own_secret(one) and (allowed is None or one in allowed)
    }
    try:
        variables(text, name)
        # Through JSON: the models are strict, and read TOML's dates and times only as the text that the admin API takes.
        values = _from_environment(tomllib.loads(text.removeprefix("\ufeff")), "", environment)
        config = ConfigFile.model_validate_json(orjson.dumps(values))
        config.settings.update(check(config.settings))
        _check_whole(config)
    except tomllib.TOMLDecodeError as error:
        raise ConfigFileBroken(f"{name}: is not valid TOML: {error}") from error
    except ValidationError as error:
        # Without its cause: pydantic's error repeats the input, which may be a secret.
        raise broken(name, text, complaint(error, ConfigFile)) from None
    except ActionError as error:
        raise broken(name, text, error) from error
    # TOML integers may have any size here; orjson raises TypeError for one over 64 bits.
    except TypeError as error:
        raise ConfigFileBroken(f"{name}: {error}") from error
    config._name, config._text, config._environment = name, text, environment
    return config


def broken(name: str, text: str, error: ActionError) -> ConfigFileBroken:
    """The complaint with the file's name and the line of the field at fault."""
    field = error.field or ""
    # Errors of settings name the option alone.
    if field and not re.match(r"(settings|providers|models|keys|budgets|prices)\b", field):
        field = f"settings.{field}"
    line = line_of(text, field)
    return ConfigFileBroken(f"{name}{f', line {line}' if line else ''}: {error.message}")


def line_of(text: str, field: str) -> int | None:
    """The line on which `field` (such as `providers[1].base_url`) or the table around it begins."""
    steps = [word or int(number) for word, number in _STEP.findall(field)]
    if not steps:
        return None
    table, index = str(steps[0]), steps[1] if len(steps) > 1 and isinstance(steps[1], int) else None
    wanted = next((str(step) for step in steps[1:] if isinstance(step, str)), None)
    start: int | None = None
    count = -1
    # tomllib keeps no positions, so the line is found by the headings of tables and the names of fields.
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?\s*([\w-]+)", line)
        if header and header[1] == table and "." not in line.partition("]")[0]:
            count += 1
            if index is None or count == index:
                start = number
        elif header and header[1] != table and start is not None:
            break
        current = start is not None and (index is None or count == index)
        if current and wanted and re.match(rf"\s*{re.escape(wanted)}\s*=", line):
            return number
    return start


def secret_of(key: FileKey, path: str, environment: Mapping[str, str]) -> str | None:
    """The virtual key a `[[keys]]` names: from the environment or in full, None where it names none. Raises Invalid."""
    if key.key is None:
        return None
    name = _ENV.fullmatch(key.key)
    value = environment.get(name[1], "").strip() if name else key.key
    if name and not value:
        raise Invalid(f"{path}: the environment variable {name[1]} is not set", path)
    if not _KEY.fullmatch(value):
        raise Invalid(f"{path}: must be condt_ and 43 letters, digits, dashes or underscores", path)
    return value


def _from_environment(value: Any, path: str, environment: Mapping[str, str], field: str = "") -> Any:
    """`env:NAME` in any other field than those for secrets is replaced by what the environment says."""
    if isinstance(value, dict):
        # Values of `headers` are secrets: `env:NAME` stays a reference there, as in `api_key`.
        inside = "headers" if field == "headers" else ""
        return {
            name: one if inside else _from_environment(one, f"{path}.{name}" if path else name, environment, name)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_from_environment(one, f"{path}[{index}]", environment, field) for index, one in enumerate(value)]
    if isinstance(value, str) and field not in _REFERENCES and (name := _ENV.fullmatch(value)):
        # An error rather than an empty value: an empty base URL would send requests to the vendor's own address.
        if name[1] not in environment:
            raise Invalid(f"{path}: the environment variable {name[1]} is not set", path)
        return environment[name[1]]
    return value


def _check_whole(config: ConfigFile) -> None:
    for kind, field, names in _names(config):
        seen: set[str] = set()
        for index, name in enumerate(names):
            path = f"{kind}[{index}].{field}"
            # In any case, as the store finds names: two that differ by case alone would be one row.
            if name.casefold() in seen:
                raise Invalid(f"{path}: {name!r} is there twice", path)
            seen.add(name.casefold())
    for index, price in enumerate(config.prices):
        try:
            price_pattern(price.pattern)
        except ValueError as error:
            raise Invalid(f"prices[{index}].pattern: {error}", f"prices[{index}].pattern") from None


def _names(config: ConfigFile) -> Iterator[tuple[str, str, list[str]]]:
    yield "providers", "name", [one.name for one in config.providers]
    yield "models", "alias", [one.alias for one in config.models]
    yield "keys", "name", [one.name for one in config.keys]
    yield "budgets", "name", [one.name for one in config.budgets]
    yield "prices", "pattern", [f"{one.pattern} {one.valid_from}" for one in config.prices]
