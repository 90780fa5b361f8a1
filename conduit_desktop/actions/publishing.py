"""Making a provider's models callable by their own names."""

from __future__ import annotations

from collections.abc import Iterable

from conduit_desktop.actions import models
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.schemas.inputs import ModelPatch, NewModel, read


def alias_for(model: str) -> str:
    """The name callers will use: the model's own, without the vendor that an aggregator puts before it."""
    return model.rstrip("/").rpartition("/")[2] or model


async def publish(context: AppContext, provider: str, wanted: Iterable[str], actor: Actor) -> list[str]:
    """Make an alias for each model of `provider`; one that exists gets this provider as a further, last target.

    Gives the aliases made or changed. Raises Conflict for an alias the config file defines, Invalid for a name that cannot
    be one.
    """
    known = {alias.alias.lower(): alias for alias in await models.all_models(context)}
    touched = []
    for model in wanted:
        target = {"provider": provider, "model": model}
        name = alias_for(model)
        existing = known.get(name.lower())
        if existing is None:
            known[name.lower()] = await models.create(context, read(NewModel, {"alias": name, "targets": [target]}), actor)
        elif any(one.provider == provider and one.model == model for one in existing.targets):
            continue
        else:
            targets = [*(one.model_dump() for one in existing.targets), target]
            known[name.lower()] = await models.edit(context, existing.alias, read(ModelPatch, {"targets": targets}), actor)
        touched.append(known[name.lower()].alias)
    return touched
