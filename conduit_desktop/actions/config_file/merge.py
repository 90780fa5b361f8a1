"""The plan of what a `conduit.toml` changes, step by step.

A plan is made and checked before anything is written, so a file that does not fit changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from conduit_desktop.actions import budgets, keys, models, prices, providers, settings
from conduit_desktop.actions.config_file.document import ConfigFile, FileBudget, FileKey, FileModel, FilePrice, secret_of
from conduit_desktop.actions.config_file.preview import Values, former_values, host_of, provider_values
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.credentials import SecretDraft, hint
from conduit_desktop.actions.dispatch import Edit, Job
from conduit_desktop.actions.own_address import check_not_own
from conduit_desktop.actions.schemas.inputs import (
    BudgetPatch,
    KeyPatch,
    ModelPatch,
    NewCredential,
    NewModel,
    NewPrice,
    NewProvider,
    ProviderPatch,
    epoch_ms,
)
from conduit_desktop.actions.schemas.inputs import NewKey as KeyInput
from conduit_desktop.actions.schemas.validation import Body
from conduit_desktop.actions.schemas.views import chosen_time
from conduit_desktop.core.entities import Provider, Source, VirtualKey
from conduit_desktop.core.errors import ActionError, Invalid
from conduit_desktop.core.money import to_nano, to_usd
from conduit_desktop.gateway.admission.access import digest

Kind = Literal["provider", "model", "key", "budget", "price", "setting"]
Verdict = Literal["add", "change", "same", "locked"]


_ADDED_LAST = frozenset({"fallbacks", *models.BY_CAUSE})
"""The fields that name other aliases, which may come later in the file."""


@dataclass(frozen=True, slots=True)
class MergeStep:
    """One entity of the file. `prepare` writes its secrets; the job it returns writes the row, and returns a generated key."""

    path: str
    """Where the file defines it: `providers[0]`."""
    kind: Kind
    name: str
    change: Verdict
    fields: tuple[str, ...]
    prepare: Callable[[SecretDraft], Awaitable[Job[str | None]]]
    before: Values | None
    """What there is, with hints in place of secrets; None for what is new."""
    after: Values
    host: str | None = None
    """Where a provider's calls go."""
    stored: frozenset[str] = frozenset()
    """The environment variables that it would refer to from now on."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Merges a file into the store. With the source `file`, it takes over what the user made; `user` skips what a file defines."""

    context: AppContext
    source: Source
    environment: Mapping[str, str]
    """The variables that the file may take."""

    async def plan(self, config: ConfigFile) -> list[MergeStep]:
        """Every step; raises Invalid, with the field's path in the file, for a value that cannot be used."""
        await self._check(config)
        # Providers first: the job of an alias looks up the providers of its targets in the same transaction.
        steps = [await self._provider(f"providers[{index}]", one) for index, one in enumerate(config.providers)]
        steps += [await self._model(f"models[{index}]", one) for index, one in enumerate(config.models)]
        steps += [await self._key(f"keys[{index}]", one) for index, one in enumerate(config.keys)]
        steps += [await self._budget(f"budgets[{index}]", one) for index, one in enumerate(config.budgets)]
        return steps + [await self._price(f"prices[{index}]", one) for index, one in enumerate(config.prices)]

    def _verdict(self, source: Source | None, fields: set[str]) -> Verdict:
        if source is None:
            return "add"
        if source == "file" and self.source == "user":
            return "locked"
        # A new owner is a change, even where every field agrees: the row becomes locked, or free.
        return "change" if fields or source != self.source else "same"

    async def _check(self, config: ConfigFile) -> None:
        store = self.context.store
        # Names are checked against what is there after the merge: what has left the file goes in the same transaction.
        vendors = {one.name.lower() for one in await store.providers.all() if self._stays(one.source)}
        vendors |= {one.name.lower() for one in config.providers}
        aliases = [one for one in await store.models.all() if self._stays(one.source)]
        known: dict[str, Sequence[str]] = {one.alias.lower(): one.fallbacks for one in aliases}
        known |= {one.alias.lower(): one.fallbacks for one in config.models}
        for index, provider in enumerate(config.providers):
            before = await store.providers.get(provider.name)
            with located(f"providers[{index}]"):
                providers.check_new(provider, {one.label for one in before.credentials} if before else ())
                await check_not_own(self.context, provider.base_url, provider.kind)
        for index, model in enumerate(config.models):
            for at, target in enumerate(model.targets):
                if target.provider.lower() not in vendors:
                    path = f"models[{index}].targets[{at}].provider"
                    raise Invalid(f"{path}: there is no provider {target.provider!r}", path)
            models.check_fallbacks(model.alias, model.fallbacks, known, f"models[{index}].fallbacks")
            # Followed one step only, so a longer cycle does no harm: the names count, not what lies behind them.
            for field in models.BY_CAUSE:
                models.check_fallbacks(model.alias, getattr(model, field), dict.fromkeys(known, ()), f"models[{index}].{field}")
        for index, price in enumerate(config.prices):
            with located(f"prices[{index}]"):
                prices.check_rates(price)
        held = [one for one in await store.keys.all() if self._stays(one.source)]
        names = [one.name for one in held] + [one.name for one in config.keys]
        there = {
            "provider": vendors, "alias": set(known), "key": {one.lower() for one in [*names, *(one.id for one in held)]},
        }  # fmt: skip
        for index, budget in enumerate(config.budgets):
            with located(f"budgets[{index}]"):
                if budget.scope in there and (budget.target or "").lower() not in there[budget.scope]:
                    raise Invalid(f"target: there is no {budget.scope} {budget.target!r}", "target")
        settings.check_names(config.settings, names, known)

    def _stays(self, source: Source) -> bool:
        """Whether an entity of the store that the file does not name is still there after the merge."""
        return self.source == "user" or source != "file"

    async def _provider(self, path: str, new: NewProvider) -> MergeStep:
        before = await self.context.store.providers.get(new.name)
        if before is None:
            return MergeStep(
                path, "provider", new.name, "add", (),
                lambda draft: _without_result(providers.prepare_insert(draft, new, self.source)),
                before=None, after=provider_values(new, fresh := providers.wanted_credentials(new) or [], new.headers or {}, None),
                host=host_of(new.kind, new.base_url), stored=_referred(fresh, new.headers or {}),
            )  # fmt: skip
        # An exported file names `env:` variables in place of secrets. Importing it where they are stored must not lose them.
        wanted = self._kept_credentials(new, before)
        headers = self._new_headers(new, before)
        # In full, so that a field that was deleted from the file gets its default back.
        patch = _provider_patch(new, wanted, headers, before)
        fields = {name for name in ("kind", "base_url", "options", "accept_client_keys", "enabled") if _differs(name, new, before)}
        # In a thread: a keyring or vault blocks.
        if await asyncio.to_thread(_other_keys, self.context, wanted, before):
            fields.add("api_keys")
        if await asyncio.to_thread(_other_headers, self.context, headers, before):
            fields.add("headers")
        return MergeStep(
            path, "provider", before.name, self._verdict(before.source, fields), tuple(sorted(fields)),
            lambda draft: _without_result(providers.prepare_update(draft, before, patch, self.source)),
            before=former_values(before), after=provider_values(new, wanted, headers, before),
            host=host_of(new.kind, new.base_url), stored=_referred(wanted, headers),
        )  # fmt: skip

    def _kept_credentials(self, new: NewProvider, before: Provider) -> list[NewCredential]:
        """The file's keys; in an import, an `env:` name that is not set does not take the place of a key that is there."""
        labels = {one.label for one in before.credentials}
        wanted = providers.wanted_credentials(new) or []
        if self.source == "file":
            return wanted
        return [
            NewCredential(label=one.label, weight=one.weight)
            if one.label in labels and _is_unset(one.api_key, self.environment)
            else one
            for one in wanted
        ]

    def _new_headers(self, new: NewProvider, before: Provider) -> dict[str, str | None]:
        """The file's headers as a patch: null for one that goes; one that is to stay as it is, as with keys, is not in it."""
        wanted = new.headers or {}
        staying = {name.lower() for name, value in wanted.items() if self.source == "user" and _is_unset(value, self.environment)}
        staying &= {header.name.lower() for header in before.headers}
        named = {name.lower() for name in wanted}
        headers: dict[str, str | None] = {header.name: None for header in before.headers if header.name.lower() not in named}
        return headers | {name: value for name, value in wanted.items() if name.lower() not in staying}

    async def _model(self, path: str, new: FileModel) -> MergeStep:
        before = await self.context.store.models.get(new.alias)
        values = {name: getattr(new, name) for name in NewModel.model_fields}
        values["overrides"] = new.overrides | dict.fromkeys(new.remove_parameters)
        if before is None:
            # Fallbacks may come later in the file: `add_fallbacks` sets them when every alias exists.
            first = NewModel.model_construct(**{**values, **{field: [] for field in _ADDED_LAST}})
            return MergeStep(
                path, "model", new.alias, "add", (), _prepared(lambda edit: models.insert(edit, first, self.source)),
                before=None, after=_shown(new, "alias"),
            )  # fmt: skip
        after = {**before.model_dump(), **{name: _dumped(value) for name, value in values.items()}}
        fields = {name for name, value in _listed(before.model_dump()).items() if value != _listed(after)[name]}
        # Every field is marked as sent: what the file does not mention gets its default back.
        patch = ModelPatch.model_construct(_fields_set=set(values) - _ADDED_LAST, **values)
        return MergeStep(
            path, "model", before.alias, self._verdict(before.source, fields), tuple(sorted(fields)),
            _prepared(lambda edit: models.update(edit, models.find_in(edit, before.alias), patch, self.source)),
            before=before.model_dump(mode="json"), after=_dumped(values),
        )  # fmt: skip

    def add_fallbacks(self, edit: Edit, config: ConfigFile) -> None:
        """Set the fallbacks of the aliases, once every alias of the file is in the store."""
        for new in config.models:
            alias = models.find_in(edit, new.alias)
            wanted = {field: getattr(new, field) for field in sorted(_ADDED_LAST)}
            changed = {field: names for field, names in wanted.items() if list(getattr(alias, field)) != names}
            if alias.source == self.source and changed:
                patch = ModelPatch.model_validate(changed)
                models.update(edit, alias, patch, self.source)

    async def _key(self, path: str, new: FileKey) -> MergeStep:
        before = next((k for k in await self.context.store.keys.all() if k.name.casefold() == new.name.casefold()), None)
        # An exported file names a variable for each key. Where it is not set, an import keeps the key there is, or makes one.
        unset = self.source == "user" and _is_unset(new.key, self.environment)
        secret = None if unset else secret_of(new, f"{path}.key", self.environment)
        body = _key_body(new)
        if before is None:
            return MergeStep(
                path, "key", new.name, "add", (), _job(lambda edit: self._add_key(edit, body, secret)),
                before=None, after={**_shown(new, "name"), "key": "a new one" if secret is None else hint(secret)},
            )  # fmt: skip
        fields = _key_fields(new, before)
        # The store has only the digest of a key, so that is all there is to compare.
        if secret is not None and digest(secret) != before.digest:
            fields.add("key")
        return MergeStep(
            path, "key", before.name, self._verdict(before.source, fields), tuple(sorted(fields)),
            _prepared(lambda edit: keys.update(edit, before, body, self.source, secret)),
            before={**before.model_dump(mode="json"), **_money_and_time(before), "key": before.hint},
            after={**new.model_dump(mode="json"), "key": "" if secret is None else hint(secret)},
        )  # fmt: skip

    def _add_key(self, edit: Edit, body: KeyInput, secret: str | None) -> str | None:
        generated = keys.fresh() if secret is None else None
        keys.insert(edit, body, secret or generated or "", self.source)
        return generated

    async def _budget(self, path: str, new: FileBudget) -> MergeStep:
        before = next((b for b in await self.context.store.budgets.all() if b.name.casefold() == new.name.casefold()), None)
        if before is None:
            return MergeStep(
                path, "budget", new.name, "add", (), _prepared(lambda edit: budgets.insert(edit, new, self.source)),
                before=None, after=_shown(new, "name"),
            )  # fmt: skip
        # Every field is marked as sent: what the file does not mention gets its default back.
        values = {name: getattr(new, name) for name in BudgetPatch.model_fields}
        patch = BudgetPatch.model_construct(_fields_set=set(values), **values)
        keys_by_name = {one.name.casefold(): one.id for one in await self.context.store.keys.all()}
        fields = budgets.changed_fields(before, new, keys_by_name)
        return MergeStep(
            path, "budget", before.name, self._verdict(before.source, fields), tuple(sorted(fields)),
            _prepared(lambda edit: budgets.update(edit, before, patch, self.source)),
            before={**before.model_dump(mode="json"), "limit_usd": to_usd(before.limit_nano)}, after=new.model_dump(mode="json"),
        )  # fmt: skip

    async def _price(self, path: str, new: FilePrice) -> MergeStep:
        starts = epoch_ms(new.valid_from) if new.valid_from else 0
        before = next((one for one in await self.context.store.prices.history(new.pattern) if one.valid_from == starts), None)
        # Constructed without validation, here and below: the values were validated when the file was read.
        body = NewPrice.model_construct(**{name: getattr(new, name) for name in NewPrice.model_fields})
        wanted = body.model_dump(exclude={"pattern", "valid_from"})
        have = before.model_dump() if before else {}
        fields = {name for name, value in wanted.items() if before and _listed(have)[name] != _listed(wanted)[name]}
        return MergeStep(
            path, "price", new.pattern, self._verdict(before.source if before else None, fields), tuple(sorted(fields)),
            _prepared(lambda edit: prices.put_in(edit, new.pattern, body, self.source)),
            before=before.model_dump(mode="json") if before else None, after=wanted if before else _shown(new, "pattern"),
        )  # fmt: skip


