"""From target to target until one begins to answer, or an honest account of why none did."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from conduit_desktop.core.errors import (
    GatewayError,
    NoHealthyTarget,
    ProviderFailed,
    ProviderTimeout,
    RateLimited,
    UpstreamError,
)
from conduit_desktop.gateway.asking import Opened
from conduit_desktop.gateway.health import Health
from conduit_desktop.gateway.meter import Meter, attempt_of
from conduit_desktop.gateway.routing import BoundTarget, Limits
from conduit_desktop.gateway.snapshot import Door

BACKOFF_S = 0.25
BACKOFF_MAX_S = 4.0
WAIT_WITH_ANOTHER_S = 1.0
"""The longest pause before the same target is asked again while another one is left."""
WAIT_ALONE_S = 20.0
"""The longest pause where no other target is left; a longer Retry-After is handed to the caller."""

Ask = Callable[[BoundTarget, Door], Awaitable[Opened]]


@dataclass(slots=True)
class Search:
    """One request's way from target to target."""

    ask: Ask
    health: Health
    meter: Meter
    limits: Limits
    deadline: float
    own_key: Door | None = None
    failures: list[tuple[BoundTarget, UpstreamError]] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    async def first_that_answers(self, targets: list[BoundTarget]) -> Opened | None:
        """The first target's answer; None where all failed. Raises UpstreamError for what is the caller's own fault."""
        for index, target in enumerate(targets):
            opened = await self._try_target(target, others=index + 1 < len(targets))
            if opened is not None:
                return opened
        return None

    async def _try_target(self, target: BoundTarget, others: bool) -> Opened | None:
        if not self.health.may_ask(target.name):
            self.passed_over.append(f"{target.name}: not asked, its circuit is open ({self.health.target(target.name).last_error})")
            return None
        if target.bound.problem:
            self.passed_over.append(f"{target.name}: {target.bound.problem}")
            return None
        for door in self._doors(target):
            opened, go_on = await self._try_door(target, door, others)
            if opened is not None or not go_on:
                return opened
        return None

    def _doors(self, target: BoundTarget) -> Iterator[Door]:
        """The target's credentials that may be used now, heavier ones more often first."""
        if self.own_key is not None:
            yield self.own_key
            return
        doors = list(target.bound.doors)
        if len(doors) > 1:
            doors.sort(key=lambda door: random.random() ** (1 / max(door.weight, 1)), reverse=True)  # noqa: S311
        for door in doors:
            wait = self.health.door_wait(target.bound.provider.id, door.label)
            if wait is None:
                why = self.health.door(target.bound.provider.id, door.label).parked
                self.passed_over.append(f"{target.name}: credential {door.label!r} is parked ({why})")
            elif wait > 0:
                self.waits.append(wait)
                self.passed_over.append(f"{target.name}: credential {door.label!r} rests for {wait:.0f} s after a rate limit")
            else:
                yield door

    async def _try_door(self, target: BoundTarget, door: Door, others: bool) -> tuple[Opened | None, bool]:
        """The answer, or None and whether the target's next credential is worth a try."""
        attempt = 0
        while True:
            error = await self._attempt(target, door)
            if isinstance(error, Opened):
                return error, False
            self.failures.append((target, error))
            if error.callers_fault:
                raise self._with_earlier_causes(error, target)
            if error.reason in ("auth", "permission", "money", "rate_limit") and self._another_door(target, door):
                return None, True
            pause = self._pause(error, attempt, others)
            if not error.retryable or attempt >= self.limits.retries or pause is None or not self.health.may_ask(target.name):
                return None, False
            attempt += 1
            await asyncio.sleep(pause)

    async def _attempt(self, target: BoundTarget, door: Door) -> Opened | UpstreamError:
        provider_id = target.bound.provider.id
        began = time.monotonic()
        self.meter.asking(target)
        self.health.begin(target.name)
        opened: Opened | None = None
        try:
            opened = await self.ask(target, door)
        except UpstreamError as error:
            self.health.failed(target.name, provider_id, door.label, error)
            self.meter.attempted(attempt_of(target, door.label, began, error))
            return error
        except asyncio.CancelledError:
            cancelled = UpstreamError("the caller hung up", status=499, reason="broken")
            attempt = attempt_of(target, door.label, began, cancelled)
            attempt.outcome = "cancelled"
            self.meter.record.attempts.append(attempt)
            raise
        finally:
            if opened is None:
                self.health.end(target.name)
        self.meter.at_end = partial(self.health.end, target.name)
        self.health.succeeded(target.name, provider_id, door.label, (time.monotonic() - began) * 1000)
        self.meter.attempted(attempt_of(target, door.label, began))
        return opened

    def _with_earlier_causes(self, error: UpstreamError, target: BoundTarget) -> UpstreamError:
        """A refusal by a stand-in says why the first choice was not the one to answer."""
        earlier = [f"{other.name}: {_one_line(cause.message)}" for other, cause in self.failures if other.name != target.name]
        if earlier:
            error.message = f"{error.message} (asked {target.name} because of {'; '.join(dict.fromkeys(earlier))})"
            error.body = b""
        return error

    def _another_door(self, target: BoundTarget, door: Door) -> bool:
        return self.own_key is None and len(target.bound.doors) > 1 and door in target.bound.doors

    def _pause(self, error: UpstreamError, attempt: int, others: bool) -> float | None:
        """Seconds before the same target may be asked again; None where that is too long to wait for."""
        longest = WAIT_WITH_ANOTHER_S if others else WAIT_ALONE_S
        if error.retry_after is not None:
            self.waits.append(error.retry_after)
            pause = error.retry_after
        elif error.reason == "rate_limit" and others:
            return None
        else:
            pause = random.uniform(0, min(BACKOFF_S * 2**attempt, BACKOFF_MAX_S))  # noqa: S311
        left = self.deadline - asyncio.get_running_loop().time()
        return pause if pause <= min(longest, left) else None

    def verdict(self, alone: bool) -> GatewayError:
        """What the caller is told when no target answered. `alone`: the route had only one target."""
        errors = [error for _, error in self.failures]
        if not errors and not self.waits:
            return NoHealthyTarget("No target can be asked now. " + self._account())
        if all(error.reason == "rate_limit" for error in errors):
            wait = min(self.waits, default=1.0)
            return RateLimited("Every target is rate-limited. " + self._account(), retry_after=max(1.0, wait))
        last = errors[-1]
        if last.reason == "timeout":
            return ProviderTimeout("No target answered in time. " + self._account())
        if alone and len({error.status for error in errors}) == 1 and (last.status == 529 or last.reason == "model_not_found"):
            # Nothing else was asked: the provider's own words say most.
            return last
        return ProviderFailed("No target could answer. " + self._account())

    def _account(self) -> str:
        seen: dict[str, str] = {}
        for target, error in self.failures:
            seen[target.name] = f"{target.name}: {error.reason}, {_one_line(error.message)}"
        lines = [*seen.values(), *(line for line in self.passed_over if line.split(":", 1)[0] not in seen)]
        return "; ".join(dict.fromkeys(lines)) or "The alias has no target."


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
