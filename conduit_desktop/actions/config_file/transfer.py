"""The configuration as a `conduit.toml`: export, one-time import, and following a config file."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from conduit_desktop.actions import budgets, keys, listen_address, models, prices, providers
from conduit_desktop.actions import settings as options
from conduit_desktop.actions.config_file.document import ConfigFile, VariableUse, parse, variables
from conduit_desktop.actions.config_file.merge import Merge, MergeStep, located
from conduit_desktop.actions.config_file.preview import value_views, variable_views
from conduit_desktop.actions.config_file.writer import document
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, Job, PendingChange, change
from conduit_desktop.actions.schemas.inputs import ImportRequest
from conduit_desktop.actions.schemas.reports import ChangeView, ImportView, VariableView
from conduit_desktop.core.errors import ActionError, ConfigFileBroken, Invalid
from conduit_desktop.core.own_secrets import is_own_secret

log = logging.getLogger(__name__)


async def export(context: AppContext) -> dict[str, str]:
    """`{"toml": text}`: the whole configuration, of the store and the config file, without secrets."""
    store, fixed = context.store, context.fixed_settings
    # Options of the command line belong to one start and are not exported.
    in_file = {name: value for name, value in context.gateway.state.overrides.items() if name not in fixed}
    text = document(
        {**await store.settings.all(), **in_file}, await store.providers.all(), await store.models.all(), await store.keys.all(),
        await store.budgets.all(), await store.prices.all(),
    )  # fmt: skip
    return {"toml": text}


async def import_(context: AppContext, request: ImportRequest, actor: Actor) -> ImportView:
    """What the file would change, and, with `apply`, the change itself, in one transaction. Raises Invalid.

    What the file does not name stays as it is.
    """

    async def work(started: PendingChange) -> ImportView:
        # In a thread: a large file would hold up the streams on this loop.
        try:
            named = await asyncio.to_thread(_variables, request)
        except ConfigFileBroken as error:
            raise Invalid(str(error), "toml") from error
        unread = {use.variable for use in named.uses if not use.reference} - set(request.allow_env)
        if unread and not request.apply:
            # A value of the file is not known before its variable is read: who imports is asked for it first.
            return ImportView(applied=False, changes=[], new_keys={}, variables=named.views)
        try:
            if unread:
                raise _not_allowed(sorted(unread))
            config = await asyncio.to_thread(parse, request.toml, "import", frozenset(request.allow_env))
        except ConfigFileBroken as error:
            raise Invalid(str(error), "toml") from error
        try:
            return await _import(started, config, request.apply, named.views)
        except ActionError as error:
            # No fault of a line of the file.
            if error.field == "allow_env":
                raise
            raise Invalid(str(config.complain(error)), "toml") from error

    return await change(context, actor, work)


@dataclass(frozen=True, slots=True)
class _Named:
    uses: list[VariableUse]
    views: list[VariableView]


def _variables(request: ImportRequest) -> _Named:
    """The environment variables that the file names; raises Invalid for one that is ours."""
    for index, name in enumerate(request.allow_env):
        if is_own_secret(name):
            field = f"allow_env[{index}]"
            raise Invalid(f"{field}: {name} is a secret of the gateway itself, and is for no file", field)
    uses = variables(request.toml, "import")
    if not uses:
        return _Named([], [])
    return _Named(uses, variable_views(uses, tomllib.loads(request.toml.removeprefix("\ufeff")), set(request.allow_env)))


def _not_allowed(names: Sequence[str]) -> Invalid:
    text = f"the file takes environment variables that were not allowed: {', '.join(names)}. Allow each by its name, or remove it"
    return Invalid(f"allow_env: {text}", "allow_env")


async def _import(started: PendingChange, config: ConfigFile, apply: bool, named: list[VariableView]) -> ImportView:
    merge = Merge(started.context, "user", config.environment)
    steps = await merge.plan(config)
    changes = [_change_view(step) for step in steps]
    changes += _setting_changes(started.context, config)
    stored = frozenset[str]().union(*(step.stored for step in steps if step.change in ("add", "change")))
    named = [one.model_copy(update={"needed": one.needed or one.name in stored}) for one in named]
    if not apply:
        return ImportView(applied=False, changes=changes, new_keys={}, variables=named)
    if missing := [one.name for one in named if one.needed and not one.allowed]:
        raise _not_allowed(missing)
    # Locked settings are left out: the file or the command line would override them anyway.
    settings = {one.name: config.settings[one.name] for one in changes if one.kind == "setting" and one.change == "change"}
    await listen_address.prepare(started, settings)
    # Before the transaction: a keyring may block, and the transaction runs on the store's only writer thread.
    jobs = await _prepare(started, steps)

    def write(edit: Edit) -> dict[str, str]:
        made = _write_steps(edit, jobs, merge, config)
        if settings:
            options.put_in(edit, options.check(settings))
        return made

    return ImportView(applied=True, changes=changes, new_keys=await started.commit(write), variables=named)


async def sync_file(context: AppContext, config: ConfigFile) -> list[ChangeView]:
    """Make the store hold what the config file defines, locked, and remove what has left the file; in one transaction.

    Raises ConfigFileBroken with file, line and field; nothing is changed then. Returns what was changed.
    """

    async def work(started: PendingChange) -> list[ChangeView]:
        try:
            return await _sync(started, config)
        except ActionError as error:
            raise config.complain(error) from error

    return await change(context, "file", work)


async def _sync(started: PendingChange, config: ConfigFile) -> list[ChangeView]:
    context = started.context
    merge = Merge(context, "file", config.environment)
    steps = await merge.plan(config)
    overrides = {**config.settings, **context.fixed_settings}
    await listen_address.prepare(started, {}, overrides)
    jobs = await _prepare(started, steps)
    absent = await _absent(started, config)

    def write(edit: Edit) -> dict[str, str]:
        made = _write_steps(edit, jobs, merge, config)
        for _, job in absent:
            job(edit)
        return made

    # The name alone: a key must not get into the log.
    for name in await started.commit(write):
        log.warning("the config file gives no key for %r: `conduit-desktop keys rotate` makes one and prints it", name)
    context.keys_in_file = frozenset(one.name.casefold() for one in config.keys if one.key is not None)
    # Only after the commit: a file that fails must leave the former file's settings in force.
    context.gateway.state.overrides = overrides
    # Settings of the file are not rows of the store, so no audit entry has their topic published.
    started.topics["settings"] = None
    return [_change_view(step) for step in steps if step.change != "same"] + [view for view, _ in absent]


def _change_view(step: MergeStep) -> ChangeView:
    values = value_views(step.before, step.after, step.fields)
    return ChangeView(
        kind=step.kind, name=step.name, change=step.change, fields=list(step.fields), values=values, host=step.host
    )  # fmt: skip


Written = tuple[MergeStep, Job[str | None]]


async def _prepare(started: PendingChange, steps: Sequence[MergeStep]) -> list[Written]:
    """Write the secrets of every step that changes something; those steps, each with the job that writes its row."""
    prepared = []
    for step in steps:
        if step.change in ("add", "change"):
            with located(step.path):
                prepared.append((step, await step.prepare(started.secrets)))
    return prepared


def _write_steps(edit: Edit, jobs: Sequence[Written], merge: Merge, config: ConfigFile) -> dict[str, str]:
    """Write every row; returns the keys that had to be generated, by name."""
    made = {}
    for step, job in jobs:
        with located(step.path):
            if (key := job(edit)) is not None:
                made[step.name] = key
    # After the rows: a fallback may be an alias that comes later in the file.
    merge.add_fallbacks(edit, config)
    return made


def _setting_changes(context: AppContext, config: ConfigFile) -> list[ChangeView]:
    now = context.gateway.snapshot.settings
    changes = []
    for name, value in config.settings.items():
        verdict = "locked" if name in context.gateway.state.overrides else "same" if getattr(now, name) == value else "change"
        values = value_views({name: getattr(now, name)}, {name: value}, [name] if verdict == "change" else [])
        view = {"kind": "setting", "name": name, "change": verdict, "fields": [], "values": values}
        changes.append(ChangeView.model_validate(view))
    return changes


async def _absent(started: PendingChange, config: ConfigFile) -> list[tuple[ChangeView, Job[None]]]:
    """What an earlier version of the file defined and this one does not, with the jobs that remove it."""
    store = started.context.store
    gone: list[tuple[ChangeView, Job[None]]] = []
    # In any case, as the store compares names: a name spelled anew has changed, and is not gone.
    named = {one.alias.casefold() for one in config.models}
    for alias in await store.models.all():
        if alias.source == "file" and alias.alias.casefold() not in named:
            gone.append((_removed("model", alias.alias), partial(models.discard, alias=alias)))
    named = {one.name.casefold() for one in config.providers}
    for provider in await store.providers.all():
        if provider.source == "file" and provider.name.casefold() not in named:
            gone.append((_removed("provider", provider.name), providers.prepare_delete(started.secrets, provider)))
    named = {one.name.casefold() for one in config.keys}
    for key in await store.keys.all():
        if key.source == "file" and key.name.casefold() not in named:
            gone.append((_removed("key", key.name), partial(keys.discard, key=key)))
    named = {one.name.casefold() for one in config.budgets}
    for budget in await store.budgets.all():
        if budget.source == "file" and budget.name.casefold() not in named:
            gone.append((_removed("budget", budget.name), partial(budgets.discard, budget=budget)))
    named = {one.pattern.casefold() for one in config.prices}
    patterns = {one.pattern for one in await store.prices.all() if one.source == "file" and one.pattern.casefold() not in named}
    gone += [(_removed("price", pattern), partial(prices.discard, pattern=pattern)) for pattern in sorted(patterns)]
    return gone


def _removed(kind: Any, name: str) -> ChangeView:
    return ChangeView(kind=kind, name=name, change="remove", fields=[])
