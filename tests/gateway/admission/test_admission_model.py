"""Admission against a simple model of it, over any sequence of requests, ends, changes of the budgets, restarts and days."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from conduit_desktop.core.entities import Budget, BudgetPeriod, BudgetScope, VirtualKey
from conduit_desktop.core.errors import BudgetExceeded
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.gateway.admission.budgets import Budgets, BudgetTerms, period
from conduit_desktop.gateway.admission.cost_estimate import CostEstimate
from conduit_desktop.gateway.admission.limits import BudgetInUse, RateLimiter, Reservation
from conduit_desktop.store.interface import Spending
from tests.fakes.clock import Clock

PERIODS: tuple[BudgetPeriod, ...] = ("total", "daily", "weekly", "monthly")
HOLDERS: dict[str, tuple[BudgetScope, str]] = {
    "all": ("global", ""), "red": ("team", "Red"), "m": ("alias", "M"), "a": ("provider", "A"), "b": ("provider", "b"),
    "of key": ("key", "key_1"),
}  # fmt: skip
NEARLY_MARCH = 1_835_481_500.0
"""2028-02-29 at 22:51 UTC, a Tuesday."""


@dataclass
class Paid:
    """A request that has ended, as the ledger knows it."""

    at_ms: int
    key_id: str
    team: str
    alias: str
    by_provider: dict[str, int]

    @property
    def nano(self) -> int:
        return sum(self.by_provider.values())

    def in_scope(self, scope: BudgetScope, target: str) -> int:
        """What of it a budget counts."""
        if scope == "provider":
            return self.by_provider.get(target.lower(), 0)
        mine = {"global": "", "team": self.team, "alias": self.alias, "key": self.key_id}[scope]
        return self.nano if mine.lower() == target.lower() else 0


@dataclass
class Flying:
    """A request in flight, with its part in each budget: what it reserves, holds, and whether it may overrun."""

    reservation: Reservation
    key: VirtualKey | None
    alias: str
    providers: list[str]
    expected: int
    worst: int
    at_ms: int
    parts: dict[str, tuple[int, int, bool]] = field(default_factory=dict)


class Admission(RuleBasedStateMachine):
    """Both, side by side; `limits` is the model's whole configuration."""

    flying = Bundle("flying")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(wall=NEARLY_MARCH)
        self.ledger: list[Paid] = []
        self.open: list[Flying] = []
        self.limits: dict[str, tuple[int, BudgetPeriod]] = {}
        self.key = VirtualKey(id="key_1", name="app", digest="", hint="", team="red")
        self.bases: dict[tuple[str, int | None], int] = {}
        """Where a budget was made or changed in a period: its limit, or what was spent and let through before, if that is more."""
        self.overrun: dict[tuple[str, int | None], int] = {}
        """The most by which one request in it cost more than expected."""

    @initialize(limits=st.dictionaries(st.sampled_from(sorted(HOLDERS)), st.integers(0, 300), min_size=1))
    def begin(self, limits: dict[str, int]) -> None:
        self.limits = {name: (limit, "daily") for name, limit in limits.items()}
        self.restart()

    def reload(self, everything: bool = False) -> None:
        """What the gateway does with a changed configuration."""
        entities = [
            Budget(id=name, name=name, scope=HOLDERS[name][0], target=HOLDERS[name][1], limit_nano=limit, period=kind)
            for name, (limit, kind) in self.limits.items()
        ]
        terms = [*map(BudgetTerms.of_budget, entities), BudgetTerms.of_key(self.key)]
        asked = terms if everything else self.budgets.stale([self.key], entities)
        readings = self.budgets.readings(asked)
        self.budgets.load(readings, [self.spent(reading.spending) for reading in readings])
        self.budgets.configure([self.key], entities)
        self.entities = {one.name: one for one in entities}

    def spent(self, asked: Spending) -> int:
        until = asked.until_ms if asked.until_ms is not None else 2**62
        return sum(paid.in_scope(asked.scope, asked.target) for paid in self.ledger if asked.since_ms <= paid.at_ms < until)

    def running(self, name: str) -> tuple[int | None, int | None]:
        return period(self.limits[name][1], self.clock.millis())

    @rule()
    def restart(self) -> None:
        self.budgets = Budgets(self.clock.millis)
        self.limiter = RateLimiter(self.budgets)
        self.open = []
        self.reload()

    @rule(name=st.sampled_from(sorted(HOLDERS)), limit=st.integers(0, 300), kind=st.sampled_from(PERIODS))
    def set_budget(self, name: str, limit: int, kind: BudgetPeriod) -> None:
        # Another period while requests are in flight keeps what they hold, which the model does not follow.
        if name in self.limits and kind != self.limits[name][1] and self.open:
            kind = self.limits[name][1]
        added = name not in self.limits
        self.limits[name] = limit, kind
        self.reload()
        if added:
            for flight in self.open:
                flight.parts.pop(name, None)
        start, end = self.running(name)
        spent = self.spent(Spending(*HOLDERS[name], start or 0, end))
        self.bases[name, start] = max(limit, spent + sum(flight.worst for flight in self.open))

    @rule(name=st.sampled_from(sorted(HOLDERS)))
    def remove_budget(self, name: str) -> None:
        self.limits.pop(name, None)
        self.reload()

    @rule()
    def read_the_ledger_again(self) -> None:
        self.reload(everything=True)

    @rule(seconds=st.sampled_from([1, 600, 4140, 6 * 3600, 86_400, 8 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(
        target=flying,
        keyed=st.booleans(),
        alias=st.sampled_from(["m", "other"]),
        providers=st.sampled_from([["a"], ["b"], ["a", "b"], ["c"]]),
        cost=st.integers(0, 80),
        beyond=st.sampled_from([0, 0, 5, 40, 1000]),
    )
    def admit(self, keyed: bool, alias: str, providers: list[str], cost: int, beyond: int) -> Flying | None:
        key = self.key if keyed else None
        expected = CostEstimate(0, 0, None, cost_nano=cost, worst_nano=cost + beyond)
        wanted, parts = self.modelled(key, alias, providers, cost, cost + beyond)
        at_ms = self.clock.millis()
        try:
            reservation = self.limiter.admit(key, expected, alias, at_ms, dict.fromkeys(providers, expected))
        except BudgetExceeded:
            assert wanted == "exceeded"
            return None
        except BudgetInUse:
            assert wanted == "in use"
            return None
        assert wanted == "admitted"
        flight = Flying(reservation, key, alias, providers, cost, cost + beyond, at_ms, parts)
        self.open.append(flight)
        return flight

    def modelled(
        self, key: VirtualKey | None, alias: str, providers: list[str], cost: int, worst: int
    ) -> tuple[str, dict[str, tuple[int, int, bool]]]:
        """What is to happen, and the request's part in each budget."""
        parts: dict[str, tuple[int, int, bool]] = {}
        busy = False
        for name, (limit, _) in self.limits.items():
            scope, target = HOLDERS[name]
            holders = {"global": [""], "team": [key.team] if key else [], "alias": [alias], "provider": providers}
            mine = {**holders, "key": [key.id] if key else []}[scope]
            if target.lower() not in [(one or "").lower() for one in mine]:
                continue
            start, end = self.running(name)
            left = limit - self.spent(Spending(scope, target, start or 0, end))
            held = [flight.parts[name] for flight in self.in_period(name, start, end)]
            reserved = sum(part[0] for part in held)
            if cost > max(0, left - reserved) or (worst and left - reserved <= 0):
                return "exceeded", {}
            free = max(0, left - sum(part[1] for part in held))
            if worst <= free:
                parts[name] = cost, worst, False
            elif cost <= free and not any(part[2] for part in held):
                parts[name] = cost, cost, True
            else:
                busy = True
        return ("in use", {}) if busy else ("admitted", parts)

    def in_period(self, name: str, start: int | None, end: int | None) -> list[Flying]:
        return [one for one in self.open if name in one.parts and (start or 0) <= one.at_ms < (end or 2**62)]

    @rule(flight=consumes(flying), share=st.floats(0, 1), server=st.integers(0, 1), failed=st.sampled_from([0, 0, 3]))
    def settle(self, flight: Flying | None, share: float, server: int, failed: int) -> None:
        if flight is None or flight not in self.open:
            return  # refused, or lost with a restart
        self.open.remove(flight)
        provider = flight.providers[server % len(flight.providers)]
        # A failed attempt is paid for out of the worst case here: the bound below is about one answer.
        nano = round(share * flight.worst)
        failed = min(failed, nano)
        other = flight.providers[0]
        by_provider = {provider: nano - failed}
        by_provider[other] = by_provider.get(other, 0) + failed
        attempts = [AttemptRecord(other, "x", outcome="server", cost_nano=failed)] if failed else []
        attempts.append(AttemptRecord(provider, "x", cost_nano=nano - failed))
        paid = Paid(flight.at_ms, flight.key.id if flight.key else "", "red" if flight.key else "", flight.alias, by_provider)
        record = RequestRecord(
            "req", flight.at_ms, key_id=paid.key_id, team=paid.team, model=paid.alias, provider=provider, cost_nano=nano,
            attempts_nano=failed, attempts=attempts,
        )  # fmt: skip
        flight.reservation.served_by(provider)
        flight.reservation.settle(nano, 0, record)
        flight.reservation.settle(nano, 0, record)
        self.ledger.append(paid)
        for name in flight.parts:
            place = name, period(self.limits[name][1], flight.at_ms)[0] if name in self.limits else None
            self.overrun[place] = max(self.overrun.get(place, 0), nano - flight.expected)

    @rule(flight=consumes(flying))
    def cancel(self, flight: Flying | None) -> None:
        if flight is not None and flight in self.open:
            self.open.remove(flight)
            flight.reservation.settle(0, 0)

    @invariant()
    def memory_and_ledger_are_equal(self) -> None:
        for name, entity in getattr(self, "entities", {}).items():
            start, end = self.running(name)
            account = self.budgets.budget_account(entity)
            assert (account.period_start, account.next_reset) == (start, end)
            assert account.spend_nano == self.spent(Spending(*HOLDERS[name], start or 0, end))
            flights = self.in_period(name, start, end)
            assert account.reserved_nano == sum(flight.parts[name][0] for flight in flights)
            assert account.held_nano == sum(flight.parts[name][1] for flight in flights)
            assert account.overruns == sum(flight.parts[name][2] for flight in flights) <= 1
            assert account.bookings == len(flights)

    @invariant()
    def no_budget_is_passed_by_more_than_one_answer(self) -> None:
        for name, (limit, _) in self.limits.items():
            start, end = self.running(name)
            spent = self.spent(Spending(*HOLDERS[name], start or 0, end))
            assert spent <= self.bases.get((name, start), limit) + self.overrun.get((name, start), 0)


Admission.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAdmission = cast(Any, Admission.TestCase)
