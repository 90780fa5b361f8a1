"""The configuration out to a `conduit.toml`, and in from one: once as an import, or for as long as the file holds it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from conduit_desktop.actions import keys, models, prices, providers
from conduit_desktop.actions import settings as options
from conduit_desktop.actions.config_file.document import ConfigFile, parse
from conduit_desktop.actions.config_file.merge import Merge, MergeStep
from conduit_desktop.actions.config_file.writer import document
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.schemas.inputs import ImportRequest
from conduit_desktop.actions.schemas.reports import ChangeView, ImportView
from conduit_desktop.core.errors import ActionError, ConfigFileBroken, Invalid

log = logging.getLogger(__name__)


async def export(context: AppContext) -> dict[str, str]:
    """`{"toml": text}`: everything an operator has set, here or in the config file, without secrets."""
    store, fixed = context.store, context.fixed_settings
    in_file = {name: value for name, value in context.gateway.overrides.items() if name not in fixed}
    text = document(
        {**await store.settings.all(), **in_file}, await store.providers.all(), await store.models.all(), await store.keys.all(),
        await store.prices.all(),
    )  # fmt: skip
    return {"toml": text}


async def import_(context: AppContext, media_request: ImportRequest, actor: Actor) -> ImportView:
    """What the file would change, and, with `apply`, the change itself. What the file does not name stays. Raises Invalid."""
    try:
        config = await asyncio.to_thread(parse, media_request.toml, "import")
    except ConfigFileBroken as error:
        raise Invalid(str(error), "toml") from error
    merge = Merge(context, actor, "user")
    try:
        steps = await merge.plan(config)
    except ActionError as error:
        raise Invalid(str(config.complain(error)), "toml") from error
    changes = [ChangeView(kind=s.kind, name=s.name, change=s.change, fields=list(s.fields)) for s in steps]
    changes += await _setting_changes(context, config)
    made = await _take(merge, steps, config) if media_request.apply else {}
    new_settings = {one.name: config.settings[one.name] for one in changes if one.kind == "setting" and one.change == "change"}
    if media_request.apply and new_settings:
        await options.change(context, new_settings, actor)
    return ImportView(applied=media_request.apply, changes=changes, new_keys=made)


async def sync_file(context: AppContext, config: ConfigFile) -> list[ChangeView]:
    """Make the database hold what the config file defines, locked, and drop what has left the file.

    Raises ConfigFileBroken, which names file, line and field, before anything is changed. Gives what was changed.
    """
    async with context.turn:
        return await _sync(context, config)


async def _sync(context: AppContext, config: ConfigFile) -> list[ChangeView]:
    merge = Merge(context, "file", "file")
    try:
        steps = await merge.plan(config)
    except ActionError as error:
        raise config.complain(error) from error
    context.keys_in_file = frozenset(one.name.casefold() for one in config.keys if one.key is not None)
    for name in await _take(merge, steps, config):
        log.warning("the config file gives no key for %r: `conduit-desktop keys rotate` makes one and shows it", name)
    gone = await _drop_absent(context, config)
    context.gateway.overrides = {**config.settings, **context.fixed_settings}
    await context.gateway.refresh()
    context.bus.publish("settings")
    done = [ChangeView(kind=s.kind, name=s.name, change=s.change, fields=list(s.fields)) for s in steps if s.change != "same"]
    return done + gone


async def _take(merge: Merge, steps: Sequence[MergeStep], config: ConfigFile) -> dict[str, str]:
    """Write every step that changes something; the keys that had to be made, by name."""
    made: dict[str, str] = {}
    for step in steps:
        if step.change in ("add", "change") and (key := await step.take()) is not None:
            made[step.name] = key
    await merge.lay_fallbacks(config)
    return made


async def _setting_changes(context: AppContext, config: ConfigFile) -> list[ChangeView]:
    now = context.gateway.snapshot.settings
    changes = []
    for name, value in config.settings.items():
        change = "locked" if name in context.gateway.overrides else "same" if getattr(now, name) == value else "change"
        changes.append(ChangeView.model_validate({"kind": "setting", "name": name, "change": change, "fields": []}))
    return changes


async def _drop_absent(context: AppContext, config: ConfigFile) -> list[ChangeView]:
    """Remove what an earlier version of the file defined."""
    gone: list[tuple[str, str]] = []
    named = {one.alias.casefold() for one in config.models}
    for alias in await context.store.models.all():
        if alias.source == "file" and alias.alias.casefold() not in named:
            await models.discard(context, alias, "file")
            gone.append(("model", alias.alias))
    named = {one.name.casefold() for one in config.providers}
    for provider in await context.store.providers.all():
        if provider.source == "file" and provider.name.casefold() not in named:
            await providers.discard(context, provider, "file")
            gone.append(("provider", provider.name))
    named = {one.name.casefold() for one in config.keys}
    for key in await context.store.keys.all():
        if key.source == "file" and key.name.casefold() not in named:
            await keys.discard(context, key, "file")
            gone.append(("key", key.name))
    named = {one.pattern.casefold() for one in config.prices}
    for pattern in {
        p.pattern for p in await context.store.prices.all() if p.source == "file" and p.pattern.casefold() not in named
    }:
        await prices.discard(context, pattern, "file")
        gone.append(("price", pattern))
    return [_removed(kind, name) for kind, name in gone]


def _removed(kind: Any, name: str) -> ChangeView:
    return ChangeView(kind=kind, name=name, change="remove", fields=[])
