"""What a model name resolves to: a route, its targets, and the time-outs of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from conduit_desktop.core.entities import ModelAlias
from conduit_desktop.core.settings import Settings
from conduit_desktop.gateway.snapshot import BoundProvider
from conduit_desktop.providers import ProviderKind


@dataclass(frozen=True, slots=True)
class BoundTarget:
    """A provider and its own name for the model."""

    bound: BoundProvider
    model: str
    weight: int
    name: str
    """`provider/model`: the key of prices, health and logs."""

    @classmethod
    def of(cls, bound: BoundProvider, model: str, weight: int = 1) -> BoundTarget:
        """The target, with its name derived from provider and model."""
        return cls(bound, model, weight, f"{bound.name}/{model}")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """A request's time-outs in seconds.

    A whole answer sends nothing until it is finished, so `whole_s` applies to it instead of `first_token_s`: the first-token
    time-out where the alias or the operator's settings name one; else the total, or half of it where another target is left
    to try after that.
    """

    connect_s: float
    first_token_s: float
    whole_s: float
    idle_s: float
    total_s: float
    patient: bool = True
    """Neither the alias nor the operator's settings name a first-token time-out, so that a kind's own holds instead."""

    def begins_within_s(self, kind: ProviderKind, stream: bool) -> float:
        """Seconds that a target may take until its first token, or until its whole answer."""
        seconds = self.first_token_s if stream else self.whole_s
        return max(seconds, kind.first_token_s) if self.patient and kind.first_token_s is not None else seconds


@dataclass(frozen=True, slots=True)
class Route:
    """The targets of a model name. Usage is recorded under `name`: the alias, or `provider/model` for a direct request."""

    name: str
    alias: ModelAlias | None
    targets: tuple[BoundTarget, ...]
    timeouts: Timeouts
    model: str | None = None
    """The model of the alias's first target: the one that a client can know of, whichever target answers."""
    missing: tuple[str, ...] = ()
    """Configured targets that cannot be used, each with the reason: `openai: disabled`."""
    fallbacks: tuple[Route, ...] = ()
    """The routes of the alias's fallbacks, in order, each once; they have no fallbacks of their own."""

    is_default: bool = False
    """The requested name is unknown, and the default alias answers to it."""

    by_cause: Mapping[str, tuple[Route, ...]] = field(default_factory=dict)
    """The routes to use instead after a target refused the request for that reason (`context_length`, `content_filter`)."""

    @property
    def retries(self) -> int:
        """Further attempts on one target after its first."""
        return self.alias.retries if self.alias else 1

    @property
    def all_targets(self) -> tuple[BoundTarget, ...]:
        """Every target that may answer: the route's own and those of its fallbacks."""
        if not self.fallbacks and not self.by_cause:
            return self.targets
        others = (*self.fallbacks, *chain.from_iterable(self.by_cause.values()))
        return (*self.targets, *(target for other in others for target in other.targets))


def timeouts_for(alias: ModelAlias | None, settings: Settings) -> Timeouts:
    """The time-outs of a request: the alias's own take precedence over the settings'."""
    own = alias.timeouts if alias else None
    return Timeouts(
        connect_s=(own and own.connect_s) or settings.connect_s,
        first_token_s=(own and own.first_token_s) or settings.first_token_s,
        whole_s=_whole_s(alias, settings),
        idle_s=(own and own.idle_s) or settings.idle_s,
        total_s=(own and own.total_s) or settings.total_s,
        patient=not (own and own.first_token_s) and "first_token_s" not in settings.model_fields_set,
    )


def with_patience(route: Route, settings: Settings) -> Route:
    """The route, whose total leaves time for the slowest of its targets where nobody has set another total."""
    own = route.alias.timeouts if route.alias else None
    slowest = max((target.bound.kind.first_token_s or 0.0 for target in route.all_targets), default=0.0)
    if not slowest or not route.timeouts.patient or (own and own.total_s) or "total_s" in settings.model_fields_set:
        return route
    return replace(route, timeouts=replace(route.timeouts, total_s=route.timeouts.total_s + slowest))


def _whole_s(alias: ModelAlias | None, settings: Settings) -> float:
    own = alias.timeouts if alias else None
    if own and own.first_token_s:
        return own.first_token_s
    # Only where the operator set it: its default is meant for a stream's first token and would cut long whole answers.
    if "first_token_s" in settings.model_fields_set:
        return settings.first_token_s
    total = (own and own.total_s) or settings.total_s
    return total / 2 if alias and len(alias.targets) + len(alias.fallbacks) > 1 else total


def without_providers(route: Route, why: Mapping[str, str]) -> Route:
    """The route without the targets of some providers, each of them with the reason in `missing`."""

    def left(one: Route) -> Route:
        kept = tuple(target for target in one.targets if target.bound.name not in why)
        gone = (f"{target.name}: {why[target.bound.name]}" for target in one.targets if target.bound.name in why)
        return replace(one, targets=kept, missing=(*one.missing, *gone)) if len(kept) < len(one.targets) else one

    by_cause = {cause: tuple(map(left, others)) for cause, others in route.by_cause.items()}
    return replace(left(route), fallbacks=tuple(map(left, route.fallbacks)), by_cause=by_cause)
