"""The configuration as the text of a `conduit.toml`: with the name of an environment variable in place of every secret."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from conduit_desktop.actions.schemas.views import chosen_time
from conduit_desktop.core.entities import Budget, Entity, ModelAlias, Price, Provider, VirtualKey
from conduit_desktop.core.money import to_usd

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HIDDEN = frozenset({"id", "source", "created_at", "updated_at"})


def document(
    settings: Mapping[str, Any],
    providers: Iterable[Provider],
    models: Iterable[ModelAlias],
    keys: Iterable[VirtualKey],
    budgets: Iterable[Budget],
    prices: Iterable[Price],
) -> str:
    """The whole file; parts with default values are left out."""
    keys = list(keys)
    tables = [_table("[settings]", settings)] if settings else []
    tables += [_table("[[providers]]", _provider(one)) for one in providers]
    tables += [_table("[[models]]", _model(one)) for one in models]
    tables += [_table("[[keys]]", _key(one)) for one in keys]
    names = {one.id: one.name for one in keys}
    tables += [_table("[[budgets]]", _budget(one, names)) for one in budgets]
    tables += [_table("[[prices]]", _price(one)) for one in prices]
    return "\n".join(["# Conduit Desktop. Secrets are not in here: set the environment variables named by env:NAME.\n", *tables])


def variable(*parts: str) -> str:
    """The name of an environment variable made of `parts`: `MY_OPENAI_API_KEY`."""
    # A shell can set only names of letters, digits and underscores that do not begin with a digit.
    name = re.sub(r"[^A-Z0-9]+", "_", "_".join(parts).upper()).strip("_")
    return f"_{name}" if name[:1].isdigit() else name


def _provider(provider: Provider) -> dict[str, Any]:
    values = _changed(provider, ("name", "kind", "base_url", "options", "accept_client_keys", "enabled"))
    # A single key needs no label in its variable, which is then often the name the user has set already.
    several = len(provider.credentials) > 1
    references = [
        one.secret if one.secret.startswith("env:") else f"env:{variable(provider.name, one.label if several else '', 'API_KEY')}"
        for one in provider.credentials
    ]
    if several or any(one.label != "default" or one.weight != 1 for one in provider.credentials):
        values["api_keys"] = [
            {"label": one.label, "api_key": reference, "weight": one.weight}
            for one, reference in zip(provider.credentials, references, strict=True)
        ]
    elif references:
        values["api_key"] = references[0]
    if provider.headers:
        values["headers"] = {
            one.name: one.secret if one.secret.startswith("env:") else f"env:{variable(provider.name, one.name)}"
            for one in provider.headers
        }
    return values


def _model(alias: ModelAlias) -> dict[str, Any]:
    names = (
        "alias", "strategy", "targets", "fallbacks", "context_fallbacks", "content_filter_fallbacks",
        "retries", "timeouts", "max_context_tokens", "sticky", "trim", "overrides",
        "enabled",
    )  # fmt: skip
    values = _changed(alias, names)
    values["targets"] = [target.model_dump(exclude_defaults=True) for target in alias.targets]
    # TOML has no null; in the store a null override removes the parameter from requests.
    if removed := [name for name, value in alias.overrides.items() if value is None]:
        values["overrides"] = {name: value for name, value in alias.overrides.items() if value is not None}
        values["remove_parameters"] = removed
    return values


def _key(key: VirtualKey) -> dict[str, Any]:
    values = _changed(
        key,
        ("name", "description", "team", "tags", "enabled", "models", "budget_period", "rpm", "rpd", "tpm", "max_parallel",
         "unpriced", "log_payloads", "allowed_ips", "metadata"),
    )  # fmt: skip
    if key.budget_nano is not None:
        values["budget_usd"] = to_usd(key.budget_nano)
    if key.expires_at is not None:
        values["expires_at"] = chosen_time(key.expires_at)
    # The store has a digest only, so the key itself cannot be exported.
    values["key"] = f"env:{variable('CONDUIT_KEY', key.name)}"
    return values


def _budget(budget: Budget, key_names: Mapping[str, str]) -> dict[str, Any]:
    values = {"name": budget.name, "scope": budget.scope}
    if budget.target:
        # By name: elsewhere the same key has another id.
        values["target"] = key_names.get(budget.target, budget.target) if budget.scope == "key" else budget.target
    return {**values, "limit_usd": to_usd(budget.limit_nano), **_changed(budget, ("period", "thresholds", "action"))}


def _price(price: Price) -> dict[str, Any]:
    # Without `origin`: a price in a file is always the user's.
    fields = price.model_dump(exclude_defaults=True, exclude={*_HIDDEN, "origin", "pattern"})
    values: dict[str, Any] = {"pattern": price.pattern, **fields}
    if price.valid_from:
        values["valid_from"] = chosen_time(price.valid_from)
    return values


def _changed(entity: Entity, names: Iterable[str]) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    values = entity.model_dump(mode="json", exclude_defaults=True)
    return {name: values[name] for name in names if name in values}


def _table(heading: str, values: Mapping[str, Any]) -> str:
    lines = [f"{_name(name)} = {toml(value)}" for name, value in values.items() if value is not None]
    return "\n".join([heading, *lines]) + "\n"


def toml(value: Any) -> str:
    """One value as TOML 1.0 writes it; null inside a table or list is left out, for TOML has none."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value) if math.isfinite(value) else {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
        case str():
            # JSON's escapes are TOML's, but for DEL, which TOML wants escaped too.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            inside = ", ".join(f"{_name(name)} = {toml(item)}" for name, item in value.items() if item is not None)
            return f"{{ {inside} }}" if inside else "{}"
        case list() | tuple():
            return f"[{', '.join(toml(item) for item in value if item is not None)}]"
        case _:
            raise TypeError(f"TOML has no type for {type(value).__name__}")


def _name(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
