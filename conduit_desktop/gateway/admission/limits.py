"""Admission: every limit of a key and every budget has room for the request, or it is refused and nothing is taken.

`admit` is one synchronous step (no await between check and reservation), which makes it atomic on the loop.

A request is reserved with its expected cost, and held against the limit of a budget with its worst case, in which a text is as
long as is expected: held with a token for each of its bytes, requests would wait that are going to fit. Where the worst case,
every byte counted, does not fit, the request may overrun the budget: at most one of those is in flight, so no budget is passed
by more than one answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import BudgetExceeded, Forbidden, GatewayError, RateLimited
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.admission.budgets import Booking, BudgetAccount, Budgets, QueuePlace, TrackedBudget
from conduit_desktop.gateway.admission.cost_estimate import CostEstimate
from conduit_desktop.gateway.admission.windows import DAY_S, MINUTE_S, SlicedWindow, UsageWindow, fitting
from conduit_desktop.store.interface import KeyUse

_MOST_TARGETS = 1000
GROWTH_TOKENS = 1024
"""Output tokens by which a stream's reservation grows when it is used up."""


class BudgetInUse(Exception):
    """A request in flight may overrun `budget`, and so might this one: it has to wait."""

    def __init__(self, budget: TrackedBudget) -> None:
        super().__init__(budget.terms.text)
        self.budget = budget


class Reservation:
    """What one admitted request holds; given back exactly once, by `settle`."""

    __slots__ = ("_account", "_bookings", "_limiter", "_open", "cost_nano", "expected", "key", "output_tokens", "tokens")

    def __init__(self, limiter: RateLimiter, key: VirtualKey | None, expected: CostEstimate) -> None:
        self._limiter = limiter
        self.key = key
        self.expected = expected
        self.cost_nano = expected.cost_nano
        self.output_tokens = expected.output_tokens
        self.tokens = expected.input_tokens + expected.output_tokens
        self._account: BudgetAccount | None = None
        """The account of a key without a budget: its reservations are shown, and limit nothing."""
        self._bookings: Sequence[Booking] = ()
        self._open = True

    def cap_passed(self, target: str) -> None:
        """An answer of the target was longer than the request's cap allows."""
        known = self._limiter.passes_caps
        if len(known) >= _MOST_TARGETS:  # clients can invent names of targets
            known.clear()
        known.add(target)

    @property
    def is_limited(self) -> bool:
        """Whether a budget limits what the answer may cost."""
        return bool(self._bookings)

    def covers(self, output_tokens: int) -> bool:
        """Whether `output_tokens` made so far fit, growing the reservation where they do not and the budget allows."""
        while output_tokens > self.output_tokens:
            # Where the budget does not cover a whole step, it may cover the output so far.
            if not (self._grow(GROWTH_TOKENS) or self._grow(output_tokens - self.output_tokens)):
                return False
        return True

    def _grow(self, tokens: int) -> bool:
        inputs, before = self.expected.input_tokens, self.output_tokens
        growth: list[tuple[Booking, int]] = []
        for booking in self._bookings:
            if (price := booking.price) is not None:
                more = price.expected(inputs, before + tokens) - price.expected(inputs, before)
                if not booking.room_for(more):
                    return False
                growth.append((booking, more))
        for booking, more in growth:
            booking.grow(more)
        self.output_tokens += tokens
        self.tokens += tokens
        if self.key is not None:
            self._limiter.grown(self.key, tokens)
        return True

    def attempt_failed(self, cost_nano: int) -> None:
        """A failed attempt was paid for: the request costs that much more, in every budget."""
        for booking in self._bookings:
            booking.grow(cost_nano)

    def served_by(self, provider: str) -> None:
        """The provider has begun to answer: nothing is held any more in the budgets of the others."""
        if self._bookings and self._limiter.budgets.any_of_provider:
            kept = [booking for booking in self._bookings if _may_serve(booking.budget, provider)]
            for booking in self._bookings:
                if booking not in kept:
                    booking.release()
            self._bookings = kept

    def settle(self, cost_nano: int, tokens: int, record: RequestRecord | None = None) -> None:
        """Replace the reservation by what the request cost and used. Further calls do nothing.

        `record` says who pays and in which period; None: the key, now.
        """
        if not self._open:
            return
        self._open = False
        self._limiter.release(self, cost_nano, tokens, record)

    def book(self, account: BudgetAccount | None, bookings: Sequence[Booking]) -> None:
        """Called by the limiter alone: take what was checked."""
        self._account, self._bookings = account, bookings
        if account is not None:
            account.reserved_nano += self.cost_nano
        for booking in bookings:
            booking.take()

    def give_back(self) -> None:
        """Called by the limiter alone."""
        if self._account is not None:
            self._account.reserved_nano -= self.cost_nano
        for booking in self._bookings:
            booking.release()
        self._bookings = ()


