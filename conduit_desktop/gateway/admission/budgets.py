"""What every budget has spent and reserved in its running period, in memory; the ledger says where it starts.

All steps are synchronous: no other request runs between the check and the reservation.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from string import ascii_lowercase, ascii_uppercase

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Budget, BudgetPeriod, BudgetScope, VirtualKey
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.accounting.compiled_price import CompiledPrice
from conduit_desktop.store.interface import Spending

DAY_MS = 86_400_000
_KEPT_PERIODS = 2
"""Earlier periods that stay known without a request in flight: the clock may be set back."""
# SQLite's NOCASE, by which the ledger finds names, changes these letters alone.
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


@dataclass(slots=True)
class BudgetAccount:
    """One budget in one period, in nano-dollars. The period begins at `period_start` (epoch ms; None: since ever)."""

    spend_nano: int = 0
    reserved_nano: int = 0
    """The expected cost of the requests in flight."""
    held_nano: int = 0
    """What is kept free for them: what each will hardly pass, but of one that may overrun the budget its expected cost."""
    overruns: int = 0
    """Requests in flight that may overrun the budget: 0 or 1."""
    bookings: int = 0
    """Requests in flight that hold a part of a limit."""
    charged_nano: int = 0
    """Of the spend, what this process has settled."""
    passed: bool = False
    """A budget that only warns let a request through that it had no room for."""
    period_start: int | None = None
    next_reset: int | None = None


def period(kind: BudgetPeriod, at_ms: int) -> tuple[int | None, int | None]:
    """Start and end (epoch ms) of the UTC calendar period at `at_ms`; both None for `total`. Weeks begin on Monday."""
    if kind == "total":
        return None, None
    # UTC, so that no daylight-saving change makes a day of 23 hours and a restart elsewhere finds the same period.
    day = datetime.fromtimestamp(at_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "daily":
        start, end = day, day + timedelta(days=1)
    elif kind == "weekly":
        start = day - timedelta(days=day.weekday())
        end = start + timedelta(days=7)
    else:
        start = day.replace(day=1)
        # 32 days after the first of a month is always in the next one.
        end = (start + timedelta(days=32)).replace(day=1)
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """What a budget counts and allows: an entity's, or a key's own. `limit_nano` None: the spend is counted and nothing is limited.

    `baseline_nano` was already spent in the period when a key's spend was last reset (at `baseline_at`). `former`: earlier names of
    the target, under which the ledger has what was spent before.
    """

    id: str
    scope: BudgetScope
    target: str
    name: str
    period: BudgetPeriod
    limit_nano: int | None = None
    blocks: bool = True
    baseline_nano: int = 0
    baseline_at: int = 0
    former: tuple[str, ...] = ()

    @classmethod
    def of_key(cls, key: VirtualKey) -> BudgetTerms:
        """The terms of the key's own budget."""
        return cls(
            key.id, "key", key.id, key.name, key.budget_period, key.budget_nano,
            baseline_nano=key.baseline_nano, baseline_at=key.baseline_at,
        )  # fmt: skip

    @classmethod
    def of_budget(cls, budget: Budget) -> BudgetTerms:
        """The terms of a budget entity."""
        return cls(
            budget.id, budget.scope, budget.target, budget.name, budget.period, budget.limit_nano, budget.action == "block",
            former=budget.former,
        )  # fmt: skip

    @property
    def holder(self) -> tuple[BudgetScope, str]:
        """Whose spend it is, as `Budgets` finds it."""
        return _holder(self.scope, self.target)

    @property
    def counted(self) -> tuple[object, ...]:
        """What the spend depends on: where it changes, the ledger has to be read again."""
        return self.holder, self.former, self.period, self.baseline_nano, self.baseline_at

    @property
    def text(self) -> str:
        """The budget as an error names it: `The monthly budget of the key 'app' ($2.00)`."""
        kind = "" if self.period == "total" else f"{self.period} "
        limit = show_usd(self.limit_nano or 0)
        if self.scope == "key" and self.id == self.target:
            return f"The {self.period} budget of the key {self.name!r} ({limit})"
        of = "" if self.scope == "global" else f" of the {self.scope}" + ("" if self.scope == "key" else f" {self.target!r}")
        return f"The {kind}budget {self.name!r}{of} ({limit})"


def _holder(scope: BudgetScope, target: str) -> tuple[BudgetScope, str]:
    return scope, target if scope == "key" else target.translate(_LOWER)


