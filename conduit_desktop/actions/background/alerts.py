"""Notifications about keys: budgets that run out, keys that expire, and addresses that try invalid keys."""

from __future__ import annotations

import time
from collections import deque

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.bus import Change
from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord

ALMOST = 0.8
"""The part of a budget after which the operator is notified."""
SOON_MS = 3 * 86_400_000
# What was notified is kept in memory only: without this bound, each start would notify of every key that ever expired.
LATELY_MS = 86_400_000
TRIES, TRIES_WITHIN_S = 10, 60.0
MOST_ADDRESSES = 1000


class Alerts:
    """Subscribed to the bus until `close`; `check_expiry` is called every few seconds."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._notified: dict[str, tuple[int | None, int, int]] = {}
        """By key id: period and budget of the last notification, and its level (1 almost spent, 2 spent)."""
        self._expiring: dict[str, tuple[int, bool]] = {}
        """By key id: the expiry of the last notification, and whether it had passed."""
        self._tries: dict[str, deque[float]] = {}
        self.close = context.bus.subscribe(self._on_change, "requests")

    def _on_change(self, change: Change) -> None:
        if not isinstance(change.payload, RequestRecord):
            return
        record = change.payload
        if record.key_id:
            # Each record is published once its cost is settled, so no timer has to look for budgets that run out.
            self._check_budget(record.key_id)
        elif record.error_code == "invalid_api_key":
            self._note_try(record.client_ip)

    def _check_budget(self, key_id: str) -> None:
        key = self._context.gateway.snapshot.keys.get(key_id)
        if key is None or not key.budget_nano:
            return
        account = self._context.gateway.account(key_id)
        # Without reservations: what a running call does not use is given back at its end.
        share = account.spend_nano / key.budget_nano
        level = 2 if share >= 1 else 1 if share >= ALMOST else 0
        if level == 0 and key_id not in self._notified:
            return
        period, budget, before = self._notified.get(key_id, (account.period_start, key.budget_nano, 0))
        # A new period or another budget starts from nothing: the earlier notification says nothing about it.
        if (period, budget) != (account.period_start, key.budget_nano):
            before = 0
        # Also when the level falls: after a reset of the spend, the next crossing is notified again.
        self._notified[key_id] = account.period_start, key.budget_nano, level
        if level > before:
            self._notify_budget(key, key.budget_nano, account.spend_nano, level)

    def _notify_budget(self, key: VirtualKey, budget: int, spent: int, level: int) -> None:
        of = f"{show_usd(spent)} of the {key.budget_period} budget of {show_usd(budget)}"
        if level == 2:
            text = f"{of} are spent. Its requests are refused until the budget is raised or begins anew."
            self._context.gateway.state.notify("budget", "error", f"The budget of the key {key.name} is spent", text)
        else:
            self._context.gateway.state.notify(
                "budget", "warning", f"The budget of the key {key.name} is almost spent", f"{of} are spent."
            )

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
            self._context.gateway.state.notify("security", "warning", f"Wrong API keys from {address}", text)

    def check_expiry(self, now_ms: int) -> None:
        """Notify of keys that expire soon or expired lately."""
        for key in self._context.gateway.snapshot.keys.values():
            # A disabled key is refused already, so its expiry changes nothing.
            if key.expires_at is None or not key.enabled or not -LATELY_MS <= key.expires_at - now_ms <= SOON_MS:
                continue
            over = key.expires_at <= now_ms
            if self._expiring.get(key.id) != (key.expires_at, over):
                self._expiring[key.id] = key.expires_at, over
                self._notify_expiry(key, over)

    def _notify_expiry(self, key: VirtualKey, over: bool) -> None:
        from conduit_desktop.actions.schemas.views import rfc3339  # with all views: loaded when first needed

        at = rfc3339(key.expires_at)
        if over:
            self._context.gateway.state.notify("expiry", "warning", f"The key {key.name} has expired", f"It is refused since {at}.")
        else:
            self._context.gateway.state.notify("expiry", "info", f"The key {key.name} expires soon", f"It is refused from {at} on.")
