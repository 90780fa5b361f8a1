"""Model aliases: the names clients call, and the targets behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conduit_desktop.actions import budgets
from conduit_desktop.actions.changes import check_unlocked, difference, new_id, plain, replaced, sent
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, apply
from conduit_desktop.actions.schemas.inputs import ModelPatch, NewModel
from conduit_desktop.actions.schemas.views import ExplainedView, ModelView, rfc3339
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import ModelAlias, Source, Target
from conduit_desktop.core.errors import Invalid, NotFound
from conduit_desktop.gateway.routing import explain as explaining

BY_CAUSE = ("context_fallbacks", "content_filter_fallbacks")
"""The fields of an alias that name fallbacks for one kind of failure."""


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


def find_in(edit: Edit, alias: str) -> ModelAlias:
    """The alias of that name (any case), inside a transaction; raises NotFound."""
    if (found := edit.tx.models.get(alias)) is None:
        raise NotFound(f"There is no model alias {alias!r}.")
    return found


async def get(context: AppContext, alias: str) -> ModelView:
    """One alias; raises NotFound."""
    return view(await find(context, alias))


async def create(context: AppContext, new: NewModel, actor: Actor, source: Source = "user") -> ModelView:
    """Add an alias. Raises Conflict, and Invalid for targets or fallbacks that do not exist or form a cycle."""
    return view(await apply(context, actor, lambda edit: insert(edit, new, source)))


def insert(edit: Edit, new: NewModel, source: Source = "user") -> ModelAlias:
    """Add an alias inside a transaction; raises Conflict, Invalid."""
    values = plain({name: getattr(new, name) for name in NewModel.model_fields})
    now = now_ms()
    alias = ModelAlias.model_validate({**values, "id": new_id("model"), "source": source, "created_at": now, "updated_at": now})
    # Checked in the transaction that writes: a provider or alias removed in the meantime is seen.
    _check_targets(edit, alias.targets)
    _check_fallbacks(edit, alias.alias, alias.fallbacks)
    _check_by_cause(edit, alias, BY_CAUSE)
    edit.tx.models.insert(alias)
    edit.record("model.create", alias.alias, difference(None, alias))
    return alias


async def edit(context: AppContext, alias: str, patch: ModelPatch, actor: Actor) -> ModelView:
    """Change the fields sent; a new name is carried into other aliases' fallbacks. Raises NotFound, Conflict, Invalid."""

    def replace(edit: Edit) -> ModelAlias:
        before = find_in(edit, alias)
        check_unlocked(before.source, f"The alias {before.alias!r}")
        return update(edit, before, patch)

    return view(await apply(context, actor, replace))


def update(edit: Edit, before: ModelAlias, patch: ModelPatch, source: Source = "user") -> ModelAlias:
    """Apply `patch` to an alias inside a transaction, even where the config file locks it; raises Conflict, Invalid."""
    values = sent(patch, ModelAlias)
    if patch.timeouts is not None:
        # One limit in a patch must not reset the other three.
        values["timeouts"] = before.timeouts.model_copy(update=patch.timeouts.model_dump(exclude_unset=True))
    after = replaced(before, {**values, "source": source})
    if "targets" in values:
        _check_targets(edit, after.targets)
    # Only what was sent: an alias whose fallback was removed meanwhile can still be changed in other fields.
    if "fallbacks" in values:
        _check_fallbacks(edit, after.alias, after.fallbacks, renamed=before.alias)
    _check_by_cause(edit, after, [name for name in BY_CAUSE if name in values])
    for one in [after, *_renamed_fallbacks(edit, before, after.alias)]:
        edit.tx.models.replace(one)
    if after.alias != before.alias:
        budgets.renamed(edit, "alias", before.alias, after.alias)
    edit.record("model.edit", after.alias, difference(before, after))
    return after