def _may_serve(budget: TrackedBudget, provider: str) -> bool:
    return budget.terms.scope != "provider" or budget.terms.target.lower() == provider.lower()


@dataclass(slots=True)
class KeyUsage:
    """What one key has in flight, and what it used lately; a window is None where nothing is limited."""

    parallel: int = 0
    tokens: int = 0
    """Expected tokens of the requests in flight, input and output."""
    rpm: int | None = None
    rpd: int | None = None
    minute: UsageWindow | None = None
    day: UsageWindow | None = None
    minute_tokens: SlicedWindow = field(default_factory=lambda: SlicedWindow(MINUTE_S))

    def take(self, now: float, tokens: int) -> None:
        """Count a request that was admitted."""
        self.parallel += 1
        self.tokens += tokens
        if self.minute is not None:
            self.minute.add(now)
        if self.day is not None:
            self.day.add(now)

    def fit(self, rpm: int | None, rpd: int | None) -> None:
        """From now on count for these limits."""
        self.rpm, self.rpd = rpm, rpd
        self.minute, self.day = fitting(self.minute, rpm, MINUTE_S), fitting(self.day, rpd, DAY_S)


class RateLimiter:
    """The limits of all keys, with what is in flight."""

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self.passes_caps: set[str] = set()
        """Targets (`provider/model`) whose answers were longer than a request's cap: caps do not bound the next ones."""
        self._uses: dict[str, KeyUsage] = {}

    def admit(
        self,
        key: VirtualKey | None,
        expected: CostEstimate,
        alias: str = "",
        at_ms: int | None = None,
        providers: Mapping[str, CostEstimate] | None = None,
        place: QueuePlace | None = None,
    ) -> Reservation:
        """What the request holds from now on; raises RateLimited, BudgetExceeded or Forbidden, or BudgetInUse where it has to wait.

        `providers` are the estimates by provider, where any has a budget; `place` is the one at which the request has waited.
        """
        budgets = self.budgets.of_request(key, alias)
        if key is None and not budgets and not providers:
            return Reservation(self, key, expected)
        at_ms = self.budgets.now_ms() if at_ms is None else at_ms
        account, use, now = None, None, time.time()
        if key is not None:
            use, own = self._use(key), self.budgets.of_key(key)
            if own.terms.limit_nano is not None:
                budgets = [own, *budgets]
            else:
                account = own.running(at_ms)
        # No `await` between the checks and the bookkeeping: this is what makes admission atomic on one event loop.
        if key is not None and use is not None:
            _check_parallel(key, use)
        ample = None
        if expected.weigh is not None:
            if _has_tokens(key, use, expected.most_tokens, now):
                ample = _ample(expected, budgets, at_ms)
            if ample is None:
                expected = expected.weigh()
        if ample is None and key is not None and use is not None:
            _check_tokens(key, use, expected, now)
        _check_priced(key, expected, budgets)
        bookings, busy = (ample, None) if ample is not None else self._all_bookings(expected, budgets, providers, at_ms, place)
        if key is not None and use is not None:
            _check_requests(key, use, now)
        if busy is not None:
            raise BudgetInUse(busy)
        reservation = Reservation(self, key, expected)
        # Only now: a request refused by one limit must not use up another.
        if use is not None:
            use.take(now, reservation.tokens)
        reservation.book(account, bookings)
        return reservation

    def check_room(self, key: VirtualKey | None) -> None:
        """Raises RateLimited where the key has no room for a request of any size; nothing is taken."""
        if key is not None:
            use = self._use(key)
            _check_parallel(key, use)
            _check_requests(key, use, time.time())

    def _all_bookings(
        self,
        expected: CostEstimate,
        budgets: Iterable[TrackedBudget],
        providers: Mapping[str, CostEstimate] | None,
        at_ms: int,
        place: QueuePlace | None,
    ) -> tuple[list[Booking], TrackedBudget | None]:
        bookings, busy = self._bookings(expected, budgets, at_ms, place)
        for name, estimate in providers.items() if providers else ():
            more, busy_too = self._bookings(estimate, self.budgets.of_provider(name), at_ms, place)
            bookings, busy = [*bookings, *more], busy or busy_too
        return bookings, busy

    def without_room(
        self, key: VirtualKey | None, providers: Mapping[str, CostEstimate], at_ms: int, place: QueuePlace | None = None
    ) -> dict[str, GatewayError | BudgetInUse]:
        """The providers whose own budget keeps the request from them now, each with the reason."""
        found: dict[str, GatewayError | BudgetInUse] = {}
        for name, estimate in providers.items():
            budgets = self.budgets.of_provider(name)
            try:
                _check_priced(key, estimate, budgets)
                _, busy = self._bookings(estimate, budgets, at_ms, place)
            except (BudgetExceeded, Forbidden) as error:
                found[name] = error
                continue
            if busy is not None:
                found[name] = BudgetInUse(busy)
        return found

    def _bookings(
        self, expected: CostEstimate, budgets: Iterable[TrackedBudget], at_ms: int, place: QueuePlace | None
    ) -> tuple[list[Booking], TrackedBudget | None]:
        """What to book in each budget, and the first budget that has to be waited for; raises BudgetExceeded."""
        made: list[Booking] = []
        busy: TrackedBudget | None = None
        for budget in budgets:
            booking = _checked(budget, budget.running(at_ms), expected, place)
            if booking is not None:
                made.append(booking)
            else:
                busy = busy or budget
        return made, busy

    def grown(self, key: VirtualKey, tokens: int) -> None:
        """Called by Reservation alone: a stream has outgrown what was expected of it."""
        self._uses[key.id].tokens += tokens

    def release(self, reservation: Reservation, cost_nano: int, tokens: int, record: RequestRecord | None) -> None:
        """Called by Reservation.settle alone."""
        key = reservation.key
        reservation.give_back()
        if record is not None:
            self.budgets.charge(record)
        elif key is not None:
            self.budgets.of_key(key).charge(self.budgets.now_ms(), cost_nano)
        if key is None:
            return
        use = self._uses[key.id]
        use.parallel -= 1
        use.tokens -= reservation.tokens
        if tokens > 0:
            # Counted unconditionally: what was used was used, also where it is more than the window had left.
            use.minute_tokens.add(time.time(), tokens)

    def restore_requests(self, keys: Iterable[VirtualKey], used: Iterable[KeyUse], span: Literal["minute", "day"]) -> None:
        """Count in the windows of that span what the keys were admitted with before a restart, oldest first."""
        uses = {key.id: self._use(key) for key in keys}
        for one in used:
            window = uses[one.key_id].minute if span == "minute" else uses[one.key_id].day
            if window is not None:
                window.add(one.at_ms / 1000, one.amount)

    def restore_tokens(self, keys: Iterable[VirtualKey], used: Iterable[KeyUse]) -> None:
        """Count the tokens that the keys used in the minute before a restart, oldest first."""
        uses = {key.id: self._use(key) for key in keys}
        for one in used:
            uses[one.key_id].minute_tokens.add(one.at_ms / 1000, one.amount)

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
        if key.rpd is not None and day is not None and (left is None or (key.rpd - day.used(now)) < left):
            found["requests"] = (key.rpd, max(0, key.rpd - day.used(now)), day.reset_s(now))
        elif left is not None and minute is not None and key.rpm is not None:
            found["requests"] = (key.rpm, left if left > 0 else 0, minute.reset_s(now))
        if key.tpm is not None:
            left = key.tpm - use.minute_tokens.used(now) - use.tokens
            found["tokens"] = (key.tpm, left if left > 0 else 0, use.minute_tokens.reset_s(now))
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


