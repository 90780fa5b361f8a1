"""A provider's secrets: written ahead of the row that names them, taken back if it fails, old ones removed after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Container, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from conduit_desktop.actions.schemas.inputs import NewCredential
from conduit_desktop.core.entities import CredentialRef, HeaderHint
from conduit_desktop.core.errors import Invalid, describe
from conduit_desktop.store.interface import PENDING_SECRETS
from conduit_desktop.store.secrets import store as secrets

if TYPE_CHECKING:
    from conduit_desktop.store.interface import Meta

log = logging.getLogger(__name__)


def hint(value: str) -> str:
    """Enough of a secret to know it by: `sk-…9f3a`; `env:NAME` is itself the hint."""
    return value if value.startswith("env:") else secrets.hint(value)


_NEXT = "/next"


class SecretDraft:
    """Changes to the secret store around the writing of one row: `async with SecretDraft(secrets, store.meta) as draft`."""

    def __init__(self, store: secrets.SecretStore, meta: Meta | None = None) -> None:
        """`meta` takes note of what is being done, for the next start after a kill."""
        self._secrets = store
        self._meta = meta
        self._before: dict[str, str | None] = {}
        self._dropped: set[str] = set()
        self._moves: dict[str, str] = {}
        self._earlier: dict[str, Any] | None = None
        """What an earlier change could not finish, because the secret store failed; empty where all was finished."""

    @property
    def wrote(self) -> bool:
        """Whether a secret was written."""
        return bool(self._before)

    async def pending(self) -> dict[str, Any] | None:
        """What is still to be done once the row is committed, for the row's own transaction; None where nothing is."""
        if self._meta is None or not (self._before or self._dropped):
            return None
        earlier = await self._unfinished(self._meta)
        names = {*earlier.get("names", ()), *self._before, *self._dropped}
        return {"names": sorted(names), "moves": {**earlier.get("moves", {}), **self._moves}}

    async def _unfinished(self, meta: Meta) -> dict[str, Any]:
        if self._earlier is None:
            self._earlier = await meta.get(PENDING_SECRETS) or {}
        return self._earlier

    async def __aenter__(self) -> SecretDraft:
        return self

    # Secrets and rows are in two stores without a common transaction. The order makes every failure harmless: a new secret
    # is written before its row is committed, an old one deleted only after it. What a kill leaves is noted in the database
    # before it is there, and removed by the next start.
    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            await asyncio.to_thread(self._restore)
            finished = True
        else:
            finished = await asyncio.to_thread(self._finish)
        if finished and self._meta is not None and self._earlier is not None:
            await self._meta.put(PENDING_SECRETS, self._earlier or None)

    async def put(self, name: str, value: str) -> str:
        """Keep `value` under `name` and give the reference to it; `env:NAME` is itself the reference."""
        # Read from the environment at each use, so that a changed variable needs no change here.
        if value.startswith("env:"):
            return value
        if self._meta is not None and name not in self._before:
            earlier = await self._unfinished(self._meta)
            noted = {*earlier.get("names", ()), *self._before, name}
            await self._meta.put(PENDING_SECRETS, {"names": sorted(noted), "moves": earlier.get("moves", {})})
        await asyncio.to_thread(self._set, name, value)
        return name

    async def replace(self, name: str, value: str) -> str:
        """As `put`, where rows do not say which of two secrets is theirs: the old one is kept until the row is written."""
        if value.startswith("env:"):
            return value
        self._moves[await self.put(name + _NEXT, value)] = name
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

    def _finish(self) -> bool:
        """After the commit. What fails here is left to the next start: the row is right already."""
        finished = True
        for source, target in self._moves.items():
            try:
                move(self._secrets, source, target)
            except Exception as error:
                log.warning("the secret %s could not be replaced: %s. The next start will do it", target, describe(error))
                finished = False
        for name in sorted(self._dropped):
            try:
                self._secrets.delete(name)
            except Exception as error:
                log.warning("the secret %s could not be removed: %s", name, describe(error))
                finished = False
        return finished


def move(store: secrets.SecretStore, source: str, target: str) -> None:
    """Give a secret another name, in place of the one that has it; nothing where there is no `source`. Blocks."""
    if (value := store.get(source)) is not None:
        store.set(target, value)
        store.delete(source)


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
