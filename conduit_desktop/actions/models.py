"""Model aliases: the names callers use, and the targets behind them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from conduit_desktop.actions.changes import check_unlocked, difference, made_known, new_id, now_ms, plain, replaced, sent
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.schemas.inputs import ModelPatch, NewModel
from conduit_desktop.actions.schemas.views import ExplainedView, ModelView, rfc3339
from conduit_desktop.core.entities import ModelAlias, Source, Target
from conduit_desktop.core.errors import Invalid, NotFound
from conduit_desktop.gateway.routing import explain as explaining

BY_CAUSE = ("context_fallbacks", "content_filter_fallbacks")
"""The fields of an alias that name others to be asked for one cause alone."""


def view(alias: ModelAlias) -> ModelView:
    """An alias as it is shown."""
    return ModelView(
        **{name: getattr(alias, name) for name in ("id", "alias", "strategy", "retries", "timeouts", "overrides", "enabled")},
        targets=list(alias.targets),
        fallbacks=list(alias.fallbacks),
        context_fallbacks=list(alias.context_fallbacks),
        content_filter_fallbacks=list(alias.content_filter_fallbacks),
        max_context_tokens=alias.max_context_tokens,
        sticky=alias.sticky,
        trim=alias.trim,
        locked=alias.source == "file",
        created_at=rfc3339(alias.created_at),
        updated_at=rfc3339(alias.updated_at),
    )


async def all_models(context: AppContext) -> list[ModelView]:
    """Every alias."""
    return [view(alias) for alias in await context.store.models.all()]


async def find(context: AppContext, alias: str) -> ModelAlias:
    """The alias of that name (any case); raises NotFound."""
    if (found := await context.store.models.get(alias)) is None:
        raise NotFound(f"There is no model alias {alias!r}.")
    return found


async def get(context: AppContext, alias: str) -> ModelView:
    """One alias; raises NotFound."""
    return view(await find(context, alias))


async def create(context: AppContext, new: NewModel, actor: Actor, source: Source = "user") -> ModelView:
    """Add an alias. Raises Conflict, and Invalid for targets or fallbacks that do not exist or go round in a circle."""
    values = plain({name: getattr(new, name) for name in NewModel.model_fields})
    now = now_ms()
    alias = ModelAlias.model_validate({**values, "id": new_id("model"), "source": source, "created_at": now, "updated_at": now})
    await _check_targets(context, alias.targets)
    await _check_fallbacks(context, alias.alias, alias.fallbacks)
    await _check_by_cause(context, alias, BY_CAUSE)
    await context.store.models.insert(alias)
    await made_known(context, actor, "model.create", alias.alias, "models", difference(None, alias))
    return view(alias)


async def edit(context: AppContext, alias: str, patch: ModelPatch, actor: Actor) -> ModelView:
    """Change the fields sent; a new name is carried into other aliases' fallbacks. Raises NotFound, Conflict, Invalid."""
    before = await find(context, alias)
    check_unlocked(before.source, f"The alias {before.alias!r}")
    return view(await change(context, before, patch, actor))


async def change(context: AppContext, before: ModelAlias, patch: ModelPatch, actor: Actor, source: Source = "user") -> ModelAlias:
    """Lay `patch` over an alias, whoever owns it."""
    values = sent(patch, ModelAlias)
    if patch.timeouts is not None:
        values["timeouts"] = before.timeouts.model_copy(update=patch.timeouts.model_dump(exclude_unset=True))
    after = replaced(before, {**values, "source": source})
    if "targets" in values:
        await _check_targets(context, after.targets)
    if "fallbacks" in values:
        await _check_fallbacks(context, after.alias, after.fallbacks, renamed=before.alias)
    await _check_by_cause(context, after, [name for name in BY_CAUSE if name in values])
    followers = await _renamed_fallbacks(context, before, after.alias)
    await context.store.database.write(partial(_write, context, [after, *followers]))
    await made_known(context, actor, "model.edit", after.alias, "models", difference(before, after))
    return after


