"""The order in which a route's targets are tried: one small function for each strategy."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from conduit_desktop.core.entities import ModelAlias, Strategy
from conduit_desktop.gateway.health.circuit import Health
from conduit_desktop.gateway.routing.targets import BoundTarget, Route

EXPLORE = 0.05
"""The share of requests that `fastest` sends to a random target, so that one that was slow once is measured again."""


class PriceLookup(Protocol):
    """Compares targets by price."""

    def rate(self, name: str) -> int | None:
        """Nano-dollars for a call of usual size; None where no price is known."""
        ...


@dataclass(slots=True)
class RoundRobinCounters:
    """For each round-robin alias, the index of the target that comes first next time."""

    next: dict[str, int] = field(default_factory=dict)

    def take(self, alias: str, count: int) -> int:
        """The index of the target that comes first this time; counts it."""
        index = self.next.get(alias, 0) % count
        self.next[alias] = index + 1
        return index


@dataclass(slots=True)
class StrategyContext:
    """What a strategy decides by."""

    alias: ModelAlias
    round_robin: RoundRobinCounters
    health: Health
    prices: PriceLookup


Targets = list[BoundTarget]


def _priority(targets: Targets, context: StrategyContext) -> Targets:
    return targets


def _round_robin(targets: Targets, context: StrategyContext) -> Targets:
    first = context.round_robin.take(context.alias.id, len(targets))
    return targets[first:] + targets[:first]


def _random(targets: Targets, context: StrategyContext) -> Targets:
    return random.sample(targets, len(targets))


def _weighted(targets: Targets, context: StrategyContext) -> Targets:
    # Efraimidis and Spirakis: sorting by u^(1/w) draws without replacement, each in proportion to its weight.
    return sorted(targets, key=lambda target: random.random() ** (1 / max(target.weight, 1e-9)), reverse=True)


def _least_busy(targets: Targets, context: StrategyContext) -> Targets:
    # `sorted` is stable: targets that are equally busy keep the order of the alias.
    return sorted(targets, key=lambda target: context.health.target(target.name).in_flight)


def _fastest(targets: Targets, context: StrategyContext) -> Targets:
    if random.random() < EXPLORE:
        return _random(targets, context)
    # A target without measurements counts as 0 ms: it comes first, and so gets measured.
    return sorted(targets, key=lambda target: context.health.target(target.name).typical_ms)


def _cheapest(targets: Targets, context: StrategyContext) -> Targets:
    def price(target: BoundTarget) -> tuple[bool, int]:
        rate = context.prices.rate(target.name)
        # Unpriced targets come last: an unknown price is not a low one.
        return rate is None, rate or 0

    return sorted(targets, key=price)


STRATEGIES: Mapping[Strategy, Callable[[Targets, StrategyContext], Targets]] = {
    "priority": _priority,
    "round_robin": _round_robin,
    "weighted": _weighted,
    "random": _random,
    "least_busy": _least_busy,
    "fastest": _fastest,
    "cheapest": _cheapest,
}


def order(route: Route, round_robin: RoundRobinCounters, health: Health, prices: PriceLookup) -> list[BoundTarget]:
    """The route's targets in the order in which this request tries them.

    The strategy orders the targets that are available now, so that each of them gets its share; the others come last.
    """
    targets = list(route.targets)
    if len(targets) < 2 or route.alias is None:
        return targets
    available: list[BoundTarget] = []
    others: list[BoundTarget] = []
    for target in targets:
        (available if is_available(target, health) else others).append(target)
    context = StrategyContext(route.alias, round_robin, health, prices)
    return [*STRATEGIES[route.alias.strategy](available, context), *others] if available else others


def is_available(target: BoundTarget, health: Health) -> bool:
    """Whether the target's circuit and one of its credentials let a request through now, and not only as a probe."""
    if not health.may_try(target.name):
        return False
    if not health.credentials:
        return True
    provider_id, model = target.bound.provider.id, target.model
    return any(health.may_use(provider_id, credential.label, model) for credential in target.bound.credentials)