class TrackedBudget:
    """A budget over its periods: its terms, the account of the running period, and the requests that wait for it."""

    __slots__ = ("_accounts", "account", "loaded", "terms", "waiting")

    def __init__(self, terms: BudgetTerms, at_ms: int) -> None:
        self.terms = terms
        self.account = BudgetAccount()
        self.account.period_start, self.account.next_reset = period(terms.period, at_ms)
        self.loaded: tuple[object, ...] | None = None
        """By what the spend was read from the ledger; None: it was not."""
        self.waiting: deque[QueuePlace] = deque()
        self._accounts = {self.account.period_start: self.account}

    def running(self, at_ms: int) -> BudgetAccount:
        """The account of the period at `at_ms`, which is now."""
        account = self.account
        if account.next_reset is None or (account.period_start or 0) <= at_ms < account.next_reset:
            return account
        start, end = period(self.terms.period, at_ms)
        known = self._accounts.get(start)
        if known is None:
            known = self._accounts[start] = BudgetAccount(period_start=start, next_reset=end)
            others = [one for one in self._accounts.values() if one is not known and not one.bookings]
            for old in others[:-_KEPT_PERIODS]:
                del self._accounts[old.period_start]
        self.account = known
        return known

    def charge(self, at_ms: int, cost_nano: int) -> None:
        """Add what a request cost that was admitted at `at_ms`: to the period of that moment, even where it is over."""
        account = self.account
        if account.next_reset is not None and not (account.period_start or 0) <= at_ms < account.next_reset:
            # A period that nobody asks for any more is in the ledger alone.
            later = at_ms >= account.next_reset
            found = self.running(at_ms) if later else self._accounts.get(period(self.terms.period, at_ms)[0])
            if found is None:
                return
            account = found
        account.spend_nano += cost_nano
        account.charged_nano += cost_nano

    def reload(self, reading: SpendReading, spent_nano: int) -> None:
        """Take the ledger's sum, and add what was settled since it was asked for."""
        terms, account = reading.terms, reading.account
        if self.terms.period != terms.period:
            # In place: what is in flight goes on holding its part, and gives it back to this account.
            account.period_start, account.next_reset = reading.period_start, reading.spending.until_ms
            self.account, self._accounts = account, {reading.period_start: account}
        # A reset in an earlier period took nothing from this one's total.
        baseline = terms.baseline_nano if terms.baseline_at >= (reading.period_start or 0) else 0
        account.spend_nano = max(0, spent_nano - baseline) + account.charged_nano - reading.charged_nano
        self.terms, self.loaded = terms, terms.counted

    def join(self) -> QueuePlace:
        """A place at the end of the queue."""
        place = QueuePlace(self)
        self.waiting.append(place)
        return place

    def wake(self) -> None:
        """Something was given back: the first that waits may try again."""
        if self.waiting:
            self.waiting[0].wake()


class QueuePlace:
    """A request's place among those that wait until another one no longer may overrun the budget."""

    __slots__ = ("_woken", "budget")

    def __init__(self, budget: TrackedBudget) -> None:
        self.budget = budget
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Try again."""
        self._woken.set()

    async def turn(self, timeout_s: float) -> None:
        """Wait until it is worth to try again, `timeout_s` at most."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    def leave(self) -> None:
        """Give the place up; the next one may try."""
        if self in self.budget.waiting:
            self.budget.waiting.remove(self)
            # Whatever this one was woken for is the next one's now.
            self.budget.wake()


@dataclass(slots=True)
class SpendReading:
    """What is asked of the ledger about one budget, and what was settled in memory when it was asked."""

    terms: BudgetTerms
    account: BudgetAccount
    charged_nano: int
    spending: Spending
    period_start: int | None


@dataclass(slots=True)
class Booking:
    """What one request holds in one budget. `price` is the price of what it grows by; None: no price is known."""

    budget: TrackedBudget
    account: BudgetAccount
    price: CompiledPrice | None
    expected_nano: int
    held_nano: int
    overruns: bool = False

    def take(self) -> None:
        """Book it; nothing is checked here."""
        account = self.account
        account.reserved_nano += self.expected_nano
        account.held_nano += self.held_nano
        account.overruns += self.overruns
        account.bookings += 1

    def release(self) -> None:
        """Give all of it back."""
        account = self.account
        account.reserved_nano -= self.expected_nano
        account.held_nano -= self.held_nano
        account.overruns -= self.overruns
        account.bookings -= 1
        self.budget.wake()

    def room_for(self, more_nano: int) -> bool:
        """Whether the request may cost that much more."""
        limit = self.budget.terms.limit_nano
        if limit is None or not self.budget.terms.blocks:
            return True
        return self._unheld(more_nano) <= max(0, limit - self.account.spend_nano - self.account.held_nano)

    def grow(self, more_nano: int) -> None:
        """Book that much more, whether there is room or not."""
        unheld = self._unheld(more_nano)
        self.expected_nano += more_nano
        self.account.reserved_nano += more_nano
        self.held_nano += unheld
        self.account.held_nano += unheld

    def _unheld(self, more_nano: int) -> int:
        """The part of the growth that is beyond what is held for the request's worst case."""
        return max(0, self.expected_nano + more_nano - self.held_nano)


