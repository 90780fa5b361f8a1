"""In which order an alias's targets are tried: one small function a strategy."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from conduit_desktop.core.entities import ModelAlias, Strategy
from conduit_desktop.gateway.health.circuit import Health

if TYPE_CHECKING:
    from conduit_desktop.gateway.routing.resolve import BoundTarget

EXPLORE = 0.05
"""How often `fastest` tries another target first, so that one that was slow once is measured again."""


class PriceLookup(Protocol):
    """Knows about what a call at a target costs."""

    def rate(self, name: str) -> int | None:
        """Nano-dollars for a call of usual size; None where no price is known."""
        ...


@dataclass(slots=True)
class RoundRobinCounters:
    """Whose turn it is, for each round-robin alias."""

    next: dict[str, int] = field(default_factory=dict)

    def take(self, alias: str, count: int) -> int:
        """The index to begin with this time."""
        turn = self.next.get(alias, 0) % count
        self.next[alias] = turn + 1
        return turn


@dataclass(slots=True)
class StrategyContext:
    """What a strategy may look at."""

    alias: ModelAlias
    turns: RoundRobinCounters
    health: Health
    rates: PriceLookup


Targets = list["BoundTarget"]


def _priority(targets: Targets, known: StrategyContext) -> Targets:
    return targets


def _round_robin(targets: Targets, known: StrategyContext) -> Targets:
    turn = known.turns.take(known.alias.id, len(targets))
    return targets[turn:] + targets[:turn]


def _random(targets: Targets, known: StrategyContext) -> Targets:
    return random.sample(targets, len(targets))


def _weighted(targets: Targets, known: StrategyContext) -> Targets:
    # Efraimidis and Spirakis: sorting by u^(1/w) draws without replacement, each in proportion to its weight.
    return sorted(targets, key=lambda target: random.random() ** (1 / max(target.weight, 1e-9)), reverse=True)


def _least_busy(targets: Targets, known: StrategyContext) -> Targets:
    return sorted(targets, key=lambda target: known.health.target(target.name).in_flight)


def _fastest(targets: Targets, known: StrategyContext) -> Targets:
    if random.random() < EXPLORE:
        return _random(targets, known)
    return sorted(targets, key=lambda target: known.health.target(target.name).usual_ms)


def _cheapest(targets: Targets, known: StrategyContext) -> Targets:
    def price(target: BoundTarget) -> tuple[bool, int]:
        rate = known.rates.rate(target.name)
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
