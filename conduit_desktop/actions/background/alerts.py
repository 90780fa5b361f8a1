"""Notifications about money, keys and strangers: budgets, models without a price, unpaid providers, expiry, invalid keys."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from statistics import median

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.bus import Change
from conduit_desktop.core.entities import Budget, VirtualKey
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.core.tokens import total_input, total_output
from conduit_desktop.gateway.admission.budgets import BudgetAccount
from conduit_desktop.gateway.admission.limits import NO_PRICE
from conduit_desktop.gateway.gateway import Gateway

KEY_THRESHOLDS: tuple[float, ...] = Budget.model_fields["thresholds"].default
"""The parts of a key's own budget at which the operator is notified."""
DAY_MS = 86_400_000
SOON_DAYS = (7, 1)
"""Days before the expiry of a key."""
# A start notifies of what expired while the gateway was off, but not of every key that ever did.
LATELY_MS = DAY_MS
TRIES, TRIES_WITHIN_S = 10, 60.0
MOST_ADDRESSES = 1000
MOST_SUSPECTS, SUSPECTS_WITHIN_S = 20, 86_400.0
USUAL, FEWEST = 20, 5
"""The requests that tell what one usually costs: the latest, and at least so many."""


@dataclass(frozen=True, slots=True)
class _Watched:
    """A budget, or a key's own: `limit` in nano-dollars, `id` another one after each reset of its spend."""

    id: str
    name: str
    limit: int
    thresholds: tuple[float, ...]
    account: Callable[[], BudgetAccount]
    """The account of the running period."""
    blocks: bool = True
    notified_from: float = inf
    """The spend that the first threshold is at, in nano-dollars."""

    def occasion(self, account: BudgetAccount) -> str:
        """The beginning of the occasions of the account's period."""
        return f"budget:{self.id}:{self.limit}:{account.period_start or ''}"


class _WatchedBudgets:
    """The budgets of one snapshot, by those whose requests they count."""

    def __init__(self, gateway: Gateway) -> None:
        self.snapshot = gateway.snapshot
        self._by_holder: dict[tuple[str, str], list[_Watched]] = {}
        self._only_of_keys = all(budget.scope == "key" for budget in self.snapshot.budgets)
        self._any_of_provider = any(budget.scope == "provider" for budget in self.snapshot.budgets)
        for key in self.snapshot.keys.values():
            if key.budget_nano:
                name = f"The {key.budget_period} budget of the key {key.name}"
                account = partial(gateway.state.budgets.account, key.id)
                self._add("key", key.id, f"{key.id}:{key.baseline_at}", name, key.budget_nano, KEY_THRESHOLDS, account)
        for budget in self.snapshot.budgets:
            if budget.limit_nano:
                period = "" if budget.period == "total" else f"{budget.period} "
                target = budget.target if budget.scope == "key" else budget.target.casefold()
                account = partial(gateway.state.budgets.budget_account, budget)
                blocks = budget.action == "block"
                name = f"The {period}budget {budget.name}"
                self._add(budget.scope, target, budget.id, name, budget.limit_nano, budget.thresholds, account, blocks)

    def _add(
        self, scope: str, target: str, id: str, name: str, limit: int, thresholds: tuple[float, ...],
        account: Callable[[], BudgetAccount], blocks: bool = True,
    ) -> None:  # fmt: skip
        first = min(thresholds, default=inf) * limit
        holder = (scope, "" if scope == "global" else target)
        self._by_holder.setdefault(holder, []).append(_Watched(id, name, limit, thresholds, account, blocks, first))

    def of(self, record: RequestRecord) -> Sequence[_Watched]:
        """The budgets that count the request."""
        by_holder = self._by_holder
        if self._only_of_keys:
            return by_holder.get(("key", record.key_id), ())
        holders = [("key", record.key_id), ("global", ""), ("team", record.team.casefold()), ("alias", record.model.casefold())]
        if self._any_of_provider:
            providers = {record.provider, *(attempt.provider for attempt in record.attempts)}
            holders += {("provider", provider.casefold()) for provider in providers}
        return [watched for holder in holders if holder in by_holder for watched in by_holder[holder]]


_UNIT_RATES = {
    "images": "--per-image USD", "image_edits": "--per-image USD", "speech": "--per-1k-chars USD",
    "transcriptions": "--per-minute USD", "translations": "--per-minute USD", "rerank": "--per-search USD",
}  # fmt: skip
"""Endpoints that are billed by something else than tokens, with the option of `prices add`."""


