"""Admission: every limit of a key has room and its budget can bear the request, or it is refused and nothing is taken.

`admit` is one synchronous step (no await between check and reservation), which makes it atomic on the loop.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import BudgetExceeded, Forbidden, RateLimited
from conduit_desktop.core.media import Units
from conduit_desktop.core.money import show_usd
from conduit_desktop.gateway.accounting.cost import CompiledPrice
from conduit_desktop.gateway.admission.budgets import BudgetAccount, Budgets
from conduit_desktop.gateway.admission.estimate import expected_units, max_output_tokens
from conduit_desktop.gateway.admission.windows import DAY_S, MINUTE_S, SlicedWindow, UsageWindow, fitting
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire.media.usage import READ_ONLY

GROWTH_TOKENS = 1024
"""Output tokens by which a stream's reservation grows when it is used up."""


@dataclass(slots=True)
class CostEstimate:
    """What a request may use. `compiled_price` is the dearest target's; None where no price is known.

    `cost_nano` is what to reserve for it: 0 where nothing is known.
    """

    input_tokens: int
    output_tokens: int
    compiled_price: CompiledPrice | None
    cost_nano: int = 0
    unpriced: bool = False

    @classmethod
    def of_call(cls, call: Call, reserve_output_tokens: int, compiled_prices: Collection[CompiledPrice | None]) -> CostEstimate:
        """The estimate of a call; output at its own maximum, `reserve_output_tokens` at most."""
        inputs = call.input_tokens
        if call.endpoint in READ_ONLY:
            return cls.of(inputs, 0, compiled_prices, Units())
        output = min(max_output_tokens(call.body), reserve_output_tokens)
        units = expected_units(call.media_request) if call.media_request is not None else None
        return cls.of(inputs, output, compiled_prices, units)

    @classmethod
    def of(
        cls, input_tokens: int, output_tokens: int, compiled_prices: Collection[CompiledPrice | None], units: Units | None = None
    ) -> CostEstimate:
        """The estimate at the highest of the targets' prices. `units`: those of a media request."""
        # Without a target nothing is asked, and the request fails for that reason.
        made = cls(input_tokens, output_tokens, None)
        for compiled_price in compiled_prices:
            if compiled_price is None:
                made.unpriced = True
                continue
            if units is None:
                cost = compiled_price.expected(input_tokens, output_tokens)
            else:
                cost = compiled_price.expected(input_tokens, output_tokens, units)
            if made.compiled_price is None or cost > made.cost_nano:
                made.compiled_price, made.cost_nano = compiled_price, cost
        return made


class Reservation:
    """What one admitted request holds; given back exactly once, by `settle`."""

    __slots__ = ("_limiter", "_open", "cost_nano", "expected", "key", "output_tokens", "tokens")

    def __init__(self, limiter: RateLimiter, key: VirtualKey | None, expected: CostEstimate) -> None:
        self._limiter = limiter
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
            # Where the budget does not cover a whole step, it may cover the output so far.
            if not (self._grow(GROWTH_TOKENS) or self._grow(output_tokens - self.output_tokens)):
                return False
        return True

    def _grow(self, tokens: int) -> bool:
        more = 0
        if self.key is not None and self.key.budget_nano is not None and self.expected.compiled_price is not None:
            compiled_price, inputs = self.expected.compiled_price, self.expected.input_tokens
            more = compiled_price.expected(inputs, self.output_tokens + tokens) - compiled_price.expected(
                inputs, self.output_tokens
            )
            account = self._limiter.budgets.account(self.key.id)
            if more > self.key.budget_nano - account.spend_nano - account.reserved_nano:
                return False
            account.reserved_nano += more
        self.cost_nano += more
        self.output_tokens += tokens
        return True

    def settle(self, cost_nano: int, tokens: int) -> None:
        """Replace the reservation by what the request cost and used. Further calls do nothing."""
        if not self._open:
            return
        self._open = False
        self._limiter.release(self, cost_nano, tokens)


@dataclass(slots=True)
class KeyUsage:
    """What one key has in flight, and what it used lately; a window is None where nothing is limited."""

    parallel: int = 0
    tokens: int = 0
    """Input tokens of the requests in flight."""
    rpm: int | None = None
    rpd: int | None = None
    minute: UsageWindow | None = None
    day: UsageWindow | None = None
    minute_tokens: SlicedWindow = field(default_factory=lambda: SlicedWindow(MINUTE_S))

    def fit(self, rpm: int | None, rpd: int | None) -> None:
        """From now on count for these limits."""
        self.rpm, self.rpd = rpm, rpd
        self.minute, self.day = fitting(self.minute, rpm, MINUTE_S), fitting(self.day, rpd, DAY_S)


