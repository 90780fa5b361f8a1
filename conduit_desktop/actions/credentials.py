"""A provider's secrets: written ahead of the row that names them, taken back if it fails, old ones removed after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Container, Iterable, Mapping, Sequence
from types import TracebackType

from conduit_desktop.actions.schemas.inputs import NewCredential
from conduit_desktop.core.entities import CredentialRef, HeaderHint
from conduit_desktop.core.errors import Invalid, describe
from conduit_desktop.store.secrets import store as secrets

log = logging.getLogger(__name__)


def hint(value: str) -> str:
    """Enough of a secret to know it by: `sk-…9f3a`; `env:NAME` is itself the hint."""
    return value if value.startswith("env:") else secrets.hint(value)


class SecretDraft:
    """Changes to the secret store around the writing of one row: `async with SecretDraft(secrets) as draft`."""

    def __init__(self, store: secrets.SecretStore) -> None:
        self._secrets = store
        self._before: dict[str, str | None] = {}
        self._dropped: set[str] = set()

    @property
    def wrote(self) -> bool:
        """Whether a secret was written."""
        return bool(self._before)

    async def __aenter__(self) -> SecretDraft:
        return self

    # Secrets and rows are in two stores without a common transaction. The order makes every failure harmless: a new secret
    # is written before its row is committed, an old one deleted only after it.
    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            await asyncio.to_thread(self._restore)
        elif gone := self._dropped:
            await asyncio.to_thread(self._delete, gone)

    async def put(self, name: str, value: str) -> str:
        """Keep `value` under `name` and give the reference to it; `env:NAME` is itself the reference."""
        # Read from the environment at each use, so that a changed variable needs no change here.
        if value.startswith("env:"):
            return value
        await asyncio.to_thread(self._set, name, value)
        return name

    def drop(self, references: set[str]) -> None:
        """These are no longer named once the row is written."""
        self._dropped |= {name for name in references if name and not name.startswith("env:")}

    def _set(self, name: str, value: str) -> None:
        # Only the first write: a second one of the same name must not make the first the value to restore.
        if name not in self._before:
            self._before[name] = self._secrets.get(name)
        self._secrets.set(name, value)

    def _restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                self._secrets.delete(name)
            else:
                self._secrets.set(name, value)

    def _delete(self, names: set[str]) -> None:
        for name in sorted(names):
            try:
                self._secrets.delete(name)
            except Exception as error:
                # The row is right already; a secret that stays behind is named by nothing.
                log.warning("the secret %s could not be removed: %s", name, describe(error))


def check_credentials(wanted: Sequence[NewCredential], known: Container[str] = ()) -> None:
    """Raises Invalid for a repeated label, and for a missing key where the label is not one of `known`."""
    labels: set[str] = set()
    for index, one in enumerate(wanted):
        if one.label in labels:
            raise Invalid(f"api_keys[{index}].label: {one.label!r} is there twice", f"api_keys[{index}].label")
        if one.api_key is None and one.label not in known:
            raise Invalid(f"api_keys[{index}].api_key: is required", f"api_keys[{index}].api_key")
        labels.add(one.label)


def _free_name(name: str, *named: Iterable[CredentialRef | HeaderHint]) -> str:
    """`name`, or another where a row names a secret so: a process that is killed before the row changes leaves its secret alone."""
    taken = {one.secret for entities in named for one in entities}
    while name in taken:
        name += "/2"
    return name


async def keep_credentials(
    draft: SecretDraft, provider_id: str, wanted: Sequence[NewCredential], old: Sequence[CredentialRef] = ()
) -> tuple[CredentialRef, ...]:
    """The credentials `wanted`, with new secrets kept; one without `api_key` keeps the secret its label has. Raises Invalid."""
    known = {credential.label: credential for credential in old}
    check_credentials(wanted, known)
    kept: dict[str, CredentialRef] = {}
    for one in wanted:
        if one.api_key is not None:
            # By the provider's id, not its name: renaming a provider then moves no secret.
            secret = await draft.put(_free_name(f"provider/{provider_id}/{one.label}", old, kept.values()), one.api_key)
            kept[one.label] = CredentialRef(label=one.label, secret=secret, hint=hint(one.api_key), weight=one.weight)
        else:
            kept[one.label] = known[one.label].model_copy(update={"weight": one.weight})
    named = {credential.secret for credential in kept.values()}
    # Without those still named: a key that is kept has the reference that it had.
    draft.drop({credential.secret for credential in old} - named)
    return tuple(kept.values())


async def keep_headers(
    draft: SecretDraft, provider_id: str, wanted: Mapping[str, str | None], old: Sequence[HeaderHint] = ()
) -> tuple[HeaderHint, ...]:
    """The headers there were with `wanted` laid over them: a value sets, null removes; names ignore case."""
    # Header names ignore case, so `X-Team` replaces `x-team` and is not sent as a second one.
    kept = {header.name.lower(): header for header in old}
    for name, value in wanted.items():
        if value is None:
            kept.pop(name.lower(), None)
        else:
            secret = await draft.put(_free_name(f"header/{provider_id}/{name.lower()}", old, kept.values()), value)
            kept[name.lower()] = HeaderHint(name=name, secret=secret, hint=hint(value))
    draft.drop({header.secret for header in old} - {header.secret for header in kept.values()})
    return tuple(kept.values())
