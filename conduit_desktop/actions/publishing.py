"""Publishing: making a provider's models callable under their own names."""

from __future__ import annotations

from collections.abc import Iterable

from conduit_desktop.actions import models
from conduit_desktop.actions.changes import check_unlocked
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, apply
from conduit_desktop.actions.schemas.inputs import ModelPatch, NewModel, read
from conduit_desktop.core.entities import alias_for


async def publish(context: AppContext, provider: str, wanted: Iterable[str], actor: Actor) -> list[str]:
    """Create an alias for each model of `provider`; an existing alias gets this provider as one more target, the last.

    All in one transaction. Returns the aliases created or changed. Raises Conflict for an alias that the config file
    defines, Invalid for a name that cannot be an alias.
    """
    names = list(wanted)
    return await apply(context, actor, lambda edit: publish_in(edit, provider, names))


def publish_in(edit: Edit, provider: str, wanted: Iterable[str]) -> list[str]:
    """As `publish`, inside a transaction."""
    touched = []
    for model in wanted:
        target = {"provider": provider, "model": model}
        name = alias_for(model)
        existing = edit.tx.models.get(name)
        if existing is None:
            touched.append(models.insert(edit, read(NewModel, {"alias": name, "targets": [target]})).alias)
        # A target that is there already changes nothing: publishing twice is harmless.
        elif not any(one.provider == provider and one.model == model for one in existing.targets):
            check_unlocked(existing.source, f"The alias {existing.alias!r}")
            targets = [*(one.model_dump() for one in existing.targets), target]
            touched.append(models.update(edit, existing, read(ModelPatch, {"targets": targets})).alias)
    return touched