def _referred(wanted: Sequence[NewCredential], headers: Mapping[str, str | None]) -> frozenset[str]:
    """The environment variables that a provider with these keys and headers would refer to."""
    values = [*(one.api_key for one in wanted), *headers.values()]
    return frozenset(value[4:] for value in values if value is not None and value.startswith("env:"))


def _shown(new: Body, name: str) -> Values:
    """What a new entity of the file has, without its defaults; a secret of it is not among them."""
    values: Values = new.model_dump(mode="json", exclude_defaults=True, exclude={name, "key"})
    return values


def _money_and_time(key: VirtualKey) -> Values:
    """What a key of the file spells in another way than the store."""
    return {
        "budget_usd": None if key.budget_nano is None else to_usd(key.budget_nano),
        "expires_at": None if key.expires_at is None else chosen_time(key.expires_at),
    }


def _job(job: Job[str | None]) -> Callable[[SecretDraft], Awaitable[Job[str | None]]]:
    """A `prepare` without secrets."""

    async def prepare(draft: SecretDraft) -> Job[str | None]:
        return job

    return prepare


def _prepared(write: Callable[[Edit], Any]) -> Callable[[SecretDraft], Awaitable[Job[str | None]]]:
    """A `prepare` without secrets, of a job without a result."""

    def job(edit: Edit) -> None:
        write(edit)

    return _job(job)


