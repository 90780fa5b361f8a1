"""Settings: every option of `core.settings`, with its value and what a form needs to show it."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from conduit_desktop.actions import listen_address
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, PendingChange
from conduit_desktop.actions.dispatch import change as run_change
from conduit_desktop.actions.schemas.validation import complaint
from conduit_desktop.actions.schemas.views import SettingView
from conduit_desktop.core import suggestions
from conduit_desktop.core.errors import Conflict, Invalid
from conduit_desktop.core.settings import Settings

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


async def show(context: AppContext) -> list[SettingView]:
    """Every option with its value in force."""
    values = context.gateway.snapshot.settings
    return [view(name, getattr(values, name), name in context.gateway.state.overrides) for name in Settings.model_fields]


def view(name: str, value: Any, locked: bool) -> SettingView:
    """One option. `locked`: the config file, the command line or the environment sets it."""
    info = Settings.model_fields[name]
    kind, choices = _kind(info.annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return SettingView(
        name=name,
        value=value,
        title=info.title or name,
        type=kind,
        default=info.default,
        description=info.description or "",
        group=str(extra.get("group", "")),
        choices=choices,
        minimum=_bound(info, "ge", "gt"),
        maximum=_bound(info, "le", "lt"),
        locked=locked,
    )


async def change(context: AppContext, values: Mapping[str, Any], actor: Actor) -> list[SettingView]:
    """Set the options given; null restores the default. Raises Invalid, and Conflict for one that is fixed and for a taken port."""

    async def work(started: PendingChange) -> None:
        checked = check(values)
        for name in values:
            if name in context.gateway.state.overrides:
                raise Conflict(f"The setting {name!r} is defined in the config file or at the start; change it there.", name)
        await listen_address.prepare(started, checked)
        await started.commit(lambda edit: put_in(edit, checked))

    await run_change(context, actor, work)
    return await show(context)


def put_in(edit: Edit, checked: Mapping[str, Any]) -> None:
    """Set options that `check` returned, inside a transaction; raises Invalid."""
    check_names(checked, [key.name for key in edit.tx.keys.all()], [alias.alias for alias in edit.tx.models.all()])
    edit.tx.settings.put(checked)
    # With the values: no setting is a secret.
    edit.record("settings.change", ", ".join(sorted(checked)), checked)


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, validated and converted; raises Invalid with the first option that is unknown or has a wrong value."""
    given = {name: value for name, value in values.items() if value is not None}
    try:
        # Strict: JSON's types as they are, so that "5000" is not taken for a port.
        settings = Settings.model_validate(given, strict=True)
    except ValidationError as error:
        raise complaint(error, Settings) from None
    for name in values:
        if name not in Settings.model_fields:
            raise Invalid(f"{name}: there is no such field{suggestions.hint(name, Settings.model_fields)}", name)
    # Null stays null: the store then deletes the row, so that a later version's default takes effect.
    return {name: getattr(settings, name) if name in given else None for name in values}


def check_names(values: Mapping[str, Any], keys: Iterable[str], aliases: Iterable[str]) -> None:
    """Raises Invalid where a setting names a virtual key or an alias that is not among those given (in any case)."""
    for setting, known, what in (("anonymous_key", keys, "virtual key"), ("default_alias", aliases, "model alias")):
        name = values.get(setting)
        if name and name.casefold() not in {one.casefold() for one in known}:
            raise Invalid(f"{setting}: there is no {what} {name!r}", setting)


def _kind(annotation: Any) -> tuple[str, list[str] | None]:
    origin = get_origin(annotation)
    if origin is Literal:
        return "string", [str(choice) for choice in get_args(annotation)]
    if origin in (Union, types.UnionType):
        return _kind(next(part for part in get_args(annotation) if part is not type(None)))
    return _TYPES[origin or annotation], None


def _bound(info: FieldInfo, *names: str) -> float | None:
    for part in info.metadata:
        for name in names:
            if (value := getattr(part, name, None)) is not None:
                return float(value)
    return None
