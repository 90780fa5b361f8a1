"""What the preview of an import shows: values as text, secrets as hints, where calls would go, and the environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from conduit_desktop.actions.config_file.document import VariableUse
from conduit_desktop.actions.credentials import hint
from conduit_desktop.actions.schemas.inputs import NewCredential, NewProvider
from conduit_desktop.actions.schemas.reports import ValueView, VariableView
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import ActionError
from conduit_desktop.providers.catalog import kind_of

LONGEST = 500
"""Characters of a value that are shown."""
_PROVIDER = re.compile(r"providers\[(\d+)\]")

Values = Mapping[str, Any]


def value_views(before: Values | None, after: Values, fields: Iterable[str]) -> list[ValueView]:
    """The `fields` of a change with their values, or all that a new entity has."""
    if before is None:
        return [ValueView(field=name, before=None, after=text) for name, value in after.items() if (text := as_text(value))]
    return [ValueView(field=name, before=as_text(before.get(name)), after=as_text(after.get(name))) for name in fields]


def as_text(value: Any) -> str | None:
    """A value as a person reads it; None for nothing."""
    if value is None or value in ((), [], {}, ""):
        return None
    text = value if isinstance(value, str) else orjson.dumps(value, default=_plain).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_defaults=True)
    raise TypeError


def host_of(kind: str, base_url: str | None) -> str | None:
    """Host and port of a provider's calls; None where its kind makes the address of other fields."""
    try:
        parts = urlsplit(base_url or kind_of(kind).default_base_url)
    except (ValueError, ActionError):
        return None
    return parts.netloc.rpartition("@")[2] or None


def provider_values(
    new: NewProvider, wanted: Sequence[NewCredential], headers: Mapping[str, str | None], old: Provider | None
) -> Values:
    """A provider of the file with hints in place of secrets; those that it keeps are the old ones'."""
    hints = {one.label: one.hint for one in old.credentials} if old else {}
    keys = ((one.label, hints.get(one.label, "…") if one.api_key is None else hint(one.api_key), one.weight) for one in wanted)
    kept = {header.name.lower(): (header.name, header.hint) for header in old.headers} if old else {}
    for name, value in headers.items():
        kept.pop(name.lower(), None)
        if value is not None:
            kept[name.lower()] = (name, hint(value))
    return {
        "kind": new.kind,
        "base_url": new.base_url,
        "api_keys": _keys(keys),
        "headers": dict(kept.values()),
        "options": new.options,
        # Only where they are not what they usually are: a new provider would be shown with them.
        "accept_client_keys": new.accept_client_keys or (None if old is None else False),
        "enabled": new.enabled if old else (None if new.enabled else False),
    }


def former_values(old: Provider) -> Values:
    """The same of a provider that there is."""
    return {
        "kind": old.kind,
        "base_url": old.base_url,
        "api_keys": _keys((one.label, one.hint, one.weight) for one in old.credentials),
        "headers": {header.name: header.hint for header in old.headers},
        "options": old.options,
        "accept_client_keys": old.accept_client_keys,
        "enabled": old.enabled,
    }


def _keys(keys: Iterable[tuple[str, str, int]]) -> str:
    return ", ".join(f"{label}: {shown}{f' (weight {weight})' if weight != 1 else ''}" for label, shown, weight in keys)


def variable_views(uses: Sequence[VariableUse], values: Mapping[str, Any], allowed: Container[str]) -> list[VariableView]:
    """The variables of a file; `values` is the file as it was read, in which the addresses of its providers are."""
    views: dict[str, VariableView] = {}
    for use in uses:
        view = views.setdefault(
            use.variable,
            VariableView(
                name=use.variable,
                used_in=[],
                hosts=[],
                is_set=bool(os.environ.get(use.variable)),
                allowed=use.variable in allowed,
                needed=not use.reference or bool(os.environ.get(use.variable)),
            ),
        )
        view.used_in.append(use.path)
        if (host := _host_at(use.path, values)) and host not in view.hosts:
            view.hosts.append(host)
    return list(views.values())


def _host_at(path: str, values: Mapping[str, Any]) -> str | None:
    if (found := _PROVIDER.match(path)) is None:
        return None
    provider = values["providers"][int(found[1])]
    if not isinstance(provider, dict):
        return None
    kind, base_url = provider.get("kind"), provider.get("base_url")
    return host_of(str(kind), base_url if isinstance(base_url, str) else None)
