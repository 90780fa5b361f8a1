"""Beside the requests, now and then: health is written down for the next start, and failing targets are looked after."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conduit_desktop.core.errors import ConduitError, describe
from conduit_desktop.gateway.health import persistence as health_memory
from conduit_desktop.gateway.snapshot import BoundProvider

if TYPE_CHECKING:
    from conduit_desktop.gateway.state import GatewayState

log = logging.getLogger(__name__)

EVERY_S = 5.0
CHECK_S = 10.0
"""How long a provider may take to list its models when it is looked at."""
_NAME = "health"


class HealthMonitor:
    """A task that looks every few seconds. `start` it once, `stop` it before the store is closed."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._salt = health_memory.new_salt()
        self._written: health_memory.SavedHealth | None = None
        self._checked_at = 0.0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what was known when the last process ended, and begin to look."""
        kept = await self._state.store.meta.get(_NAME)
        if kept is not None:
            health_memory.restore(self._state.health, self._state.snapshot, kept, _now_ms())
        self._written = health_memory.SavedHealth(salt=self._salt) if kept is None else None
        self._checked_at = time.monotonic()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no more; write down what is known now."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        await self.write()

    def news(self) -> None:
        """A circuit or a credential changed: it is written down at once, so that even a killed process leaves it behind."""
        self._news.set()

    async def _run(self) -> None:
        while True:
            every = self._state.snapshot.settings.health_check_s
            with suppress(TimeoutError):
                async with asyncio.timeout(min(EVERY_S, every or EVERY_S)):
                    await self._news.wait()
            self._news.clear()
            try:
                if every and time.monotonic() - self._checked_at >= every:
                    self._checked_at = time.monotonic()
                    await self.check()
                await self.write()
            except Exception:
                log.exception("looking after failing targets failed; it goes on")

    async def write(self) -> None:
        """Write what has changed since the last time; where it cannot be, it is tried again."""
        state = self._state
        now = health_memory.remembered(state.health, state.snapshot, self._salt, _now_ms())
        if now == self._written:
            return
        try:
            await state.store.meta.put(_NAME, now.model_dump())
        except ConduitError as error:
            log.debug("health is not written down: %s", describe(error))
            return
        self._written = now

    def saved(self) -> tuple[str, dict[str, Any]]:
        """Name and value of the stored row with the health known now, for a transaction of the caller's own."""
        state = self._state
        return _NAME, health_memory.remembered(state.health, state.snapshot, self._salt, _now_ms()).model_dump()

    async def check(self) -> None:
        """Ask the providers of targets with an open circuit for their models; where one answers, a probe may go at once."""
        state = self._state
        failing: dict[str, list[str]] = {}
        for name, target in state.health.targets.items():
            if target.state == "open":
                failing.setdefault(name.partition("/")[0].lower(), []).append(name)
        owners = [(bound, names) for key, names in failing.items() if (bound := state.snapshot.providers.get(key)) is not None]
        answers = await asyncio.gather(*(self._answers(bound) for bound, _ in owners))
        for (_, names), well in zip(owners, answers, strict=True):
            for name in names if well else ():
                state.health.half_open(name)

    async def _answers(self, bound: BoundProvider) -> bool:
        if bound.problem or not bound.credentials:
            return False
        try:
            async with asyncio.timeout(CHECK_S):
                outbound = bound.kind.models_request(await bound.kind.credentials(bound.credentials[0].secrets))
                if outbound is None:
                    return False
                response, _ = await self._state.upstream.fetch(outbound, self._state.snapshot.settings.connect_s)
        except (ConduitError, TimeoutError) as error:
            log.debug("%s does not answer: %s", bound.name, describe(error))
            return False
        return response.status < 400


def _now_ms() -> int:
    return int(time.time() * 1000)