async def _without_result(prepared: Awaitable[Job[Any]]) -> Job[str | None]:
    write = await prepared

    def job(edit: Edit) -> None:
        write(edit)

    return job


@contextmanager
def located(path: str) -> Iterator[None]:
    """Errors raised inside become Invalid, with the field's path in the file: `providers[0]` before `options.region`."""
    try:
        yield
    except ActionError as error:
        field = f"{path}.{error.field}" if error.field else path
        raise Invalid(f"{field}: {error.message.removeprefix(f'{error.field}: ')}", field) from error


def _provider_patch(
    new: NewProvider, wanted: list[NewCredential], headers: dict[str, str | None], before: Provider
) -> ProviderPatch:
    """The complete provider as a patch: fields that are not in the file are cleared."""
    values: dict[str, Any] = {name: getattr(new, name) for name in ("name", "kind", "base_url", "accept_client_keys", "enabled")}
    # Null removes an option, so those that have left the file go.
    values["options"] = {**dict.fromkeys(before.options), **new.options}
    fields = {*values, "api_keys", "headers"}
    return ProviderPatch.model_construct(_fields_set=fields, **values, api_key=None, api_keys=wanted, headers=headers)


def _differs(name: str, new: NewProvider, before: Provider) -> bool:
    wanted, have = getattr(new, name), getattr(before, name)
    # Empty and missing both mean the default address of the kind.
    return (wanted or None) != (have or None) if name == "base_url" else bool(wanted != have)


