"""What vendors refuse in a request, and how the request is mended: rules as data, each with its source.

A rule sees the body in the vendor's dialect, after the dialect has written it or, in passthrough, as the client sent it. At the
vendor that owns a dialect, a passed-through body goes as it came. A vendor that only borrows the dialect is different: the client
cannot know its limits, since an alias or a failover chose it, so what it is known to refuse is mended there too. The same is true
of the owner's other models: where a failover leads from one model to another, the rules `of_model` hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from conduit_desktop.core.chat import Json
from conduit_desktop.providers.model_facts import ModelFacts, facts_of

Body = dict[str, Json]
"""A request body, before it is written as JSON."""
Mend = Callable[[Body, ModelFacts], list[str]]
"""Changes a body in place so that the vendor takes it; returns the names of what was lost. What it changes inside of the body it
copies first: a passed-through body shares its messages with the caller's, which the next target gets."""


# Compared by identity: a tuple of rules is the key of a cache that is looked up for each attempt.
@dataclass(frozen=True, slots=True, eq=False)
class RequestRule:
    """One rule. `models`: a regular expression at the start of the model's name; `dialect`: that of the body; empty: all.

    `translated_only`: a precaution, for what some vendors refuse and this one may take; a passed-through request is left alone.
    `of_model`: what one model of the vendor takes and another refuses; it holds in passthrough, too, where another model answers
    than the client wrote for.
    """

    mend: Mend
    source: str
    models: str = ""
    dialect: str = ""
    translated_only: bool = False
    of_model: bool = False


def mend(
    rules: tuple[RequestRule, ...], model: str, vendor: str, dialect: str, body: dict[str, Json], translated: bool = True
) -> list[str]:
    """Apply every rule that holds for `model` and `dialect`, in order, in place; returns the names of what was lost, each once.

    Raises BadRequest for what can neither be expressed nor left out. A passed-through body that a rule cannot read is not changed
    by it.
    """
    mends, facts = _that_hold(rules, model, vendor, dialect, translated)
    if not translated:
        return _readable(mends, body, facts)
    lost: list[str] = []
    for one in mends:
        lost += one(body, facts)
    return list(dict.fromkeys(lost))


def _readable(mends: tuple[Mend, ...], body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Apply the rules to a client's own body: what it wrote wrongly is the vendor's to refuse."""
    lost: list[str] = []
    for one in mends:
        try:
            lost += one(body, facts)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            continue
    return list(dict.fromkeys(lost))


def mend_for_model(rules: tuple[RequestRule, ...], model: str, vendor: str, dialect: str, body: dict[str, Json]) -> list[str]:
    """Apply the rules `of_model` to the body of a client that wrote it for another model of the vendor; as `mend`.

    A rule that cannot read the body changes nothing: what the client wrote wrongly is the vendor's to refuse.
    """
    mends, facts = _that_hold(tuple(rule for rule in rules if rule.of_model), model, vendor, dialect, False)
    return _readable(mends, body, facts)


@lru_cache(maxsize=4096)
def _that_hold(
    rules: tuple[RequestRule, ...], model: str, vendor: str, dialect: str, translated: bool
) -> tuple[tuple[Mend, ...], ModelFacts]:
    holding = [
        rule.mend
        for rule in rules
        if rule.dialect in ("", dialect) and (translated or not rule.translated_only) and re.match(rule.models, model)
    ]
    return tuple(holding), facts_of(model, vendor)
