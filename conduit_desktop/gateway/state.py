"""What the gateway keeps between requests: snapshot, budgets, limits, health, connections, and what is in flight."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from conduit_desktop.core import shown_text
from conduit_desktop.core.bus import Bus
from conduit_desktop.core.entities import Notification, OfferedModel
from conduit_desktop.core.errors import DatabaseUnusable
from conduit_desktop.core.pacing import Pacer
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.core.settings import Settings
from conduit_desktop.gateway.accounting.price_lists import PriceLists
from conduit_desktop.gateway.accounting.pricing import CompiledPrices
from conduit_desktop.gateway.admission.budgets import Budgets, BudgetTerms
from conduit_desktop.gateway.admission.failed_logins import FailedLogins
from conduit_desktop.gateway.admission.limits import RateLimiter
from conduit_desktop.gateway.admission.windows import DAY_S, EXACT_UP_TO, MINUTE_S, SLICES
from conduit_desktop.gateway.background import HealthMonitor
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.health.circuit import Health
from conduit_desktop.gateway.routing.affinity import SessionAffinity
from conduit_desktop.gateway.routing.capabilities import Capabilities
from conduit_desktop.gateway.routing.strategies import RoundRobinCounters
from conduit_desktop.gateway.snapshot import BoundProvider, Snapshot, take
from conduit_desktop.gateway.threads import Threads
from conduit_desktop.gateway.upstream.client import Upstream
from conduit_desktop.gateway.upstream.model_list import fetch_models
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningStore
from conduit_desktop.gateway.upstream.timed_reader import TimedReader
from conduit_desktop.store.interface import Store
from conduit_desktop.store.secrets.store import SecretStore

log = logging.getLogger(__name__)

MINUTE_STEP_MS, DAY_STEP_MS = MINUTE_S * 1000 // SLICES, DAY_S * 1000 // SLICES
"""How exactly the windows are read from the ledger: as exactly as they count."""


class GatewayState:
    """The gateway's state. `overrides`: settings fixed by options, environment and config file; they win over the store's."""

    def __init__(self, store: Store, secrets: SecretStore, bus: Bus, overrides: Mapping[str, Any] | None = None) -> None:
        self.store = store
        self.secrets = secrets
        self.bus = bus
        self.overrides: dict[str, Any] = dict(overrides or {})
        self.snapshot = Snapshot()
        self.health = Health(on_change=self._on_health)
        self.budgets = Budgets()
        self.limiter = RateLimiter(self.budgets)
        self.round_robin = RoundRobinCounters()
        self.price_lists = PriceLists(self._fetch_models)
        self.compiled_prices = CompiledPrices(self.price_lists, store.price_catalog)
        self.upstream = Upstream()
        self.failed_logins = FailedLogins()
        self.reasoning = ReasoningStore()
        self.threads = Threads()
        self.offered: dict[str, tuple[int, list[OfferedModel]]] = {}
        """The models that providers list, by provider name, with the `updated_at` of the provider they were read from."""
        self.capabilities = Capabilities(self.offered)
        self.affinity = SessionAffinity()
        self.health_monitor = HealthMonitor(store.meta, self.health, lambda: self.snapshot, lambda: self.upstream)
        self.streams: set[TimedReader] = set()
        """The readers of the streams that are running."""
        self.pacer = Pacer()
        """Spreads requests that begin, and streams that end, at the same time."""
        self._calls: set[str] = set()
        self._idle = asyncio.Event()
        self._refreshing = asyncio.Lock()
        self._side_work: set[asyncio.Task[Any]] = set()
        self._keeping: dict[str, asyncio.Task[Any]] = {}
        """By request id: bodies that are being stored."""
        self._unwritten: dict[tuple[Any, str], tuple[Any, str, str]] = {}
        """Notifications that could not be written: severity, text and occasion by kind and title."""

    async def start(self) -> None:
        """Load configuration, spend and health; from then on calls can be answered."""
        self._idle.set()
        # Before the first reading, so that a disk that is full from the start is reported, too.
        self.store.on_health = self._on_records
        await self.refresh()
        await self._load_windows()
        await self.health_monitor.start()

    async def drain(self, grace_s: float) -> None:
        """Wait until nothing is in flight, `grace_s` seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._idle.wait()

    def close_streams(self) -> None:
        """End every running stream now, with the dialect's error event."""
        for reader in tuple(self.streams):
            reader.close()

    async def stop(self, grace_s: float) -> None:
        """Give calls in flight `grace_s` seconds, then close the connections to providers."""
        await self.drain(grace_s)
        await self.health_monitor.stop()
        await self.price_lists.stop()
        if self._side_work:
            await asyncio.wait(self._side_work, timeout=5)
        # Last, because calls in flight and health checks use the connections.
        await self.upstream.close()

    async def refresh(self) -> None:
        """Take a new snapshot of the store; the next call uses it."""
        # One at a time: an older reading of the store must not replace a newer one.
        async with self._refreshing:
            stored = await self.store.settings.all()
            settings = Settings.model_validate({**stored, **self.overrides})
            before, after = self.snapshot, await take(self.store, self.secrets, settings)
            await self._load_spend(self.budgets.stale(after.keys.values(), after.budgets))
            # No await from here on: a call with the old providers would fill the health of the new ones.
            self._forget_changed(before, after)
            self.limiter.forget(after.keys)
            self.compiled_prices.forget()
            self.snapshot = after
            self.upstream.set_system_proxy(settings.use_system_proxy)
            self.budgets.configure(after.keys.values(), after.budgets)

    def _forget_changed(self, before: Snapshot, after: Snapshot) -> None:
        names = {bound.provider.id: bound.name for bound in after.providers.values()}
        for name, bound in before.providers.items():
            now = after.providers.get(name)
            if names.get(bound.provider.id) != bound.name:
                self.health.renamed(bound.name, names.get(bound.provider.id))
            if now is None or not now.same_as(bound):
                self.health.forget(bound.provider.id, bound.name)
                self.offered.pop(bound.name, None)
                self.price_lists.forget(bound.name)
                self.capabilities.forget()

    def is_current(self, bound: BoundProvider) -> bool:
        """Whether the provider is unchanged since `bound`; failures of an older version do not count for its new credentials."""
        now = self.snapshot.providers.get(bound.name.lower())
        return now is bound or (now is not None and now.same_as(bound))

    async def list_models(self, bound: BoundProvider) -> list[OfferedModel]:
        """The provider's own list of models, fetched and kept, with its prices; raises what `fetch_models` raises."""
        return await self.price_lists.refresh(bound)

    async def _fetch_models(self, bound: BoundProvider) -> list[OfferedModel]:
        models = await fetch_models(self.upstream, bound, self.snapshot.settings.connect_s)
        if self.is_current(bound):
            self.offered[bound.name] = (bound.provider.updated_at, models)
            if bound.kind.lists_prices():
                self.compiled_prices.forget()
        return models

    async def reload_spend(self) -> None:
        """Read every budget's spend from the ledger again, as after costs were recomputed."""
        async with self._refreshing:
            keys, budgets = self.snapshot.keys.values(), self.snapshot.budgets
            await self._load_spend([*map(BudgetTerms.of_key, keys), *map(BudgetTerms.of_budget, budgets)])

    async def _load_spend(self, terms: list[BudgetTerms]) -> None:
        if not terms:
            return
        readings = self.budgets.readings(terms)
        # Every record handed over before is in these sums and no later one, so nothing is counted twice or missed.
        self.budgets.load(readings, await self.store.ledger.spent([reading.spending for reading in readings]))

    async def _load_windows(self) -> None:
        """Begin the rate-limit windows with what the ledger knows of the last minute and day."""
        now, ledger = self.budgets.now_ms(), self.store.ledger
        keys = self.snapshot.keys.values()
        minute, tokens = [key for key in keys if key.rpm is not None], [key for key in keys if key.tpm is not None]
        if minute:
            used = await ledger.recent_requests([key.id for key in minute], now - MINUTE_S * 1000, MINUTE_STEP_MS)
            self.limiter.restore_requests(minute, used, "minute")
        if tokens:
            used = await ledger.recent_tokens([key.id for key in tokens], now - MINUTE_S * 1000, MINUTE_STEP_MS)
            self.limiter.restore_tokens(tokens, used)
        for step_ms, exact in ((1000, True), (DAY_STEP_MS, False)):
            day = [key for key in keys if key.rpd is not None and (key.rpd <= EXACT_UP_TO) is exact]
            if day:
                used = await ledger.recent_requests([key.id for key in day], now - DAY_S * 1000, step_ms)
                self.limiter.restore_requests(day, used, "day")

    @property
    def in_flight(self) -> int:
        """The number of calls being answered."""
        return len(self._calls)

    def begin(self, call: Call) -> None:
        """The call is in flight."""
        self._calls.add(call.id)
        self._idle.clear()

    def end(self, call: Call) -> None:
        """The call is over; further calls of this do nothing."""
        self._calls.discard(call.id)
        if not self._calls:
            self._idle.set()

    def record(
        self, record: RequestRecord, request: Any = None, answer: bytes | None = None, pieces: Sequence[tuple[float, int]] = ()
    ) -> asyncio.Future[None]:
        """Write a finished record to the ledger, with the payload where one is given. The future is done once it is durable."""
        durable = self.store.ledger.record(record)
        if answer is not None:
            task = self._in_background(self._keep_bodies(record, request, answer, pieces))
            self._keeping[record.id] = task
            task.add_done_callback(lambda _: self._keeping.pop(record.id, None))
        # Without waiting for the disk: log page and metrics show a request even where its record cannot be written yet.
        self.bus.publish("requests", record)
        return durable

    async def _keep_bodies(self, record: RequestRecord, request: Any, answer: bytes, pieces: Sequence[tuple[float, int]]) -> None:
        # In a thread: bodies may have megabytes, and each is searched for every secret.
        bodies = await asyncio.to_thread(lambda: (SECRETS.redact_bytes(orjson.dumps(request)), SECRETS.redact_bytes(answer)))
        # Without a secret in it: its pieces would no longer be where they were.
        await self.store.payloads.put(record.id, *bodies, record.started_at, pieces if len(bodies[1]) == len(answer) else ())

    def notify(self, kind: Any, severity: Any, title: str, text: str, occasion: str = "") -> None:
        """Add a notification for the operator, in the background; of an `occasion` one, however often it is reported."""
        # Its words may be a provider's or a client's, and go to the window, the desktop and the webhook.
        title, text = shown_text.one_line(SECRETS.redact(title)), shown_text.lines(SECRETS.redact(text))
        self._in_background(self._notify(kind, severity, title, text, occasion))

    async def _notify(self, kind: Any, severity: Any, title: str, text: str, occasion: str) -> None:
        try:
            made: Notification | None = await self.store.notifications.add(kind, severity, title, text, occasion)
        except DatabaseUnusable as error:
            log.error("%s: %s (this cannot be kept now: %s)", title, text, error)
            self._unwritten[kind, title] = (severity, text, occasion)  # written by `_on_records` once there is room again
            return
        if made is not None:
            self.bus.publish("notifications", made.id)

    async def bodies_kept(self, request_id: str) -> None:
        """Until request and answer of a finished request can be read, where they are kept."""
        if (task := self._keeping.get(request_id)) is not None:
            await asyncio.wait([task])

    def _in_background(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        # The loop holds tasks weakly: without this reference one could be collected before its end.
        self._side_work.add(task)
        task.add_done_callback(self._side_work_done)
        return task

    def _side_work_done(self, task: asyncio.Task[Any]) -> None:
        self._side_work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed", exc_info=error)

    def _on_health(self, kind: str, name: str, text: str) -> None:
        log.warning("%s %s: %s", kind, name, text)
        self.health_monitor.wake()
        self.bus.publish("health", name)
        if kind == "credential":
            self.notify("health", "error", f"{name} is not used any more", f"The provider refused this credential: {text}")
        elif text != "answers again":
            self.notify("health", "warning", f"{name} is failing", text)

    def _on_records(self, healthy: bool, text: str) -> None:
        if healthy:
            while self._unwritten:
                (kind, title), (severity, message, occasion) = self._unwritten.popitem()
                self.notify(kind, severity, title, message, occasion)
            self.notify("system", "info", "Requests are recorded again", text)
        else:
            self.notify("system", "error", "Requests cannot be recorded", text)
