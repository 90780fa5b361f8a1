"""Settings: every option of `core.settings`, with its value and all that a form needs."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from conduit_desktop.actions.changes import made_known
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.schemas.validation import complaint
from conduit_desktop.actions.schemas.views import SettingView
from conduit_desktop.core.errors import Conflict, Invalid
from conduit_desktop.core.settings import Settings

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


async def show(context: AppContext) -> list[SettingView]:
    """Every option, as it holds now."""
    values = context.gateway.snapshot.settings
    return [view(name, getattr(values, name), name in context.gateway.overrides) for name in Settings.model_fields]


def view(name: str, value: Any, locked: bool) -> SettingView:
    """One option. `locked`: the config file, the command line or the environment says it."""
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
    """Set the options given; null goes back to the default. Raises Invalid, and Conflict for one that is fixed."""
    checked = check(values)
    for name in values:
        if name in context.gateway.overrides:
            raise Conflict(f"The setting {name!r} is defined in the config file or at the start; change it there.", name)
    await _check_names(context, checked)
    await context.store.settings.put(checked)
    await made_known(context, actor, "settings.change", ", ".join(sorted(checked)), "settings", checked)
    return await show(context)


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the options take them; raises Invalid naming the first that is unknown or does not fit."""
    given = {name: value for name, value in values.items() if value is not None}
    try:
        settings = Settings.model_validate(given, strict=True)
    except ValidationError as error:
        raise complaint(error) from None
    for name in values:
        if name not in Settings.model_fields:
            raise Invalid(f"{name}: there is no such field", name)
    return {name: getattr(settings, name) if name in given else None for name in values}


async def _check_names(context: AppContext, values: Mapping[str, Any]) -> None:
    """Settings that name a key or an alias name one that is there."""
    if name := values.get("anonymous_key"):
        keys = await context.store.keys.all()
        if not any(key.name.casefold() == name.casefold() for key in keys):
            raise Invalid(f"anonymous_key: there is no virtual key {name!r}", "anonymous_key")
    if (name := values.get("default_alias")) and await context.store.models.get(name) is None:
        raise Invalid(f"default_alias: there is no model alias {name!r}", "default_alias")


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
