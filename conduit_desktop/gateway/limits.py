"""Admission: every limit of a key has room and its budget can bear the request, or it is refused and nothing is taken.

`admit` is one synchronous step (no await between check and reservation), which makes it atomic on the loop.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter, RateLimiter, SlidingWindowCounterRateLimiter

from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import BudgetExceeded, Forbidden, RateLimited
from conduit_desktop.core.money import show_usd
from conduit_desktop.gateway.budgets import Budgets
from conduit_desktop.gateway.pricing import Tariff
from conduit_desktop.gateway.windows import LoopStorage

EXACT_UP_TO = 600
"""Requests a window may count one by one; wider ones are counted in two buckets, whose cost does not grow with the limit."""

GROWTH_TOKENS = 1024
"""Output tokens by which a stream's reservation grows when it is used up."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a request may use. `tariff` is the dearest target's; None where no price is known."""

    input_tokens: int
    output_tokens: int
    tariff: Tariff | None
    unpriced: bool = False

    @classmethod
    def of(cls, input_tokens: int, output_tokens: int, tariffs: Collection[Tariff | None]) -> Expectation:
        """The expectation at the dearest of the targets' tariffs."""
        priced = [tariff for tariff in tariffs if tariff is not None]
        dearest = max(priced, key=lambda tariff: tariff.expected(input_tokens, output_tokens)) if priced else None
        return cls(input_tokens, output_tokens, dearest, unpriced=len(priced) < len(tariffs) or not tariffs)

    @property
    def cost_nano(self) -> int:
        """Nano-dollars to reserve: 0 where nothing is known."""
        return self.tariff.expected(self.input_tokens, self.output_tokens) if self.tariff else 0


class Reservation:
    """What one admitted request holds; given back exactly once, by `settle`."""

    __slots__ = ("_gate", "_open", "cost_nano", "expected", "key", "output_tokens", "tokens")

    def __init__(self, gate: Gate, key: VirtualKey | None, expected: Expectation) -> None:
        self._gate = gate
        self.key = key
        self.expected = expected
        self.cost_nano = expected.cost_nano
        self.output_tokens = expected.output_tokens
        # Output is not held against tokens-per-minute in advance: most answers are far shorter than they may be.
        self.tokens = expected.input_tokens
        self._open = True

    def covers(self, output_tokens: int) -> bool:
        """Whether `output_tokens` made so far fit, growing the reservation where they do not and the budget allows."""
        while output_tokens > self.output_tokens:
            if not self._grow():
                return False
        return True

    def _grow(self) -> bool:
        more = 0
        if self.key is not None and self.key.budget_nano is not None and self.expected.tariff is not None:
            tariff, inputs = self.expected.tariff, self.expected.input_tokens
            more = tariff.expected(inputs, self.output_tokens + GROWTH_TOKENS) - tariff.expected(inputs, self.output_tokens)
            account = self._gate.budgets.account(self.key.id)
            if more > self.key.budget_nano - account.spend_nano - account.reserved_nano:
                return False
            account.reserved_nano += more
        self.cost_nano += more
        self.output_tokens += GROWTH_TOKENS
        return True

    def settle(self, cost_nano: int, tokens: int) -> None:
        """Replace the reservation by what the request cost and used. Further calls do nothing."""
        if not self._open:
            return
        self._open = False
        self._gate.release(self, cost_nano, tokens)