async def remove(context: AppContext, alias: str, actor: Actor) -> None:
    """Remove an alias; others that fall back on it pass over it. Raises NotFound, Conflict."""
    found = await find(context, alias)
    check_unlocked(found.source, f"The alias {found.alias!r}")
    await discard(context, found, actor)


async def discard(context: AppContext, alias: ModelAlias, actor: Actor) -> None:
    """Remove an alias, whoever owns it."""
    await context.store.models.delete(alias.alias)
    await made_known(context, actor, "model.remove", alias.alias, "models", {})


async def explain(context: AppContext, alias: str, body: Mapping[str, Any]) -> list[ExplainedView]:
    """Where a request for `alias` would go now: the targets in order, each with the reason. Raises NotFound."""
    rows = await explaining.explain(context.gateway, alias, dict(body))
    return [ExplainedView.model_validate(row, from_attributes=True) for row in rows]


async def _check_targets(context: AppContext, targets: Sequence[Target]) -> None:
    known = {provider.name.lower() for provider in await context.store.providers.all()}
    for index, target in enumerate(targets):
        if target.provider.lower() not in known:
            path = f"targets[{index}].provider"
            raise Invalid(f"{path}: there is no provider {target.provider!r}", path)


async def _check_fallbacks(context: AppContext, alias: str, fallbacks: Sequence[str], renamed: str | None = None) -> None:
    """Every fallback is an alias, and following them never comes back to `alias`."""
    ways: dict[str, Sequence[str]] = {one.alias.lower(): one.fallbacks for one in await context.store.models.all()}
    if renamed is not None and renamed.lower() != alias.lower():
        # Others still say the old name, and will be made to say the new one.
        ways = {name: [alias if one.lower() == renamed.lower() else one for one in way] for name, way in ways.items()}
        ways.pop(renamed.lower(), None)
    check_ways(alias, fallbacks, ways, "fallbacks")


async def _check_by_cause(context: AppContext, alias: ModelAlias, fields: Sequence[str]) -> None:
    if not any(getattr(alias, field) for field in fields):
        return
    # They are not followed any further, so only the alias itself would be a circle.
    ways: dict[str, Sequence[str]] = {one.alias.lower(): () for one in await context.store.models.all()}
    for field in fields:
        check_ways(alias.alias, getattr(alias, field), ways, field)


def check_ways(alias: str, fallbacks: Sequence[str], ways: Mapping[str, Sequence[str]], path: str) -> None:
    """Raises Invalid (at `path[i]`) for a fallback that is none of `ways`, aliases in lower case, or leads back to `alias`."""
    for index, name in enumerate(fallbacks):
        field = f"{path}[{index}]"
        if _reaches(name.lower(), alias.lower(), ways):
            raise Invalid(f"{field}: {name!r} leads back to {alias!r}", field)
        if name.lower() not in ways:
            raise Invalid(f"{field}: there is no model alias {name!r}", field)


def _reaches(start: str, goal: str, ways: Mapping[str, Sequence[str]]) -> bool:
    seen: set[str] = set()
    open_ends = [start]
    while open_ends:
        name = open_ends.pop().lower()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            open_ends.extend(ways.get(name, ()))
    return False


async def _renamed_fallbacks(context: AppContext, before: ModelAlias, name: str) -> list[ModelAlias]:
    if before.alias == name:
        return []
    followers = []
    for one in await context.store.models.all():
        named = {field: getattr(one, field) for field in (*BY_CAUSE, "fallbacks")}
        changed = {
            field: tuple(name if other.lower() == before.alias.lower() else other for other in others)
            for field, others in named.items()
            if any(other.lower() == before.alias.lower() for other in others)
        }
        if one.id != before.id and changed:
            check_unlocked(one.source, f"The alias {one.alias!r}, which falls back on this one,")
            followers.append(replaced(one, changed))
    return followers


def _write(context: AppContext, aliases: list[ModelAlias], connection: sqlite3.Connection) -> None:
    for alias in aliases:
        context.store.models.replace_in(connection, alias)