async def remove(context: AppContext, alias: str, actor: Actor) -> None:
    """Remove an alias; others that name it as a fallback skip it. Raises NotFound, Conflict."""

    def delete(edit: Edit) -> None:
        found = find_in(edit, alias)
        check_unlocked(found.source, f"The alias {found.alias!r}")
        discard(edit, found)

    await apply(context, actor, delete)


def discard(edit: Edit, alias: ModelAlias) -> None:
    """Remove an alias inside a transaction, even where the config file locks it."""
    edit.tx.models.delete(alias.alias)
    edit.record("model.remove", alias.alias)


async def explain(context: AppContext, alias: str, body: Mapping[str, Any]) -> list[ExplainedView]:
    """The targets that a request for `alias` would try now, in order, each with the reason. Raises NotFound."""
    rows = await explaining.explain(context.gateway.state, alias, dict(body))
    return [ExplainedView.model_validate(row, from_attributes=True) for row in rows]


def _check_targets(edit: Edit, targets: Sequence[Target]) -> None:
    known = {provider.name.lower() for provider in edit.tx.providers.all()}
    for index, target in enumerate(targets):
        if target.provider.lower() not in known:
            path = f"targets[{index}].provider"
            raise Invalid(f"{path}: there is no provider {target.provider!r}", path)


def _check_fallbacks(edit: Edit, alias: str, fallbacks: Sequence[str], renamed: str | None = None) -> None:
    """Every fallback is an alias, and following them never leads back to `alias`."""
    known: dict[str, Sequence[str]] = {one.alias.lower(): one.fallbacks for one in edit.tx.models.all()}
    if renamed is not None and renamed.lower() != alias.lower():
        # Other aliases still have the old name, and get the new one in the same transaction.
        known = {name: [alias if one.lower() == renamed.lower() else one for one in others] for name, others in known.items()}
        known.pop(renamed.lower(), None)
    check_fallbacks(alias, fallbacks, known, "fallbacks")


def _check_by_cause(edit: Edit, alias: ModelAlias, fields: Sequence[str]) -> None:
    if not any(getattr(alias, field) for field in fields):
        return
    # The gateway follows these one step only, so the single possible cycle is the alias itself.
    known: dict[str, Sequence[str]] = {one.alias.lower(): () for one in edit.tx.models.all()}
    for field in fields:
        check_fallbacks(alias.alias, getattr(alias, field), known, field)


def check_fallbacks(alias: str, fallbacks: Sequence[str], known: Mapping[str, Sequence[str]], path: str) -> None:
    """Raises Invalid, with the field `path[i]`, for a fallback that does not exist or leads back to `alias`.

    `known` has every alias in lower case with its fallbacks.
    """
    for index, name in enumerate(fallbacks):
        field = f"{path}[{index}]"
        # First the cycle: an alias that is being created is not in `known` yet, and would be reported as missing.
        if _reaches(name.lower(), alias.lower(), known):
            raise Invalid(f"{field}: {name!r} leads back to {alias!r}", field)
        if name.lower() not in known:
            raise Invalid(f"{field}: there is no model alias {name!r}", field)


def _reaches(start: str, goal: str, known: Mapping[str, Sequence[str]]) -> bool:
    seen: set[str] = set()
    open_ends = [start]
    while open_ends:
        name = open_ends.pop().lower()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            open_ends.extend(known.get(name, ()))
    return False


def _renamed_fallbacks(edit: Edit, before: ModelAlias, name: str) -> list[ModelAlias]:
    if before.alias == name:
        return []
    followers = []
    for one in edit.tx.models.all():
        named = {field: getattr(one, field) for field in (*BY_CAUSE, "fallbacks")}
        changed = {
            field: tuple(name if other.lower() == before.alias.lower() else other for other in others)
            for field, others in named.items()
            if any(other.lower() == before.alias.lower() for other in others)
        }
        if one.id != before.id and changed:
            # The config file would bring the old name back: the rename is refused rather than undone later.
            check_unlocked(one.source, f"The alias {one.alias!r}, which falls back on this one,")
            followers.append(replaced(one, changed))
    return followers