class Gate:
    """The limits of all keys, with what is in flight."""

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self._storage = LoopStorage()
        self._exact = MovingWindowRateLimiter(self._storage)
        self._counted = SlidingWindowCounterRateLimiter(self._storage)
        self._parallel: dict[str, int] = {}
        self._tokens_in_flight: dict[str, int] = {}

    def admit(self, key: VirtualKey | None, expected: Expectation) -> Reservation:
        """Raises RateLimited, BudgetExceeded or Forbidden; else what the request holds from now on."""
        if key is None:
            return Reservation(self, None, expected)
        self._check_parallel(key)
        self._check_tokens(key, expected)
        self._check_budget(key, expected)
        self._take_request(key)
        reservation = Reservation(self, key, expected)
        self.budgets.account(key.id).reserved_nano += reservation.cost_nano
        self._parallel[key.id] = self._parallel.get(key.id, 0) + 1
        if key.tpm is not None:
            self._tokens_in_flight[key.id] = self._tokens_in_flight.get(key.id, 0) + reservation.tokens
        return reservation

    def _take_request(self, key: VirtualKey) -> None:
        """Count the request in its windows, in all or in none."""
        items = _request_items(key.rpm, key.rpd)
        for item in items[1:]:
            if not self._limiter(item).test(item, key.id):
                raise self._limited(key, item, "requests")
        for item in items:
            if not self._limiter(item).hit(item, key.id):
                raise self._limited(key, item, "requests")

    def release(self, reservation: Reservation, cost_nano: int, tokens: int) -> None:
        """Called by Reservation.settle alone."""
        key = reservation.key
        if key is None:
            return
        account = self.budgets.account(key.id)
        account.reserved_nano = max(0, account.reserved_nano - reservation.cost_nano)
        account.spend_nano += cost_nano
        left = self._parallel.get(key.id, 1) - 1
        if left > 0:
            self._parallel[key.id] = left
        else:
            self._parallel.pop(key.id, None)
        if key.id in self._tokens_in_flight:
            self._tokens_in_flight[key.id] = max(0, self._tokens_in_flight[key.id] - reservation.tokens)
        if key.tpm is not None and tokens > 0:
            item = _token_item(key.tpm)
            expiry = item.get_expiry()
            # Counted without asking: what was used was used, also where it is more than the window had left.
            window = self._storage.sliding_window_keys(item.key_for(key.id), expiry, time.time())[1]
            self._storage.incr(window, 2 * expiry, tokens)

    def headers(self, key: VirtualKey | None) -> dict[str, tuple[int, int, float]]:
        """`requests` and `tokens`, where limited: (limit, remaining, seconds until the window has room again)."""
        found: dict[str, tuple[int, int, float]] = {}
        if key is None:
            return found
        if key.rpm is not None:
            item = _request_items(key.rpm, None)[0]
            if item.amount <= EXACT_UP_TO:
                stats = self._exact.get_window_stats(item, key.id)
                found["requests"] = (key.rpm, stats.remaining, max(0.0, stats.reset_time - time.time()))
            else:
                used, reset_s = self._used(item, key.id)
                found["requests"] = (key.rpm, max(0, key.rpm - used), reset_s)
        if key.tpm is not None:
            used, reset_s = self._used(_token_item(key.tpm), key.id)
            found["tokens"] = (key.tpm, max(0, key.tpm - used - self._tokens_in_flight.get(key.id, 0)), reset_s)
        return found

    def _used(self, item: RateLimitItem, key_id: str) -> tuple[int, float]:
        """What a counted window holds, and in how many seconds its current bucket is over."""
        expiry = item.get_expiry()
        before, before_ttl, current, ttl = self._storage.get_sliding_window(item.key_for(key_id), expiry)
        return int(before * before_ttl / expiry + current), max(0.0, ttl - expiry)

    def _limiter(self, item: RateLimitItem) -> RateLimiter:
        return self._exact if item.amount <= EXACT_UP_TO else self._counted

    def _check_parallel(self, key: VirtualKey) -> None:
        if key.max_parallel is not None and self._parallel.get(key.id, 0) >= key.max_parallel:
            raise RateLimited(
                f"The key {key.name!r} may have {key.max_parallel} requests in flight, and has them.",
                param="max_parallel",
                retry_after=1.0,
            )

    def _check_tokens(self, key: VirtualKey, expected: Expectation) -> None:
        if key.tpm is None:
            return
        item = _token_item(key.tpm)
        remaining = key.tpm - self._used(item, key.id)[0] - self._tokens_in_flight.get(key.id, 0)
        if expected.input_tokens > key.tpm:
            raise RateLimited(
                f"This request alone is over the {key.tpm} tokens a minute of the key {key.name!r}.", retry_after=60.0
            )
        if remaining < max(1, expected.input_tokens):
            raise self._limited(key, item, "tokens")

    def _check_budget(self, key: VirtualKey, expected: Expectation) -> None:
        if expected.unpriced and key.unpriced == "block":
            raise Forbidden(f"No price is known for this model, and the key {key.name!r} does not allow unpriced models.")
        if key.budget_nano is None:
            return
        account = self.budgets.account(key.id)
        left = key.budget_nano - account.spend_nano - account.reserved_nano
        cost = expected.cost_nano
        if cost > max(0, left) or (expected.unpriced and left <= 0):
            need = f"; this request may cost {show_usd(cost)}" if 0 < left < cost else ""
            raise BudgetExceeded(
                f"The {key.budget_period} budget of the key {key.name!r} ({show_usd(key.budget_nano)}) has "
                f"{show_usd(max(0, left))} left{need}."
            )

    def _limited(self, key: VirtualKey, item: RateLimitItem, what: str) -> RateLimited:
        limiter = self._counted if what == "tokens" else self._limiter(item)
        wait = max(1.0, limiter.get_window_stats(item, key.id).reset_time - time.time())
        return RateLimited(
            f"The key {key.name!r} has used its {item.amount} {what} per {item.GRANULARITY.name}.", retry_after=wait, param=what
        )


@lru_cache(maxsize=256)
def _request_items(rpm: int | None, rpd: int | None) -> tuple[RateLimitItem, ...]:
    items: list[RateLimitItem] = []
    if rpm is not None:
        items.append(RateLimitItemPerMinute(rpm, namespace="rpm"))
    if rpd is not None:
        items.append(RateLimitItemPerDay(rpd, namespace="rpd"))
    return tuple(items)


@lru_cache(maxsize=256)
def _token_item(tpm: int) -> RateLimitItem:
    return RateLimitItemPerMinute(tpm, namespace="tpm")