class Budgets:
    """Every budget, and the spend of every key."""

    def __init__(self, now_ms: Callable[[], int] = now_ms) -> None:
        self.now_ms = now_ms
        self._keys: dict[str, TrackedBudget] = {}
        self._budgets: dict[tuple[object, ...], TrackedBudget] = {}
        """By id and holder: where a budget's holder changes, it is another one."""
        self._holders: dict[tuple[BudgetScope, str], list[TrackedBudget]] = {}
        self.any_of_provider = False
        """Whether any provider has a budget."""

    def account(self, key_id: str) -> BudgetAccount:
        """The key's account in the running period."""
        return self._key(key_id).running(self.now_ms())

    def budget_account(self, budget: Budget) -> BudgetAccount:
        """The budget's account in the running period."""
        tracked = self._budgets.get((budget.id, _holder(budget.scope, budget.target)))
        if tracked is None:
            tracked = TrackedBudget(BudgetTerms.of_budget(budget), self.now_ms())
        return tracked.running(self.now_ms())

    def of_key(self, key: VirtualKey) -> TrackedBudget:
        """The key's own budget, or its spend where it has none."""
        tracked = self._keys.get(key.id)
        if tracked is None:
            tracked = self._keys[key.id] = TrackedBudget(BudgetTerms.of_key(key), self.now_ms())
        return tracked

    def of_request(self, key: VirtualKey | None, alias: str) -> Sequence[TrackedBudget]:
        """The budgets that hold for a request besides the key's own and those of providers."""
        if not self._holders:
            return ()
        found = list(self._holders.get(("global", ""), ()))
        if alias:
            found += self._holders.get(("alias", alias.translate(_LOWER)), ())
        if key is not None:
            found += self._holders.get(("key", key.id), ())
            if key.team:
                found += self._holders.get(("team", key.team.translate(_LOWER)), ())
        return [one for one in found if one.terms.limit_nano is not None]

    def of_provider(self, name: str) -> Sequence[TrackedBudget]:
        """The budgets of a provider."""
        found = self._holders.get(("provider", name.translate(_LOWER)))
        return [one for one in found if one.terms.limit_nano is not None] if found else ()

    def spent_budget(self, provider: str) -> BudgetTerms | None:
        """The provider's budget that has nothing left, for which it is left out; None where there is none."""
        for budget in self.of_provider(provider):
            terms, account = budget.terms, budget.running(self.now_ms())
            if terms.blocks and account.spend_nano + account.reserved_nano >= (terms.limit_nano or 0):
                return terms
        return None

    def limit(self, key: VirtualKey | None, alias: str) -> bool:
        """Whether any budget may hold for a request."""
        return (key is not None and key.budget_nano is not None) or self.any_of_provider or bool(self.of_request(key, alias))

    def charge(self, record: RequestRecord) -> None:
        """Add what a settled request cost to every budget that counts it, by the rules of the ledger's own sums."""
        cost, at_ms = record.cost_nano or 0, record.started_at
        if not cost:
            return
        if record.key_id:
            self._key(record.key_id).charge(at_ms, cost)
        if not self._holders:
            return
        alias, team = record.model.translate(_LOWER), record.team.translate(_LOWER)
        holders: tuple[tuple[BudgetScope, str], ...] = (("global", ""), ("alias", alias), ("key", record.key_id), ("team", team))
        for holder in holders:
            for budget in self._holders.get(holder, ()):
                budget.charge(at_ms, cost)
        if self.any_of_provider:
            for provider, nano in _by_provider(record).items():
                for budget in self._holders.get(("provider", provider), ()):
                    budget.charge(at_ms, nano)

    def stale(self, keys: Iterable[VirtualKey], budgets: Iterable[Budget] = ()) -> list[BudgetTerms]:
        """What has to be read from the ledger: what is new, or whose holder, period or baseline is another now."""
        terms = (*map(BudgetTerms.of_key, keys), *map(BudgetTerms.of_budget, budgets))
        return [one for one in terms if (known := self._find(one)) is None or known.loaded != one.counted]

    def readings(self, terms: Iterable[BudgetTerms]) -> list[SpendReading]:
        """What to ask the ledger for. From now on, what is settled is counted for them."""
        now, made = self.now_ms(), []
        for one in terms:
            tracked = self._find(one)
            if tracked is None:
                # Without its limit: nothing is refused by a spend that is not known yet.
                tracked = self._add(one, now)
            start, end = period(one.period, now)
            account = tracked.running(now)
            spending = Spending(one.scope, one.target, start or 0, end, one.former)
            made.append(SpendReading(one, account, account.charged_nano, spending, start))
        return made

    def load(self, readings: Iterable[SpendReading], spent: Iterable[int]) -> None:
        """Take the ledger's sums, in the order of the readings; reservations stay as they are."""
        for reading, nano in zip(readings, spent, strict=True):
            tracked = self._find(reading.terms)
            if tracked is not None:
                tracked.reload(reading, nano)

    def configure(self, keys: Collection[VirtualKey], budgets: Collection[Budget]) -> None:
        """Limit by these from now on. What is gone is forgotten once it has nothing in flight."""
        for terms in (*map(BudgetTerms.of_key, keys), *map(BudgetTerms.of_budget, budgets)):
            tracked = self._find(terms)
            if tracked is not None:
                tracked.terms = terms
        self.forget({key.id for key in keys})
        kept = {(terms.id, terms.holder) for terms in map(BudgetTerms.of_budget, budgets)}
        gone = [budget for identity, budget in self._budgets.items() if identity not in kept]
        self._budgets = {identity: budget for identity, budget in self._budgets.items() if identity in kept}
        self._holders, self.any_of_provider = {}, False
        for budget in self._budgets.values():
            self._index(budget)
        for budget in gone:
            # A limit that no longer holds: each that waits for it may go on.
            for place in tuple(budget.waiting):
                place.wake()
        for budget in (*self._budgets.values(), *self._keys.values()):
            budget.wake()

    def forget(self, keep: Collection[str]) -> None:
        """Drop the accounts of keys that are gone and have nothing in flight."""
        # Else the reservation would be settled in a new account that never held it.
        for key_id in [k for k, one in self._keys.items() if k not in keep and not one.account.reserved_nano]:
            for place in tuple(self._keys.pop(key_id).waiting):
                place.wake()

    def _find(self, terms: BudgetTerms) -> TrackedBudget | None:
        own = terms.scope == "key" and terms.id == terms.target
        return self._keys.get(terms.id) if own else self._budgets.get((terms.id, terms.holder))

    def _add(self, terms: BudgetTerms, at_ms: int) -> TrackedBudget:
        tracked = TrackedBudget(replace(terms, limit_nano=None), at_ms)
        if terms.scope == "key" and terms.id == terms.target:
            self._keys[terms.id] = tracked
        else:
            self._budgets[terms.id, terms.holder] = tracked
            self._index(tracked)
        return tracked

    def _index(self, budget: TrackedBudget) -> None:
        scope, target = budget.terms.holder
        # The ledger counts what came under a former name: so does memory, for what was in flight at the change.
        for name in {target, *(former.translate(_LOWER) for former in budget.terms.former)}:
            self._holders.setdefault((scope, name), []).append(budget)
        self.any_of_provider = self.any_of_provider or budget.terms.scope == "provider"

    def _key(self, key_id: str) -> TrackedBudget:
        tracked = self._keys.get(key_id)
        if tracked is None:
            tracked = self._keys[key_id] = TrackedBudget(BudgetTerms(key_id, "key", key_id, "", "total"), self.now_ms())
        return tracked


def _by_provider(record: RequestRecord) -> Mapping[str, int]:
    """What each provider was paid for a request, by its name in lower case: failed attempts are paid for, too."""
    paid = {record.provider.translate(_LOWER): (record.cost_nano or 0) - record.attempts_nano}
    if record.attempts_nano:
        # The last attempt of an answer that broke off or was left is the answer's own.
        failed = record.attempts[:-1] if (record.cost_nano or 0) > record.attempts_nano else record.attempts
        for attempt in failed:
            if attempt.outcome != "ok" and attempt.cost_nano and attempt.cost_nano > 0:
                provider = attempt.provider.translate(_LOWER)
                paid[provider] = paid.get(provider, 0) + attempt.cost_nano
    return paid