_AMPLE = 1000
"""Room is ample for so many requests like one: even two hundred at once then hold less of it than a fifth."""


def _has_tokens(key: VirtualKey | None, use: KeyUsage | None, most_tokens: int, now: float) -> bool:
    """Whether the key's tokens a minute suffice whatever the request turns out to have."""
    if key is None or use is None or key.tpm is None:
        return True
    return use.minute_tokens.used(now) + use.tokens + most_tokens <= key.tpm


def _ample(expected: CostEstimate, budgets: Iterable[TrackedBudget], at_ms: int) -> list[Booking] | None:
    """What to book where every budget has ample room for the worst case; None where one has not."""
    made: list[Booking] = []
    cost, worst = expected.cost_nano, expected.worst_nano
    for budget in budgets:
        account, terms = budget.running(at_ms), budget.terms
        if (terms.limit_nano or 0) - account.spend_nano - account.held_nano < _AMPLE * worst:
            return None
        made.append(Booking(budget, account, expected.compiled_price, cost, worst if terms.blocks else cost))
    return made


def _check_parallel(key: VirtualKey, use: KeyUsage) -> None:
    # When one of them will end is unknown: a second is the shortest wait that a Retry-After can state.
    if key.max_parallel is not None and use.parallel >= key.max_parallel:
        raise RateLimited(f"The key {key.name!r} may have {key.max_parallel} requests in flight, and has them.", retry_after=1.0)