def _other_keys(context: AppContext, wanted: list[NewCredential], before: Provider) -> bool:
    have = {one.label: one for one in before.credentials}
    # The order counts: the first key is the one that `api_key` alone replaces.
    if list(have) != [one.label for one in wanted]:
        return True
    return any(
        one.weight != have[one.label].weight
        or (one.api_key is not None and one.api_key != _kept(context, have[one.label].secret, have[one.label].hint, one.api_key))
        for one in wanted
    )


def _other_headers(context: AppContext, wanted: dict[str, str | None], before: Provider) -> bool:
    """Whether the patch `wanted` changes a header."""
    have = {header.name.lower(): header for header in before.headers}
    return any(
        (header := have.get(name.lower())) is None or value is None or value != _kept(context, header.secret, header.hint, value)
        for name, value in wanted.items()
    )


def _kept(context: AppContext, reference: str, shown: str, wanted: str) -> str | None:
    """The secret behind a reference; the secret store is read only where the hints are equal."""
    # A reference is compared as text: the value behind it may change without a change of the configuration.
    if reference.startswith("env:") or wanted.startswith("env:"):
        return reference
    return context.secrets.get(reference) if shown == hint(wanted) else None


def _is_unset(value: str | None, environment: Mapping[str, str]) -> bool:
    return value is not None and value.startswith("env:") and not environment.get(value[4:])


