"""A model of a provider's list, completed from the facts of models: most lists have names and little more."""

from __future__ import annotations

from dataclasses import replace

from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.providers.model_facts import ModelFacts, facts_of

_NOT_CHAT = frozenset({"embeddings", "images"})


def completed(model: OfferedModel, vendor: str) -> OfferedModel:
    """`model` with the sizes and features that the list does not state and the facts do; `vendor` is the provider kind.

    What the list states wins, a feature that it denies among it.
    """
    facts = facts_of(model.id, vendor)
    known = () if _NOT_CHAT.intersection(model.features) else _features(facts)
    return replace(
        model,
        context_tokens=model.context_tokens or facts.context,
        max_output_tokens=model.max_output_tokens or facts.max_output,
        features=(*model.features, *(one for one in known if one not in model.features and one not in model.lacks)),
    )


def _features(facts: ModelFacts) -> tuple[str, ...]:
    found = {
        "tools": facts.tools,
        "vision": facts.images,
        "audio": facts.audio,
        "thinking": facts.reasoning or facts.thinks,
        "json": facts.json_schema,
    }
    return tuple(name for name, has in found.items() if has)