def _check_tokens(key: VirtualKey, use: KeyUsage, expected: CostEstimate, now: float) -> None:
    if key.tpm is None:
        return
    if expected.input_tokens > key.tpm:
        raise RateLimited(f"This request alone is over the {key.tpm} tokens a minute of the key {key.name!r}.", retry_after=60.0)
    # At least one token, or requests that need none would pass a full window.
    needed = max(1, expected.input_tokens + expected.output_tokens)
    taken = use.minute_tokens.used(now) + use.tokens
    # Alone, a request whose answer may be over the limit passes: most answers are far shorter than they may be.
    if taken and taken + needed > key.tpm:
        raise _limited(key, f"{key.tpm} tokens per minute", use.minute_tokens.wait_s(now, key.tpm, min(needed, key.tpm)))


NO_PRICE = "No price is known for this model"
"""How the error begins that refuses a model without a price where a budget holds."""


def _check_priced(key: VirtualKey | None, expected: CostEstimate, budgets: Iterable[TrackedBudget]) -> None:
    if not expected.unpriced:
        return
    choice = key.unpriced if key is not None else None
    if key is not None and choice == "block":
        raise Forbidden(f"{NO_PRICE}, and the key {key.name!r} does not allow unpriced models.")
    limiting = next((budget.terms for budget in budgets if budget.terms.blocks), None)
    if limiting is None or choice == "allow":
        return
    if key is not None and limiting.scope == "key":
        raise Forbidden(
            f"{NO_PRICE}, and the key {key.name!r} has a budget. Set the model's price, or allow unpriced models for the key."
        )
    raise Forbidden(
        f"{NO_PRICE}, and the budget {limiting.name!r} holds. Set the model's price, or allow unpriced models for the key."
    )


def _checked(budget: TrackedBudget, account: BudgetAccount, expected: CostEstimate, place: QueuePlace | None) -> Booking | None:
    """What the request is to book in a budget; None: it has to wait. Raises BudgetExceeded."""
    limit, cost, worst = budget.terms.limit_nano or 0, expected.cost_nano, expected.worst_nano
    left = limit - account.spend_nano - account.reserved_nano
    # An unpriced request reserves nothing: it passes only while something is left. So does one of which only the worst case costs.
    exceeded = cost > max(0, left) or (left <= 0 and (expected.unpriced or worst > 0))
    if not budget.terms.blocks:
        account.passed = account.passed or exceeded
        return Booking(budget, account, expected.compiled_price, cost, cost)
    if exceeded:
        need = f"; this request may cost {show_usd(cost)}" if 0 < left < cost else ""
        raise BudgetExceeded(f"{budget.terms.text} has {show_usd(max(0, left))} left{need}.")
    free = max(0, limit - account.spend_nano - account.held_nano)
    if worst <= free:
        return Booking(budget, account, expected.compiled_price, cost, expected.held_nano)
    # In turn: a new request must not overtake those that wait.
    first = not budget.waiting or budget.waiting[0] is place
    if first and not account.overruns and cost <= free:
        return Booking(budget, account, expected.compiled_price, cost, cost, overruns=True)
    return None


def _check_requests(key: VirtualKey, use: KeyUsage, now: float) -> None:
    minute, day = use.minute, use.day
    if minute is not None and key.rpm is not None and minute.used(now) >= key.rpm:
        raise _limited(key, f"{key.rpm} requests per minute", minute.wait_s(now, key.rpm))
    if day is not None and key.rpd is not None and day.used(now) >= key.rpd:
        raise _limited(key, f"{key.rpd} requests per day", day.wait_s(now, key.rpd))


def _limited(key: VirtualKey, what: str, wait_s: float) -> RateLimited:
    return RateLimited(f"The key {key.name!r} has used its {what}.", retry_after=max(1.0, wait_s))
