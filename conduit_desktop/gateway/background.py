"""The health monitor: saves health for the next start, and checks targets whose circuit is open."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import ConduitError, describe
from conduit_desktop.gateway.health import persistence
from conduit_desktop.gateway.health.circuit import Health
from conduit_desktop.gateway.snapshot import BoundProvider, Snapshot
from conduit_desktop.gateway.upstream.client import Upstream
from conduit_desktop.store.interface import Meta

log = logging.getLogger(__name__)

# What a killed process may lose of slow changes; a circuit or credential that changes is saved at once (`wake`).
EVERY_S = 5.0
CHECK_S = 10.0
"""Seconds that a provider may take to list its models when it is checked."""
_NAME = "health"


class HealthMonitor:
    """A background task that runs every few seconds. `start` it once, `stop` it before the store is closed."""

    def __init__(self, meta: Meta, health: Health, snapshot: Callable[[], Snapshot], upstream: Callable[[], Upstream]) -> None:
        self._meta = meta
        self._health = health
        self._snapshot = snapshot
        self._upstream = upstream
        self._salt = persistence.new_salt()
        self._written: persistence.SavedHealth | None = None
        self._checked_at = 0.0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Restore the health that the last process saved, and start the task."""
        saved = await self._meta.get(_NAME)
        if saved is not None:
            persistence.restore(self._health, self._snapshot(), saved, now_ms())
        # What was restored is written anew, because its marks have the salt of the last process.
        self._written = persistence.SavedHealth(salt=self._salt) if saved is None else None
        self._checked_at = time.monotonic()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop the task and save the health of now."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        await self.write()

    def wake(self) -> None:
        """A circuit or a credential changed: save it at once, so that it survives even a killed process."""
        self._changed.set()

    async def _run(self) -> None:
        while True:
            every = self._snapshot().settings.health_check_s
            with suppress(TimeoutError):
                async with asyncio.timeout(min(EVERY_S, every or EVERY_S)):
                    await self._changed.wait()
            # Before the work: a change that comes during it wakes the next turn.
            self._changed.clear()
            try:
                if every and time.monotonic() - self._checked_at >= every:
                    self._checked_at = time.monotonic()
                    await self.check()
                await self.write()
            except Exception:
                # The task must outlive any failure: nothing would start it again.
                log.exception("checking failing targets failed; the monitor goes on")

    async def write(self) -> None:
        """Save what has changed since the last time; after a failure it is tried again at the next run."""
        saved = persistence.remembered(self._health, self._snapshot(), self._salt, now_ms())
        if saved == self._written:
            return
        try:
            await self._meta.put(_NAME, saved.model_dump(by_alias=True))
        except ConduitError as error:
            log.debug("health is not saved: %s", describe(error))
            return
        self._written = saved

    def saved(self) -> tuple[str, dict[str, Any]]:
        """Name and value of the stored row with the health known now, for a transaction of the caller's own."""
        health = persistence.remembered(self._health, self._snapshot(), self._salt, now_ms())
        return _NAME, health.model_dump(by_alias=True)

    async def check(self) -> None:
        """List the models of providers with an open circuit; where that succeeds, their targets may be probed at once."""
        failing: dict[str, list[str]] = {}
        for name, target in self._health.targets.items():
            if target.state == "open":
                # By provider: one request shows whether it answers, however many of its targets fail.
                failing.setdefault(name.partition("/")[0].lower(), []).append(name)
        owners = [(bound, names) for key, names in failing.items() if (bound := self._snapshot().providers.get(key)) is not None]
        answers = await asyncio.gather(*(self._answers(bound) for bound, _ in owners))
        for (_, names), well in zip(owners, answers, strict=True):
            for name in names if well else ():
                self._health.half_open(name)

    async def _answers(self, bound: BoundProvider) -> bool:
        if bound.problem or not bound.credentials:
            return False
        try:
            async with asyncio.timeout(CHECK_S):
                # Listing models is free of charge; a small completion, which would prove more, is not.
                outbound = bound.kind.models_request(await bound.kind.credentials(bound.credentials[0].secrets))
                if outbound is None:
                    return False
                response, _ = await self._upstream().fetch(outbound, self._snapshot().settings.connect_s)
        except (ConduitError, TimeoutError) as error:
            log.debug("%s does not answer: %s", bound.name, describe(error))
            return False
        return response.status < 400
