"""Providers: vendors and local servers, with their credentials, headers and models."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from conduit_desktop.actions import budgets
from conduit_desktop.actions.changes import check_unlocked, difference, new_id, replaced, sent
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.credentials import SecretDraft, check_credentials, keep_credentials, keep_headers
from conduit_desktop.actions.dispatch import Edit, Job, PendingChange, change
from conduit_desktop.actions.own_address import check_not_own
from conduit_desktop.actions.schemas.inputs import NewCredential, NewProvider, ProviderPatch
from conduit_desktop.actions.schemas.views import (
    CredentialView,
    FieldView,
    KindView,
    OfferedView,
    ProviderTestView,
    ProviderView,
    rfc3339,
)
from conduit_desktop.core import suggestions
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import ModelAlias, Provider, Source
from conduit_desktop.core.errors import Invalid, NotFound
from conduit_desktop.gateway.health import probe
from conduit_desktop.providers.address import check_base_url
from conduit_desktop.providers.catalog import CATALOG, kind_of
from conduit_desktop.providers.model_details import completed


def catalog() -> list[KindView]:
    """Every provider kind, in the order of the catalog."""
    return [
        KindView(
            kind=name,
            label=kind.label,
            dialect=kind.dialects[0],
            dialects=list(kind.dialects),
            base_url=kind.default_base_url,
            fields=[
                FieldView(name=f.name, label=f.label, required=f.required, secret=f.secret, placeholder=f.placeholder, help=f.help)
                for f in kind.fields
            ],
            endpoints=sorted(kind.endpoints),
            docs=kind.docs,
            free=kind.own_server,
            local=kind.local,
        )
        for name, kind in CATALOG.items()
    ]


def view(provider: Provider) -> ProviderView:
    """A provider as it is shown: with hints in place of keys and header values."""
    return ProviderView(
        id=provider.id,
        name=provider.name,
        kind=provider.kind,
        base_url=provider.base_url,
        keys=[CredentialView(label=one.label, hint=one.hint, weight=one.weight) for one in provider.credentials],
        headers={header.name: header.hint for header in provider.headers},
        options=provider.options,
        accept_client_keys=provider.accept_client_keys,
        enabled=provider.enabled,
        locked=provider.source == "file",
        created_at=rfc3339(provider.created_at),
        updated_at=rfc3339(provider.updated_at),
    )


async def all_providers(context: AppContext) -> list[ProviderView]:
    """Every provider."""
    return [view(provider) for provider in await context.store.providers.all()]


async def find(context: AppContext, name: str) -> Provider:
    """The provider of that name (any case); raises NotFound."""
    if (provider := await context.store.providers.get(name)) is None:
        raise NotFound(f"There is no provider {name!r}.")
    return provider


async def get(context: AppContext, name: str) -> ProviderView:
    """One provider; raises NotFound."""
    return view(await find(context, name))


async def create(context: AppContext, new: NewProvider, actor: Actor, source: Source = "user") -> ProviderView:
    """Add a provider; its keys and header values go to the secret store. Raises Conflict, Invalid."""

    await check_not_own(context, new.base_url, new.kind)

    async def work(started: PendingChange) -> Provider:
        return await started.commit(await prepare_insert(started.secrets, new, source))

    return view(await change(context, actor, work))


def check_new(new: NewProvider, labels: Container[str] = ()) -> None:
    """Every check of a provider that needs neither store nor secrets; `labels` have a key already. Raises Invalid."""
    kind_of(new.kind)
    _base_url(new.base_url)
    _options({}, new.options, new.kind)
    wanted = wanted_credentials(new) or []
    check_credentials(wanted, labels)
    _check_complete(new, has_key=bool(wanted))


async def prepare_insert(draft: SecretDraft, new: NewProvider, source: Source = "user") -> Job[Provider]:
    """Write the secrets of a new provider; the job returned adds its row. Raises Invalid, with nothing written."""
    check_new(new)
    provider_id = new_id("prov")
    provider = Provider(
        id=provider_id,
        name=new.name,
        kind=kind_of(new.kind).kind,
        base_url=_base_url(new.base_url),
        credentials=await keep_credentials(draft, provider_id, wanted_credentials(new) or []),
        headers=await keep_headers(draft, provider_id, new.headers or {}),
        options=_options({}, new.options, new.kind),
        accept_client_keys=new.accept_client_keys,
        enabled=new.enabled,
        source=source,
        created_at=now_ms(),
        updated_at=now_ms(),
    )

    def job(edit: Edit) -> Provider:
        edit.tx.providers.insert(provider)
        edit.record("provider.create", provider.name, difference(None, provider))
        return provider

    return job


async def edit(context: AppContext, name: str, patch: ProviderPatch, actor: Actor) -> ProviderView:
    """Change the fields sent; a new name is carried into the aliases. Raises NotFound, Conflict, Invalid."""

    async def work(started: PendingChange) -> Provider:
        before = await find(context, name)
        check_unlocked(before.source, f"The provider {before.name!r}")
        if {"base_url", "kind"} & patch.model_fields_set:
            url = patch.base_url if "base_url" in patch.model_fields_set else before.base_url
            await check_not_own(context, url, patch.kind or before.kind)
        return await started.commit(await prepare_update(started.secrets, before, patch))

    return view(await change(context, actor, work))


async def prepare_update(draft: SecretDraft, before: Provider, patch: ProviderPatch, source: Source = "user") -> Job[Provider]:
    """Write the secrets of a patch; the job returned changes the row, even where the config file locks it. Raises Invalid.

    `before` is read under the write lock, so the row is still the same when the job runs.
    """
    values = sent(patch, Provider)
    if "kind" in values:
        kind_of(values["kind"])
    if "base_url" in values:
        values["base_url"] = _base_url(values["base_url"])
    if "options" in values:
        kind = values.get("kind", before.kind)
        values["options"] = _options(before.options, patch.options, kind) if patch.options is not None else {}
    await _change_secrets(draft, before, patch, values)
    after = replaced(before, {**values, "source": source})
    # After the patch, not before: a new kind may need what the old one did not.
    _check_complete(after, has_key=bool(after.credentials))

    def job(edit: Edit) -> Provider:
        edit.tx.providers.replace(after)
        edit.record("provider.edit", after.name, difference(before, after))
        for alias in _renamed_targets(edit, before.name, after.name):
            edit.tx.models.replace(alias)
            # No entry of its own in the audit log: it follows from the new name of the provider.
            edit.announce("model.edit", alias.alias)
        if after.name != before.name:
            budgets.renamed(edit, "provider", before.name, after.name)
        return after

    return job


async def remove(context: AppContext, name: str, actor: Actor) -> None:
    """Remove a provider and its secrets. Aliases that name it keep the name, and skip it. Raises NotFound, Conflict."""

    async def work(started: PendingChange) -> None:
        provider = await find(context, name)
        check_unlocked(provider.source, f"The provider {provider.name!r}")
        await started.commit(prepare_delete(started.secrets, provider))

    await change(context, actor, work)


def prepare_delete(draft: SecretDraft, provider: Provider) -> Job[None]:
    """Have the secrets of a provider removed at the end; the job returned removes its row, even where the config file locks it."""
    draft.drop({one.secret for one in provider.credentials} | {header.secret for header in provider.headers})

    def job(edit: Edit) -> None:
        edit.tx.providers.delete(provider.name)
        edit.record("provider.remove", provider.name)

    return job


async def test(context: AppContext, name: str) -> ProviderTestView:
    """Send the provider a small request: does it answer, how fast, and with which features?"""
    result = await probe.test_provider(context.gateway, (await find(context, name)).name)
    return ProviderTestView.model_validate(result, from_attributes=True)


async def offered(context: AppContext, name: str, refresh: bool = False) -> list[OfferedView]:
    """The models a provider offers, completed from the facts of models; `refresh` requests the list again.

    Raises NotFound, Invalid with the provider's error.
    """
    provider = await find(context, name)
    models = await probe.offered_models(context.gateway, provider.name, refresh)
    return [OfferedView.model_validate(completed(model, provider.kind), from_attributes=True) for model in models]


def _base_url(text: str | None) -> str | None:
    # A form sends an empty field for "the vendor's own address".
    return check_base_url(text) if text and text.strip() else None


def _options(before: dict[str, Any], changes: dict[str, Any] | None, kind: str) -> dict[str, Any]:
    """The options after `changes`: null removes one. Raises Invalid for one that the kind does not have."""
    # These two have fields of their own; as an option, a key would be stored with the row, not with the secrets.
    known = [field.name for field in kind_of(kind).fields if field.name not in ("api_key", "base_url")]
    for name, value in (changes or {}).items():
        # Null is accepted for any name: after a change of kind, options of the old one must be removable.
        if value is not None and name not in known:
            raise Invalid(
                f"options.{name}: {kind_of(kind).label} has no such option{suggestions.hint(name, known)}", f"options.{name}"
            )
        if not isinstance(value, (str, int, float, bool, type(None))):
            raise Invalid(f"options.{name}: must be text, a number, true or false", f"options.{name}")
    return {name: value for name, value in {**before, **(changes or {})}.items() if value is not None}


def wanted_credentials(body: NewProvider | ProviderPatch) -> list[NewCredential] | None:
    """The credentials in a body; `api_key` is one labelled `default`. Raises Invalid for both fields at once."""
    if body.api_key is not None and body.api_keys is not None:
        raise Invalid("api_key: give api_key or api_keys, not both", "api_key")
    return [NewCredential(label="default", api_key=body.api_key)] if body.api_key is not None else body.api_keys


async def _change_secrets(draft: SecretDraft, before: Provider, patch: ProviderPatch, values: dict[str, Any]) -> None:
    """Convert `api_key`, `api_keys` and `headers` of a patch into the entity's fields."""
    wanted = wanted_credentials(patch)
    fields = patch.model_fields_set
    values.pop("api_key", None)
    values.pop("api_keys", None)
    if "api_keys" in fields or "api_key" in fields:
        if "api_keys" not in fields:
            # `api_key` alone stands for the first key: callers that know only that field must not lose the others.
            first = before.credentials[:1]
            label, weight = (first[0].label, first[0].weight) if first else ("default", 1)
            replacing = [NewCredential(label=label, api_key=patch.api_key, weight=weight)] if patch.api_key is not None else []
            wanted = [*replacing, *(NewCredential(label=one.label, weight=one.weight) for one in before.credentials[1:])]
        values["credentials"] = await keep_credentials(draft, before.id, wanted or [], before.credentials)
    if "headers" in fields:
        keeping = before.headers if patch.headers is not None else ()
        # Null removes all headers; a patch with headers changes only those it names.
        if patch.headers is None:
            draft.drop({header.secret for header in before.headers})
        values["headers"] = await keep_headers(draft, before.id, patch.headers or {}, keeping)


def _check_complete(provider: Provider | NewProvider, has_key: bool) -> None:
    """Raises Invalid for a missing field that this kind requires."""
    kind = kind_of(provider.kind)
    for field in kind.fields:
        if not field.required:
            continue
        if field.name == "api_key":
            # A private server behind a vendor's protocol may need no key.
            given = has_key or provider.accept_client_keys or provider.base_url is not None
        else:
            given = bool(provider.base_url if field.name == "base_url" else provider.options.get(field.name))
        if not given:
            path = field.name if field.name in ("api_key", "base_url") else f"options.{field.name}"
            raise Invalid(f"{path}: {kind.label} needs it", path)


def _renamed_targets(edit: Edit, old: str, new: str) -> list[ModelAlias]:
    if old == new:
        return []
    renamed = []
    for alias in edit.tx.models.all():
        if any(target.provider.lower() == old.lower() for target in alias.targets):
            # The config file would bring the old name back: the rename is refused rather than undone later.
            check_unlocked(alias.source, f"The alias {alias.alias!r}, which names this provider,")
            targets = tuple(
                target.model_copy(update={"provider": new}) if target.provider.lower() == old.lower() else target
                for target in alias.targets
            )
            renamed.append(replaced(alias, {"targets": targets}))
    return renamed
