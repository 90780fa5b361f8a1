"""From target to target until one begins to answer, or an honest account of why none did."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from conduit_desktop.core.errors import (
    BadRequest,
    GatewayError,
    NoHealthyTarget,
    ProviderFailed,
    ProviderTimeout,
    RateLimited,
    UpstreamError,
)
from conduit_desktop.gateway.accounting.meter import Meter, attempt_of
from conduit_desktop.gateway.health.circuit import Health
from conduit_desktop.gateway.routing.resolve import BoundTarget, Timeouts
from conduit_desktop.gateway.snapshot import BoundProvider, Credential
from conduit_desktop.gateway.upstream.attempt import UpstreamAnswer

BACKOFF_S = 0.25
BACKOFF_MAX_S = 4.0
WAIT_WITH_ANOTHER_S = 1.0
"""The longest pause before the same target is asked again while another one is left."""
WAIT_ALONE_S = 20.0
"""The longest pause where no other target is left; a longer Retry-After is handed to the caller."""
_SLACK_S = 0.01
"""A timer may fire a little early; a provider that named a time is not asked before it."""
_CREDENTIAL_FAULTS = frozenset({"auth", "permission", "money", "rate_limit"})
"""Another credential of the same provider may fare better."""

AttemptTarget = Callable[[BoundTarget, Credential], Awaitable[UpstreamAnswer]]


@dataclass(slots=True)
class FailoverRun:
    """One request's way from target to target. `deadline` is the loop's time; `missing` names targets that cannot be had."""

    ask: AttemptTarget
    health: Health
    holds: Callable[[BoundProvider], bool]
    """Whether the provider still is what it was when the request was let in."""
    meter: Meter
    limits: Timeouts
    deadline: float
    own_key: Credential | None = None
    missing: tuple[str, ...] = ()
    another_route: bool = False
    """A fallback is left after the targets being tried."""
    failures: list[tuple[BoundTarget, UpstreamError]] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    """Why a target was not asked, by its name."""
    rests: dict[str, float] = field(default_factory=dict)
    """Seconds that rate-limited targets are to be left alone, as of the last look at each."""
    waits: dict[str, float] = field(default_factory=dict)
    """Seconds until targets that were not asked can be."""
    targets: list[BoundTarget] = field(default_factory=list)
    unfit: dict[str, GatewayError] = field(default_factory=dict)
    """Why the request cannot be said in a target's dialect, by the target's name."""

    def without(self, targets: list[BoundTarget], unfit: dict[str, GatewayError]) -> list[BoundTarget]:
        """The targets that can serve the request; of the others it is kept why they cannot."""
        self.unfit |= unfit
        self.passed_over |= {name: _one_line(str(why)) for name, why in unfit.items()}
        return [target for target in targets if target.name not in unfit]

    async def first_that_answers(self, targets: list[BoundTarget]) -> UpstreamAnswer | None:
        """The first target's answer; None where all failed. Raises UpstreamError for what is the caller's own fault."""
        self.targets = targets
        for index, target in enumerate(targets):
            opened = await self._try_target(target, others=index + 1 < len(targets) or self.another_route)
            if opened is not None:
                return opened
        return None

    async def _try_target(self, target: BoundTarget, others: bool) -> UpstreamAnswer | None:
        tries, pause = 0, None
        while self._may_ask(target):
            error = await self._try_credentials(target)
            if isinstance(error, UpstreamAnswer):
                return error
            pause = self._pause(target, error, tries, pause or 0.0, others)
            if pause is None:
                break
            tries += 1
            await asyncio.sleep(pause)
        return None

    def _may_ask(self, target: BoundTarget) -> bool:
        if target.bound.problem:
            why = target.bound.problem
        elif not self.health.may_ask(target.name):
            why = self.health.why_not(target.name)
            wait = self.health.wait_s(target.name)
            if wait is not None:
                self.waits[target.name] = wait
        elif asyncio.get_running_loop().time() >= self.deadline:
            why = "not asked, the time for this request is over"
        else:
            return True
        self.passed_over[target.name] = why
        return False

    async def _try_credentials(self, target: BoundTarget) -> UpstreamAnswer | UpstreamError | None:
        """The answer, or the last credential's failure; None where the target could not be asked."""
        failure: UpstreamError | None = None
        for credential in self._credentials(target):
            got = await self._attempt(target, credential)
            if isinstance(got, UpstreamAnswer):
                return got
            if not isinstance(got, UpstreamError):
                self.unfit[target.name] = got
                self.passed_over[target.name] = _one_line(got.message)
                return None
            failure = got
            self.failures.append((target, got))
            if got.callers_fault:
                raise self._with_earlier_causes(got, target)
            if got.reason not in _CREDENTIAL_FAULTS:
                break
        return failure

    def _credentials(self, target: BoundTarget) -> Iterator[Credential]:
        """The target's credentials that may be used now, heavier ones more often first; one being tried out comes last."""
        if self.own_key is not None:
            yield self.own_key
            return
        credentials = target.bound.credentials
        if len(credentials) > 1:
            owner = target.bound.provider.id
            key = {
                credential.label: (
                    self.health.may_use(owner, credential.label, target.model),
                    random.random() ** (1 / max(credential.weight, 1e-9)),
                )
                for credential in credentials
            }
            credentials = tuple(sorted(credentials, key=lambda credential: key[credential.label], reverse=True))
        why: list[str] = []
        for credential in credentials:
            wait = self.health.credential_wait_s(target.bound.provider.id, credential.label, target.model)
            if wait == 0:
                yield credential
            elif wait is None:
                parked = self.health.parked(target.bound.provider.id, credential.label, target.model)
                why.append(f"credential {credential.label!r} is parked ({parked})")
            else:
                self.rests[target.name] = min(wait, self.rests.get(target.name, wait))
                why.append(f"credential {credential.label!r} rests for {wait:.0f} s after a rate limit")
        self.passed_over[target.name] = ", ".join(why) or "no credential is left"

    async def _attempt(self, target: BoundTarget, credential: Credential) -> UpstreamAnswer | GatewayError:
        """One question to one target; an error that is no UpstreamError came before anything was sent."""
        provider_id, label = target.bound.provider.id, None if credential is self.own_key else credential.label
        began = time.monotonic()
        self.meter.asking(target)
        probe = self.health.begin(target.name, provider_id, label)
        opened: UpstreamAnswer | None = None
        try:
            opened = await self.ask(target, credential)
        except UpstreamError as error:
            self.health.failed(target.name, provider_id, label if self.holds(target.bound) else None, error, probe)
            self.meter.attempted(attempt_of(target, credential.label, began, error))
            return error
        except GatewayError as error:
            return error
        except asyncio.CancelledError:
            cancelled = UpstreamError("the caller hung up", status=499, reason="broken")
            attempt = attempt_of(target, credential.label, began, cancelled)
            attempt.outcome = "cancelled"
            self.meter.record.attempts.append(attempt)
            raise
        finally:
            if opened is None:
                self.health.end(target.name, probe)
        latency_ms = (time.monotonic() - began) * 1000
        self.meter.at_end = partial(self._over, target.name, opened, latency_ms)
        self.health.succeeded(target.name, provider_id, credential.label, latency_ms, probe)
        self.meter.attempted(attempt_of(target, credential.label, began))
        return opened

    def _over(self, name: str, opened: UpstreamAnswer, latency_ms: float) -> None:
        """The request is settled: what it says of the target's speed."""
        self.health.end(name)
        record = self.meter.record
        if record.status != "success":
            return
        if opened.reader is not None:
            self.health.target(name).finished(latency_ms, self.meter.streamed_ms, record.output)
        else:
            self.health.target(name).finished(None, latency_ms, record.output)

    def _pause(self, target: BoundTarget, error: UpstreamError | None, tries: int, before: float, others: bool) -> float | None:
        """Seconds before the same target may be asked again; None where it shall not, or that is too long to wait for."""
        if error is None:
            return None
        rest = error.retry_after
        if error.reason == "rate_limit":
            rest = self._rest(target, error)
            self.rests[target.name] = rest or 1.0
        if not error.retryable or tries >= self.limits.retries:
            return None
        if others and (error.reason == "timeout" or (error.reason == "rate_limit" and error.retry_after is None)):
            return None  # the caller has waited long enough, or nobody knows how long this one will rest
        pause = backoff(tries, before) if rest is None else rest
        left = self.deadline - asyncio.get_running_loop().time()
        return pause + _SLACK_S if pause <= min(WAIT_WITH_ANOTHER_S if others else WAIT_ALONE_S, left) else None

    def _rest(self, target: BoundTarget, error: UpstreamError) -> float | None:
        """Seconds until the first of the target's credentials may be used again."""
        if self.own_key is not None:
            return error.retry_after
        provider_id = target.bound.provider.id
        waits = [
            self.health.credential_wait_s(provider_id, credential.label, target.model) for credential in target.bound.credentials
        ]
        return min((wait for wait in waits if wait is not None), default=None)

    def verdict(self, alone: bool, dialect: str) -> GatewayError:
        """What a caller of that dialect is told when no target answered. `alone`: the route had only one target."""
        errors = [error for _, error in self.failures]
        if self.unfit and not errors and self.passed_over.keys() == self.unfit.keys():
            return self._all_unfit()
        if self.rests and all(error.reason == "rate_limit" for error in errors):
            return RateLimited("Every target is rate-limited. " + self._account(), retry_after=max(1.0, min(self.rests.values())))
        if not errors:
            soonest = min(self.waits.values(), default=None)
            return NoHealthyTarget("No target can be asked now. " + self._account(), retry_after=soonest)
        last = errors[-1]
        if last.reason == "timeout":
            return ProviderTimeout("No target answered in time. " + self._account())
        if self.own_key is not None and last.reason in _CREDENTIAL_FAULTS:
            return last  # it is the caller's key: the provider's own words are for the caller
        overloaded = last.status == 529 and last.dialect == dialect
        if alone and len({error.status for error in errors}) == 1 and (overloaded or last.reason == "model_not_found"):
            # Nothing else was asked: the provider's own words say most, to those who know its status.
            return last
        return ProviderFailed("No target could answer. " + self._account())

    def _all_unfit(self) -> GatewayError:
        """Why no target can serve the request: the first one's error, with every target's reason where they differ."""
        first = next(iter(self.unfit.values()))
        if len({error.message for error in self.unfit.values()}) == 1:
            return first
        return BadRequest("No target can serve this request. " + self._account(), code=first.code, param=first.param)

    def _with_earlier_causes(self, error: UpstreamError, target: BoundTarget) -> UpstreamError:
        """A refusal by a stand-in says why the first choice was not the one to answer."""
        causes = {
            other.name: f"{other.name}: {_one_line(cause.message)}" for other, cause in self.failures if other.name != target.name
        }
        for other in self.targets:
            if other.name != target.name and not self.health.may_ask(other.name):
                causes.setdefault(other.name, f"{other.name}: {self.health.why_not(other.name)}")
        if causes:
            error.message = f"{error.message} (asked {target.name} because of {'; '.join(causes.values())})"
            error.body = b""  # relayed as it came, it would not say so
        return error

    def _account(self) -> str:
        lines = {target.name: f"{target.name}: {error.reason}, {_one_line(error.message)}" for target, error in self.failures}
        for name, why in self.passed_over.items():
            lines.setdefault(name, f"{name}: {why}")
        return "; ".join((*lines.values(), *self.missing)) or "The alias has no target."


def backoff(tries: int, before: float) -> float:
    """Seconds to wait after `tries` retries: anything up to a span that doubles, yet longer than the pause before."""
    span = min(BACKOFF_S * 2**tries, BACKOFF_MAX_S)
    return random.uniform(min(before * 1.2, span), span)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
