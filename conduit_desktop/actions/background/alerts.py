"""Notifications about money, keys and strangers: budgets, models without a price, unpaid providers, expiry, invalid keys."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from statistics import median

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.bus import Change
from conduit_desktop.core.entities import Budget, VirtualKey
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.admission.budgets import BudgetAccount
from conduit_desktop.gateway.admission.limits import NO_PRICE

KEY_THRESHOLDS: tuple[float, ...] = Budget.model_fields["thresholds"].default
"""The parts of a key's own budget at which the operator is notified."""
DAY_MS = 86_400_000
SOON_DAYS = (7, 1)
"""Days before the expiry of a key."""
# A start notifies of what expired while the gateway was off, but not of every key that ever did.
LATELY_MS = DAY_MS
TRIES, TRIES_WITHIN_S = 10, 60.0
MOST_ADDRESSES = 1000
USUAL, FEWEST = 20, 5
"""The requests that tell what one usually costs: the latest, and at least so many."""


@dataclass(frozen=True, slots=True)
class _Watched:
    """A budget, or a key's own: `limit` in nano-dollars, `id` another one after each reset of its spend."""

    id: str
    name: str
    limit: int
    thresholds: tuple[float, ...]
    blocks: bool = True


class Alerts:
    """Subscribed to the bus until `close`; `check_expiry` is called every few seconds.

    What was notified is in the store, by occasion: neither a restart nor an unread notification of before swallows or repeats one.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._levels: dict[str, str] = {}
        """By budget: the last occasion, so that not every request asks the store."""
        self._costs: dict[str, deque[int]] = {}
        """By budget: what its latest requests cost, in nano-dollars."""
        self._expiring: dict[str, str] = {}
        self._unpriced: set[str] = set()
        self._tries: dict[str, deque[float]] = {}
        self.close = context.bus.subscribe(self._on_change, "requests")

    def _on_change(self, change: Change) -> None:
        record = change.payload
        if not isinstance(record, RequestRecord):
            return
        if record.error_code == "invalid_api_key" and not record.key_id:
            self._note_try(record.client_ip)
            return
        # Each record is published once its cost is settled, so no timer has to look for budgets that run out.
        self._check_budgets(record)
        self._check_price(record)
        self._check_balance(record)

    # Budgets

    def _check_budgets(self, record: RequestRecord) -> None:
        gateway = self._context.gateway
        key = gateway.snapshot.keys.get(record.key_id)
        if key is not None and key.budget_nano:
            name = f"The {key.budget_period} budget of the key {key.name}"
            watched = _Watched(f"{key.id}:{key.baseline_at}", name, key.budget_nano, KEY_THRESHOLDS)
            self._check(watched, gateway.account(key.id), record)
        for budget in gateway.snapshot.budgets:
            if budget.limit_nano and _counts(budget, record):
                period = "" if budget.period == "total" else f"{budget.period} "
                name = f"The {period}budget {budget.name}"
                watched = _Watched(budget.id, name, budget.limit_nano, budget.thresholds, budget.action == "block")
                self._check(watched, gateway.budget_account(budget), record)

    def _check(self, budget: _Watched, account: BudgetAccount, record: RequestRecord) -> None:
        # Without reservations: what a running call does not use is given back at its end.
        spent = account.spend_nano
        occasion = f"budget:{budget.id}:{budget.limit}:{account.period_start or ''}"
        passed = max((one for one in budget.thresholds if spent >= one * budget.limit), default=None)
        if passed is None:
            self._levels.pop(budget.id, None)
        elif self._levels.get(budget.id) != (reached := f"{occasion}:{passed:g}"):
            self._levels[budget.id] = reached
            self._notify_budget(budget, spent, passed, reached)
        if record.cost_nano and spent < budget.limit:
            self._check_usual(budget, budget.limit - spent, record.cost_nano, occasion)

    def _notify_budget(self, budget: _Watched, spent: int, passed: float, occasion: str) -> None:
        text = f"{show_usd(spent)} of {show_usd(budget.limit)} are spent."
        if passed < 1:
            self._notify("budget", "warning", f"{budget.name} is {passed:.0%} spent", text, occasion)
        elif budget.blocks:
            text += " Its requests are refused until the budget is raised or begins anew."
            self._notify("budget", "error", f"{budget.name} is spent", text, occasion)
        else:
            self._notify("budget", "warning", f"{budget.name} is spent", f"{text} It only warns: requests go on.", occasion)

    def _check_usual(self, budget: _Watched, left: int, cost: int, occasion: str) -> None:
        """Notify once a period where the rest is less than what a request usually costs."""
        costs = self._costs.setdefault(budget.id, deque(maxlen=USUAL))
        costs.append(cost)
        if len(costs) < FEWEST or left >= (usual := round(median(costs))):
            return
        text = f"{show_usd(left)} are left, and its requests usually cost {show_usd(usual)}."
        self._notify("budget", "warning", f"{budget.name} has no room for a usual request", text, f"{occasion}:usual")

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
            way = f"Enter its price on the page Prices, or with: conduit-desktop prices add '{name}' --input USD --output USD"
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


def _counts(budget: Budget, record: RequestRecord) -> bool:
    """Whether the request is one of those that the budget is for."""
    target = budget.target.casefold()
    match budget.scope:
        case "global":
            return True
        case "key":
            return record.key_id == budget.target
        case "team":
            return record.team.casefold() == target
        case "alias":
            return record.model.casefold() == target
        case "provider":
            return target in {record.provider.casefold(), *(attempt.provider.casefold() for attempt in record.attempts)}