class RateLimiter:
    """The limits of all keys, with what is in flight."""

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self._uses: dict[str, KeyUsage] = {}

    def admit(self, key: VirtualKey | None, expected: CostEstimate) -> Reservation:
        """Raises RateLimited, BudgetExceeded or Forbidden; else what the request holds from now on."""
        reservation = Reservation(self, key, expected)
        if key is None:
            return reservation
        use, account, now = self._use(key), self.budgets.account(key.id), time.time()
        # No `await` between the checks and the bookkeeping: this is what makes admission atomic on one event loop.
        _check_parallel(key, use)
        _check_tokens(key, use, expected, now)
        _check_budget(key, account, expected)
        # Last of the checks, because it counts: a request refused by another limit must not use up this one.
        _take_request(key, use, now)
        account.reserved_nano += reservation.cost_nano
        use.parallel += 1
        use.tokens += reservation.tokens
        return reservation

    def release(self, reservation: Reservation, cost_nano: int, tokens: int) -> None:
        """Called by Reservation.settle alone."""
        key = reservation.key
        if key is None:
            return
        account, use = self.budgets.account(key.id), self._uses[key.id]
        account.reserved_nano = max(0, account.reserved_nano - reservation.cost_nano)
        account.spend_nano += cost_nano
        use.parallel -= 1
        use.tokens -= reservation.tokens
        if tokens > 0:
            # Counted unconditionally: what was used was used, also where it is more than the window had left.
            use.minute_tokens.add(time.time(), tokens)

    def headers(self, key: VirtualKey | None) -> dict[str, tuple[int, int, float]]:
        """`requests` and `tokens`, where limited: (limit, remaining, seconds until the window has room again).

        Of requests a minute and requests a day, the one that has fewer left.
        """
        found: dict[str, tuple[int, int, float]] = {}
        if key is None or (key.rpm is None and key.rpd is None and key.tpm is None):
            return found
        use, now = self._use(key), time.time()
        minute, day = use.minute, use.day
        left = key.rpm - minute.used(now) if key.rpm is not None and minute is not None else None
        today = key.rpd - day.used(now) if key.rpd is not None and day is not None else None
        if left is not None and minute is not None and key.rpm is not None and (today is None or left <= today):
            found["requests"] = (key.rpm, max(0, left), minute.reset_s(now))
        elif today is not None and day is not None and key.rpd is not None:
            found["requests"] = (key.rpd, max(0, today), day.reset_s(now))
        if key.tpm is not None:
            left = key.tpm - use.minute_tokens.used(now) - use.tokens
            found["tokens"] = (key.tpm, max(0, left), use.minute_tokens.reset_s(now))
        return found

    def forget(self, keep: Iterable[str]) -> None:
        """Drop what is known of keys that are gone and have nothing in flight."""
        kept = set(keep)
        # A key with requests in flight is kept: `release` needs its entry.
        self._uses = {key_id: use for key_id, use in self._uses.items() if key_id in kept or use.parallel}

    def _use(self, key: VirtualKey) -> KeyUsage:
        use = self._uses.get(key.id)
        if use is None:
            use = self._uses[key.id] = KeyUsage()
        if use.rpm != key.rpm or use.rpd != key.rpd:
            use.fit(key.rpm, key.rpd)
        return use


def _check_parallel(key: VirtualKey, use: KeyUsage) -> None:
    # When one of them will end is unknown: a second is the shortest wait that a Retry-After can state.
    if key.max_parallel is not None and use.parallel >= key.max_parallel:
        raise RateLimited(f"The key {key.name!r} may have {key.max_parallel} requests in flight, and has them.", retry_after=1.0)


def _check_tokens(key: VirtualKey, use: KeyUsage, expected: CostEstimate, now: float) -> None:
    if key.tpm is None:
        return
    if expected.input_tokens > key.tpm:
        raise RateLimited(f"This request alone is over the {key.tpm} tokens a minute of the key {key.name!r}.", retry_after=60.0)
    # At least one token, or requests without input would pass a full window.
    needed = max(1, expected.input_tokens)
    if use.minute_tokens.used(now) + use.tokens + needed > key.tpm:
        raise _limited(key, f"{key.tpm} tokens per minute", use.minute_tokens.wait_s(now, key.tpm, needed))


def _check_budget(key: VirtualKey, account: BudgetAccount, expected: CostEstimate) -> None:
    if expected.unpriced and key.unpriced == "block":
        raise Forbidden(f"No price is known for this model, and the key {key.name!r} does not allow unpriced models.")
    if key.budget_nano is None:
        return
    if expected.unpriced and key.unpriced is None:
        raise Forbidden(
            f"No price is known for this model, and the key {key.name!r} has a budget. Set the model's price, or allow unpriced"
            " models for the key."
        )
    left = key.budget_nano - account.spend_nano - account.reserved_nano
    cost = expected.cost_nano
    # An unpriced request reserves nothing: it passes only while something is left.
    if cost > max(0, left) or (expected.unpriced and left <= 0):
        need = f"; this request may cost {show_usd(cost)}" if 0 < left < cost else ""
        raise BudgetExceeded(
            f"The {key.budget_period} budget of the key {key.name!r} ({show_usd(key.budget_nano)}) has "
            f"{show_usd(max(0, left))} left{need}."
        )


def _take_request(key: VirtualKey, use: KeyUsage, now: float) -> None:
    """Count the request in its windows, in all or in none."""
    minute, day = use.minute, use.day
    if minute is not None and key.rpm is not None and minute.used(now) >= key.rpm:
        raise _limited(key, f"{key.rpm} requests per minute", minute.wait_s(now, key.rpm))
    if day is not None and key.rpd is not None and day.used(now) >= key.rpd:
        raise _limited(key, f"{key.rpd} requests per day", day.wait_s(now, key.rpd))
    for window in (minute, day):
        if window is not None:
            window.add(now)


def _limited(key: VirtualKey, what: str, wait_s: float) -> RateLimited:
    return RateLimited(f"The key {key.name!r} has used its {what}.", retry_after=max(1.0, wait_s))
