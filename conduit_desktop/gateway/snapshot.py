"""The configuration at one moment, immutable and swapped whole: requests read this and never SQLite."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conduit_desktop.core.entities import Budget, IpRule, ModelAlias, Price, Provider, VirtualKey
from conduit_desktop.core.errors import ConduitError, describe
from conduit_desktop.core.settings import Settings
from conduit_desktop.providers import ProviderKind, Secrets
from conduit_desktop.providers.catalog import bind
from conduit_desktop.store.interface import Store
from conduit_desktop.store.secrets.store import SecretStore, resolve

log = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential of a provider, ready for use."""

    label: str
    secrets: Secrets
    weight: int = 1


@dataclass(frozen=True, slots=True)
class BoundProvider:
    """A provider with its kind and credentials. `problem`: why it cannot be used, such as a missing secret."""

    provider: Provider
    kind: ProviderKind
    credentials: tuple[Credential, ...]
    problem: str = ""

    @property
    def name(self) -> str:
        """The configured name."""
        return self.provider.name

    def same_as(self, other: BoundProvider) -> bool:
        """Whether provider and secrets are the same in both."""
        return self.provider == other.provider and self.credentials == other.credentials


@dataclass(frozen=True, slots=True)
class Rule:
    """An IP rule, parsed."""

    allow: bool
    network: Network


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a request needs to know of the configuration."""

    settings: Settings = field(default_factory=Settings)
    providers: Mapping[str, BoundProvider] = field(default_factory=dict)
    aliases: Mapping[str, ModelAlias] = field(default_factory=dict)
    patterns: tuple[ModelAlias, ...] = ()
    keys: Mapping[str, VirtualKey] = field(default_factory=dict)
    keys_by_digest: Mapping[str, VirtualKey] = field(default_factory=dict)
    keys_by_name: Mapping[str, VirtualKey] = field(default_factory=dict)
    prices: tuple[Price, ...] = ()
    budgets: tuple[Budget, ...] = ()
    rules: tuple[Rule, ...] = ()
    # The one part that changes; it belongs to the snapshot, so that a change of the configuration empties it.
    routes: dict[Any, Any] = field(default_factory=dict)
    """Resolved routes by model name, filled by `resolve_model`."""


async def take(store: Store, secrets: SecretStore, settings: Settings) -> Snapshot:
    """Read the store and the secrets into a new snapshot; a provider that cannot be bound stays, with its problem."""
    providers = await store.providers.all()
    # In a thread, because reading a keyring blocks.
    bound = await asyncio.to_thread(lambda: [_bind(provider, secrets) for provider in providers])
    aliases = await store.models.all()
    keys = await store.keys.all()
    return Snapshot(
        settings=settings,
        providers={one.name.lower(): one for one in bound if one is not None},
        aliases={alias.alias.lower(): alias for alias in aliases if "*" not in alias.alias},
        # Sorted once here, because every unknown model name is compared with them in this order.
        patterns=tuple(sorted((a for a in aliases if "*" in a.alias), key=lambda a: (-len(a.alias), a.alias))),
        keys={key.id: key for key in keys},
        keys_by_digest={key.digest: key for key in keys},
        keys_by_name={key.name.lower(): key for key in keys},
        prices=tuple(await store.prices.all()),
        budgets=tuple(await store.budgets.all()),
        rules=tuple(_rule(rule) for rule in await store.ip_rules.all()),
    )


def _rule(rule: IpRule) -> Rule:
    # Not strict: operators write an address of the network (10.0.0.5/8) as often as the network itself.
    return Rule(rule.action == "allow", ipaddress.ip_network(rule.network, strict=False))


def _bind(provider: Provider, secrets: SecretStore) -> BoundProvider | None:
    try:
        kind = bind(provider)
    except (ConduitError, KeyError, ValueError) as error:
        # One provider that cannot be bound must not keep the gateway from starting with the others.
        log.error("provider %s cannot be used: %s", provider.name, describe(error))
        return None
    problem = ""
    headers: dict[str, str] = {}
    credentials: list[Credential] = []
    try:
        for header in provider.headers:
            headers[header.name.lower()] = _need(secrets, header.secret, f"header {header.name}")
        for credential in provider.credentials:
            try:
                value = _need(secrets, credential.secret, f"credential {credential.label}") if credential.secret else ""
            except ConduitError as error:
                # One missing secret leaves the provider's other credentials in use.
                problem = str(error)
                continue
            credentials.append(Credential(credential.label, Secrets(value, headers), credential.weight))
    except ConduitError as error:
        problem = str(error)
    if not provider.credentials and not problem:
        # Local servers need no key; a credential without a value lets them take the same path.
        credentials.append(Credential("default", Secrets("", headers)))
    return BoundProvider(provider, kind, tuple(credentials), problem if not credentials else "")


def _need(secrets: SecretStore, reference: str, what: str) -> str:
    value = resolve(secrets, reference)
    if value is None:
        where = f"the environment variable {reference[4:]}" if reference.startswith("env:") else "the secret store"
        raise ConduitError(f"{what} is not in {where}")
    return value