def _rates(record: RequestRecord) -> str:
    """The options of `prices add` by which a call like this one has a price."""
    by_tokens = "--input USD --output USD"
    by_units = _UNIT_RATES.get(record.endpoint)
    if by_units is None or total_input(record) + total_output(record):
        return by_tokens
    # Some models for pictures and sound are billed by tokens: a refused call does not show it.
    return f"{by_units} (where it is billed by tokens: {by_tokens})" if record.status == "refused" else by_units


def _quoted(name: str) -> str:
    """The name as one word of a shell: clients choose it, and the command is copied into a terminal."""
    return "'" + name.replace("'", "'\"'\"'") + "'"


class Alerts:
    """Subscribed to the bus until `close`; `check_expiry` is called every few seconds.

    What was notified is in the store, by occasion: neither a restart nor an unread notification of before swallows or repeats one.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._state = context.gateway.state
        self._watched = _WatchedBudgets(context.gateway)
        self._levels: dict[str, str] = {}
        """By budget: the last occasion, so that not every request asks the store."""
        self._costs: dict[str, deque[int]] = {}
        """By budget: what its latest requests cost, in nano-dollars."""
        self._expiring: dict[str, str] = {}
        self._unpriced: set[str] = set()
        self._tries: dict[str, deque[float]] = {}
        self._suspects: deque[float] = deque(maxlen=MOST_SUSPECTS)
        """When an address was last notified of."""
        self.close = context.bus.subscribe(self._on_change, "requests")

    def _on_change(self, change: Change) -> None:
        record = change.payload
        if not isinstance(record, RequestRecord):
            return
        if record.error_code == "invalid_api_key" and not record.key_id:
            self._note_try(record.client_ip)
            return
        # Each record is published once its cost is settled, so no timer has to look for budgets that run out.
        if self._watched.snapshot is not self._state.snapshot:
            self._watched = _WatchedBudgets(self._context.gateway)
        for watched in self._watched.of(record):
            self._check(watched, record)
        # A priced answer of the first target has nothing else to notify of.
        if record.status != "success" or record.cost_nano is None or len(record.attempts) > 1:
            self._check_price(record)
            self._check_balance(record)

    # Budgets

    def _check(self, budget: _Watched, record: RequestRecord) -> None:
        account = budget.account()
        # Without reservations: what a running call does not use is given back at its end.
        spent = account.spend_nano
        if spent < budget.notified_from:
            self._levels.pop(budget.id, None)
        else:
            passed = max(one for one in budget.thresholds if spent >= one * budget.limit)
            reached = f"{budget.occasion(account)}:{passed:g}"
            if self._levels.get(budget.id) != reached:
                self._levels[budget.id] = reached
                self._notify_budget(budget, spent, passed, reached)
        if record.cost_nano and spent < budget.limit:
            self._check_usual(budget, account, budget.limit - spent, record.cost_nano)

    def _notify_budget(self, budget: _Watched, spent: int, passed: float, occasion: str) -> None:
        text = f"{show_usd(spent)} of {show_usd(budget.limit)} are spent."
        if passed < 1:
            self._notify("budget", "warning", f"{budget.name} is {passed:.0%} spent", text, occasion)
        elif budget.blocks:
            text += " Its requests are refused until the budget is raised or begins anew."
            self._notify("budget", "error", f"{budget.name} is spent", text, occasion)
        else:
            self._notify("budget", "warning", f"{budget.name} is spent", f"{text} It only warns: requests go on.", occasion)

    def _check_usual(self, budget: _Watched, account: BudgetAccount, left: int, cost: int) -> None:
        """Notify once a period where the rest is less than what a request usually costs."""
        costs = self._costs.get(budget.id) or self._costs.setdefault(budget.id, deque(maxlen=USUAL))
        costs.append(cost)
        # `max` first: a median takes longer, and is never more.
        if len(costs) < FEWEST or left >= max(costs) or left >= (usual := round(median(costs))):
            return
        text = f"{show_usd(left)} are left, and its requests usually cost {show_usd(usual)}."
        self._notify(
            "budget", "warning", f"{budget.name} has no room for a usual request", text, f"{budget.occasion(account)}:usual"
        )

    # Prices and providers

    def _check_price(self, record: RequestRecord) -> None:
        """Notify of each model without a price once, with the way to enter one."""
        refused = record.status == "refused" and record.error_text.startswith(NO_PRICE)
        answered = record.status == "success" and record.cost_nano is None and record.provider != ""
        if not refused and not answered:
            return
        names = [f"{record.provider}/{record.target_model}"] if answered else self._targets(record.model)
        for name in names:
            if name in self._unpriced:
                continue
            # A bound, because clients choose the names of models: the store drops what it has already.
            if len(self._unpriced) >= MOST_ADDRESSES:
                self._unpriced.clear()
            self._unpriced.add(name)
            what = "A request was refused, because a budget holds for it." if refused else "Its requests count in no budget."
            way = f"Enter its price on the page Prices, or with: conduit-desktop prices add {_quoted(name)} {_rates(record)}"
            self._notify("budget", "warning", f"No price is known for {name}", f"{what} {way}", f"unpriced:{name}")

    def _targets(self, model: str) -> list[str]:
        """The targets, `provider/model`, of an alias; of a direct call its own name."""
        alias = self._context.gateway.snapshot.aliases.get(model.lower())
        return [f"{target.provider}/{target.model}" for target in alias.targets] if alias is not None else [model]

    def _check_balance(self, record: RequestRecord) -> None:
        """Notify once a day of a provider that refuses requests because it is not paid."""
        for attempt in record.attempts:
            if attempt.outcome == "money":
                text = f"It refuses requests because of its own balance or quota: {attempt.detail or attempt.status}"
                occasion = f"balance:{attempt.provider}:{record.started_at // DAY_MS}"
                self._notify("health", "error", f"The account at {attempt.provider} is used up", text, occasion)

    # Keys

    def _note_try(self, address: str) -> None:
        # Bounded: an IPv6 attacker has more addresses than memory. Clearing only delays the notification.
        if len(self._tries) >= MOST_ADDRESSES:
            self._tries.clear()
        # Monotonic: a change of the system's clock must neither make nor hide a burst.
        tries, now = self._tries.setdefault(address, deque(maxlen=TRIES)), time.monotonic()
        tries.append(now)
        if len(tries) == TRIES and now - tries[0] <= TRIES_WITHIN_S:
            # Without this, each further try within the minute would notify again.
            tries.clear()
            # Few of them: the list of notifications is bounded, and who has a network of addresses could push out all others.
            if len(self._suspects) == MOST_SUSPECTS and now - self._suspects[0] <= SUSPECTS_WITHIN_S:
                text = "Calls with keys that are not valid come from many addresses. An IP rule keeps a whole network out."
                self._notify("security", "warning", "Wrong API keys from many addresses", text)
                return
            self._suspects.append(now)
            # The address alone: the key that was tried may be a real one of another service.
            text = f"{TRIES} calls within a minute came with keys that are not valid. An IP rule keeps an address out."
            self._notify("security", "warning", f"Wrong API keys from {address}", text)

    def check_expiry(self, now_ms: int) -> None:
        """Notify of keys that expire in a week, in a day, or expired lately."""
        for key in self._context.gateway.snapshot.keys.values():
            # A disabled key is refused already, so its expiry changes nothing.
            if key.expires_at is None or not key.enabled or key.expires_at - now_ms < -LATELY_MS:
                continue
            left = key.expires_at - now_ms
            stage = 0 if left <= 0 else min((days for days in SOON_DAYS if left <= days * DAY_MS), default=None)
            occasion = f"expiry:{key.id}:{key.expires_at}:{stage}"
            if stage is not None and self._expiring.get(key.id) != occasion:
                self._expiring[key.id] = occasion
                self._notify_expiry(key, stage, occasion)

    def _notify_expiry(self, key: VirtualKey, days: int, occasion: str) -> None:
        from conduit_desktop.actions.schemas.views import rfc3339  # with all views: loaded when first needed

        at = rfc3339(key.expires_at)
        if days == 0:
            self._notify("expiry", "warning", f"The key {key.name} has expired", f"It is refused since {at}.", occasion)
        else:
            within = "a day" if days == 1 else f"{days} days"
            severity = "warning" if days == 1 else "info"
            self._notify(
                "expiry", severity, f"The key {key.name} expires within {within}", f"It is refused from {at} on.", occasion
            )

    def _notify(self, kind: str, severity: str, title: str, text: str, occasion: str = "") -> None:
        self._context.gateway.state.notify(kind, severity, title, text, occasion)