def _key_body(new: FileKey) -> KeyInput:
    """Every field of the key, so that a field that is not in the file gets its default."""
    names = [name for name in KeyPatch.model_fields if name != "name"]
    return KeyInput.model_construct(_fields_set={"name", *names}, name=new.name, **{name: getattr(new, name) for name in names})


def _key_fields(new: FileKey, before: VirtualKey) -> set[str]:
    fields = set()
    for name in KeyPatch.model_fields:
        wanted = getattr(new, name)
        match name:
            case "budget_usd":
                have: Any = before.budget_nano
                wanted = None if wanted is None else to_nano(wanted)
            case "expires_at":
                have, wanted = before.expires_at, epoch_ms(wanted) if wanted else None
            case _:
                have = getattr(before, name)
                # A key that does not mention a field has its default, which is not always None.
                if wanted is None:
                    wanted = VirtualKey.model_fields[name].get_default(call_default_factory=True)
        if _listed(have) != _listed(wanted):
            fields.add(name)
    return fields


def _dumped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _dumped(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_dumped(item) for item in value]
    return value.model_dump() if hasattr(value, "model_dump") else value


def _listed(value: Any) -> Any:
    """Tuples as lists at every level, so that entities and inputs compare."""
    if isinstance(value, dict):
        return {name: _listed(item) for name, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value
