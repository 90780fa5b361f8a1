"""Tries the targets of a request one after the other until one answers, or explains why none did."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from functools import partial

from conduit_desktop.core import full_collections
from conduit_desktop.core.errors import (
    BadRequest,
    GatewayError,
    NoHealthyTarget,
    ProviderFailed,
    ProviderTimeout,
    RateLimited,
    UpstreamError,
    release,
)
from conduit_desktop.core.heavy_work import in_thread
from conduit_desktop.gateway.accounting.meter import Meter, attempt_of
from conduit_desktop.gateway.admission.access import Caller
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.affinity import key_of
from conduit_desktop.gateway.routing.strategies import order
from conduit_desktop.gateway.routing.targets import BoundTarget, Route
from conduit_desktop.gateway.snapshot import Credential
from conduit_desktop.gateway.state import GatewayState
from conduit_desktop.gateway.upstream.attempt import ChatAttempt, TargetAttempt
from conduit_desktop.gateway.upstream.media import MediaAttempt
from conduit_desktop.gateway.upstream.translation import prepare
from conduit_desktop.gateway.upstream.upstream_answer import UpstreamAnswer
from conduit_desktop.providers import Secrets
from conduit_desktop.wire.generated_media import lost_in_answer

BACKOFF_S = 0.25
BACKOFF_MAX_S = 4.0
WAIT_WITH_ANOTHER_S = 1.0
"""The longest pause before a retry on the same target while another one is left."""
WAIT_ALONE_S = 20.0
"""The longest pause where no other target is left; a longer Retry-After is passed to the client."""
_SLACK_S = 0.01
"""A timer may fire a little early; after a Retry-After nothing is sent before its time."""
_CREDENTIAL_FAULTS = frozenset({"auth", "permission", "money", "rate_limit"})
"""Failures of one credential: another credential of the same provider may succeed."""


class FailoverRun:
    """The search for a target that answers one admitted request: route, fallbacks, fallbacks by cause.

    A provider's own key that the client sent is used instead of the configured credentials at the first provider of the route
    that accepts clients' keys. Without a virtual key sent with it no other provider is called.
    """

    answer: UpstreamAnswer | None = None
    """The answer that was found."""
    _searching: asyncio.Task[UpstreamAnswer] | None = None
    _own_key: Credential | None = None
    """The client's own key of one provider, `_own_provider`."""
    _own_provider = ""
    _more_routes = False
    """A fallback is left after the targets being tried."""

    def __init__(self, call: Call, route: Route, caller: Caller, meter: Meter, state: GatewayState) -> None:
        self._call = call
        self._route = route
        if caller.own_key:
            self._use_own_key(caller.own_key, caller.own_key_header)
        self._alone = self._own_key is not None and caller.key is None
        """Only that key may be used, at its one provider."""
        self._meter = meter
        self._state = state
        self._health = state.health
        # Set once for the whole search: no retry and no fallback may extend what the client waits for.
        self._deadline = asyncio.get_running_loop().time() + route.timeouts.total_s
        self._targets: list[BoundTarget] = []
        """The targets of the route being tried."""
        self._failures: list[tuple[BoundTarget, UpstreamError]] = []
        self._skipped: dict[str, str] = {}
        """Why a target was not tried, by its name."""
        self._cooldowns: dict[str, float] = {}
        """Seconds of cooldown left of rate-limited targets, when each was last looked at."""
        self._waits: dict[str, float] = {}
        """Seconds until targets that were not tried are available."""
        self._unfit: dict[str, GatewayError] = {}
        """Why a target cannot serve this request, by its name."""

    def _use_own_key(self, key: str, header: str) -> None:
        accepting = (target.bound for target in self._route.targets if target.bound.provider.accept_client_keys)
        bound = next(accepting, None)
        if bound is not None:
            self._own_key, self._own_provider = Credential("client", Secrets(key, came_in=header)), bound.name

    def _uses_own_key(self, target: BoundTarget) -> bool:
        return self._own_key is not None and target.bound.name == self._own_provider

    async def first_answer(self) -> UpstreamAnswer:
        """The first target's answer; raises the GatewayError for the client where none answers."""
        call, route, state = self._call, self._route, self._state
        # A fallback is mostly another provider's, for which the client's own key is not meant.
        routes = [route] if self._alone else [route, *route.fallbacks]
        by_cause = {} if self._alone else dict(route.by_cause)
        # Media requests have no prompt cache and no context window by which to choose a target.
        chat = call.media_request is None
        affinity = key_of(route.alias, call) if chat and route.alias is not None and route.alias.sticky else None
        refusal: UpstreamError | None = None
        while routes:
            current = routes.pop(0)
            self._more_routes = bool(routes)
            targets = order(current, state.round_robin, self._health, state.compiled_prices)
            if affinity is not None:
                targets = state.affinity.first(affinity, targets, self._health)
            if chat and (unfit := state.capabilities.unfit(call, current)):
                targets = self._without(targets, unfit)
                if not targets and all(why.code == "context_length_exceeded" for why in unfit.values()):
                    routes = list(by_cause.pop("context_length", routes))
            try:
                answer = await self._try_targets(targets)
            except UpstreamError as error:
                # A larger window or a laxer filter may take what this one refused; any other refusal is the client's to mend.
                if error.reason not in ("context_length", "content_filter"):
                    raise
                # The first refusal is the one shown: it is about the model that the client named.
                refusal = refusal or error
                # `pop`: a cause leads to its fallbacks once, or their own refusals would lead to them again without end.
                routes = list(by_cause.pop(error.reason, routes))
                continue
            if answer is not None:
                # Of this target alone: what an earlier attempt would have dropped was never answered.
                # Of the answer, what is known before its first byte: for a stream, what came with the first content.
                lost = () if answer.prepared.relays_answer else lost_in_answer(answer.events, call.dialect.name)
                if lost or answer.prepared.dropped:
                    self._meter.record.dropped = tuple(dict.fromkeys((*answer.prepared.dropped, *lost)))
                if affinity is not None:
                    state.affinity.answered(affinity, answer.target.name)
                self.answer = answer
                return answer
        raise refusal or self._verdict()

    def search(self) -> asyncio.Task[UpstreamAnswer]:
        """`first_answer` in a task, started once: it goes on while pings are sent to the client."""
        if self._searching is None:
            self._searching = asyncio.ensure_future(self.first_answer())
        return self._searching

    async def answer_within(self, wait_s: float) -> UpstreamAnswer | None:
        """The first answer; None where there is none after `wait_s` and the search goes on."""
        searching = self.search()
        try:
            await asyncio.wait({searching}, timeout=wait_s)
        except asyncio.CancelledError:
            # `wait` does not cancel what it waits for: the search would go on, and be paid for, without a client.
            await self.stop()
            raise
        return searching.result() if searching.done() else None

    async def stop(self) -> None:
        """Stop the search, or reading the answer that was found; returns when nothing of it is left."""
        searching = self._searching
        if searching is None or searching.done():
            self._abort(searching)
            return
        searching.cancel()
        # A callback, because this waiter may itself be cancelled before the search has ended.
        searching.add_done_callback(self._abort)
        await asyncio.wait({searching})

    def _abort(self, searching: asyncio.Task[UpstreamAnswer] | None) -> None:
        if searching is not None and not searching.cancelled():
            searching.exception()  # retrieved, so that asyncio does not log it as lost
        if self.answer is not None:
            self.answer.response.abort()

    def broke(self, answer: UpstreamAnswer, error: UpstreamError) -> None:
        """The answer's stream broke: that counts in the health of its target and credential."""
        bound = answer.target.bound
        bound.kind.judge(error)
        # A client's own key has no health here, and the failure of an older version says nothing of its new credentials.
        label = answer.credential.label if answer.credential in bound.credentials and self._state.is_current(bound) else None
        self._health.failed(answer.target.name, bound.provider.id, label, error)

    def _without(self, targets: list[BoundTarget], unfit: dict[str, GatewayError]) -> list[BoundTarget]:
        """The targets that can serve the request; why the others cannot is kept for the error text."""
        self._unfit |= unfit
        self._skipped |= {name: _one_line(str(why)) for name, why in unfit.items()}
        return [target for target in targets if target.name not in unfit]

    async def _try_targets(self, targets: list[BoundTarget]) -> UpstreamAnswer | None:
        """The first target's answer; None where all failed. Raises UpstreamError for what is the client's own fault."""
        self._targets = targets
        for index, target in enumerate(targets):
            answer = await self._try_target(target, others=index + 1 < len(targets) or self._more_routes)
            if answer is not None:
                return answer
        return None

    async def _try_target(self, target: BoundTarget, others: bool) -> UpstreamAnswer | None:
        tries, pause = 0, None
        while self._may_try(target):
            error = await self._try_credentials(target)
            if isinstance(error, UpstreamAnswer):
                return error
            pause = self._pause(target, error, tries, pause or 0.0, others)
            if pause is None:
                break
            tries += 1
            await asyncio.sleep(pause)
        return None

    def _may_try(self, target: BoundTarget) -> bool:
        if target.bound.problem:
            why = target.bound.problem
        elif not self._health.may_try(target.name):
            why = self._health.why_not(target.name)
            wait = self._health.wait_s(target.name)
            if wait is not None:
                self._waits[target.name] = wait
        elif asyncio.get_running_loop().time() >= self._deadline:
            why = "not tried, the time for this request is over"
        else:
            return True
        self._skipped[target.name] = why
        return False

    async def _try_credentials(self, target: BoundTarget) -> UpstreamAnswer | UpstreamError | None:
        """The answer, or the last credential's failure; None where nothing was sent."""
        failure: UpstreamError | None = None
        for credential in self._credentials(target):
            result = await self._attempt(target, credential)
            if isinstance(result, UpstreamAnswer):
                return result
            # Nothing was sent: the request cannot be expressed for this target, whichever credential is used.
            if not isinstance(result, UpstreamError):
                self._unfit[target.name] = result
                self._skipped[target.name] = _one_line(result.message)
                return None
            failure = result
            self._failures.append((target, result))
            # Another target would refuse the same request: the client has to change it.
            if result.callers_fault:
                raise self._with_earlier_causes(result, target)
            # The target failed, not the credential: another credential would meet the same failure.
            if result.reason not in _CREDENTIAL_FAULTS:
                break
        return failure

    def _credentials(self, target: BoundTarget) -> Iterator[Credential]:
        """The target's credentials that may be used now, heavier ones more often first; one with a probe under way comes last."""
        # The operator's credentials are never used for a client that sent its own key.
        if self._own_key is not None and self._uses_own_key(target):
            yield self._own_key
            return
        credentials = target.bound.credentials
        if len(credentials) > 1:
            owner = target.bound.provider.id
            key = {
                credential.label: (
                    self._health.may_use(owner, credential.label, target.model),
                    # Weighted order without replacement: sort by u^(1/weight) (Efraimidis and Spirakis, 2006).
                    random.random() ** (1 / max(credential.weight, 1e-9)),
                )
                for credential in credentials
            }
            credentials = tuple(sorted(credentials, key=lambda credential: key[credential.label], reverse=True))
        why: list[str] = []
        for credential in credentials:
            # Looked up only when its turn comes: another request may have been refused with it meanwhile.
            wait = self._health.credential_wait_s(target.bound.provider.id, credential.label, target.model)
            if wait == 0:
                yield credential
            elif wait is None:
                reason = self._health.disabled_reason(target.bound.provider.id, credential.label, target.model)
                why.append(f"credential {credential.label!r} is disabled ({reason})")
            else:
                self._cooldowns[target.name] = min(wait, self._cooldowns.get(target.name, wait))
                why.append(f"credential {credential.label!r} is in cooldown for {wait:.0f} s after a rate limit")
        self._skipped[target.name] = ", ".join(why) or "no credential is left"

    async def _attempt(self, target: BoundTarget, credential: Credential) -> UpstreamAnswer | GatewayError:
        """One attempt at one target; an error that is no UpstreamError occurred before anything was sent."""
        provider_id, label = target.bound.provider.id, None if credential is self._own_key else credential.label
        began = time.monotonic()
        self._meter.trying(target)
        probe = self._health.begin(target.name, provider_id, label)
        answer: UpstreamAnswer | None = None
        try:
            # In a thread, a large request is prepared while streams go on: they wait for the interpreter's lock for 3 ms at most.
            if self._call.is_heavy:
                with full_collections.put_off():
                    made = await in_thread(self._prepared, target, credential)
            else:
                made = self._prepared(target, credential)
            answer = await made.run()
        except UpstreamError as error:
            self._health.failed(target.name, provider_id, label if self._state.is_current(target.bound) else None, error, probe)
            attempt = attempt_of(target, credential.label, began, error)
            self._meter.attempted(attempt, error.usage, error.cut_off, error.unanswered)
            release(error)
            return error
        except GatewayError as error:
            release(error)
            return error
        except asyncio.CancelledError:
            # 499 is nginx's status for a client that closed the request; HTTP itself has none.
            cancelled = UpstreamError("the client hung up", status=499, reason="broken")
            attempt = attempt_of(target, credential.label, began, cancelled)
            attempt.outcome = "cancelled"
            # Not `Meter.attempted`, which takes a failed attempt as free: this provider may have begun to work.
            self._meter.record.attempts.append(attempt)
            raise
        finally:
            # An answer that was found stays in flight until it is settled: `_settled` ends it.
            if answer is None:
                self._health.end(target.name, probe)
        if answer.streamed:
            self._meter.first_token()
        latency_ms = (time.monotonic() - began) * 1000
        self._meter.at_end = partial(self._settled, target.name, answer, latency_ms)
        self._health.succeeded(target.name, provider_id, credential.label, latency_ms, probe)
        self._meter.attempted(attempt_of(target, credential.label, began))
        return answer

    def _prepared(self, target: BoundTarget, credential: Credential) -> TargetAttempt:
        """The attempt, with the request in the target's dialect; raises BadRequest where it cannot be expressed there."""
        call, upstream, timeouts = self._call, self._state.upstream, self._route.timeouts
        overrides = self._route.alias.overrides if self._route.alias else {}
        if call.media_request is not None:
            return MediaAttempt(upstream, call, target, credential, timeouts, self._deadline, overrides)
        prepared = prepare(call, target, overrides, self._state.reasoning, self._route.model)
        return ChatAttempt(upstream, prepared, target, credential, timeouts, self._deadline)

    def _settled(self, name: str, answer: UpstreamAnswer, latency_ms: float) -> None:
        """The request is settled: measure the target's speed."""
        self._health.end(name)
        record = self._meter.record
        # The time of a broken or cancelled answer is not that of a whole one.
        if record.status != "success":
            return
        # Only a stream shows when its first content came; a whole answer is one span.
        if answer.reader is not None:
            self._health.target(name).finished(latency_ms, self._meter.streamed_ms, record.output)
        else:
            self._health.target(name).finished(None, latency_ms, record.output)

    def _pause(self, target: BoundTarget, error: UpstreamError | None, tries: int, before: float, others: bool) -> float | None:
        """Seconds before a retry on the same target; None where there is to be none, or the pause is too long."""
        if error is None:
            return None
        cooldown = error.retry_after
        if error.reason == "rate_limit":
            cooldown = self._cooldown_s(target, error)
            # A vendor that names no time counts as one second: the client's Retry-After must not be zero.
            self._cooldowns[target.name] = cooldown or 1.0
        if not error.retryable or tries >= self._route.retries:
            return None
        # It would begin to read the same prompt anew.
        if error.reason == "timeout" and target.bound.kind.first_token_s is not None:
            return None
        if others and (error.reason == "timeout" or (error.reason == "rate_limit" and error.retry_after is None)):
            return None  # the client has waited long enough, or the length of the rate limit is unknown
        pause = backoff(tries, before) if cooldown is None else cooldown
        # A pause that ends after the deadline would only delay the error.
        left = self._deadline - asyncio.get_running_loop().time()
        return pause + _SLACK_S if pause <= min(WAIT_WITH_ANOTHER_S if others else WAIT_ALONE_S, left) else None

    def _cooldown_s(self, target: BoundTarget, error: UpstreamError) -> float | None:
        """Seconds until the first of the target's credentials may be used again."""
        if self._uses_own_key(target):
            return error.retry_after
        provider_id = target.bound.provider.id
        waits = [
            self._health.credential_wait_s(provider_id, credential.label, target.model) for credential in target.bound.credentials
        ]
        return min((wait for wait in waits if wait is not None), default=None)

    def _verdict(self) -> GatewayError:
        """The error for the client when no target answered."""
        errors = [error for _, error in self._failures]
        # From the most to the least precise error: unfit request, rate limits, health, then the last failure.
        if self._unfit and not errors and self._skipped.keys() == self._unfit.keys():
            return self._all_unfit()
        if self._cooldowns and all(error.reason == "rate_limit" for error in errors):
            retry_after = max(1.0, min(self._cooldowns.values()))
            return RateLimited("Every target is rate-limited. " + self._reasons(), retry_after=retry_after)
        if not errors:
            soonest = min(self._waits.values(), default=None)
            return NoHealthyTarget("No target is available now. " + self._reasons(), retry_after=soonest)
        last = errors[-1]
        if last.reason == "timeout":
            return ProviderTimeout("No target answered in time. " + self._reasons())
        if self._uses_own_key(self._failures[-1][0]) and last.reason in _CREDENTIAL_FAULTS:
            return last  # it is the client's own key: the provider's error is for the client
        alone = len(self._route.targets) == 1 and not (self._route.fallbacks and not self._alone)
        # 529 is Anthropic's "overloaded": only SDKs of that dialect know the status.
        overloaded = last.status == 529 and last.dialect == self._call.dialect.name
        if alone and len({error.status for error in errors}) == 1 and (overloaded or last.reason == "model_not_found"):
            return last  # nothing else was tried: the provider's own error is the most precise one
        return ProviderFailed("No target could answer. " + self._reasons())

    def _all_unfit(self) -> GatewayError:
        """Why no target can serve the request: the first one's error, with every target's reason where they differ."""
        first = next(iter(self._unfit.values()))
        if len({error.message for error in self._unfit.values()}) == 1:
            return first
        return BadRequest("No target can serve this request. " + self._reasons(), code=first.code, param=first.param)

    def _with_earlier_causes(self, error: UpstreamError, target: BoundTarget) -> UpstreamError:
        """The refusal of a later target, with the reasons why earlier ones did not answer in its message."""
        causes = {
            other.name: f"{other.name}: {_one_line(cause.message)}" for other, cause in self._failures if other.name != target.name
        }
        # Those skipped without an attempt, too: else the client cannot see why another model refused its request.
        for other in self._targets:
            if other.name != target.name and not self._health.may_try(other.name):
                causes.setdefault(other.name, f"{other.name}: {self._health.why_not(other.name)}")
        if causes:
            error.note = f" (sent to {target.name} because of {'; '.join(causes.values())})"
            error.message += error.note
            error.body = b""  # the provider's body would be relayed without these reasons
        return error

    def _reasons(self) -> str:
        lines = {target.name: f"{target.name}: {error.reason}, {_one_line(error.message)}" for target, error in self._failures}
        for name, why in self._skipped.items():
            lines.setdefault(name, f"{name}: {why}")
        return "; ".join((*lines.values(), *self._route.missing)) or "The alias has no target."


def backoff(tries: int, before: float) -> float:
    """Seconds to wait after `tries` retries: anything up to a span that doubles, yet longer than the pause before."""
    span = min(BACKOFF_S * 2**tries, BACKOFF_MAX_S)
    # Random, so that requests that failed together do not come back together.
    return random.uniform(min(before * 1.2, span), span)


# Vendors' errors may span a whole page, and this text joins those of several targets.
def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
