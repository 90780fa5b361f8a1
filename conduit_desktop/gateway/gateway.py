"""The request pipeline: identify, admit, route, attempt, meter, settle. The file to read first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from conduit_desktop.core.bus import Bus
from conduit_desktop.core.entities import Budget
from conduit_desktop.core.errors import (
    BadRequest,
    BudgetBusy,
    GatewayError,
    Internal,
    RateLimited,
    RecordsRefused,
    Unauthorized,
    release,
)
from conduit_desktop.core.heavy_work import in_thread
from conduit_desktop.core.money import decimal_usd
from conduit_desktop.gateway import response_headers
from conduit_desktop.gateway.accounting.compiled_price import CompiledPrice
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.admission.access import Caller
from conduit_desktop.gateway.admission.bounds import ONLINE
from conduit_desktop.gateway.admission.budgets import BudgetAccount, QueuePlace, TrackedBudget
from conduit_desktop.gateway.admission.cost_estimate import CostEstimate, cache_rate_of
from conduit_desktop.gateway.admission.limits import BudgetInUse, Reservation
from conduit_desktop.gateway.call import Call, Exchange, StreamReply, WholeReply
from conduit_desktop.gateway.health.circuit import Health
from conduit_desktop.gateway.routing.resolve import resolve_model
from conduit_desktop.gateway.routing.targets import BoundTarget, Route, without_providers
from conduit_desktop.gateway.routing.trimming import trim
from conduit_desktop.gateway.snapshot import Snapshot
from conduit_desktop.gateway.state import GatewayState
from conduit_desktop.gateway.upstream import token_counts
from conduit_desktop.gateway.upstream.answer_streams import AnswerStream, ByteStream, ChatAnswerStream
from conduit_desktop.gateway.upstream.failover import FailoverRun
from conduit_desktop.gateway.upstream.relay import NO_PINGS, client_writer, ping_until, relay
from conduit_desktop.gateway.upstream.upstream_answer import UpstreamAnswer
from conduit_desktop.store.interface import Store
from conduit_desktop.store.secrets.store import SecretStore

log = logging.getLogger(__name__)


@dataclass(slots=True)
class AdmittedCall:
    """A call that passed admission, with what the pipeline needs from there on."""

    call: Call
    caller: Caller
    route: Route
    snapshot: Snapshot
    meter: Meter


class Gateway:
    """Answers calls. `state` is everything it keeps between them."""

    def __init__(self, store: Store, secrets: SecretStore, bus: Bus, overrides: Mapping[str, Any] | None = None) -> None:
        self.state = GatewayState(store, secrets, bus, overrides)

    async def answer(self, call: Call) -> Exchange:
        """Answer `call`; raises GatewayError, with the record already settled. A StreamReply must be closed by its consumer."""
        meter = Meter(call, self.state.record)
        try:
            try:
                if call.is_heavy:
                    await in_thread(call.look_through)
                admitted = await self._admit(call, meter)
            except BudgetInUse as busy:
                admitted = await self._admit_in_turn(call, meter, busy.budget)
        except GatewayError as error:
            meter.close("refused", error.status, error)
            release(error)
            raise
        except asyncio.CancelledError:
            meter.close("cancelled", 499)
            raise
        # After admission: a refused request must not delay a shutdown.
        self.state.begin(call)
        exchange: Exchange | None = None
        try:
            exchange = await self._exchange(admitted)
            return exchange
        except GatewayError as error:
            await meter.settle("error", error.status, error)
            error.response_headers = response_headers.of_failure(call, admitted.caller, self.state.limiter, meter.record)
            release(error)
            raise
        except asyncio.CancelledError:
            meter.close("cancelled", 499)
            raise
        except Exception as error:
            log.exception("request %s failed", call.id)
            raise await self._internal(meter, error) from None
        finally:
            # A stream stays in flight until its consumer closes it.
            if not isinstance(exchange, StreamReply):
                self.state.end(call)

    async def _internal(self, meter: Meter, error: Exception) -> Internal:
        """The error for the client in place of `error`, which was logged; the request is settled."""
        release(error)
        internal = Internal("An error of the gateway's own; its log says more.")
        await meter.settle("error", internal.status, internal)
        return internal

    def refuse(self, call: Call, error: GatewayError) -> None:
        """Record a call that was refused before its body was read."""
        meter = Meter(call, self.state.record)
        if call.caller is not None:
            meter.called_by(call.caller)
            error.response_headers = response_headers.limits_of(call, call.caller, self.state.limiter)
        meter.close("refused", error.status, error)

    async def _admit(self, call: Call, meter: Meter, place: QueuePlace | None = None) -> AdmittedCall:
        """Identify the caller, find the route, and reserve what the call may cost; raises GatewayError and BudgetInUse.

        `place` is where the call has waited for a budget.
        """
        # One snapshot for the whole request: a change of the configuration must not mix two of them.
        state, snapshot = self.state, self.state.snapshot
        caller = call.caller
        # Identified by its head, unless the configuration has changed since, or the key may have expired.
        if caller is None or call.snapshot is not snapshot or (caller.key is not None and caller.key.expires_at is not None):
            caller = access.identify(call, snapshot)
        meter.called_by(caller)
        route = _route(call, caller, snapshot)
        meter.routed(route)
        # After the key was checked: a stranger must not learn the state of the disk.
        if snapshot.settings.record_policy == "refuse" and call.recorded and not state.store.healthy:
            raise RecordsRefused("Requests cannot be recorded now, so none are answered. Is the disk full?")
        targets = route.all_targets
        prices = state.compiled_prices.known(targets)
        if prices is None:
            prices = await state.compiled_prices.find(targets, snapshot)
        alias = route.alias
        # Before the estimate: messages that are not sent must not be reserved for.
        if alias is not None and alias.trim and alias.max_context_tokens and call.media_request is None:
            if call.is_heavy:
                await in_thread(_trim_heavy, call, targets, alias.max_context_tokens)
            else:
                call.tokens_at(targets)
                trim(call, alias.max_context_tokens)
        key = caller.key
        meter.keeps_payload(snapshot.settings.log_payloads or call.keep_payload or (key is not None and key.log_payloads))
        if call.is_heavy and (
            call.endpoint == "count_tokens"
            # A limit without ample room is going to need them.
            or (caller.key is not None and (caller.key.tpm is not None or state.budgets.limit(caller.key, route.name)))
        ):
            await in_thread(call.tokens_at, targets)
        # No await from here to the reservation: that makes admission atomic.
        if call.endpoint == "count_tokens":  # free of every limit
            call.tokens_at(targets)
            expected = CostEstimate.of_call(call, snapshot.settings.reserve_output_tokens, prices.values())
            meter.admitted(Reservation(state.limiter, None, expected), prices)
            return AdmittedCall(call, caller, route, snapshot, meter)
        at_ms = meter.admitted_at(state.budgets.now_ms())
        try:
            if state.budgets.any_of_provider:
                route = self._within_provider_budgets(call, caller, route, prices, at_ms, place)
            expected, providers = self._estimates(call, caller, route, prices)
            reservation = state.limiter.admit(caller.key, expected, route.name, at_ms, providers, place)
            meter.admitted(reservation, prices, (state.compiled_prices, snapshot))
        except RateLimited as error:
            error.response_headers = response_headers.limits_of(call, caller, state.limiter)
            raise
        return AdmittedCall(call, caller, route, snapshot, meter)

    async def _admit_in_turn(self, call: Call, meter: Meter, budget: TrackedBudget) -> AdmittedCall:
        """Admit a call that may overrun a budget once no other such request is in flight; raises GatewayError.

        Raises BudgetBusy after the setting `budget_wait_s`. Requests are admitted in the order in which they came.
        """
        state, loop = self.state, asyncio.get_running_loop()
        wait_s = state.snapshot.settings.budget_wait_s
        deadline = loop.time() + wait_s
        place = budget.join()
        try:
            while (left := deadline - loop.time()) > 0:
                resets_at = place.budget.account.next_reset
                # A new period has room of its own.
                reset_s = left if resets_at is None else max(0.001, (resets_at - state.budgets.now_ms()) / 1000)
                await place.turn(min(left, reset_s))
                try:
                    return await self._admit(call, meter, place)
                except BudgetInUse as busy:
                    if busy.budget is not place.budget:
                        place.leave()
                        place = busy.budget.join()
        finally:
            place.leave()
        busy_error = BudgetBusy(
            f"{place.budget.terms.text} is in use by a request that may take all that is left.", retry_after=max(1.0, wait_s)
        )
        caller = access.identify(call, state.snapshot)
        busy_error.response_headers = response_headers.limits_of(call, caller, state.limiter)
        raise busy_error

    def _estimates(
        self, call: Call, caller: Caller, route: Route, prices: Mapping[str, CompiledPrice | None]
    ) -> tuple[CostEstimate, dict[str, CostEstimate] | None]:
        """What the call may cost, at the dearest of its targets, and at the dearest of each provider that has a budget."""
        state, reserve = self.state, self.state.snapshot.settings.reserve_output_tokens
        by_tokens = caller.key is not None and caller.key.tpm is not None
        if not by_tokens and not state.budgets.limit(caller.key, route.name):
            return CostEstimate.of_call(call, reserve, prices.values(), limited=False), None
        targets = route.all_targets
        if not state.budgets.any_of_provider:
            # Pictures have far fewer tokens than bytes: by the length, they would hold too much.
            by_length = call.media_request is None and not call.has_media
            return (self._by_length if by_length else self._bounded)(call, targets, prices), None
        expected = self._bounded(call, targets, prices)
        by_provider: dict[str, list[BoundTarget]] = {}
        for target in targets:
            if state.budgets.of_provider(target.bound.name):
                by_provider.setdefault(target.bound.name, []).append(target)
        return expected, {name: self._bounded(call, group, prices) for name, group in by_provider.items()}

    def _bounded(self, call: Call, targets: Sequence[BoundTarget], prices: Mapping[str, CompiledPrice | None]) -> CostEstimate:
        """The exact estimate of a call over these targets, with its worst case."""
        found, searches, keep_caps = self._offers(targets, prices)
        reserve = self.state.snapshot.settings.reserve_output_tokens
        call.tokens_at(targets)
        expected = CostEstimate.of_call(call, reserve, [price for price, _ in found], cache_rate_of(call))
        expected.add_worst(call, found, searches, keep_caps)
        return expected

    def _by_length(self, call: Call, targets: Sequence[BoundTarget], prices: Mapping[str, CompiledPrice | None]) -> CostEstimate:
        """The estimate of a chat by its length, which is enough where every limit has ample room."""
        found, searches, keep_caps = self._offers(targets, prices)
        reserve = self.state.snapshot.settings.reserve_output_tokens
        return CostEstimate.by_length(call, reserve, found, searches, keep_caps, partial(self._bounded, call, targets, prices))

    def _offers(
        self, targets: Sequence[BoundTarget], prices: Mapping[str, CompiledPrice | None]
    ) -> tuple[list[tuple[CompiledPrice | None, int]], bool, bool]:
        """Each target's price with the most output tokens of one answer.

        Also whether a target searches whatever is asked, and whether all of them keep to the cap of a request.
        """
        most_output, passes_caps = self.state.capabilities.most_output, self.state.limiter.passes_caps
        found: list[tuple[CompiledPrice | None, int]] = []
        searches = False
        for target in targets:
            found.append((prices[target.name], most_output(target)))
            searches = searches or target.model.endswith(ONLINE)
        keep_caps = not passes_caps or passes_caps.isdisjoint(target.name for target in targets)
        return found, searches, keep_caps

    def _within_provider_budgets(
        self,
        call: Call,
        caller: Caller,
        route: Route,
        prices: Mapping[str, CompiledPrice | None],
        at_ms: int,
        place: QueuePlace | None,
    ) -> Route:
        """The route without the providers whose own budget has no room for the call; raises why where none is left."""
        _, by_provider = self._estimates(call, caller, route, prices)
        without_room = self.state.limiter.without_room(caller.key, by_provider or {}, at_ms, place)
        if not without_room:
            return route
        left = without_providers(route, {name: str(why) for name, why in without_room.items()})
        if not left.all_targets:
            # What only has to be waited for comes first: the others are not going to have room.
            raise next((why for why in without_room.values() if isinstance(why, BudgetInUse)), next(iter(without_room.values())))
        return left

    async def _exchange(self, admitted: AdmittedCall) -> Exchange:
        """The reply of the first target that answers: whole, as a stream of events, or as a stream of bytes."""
        call = admitted.call
        if call.endpoint == "count_tokens":
            return await self._count_tokens(admitted)
        run = self._run(admitted)
        if call.stream and call.media_request is None:
            return await self._stream(admitted, run)
        return await self._reply(admitted, run)

    def _run(self, admitted: AdmittedCall) -> FailoverRun:
        return FailoverRun(admitted.call, admitted.route, admitted.caller, admitted.meter, self.state)

    async def _reply(self, admitted: AdmittedCall, run: FailoverRun) -> Exchange:
        """A whole answer; sound and events of the media endpoints as they come."""
        answer = await run.first_answer()
        if not answer.streamed:
            body = answer.whole_body(admitted.meter) if not answer.heavy else await answer.heavy_body(admitted.meter)
            return await self._whole(admitted, answer, body)
        frames = self._relay(admitted, run, NO_PINGS, ByteStream(answer, admitted.meter))
        return self._stream_reply(admitted, run, answer, frames, answer.content_type)

    async def _whole(self, admitted: AdmittedCall, answer: UpstreamAnswer | None, body: bytes) -> WholeReply:
        call, meter = admitted.call, admitted.meter
        meter.keep(body)
        await meter.settle("success")
        cost = meter.record.cost_nano
        headers = response_headers.of(call, admitted.caller, self.state.limiter, answer, meter.record)
        headers["x-conduit-cost-usd"] = "unknown" if cost is None else decimal_usd(cost)
        headers["x-conduit-overhead-ms"] = f"{max(0.0, call.elapsed_ms() - meter.upstream_ms):.2f}"
        return WholeReply(200, headers, body)

    async def _stream(self, admitted: AdmittedCall, run: FailoverRun) -> StreamReply:
        """The stream of the first target that answers; after `keepalive_s` without an answer, pings until one does."""
        call, meter, keepalive_s = admitted.call, admitted.meter, admitted.snapshot.settings.keepalive_s
        answer = await run.answer_within(keepalive_s)
        # Where no target has answered yet, the later answer may need a translation.
        writer = client_writer(call, passthrough=answer is not None and answer.prepared.relays_answer)

        def frames_of(answer: UpstreamAnswer) -> AsyncGenerator[bytes]:
            return self._relay(admitted, run, keepalive_s, ChatAnswerStream(answer, meter, writer))

        frames = frames_of(answer) if answer else ping_until(run.search(), frames_of, meter, writer, keepalive_s)
        return self._stream_reply(admitted, run, answer, frames, call.dialect.content_type)

    def _relay(self, admitted: AdmittedCall, run: FailoverRun, keepalive_s: float, stream: AnswerStream) -> AsyncGenerator[bytes]:
        return relay(
            stream, admitted.meter, keepalive_s, admitted.route.timeouts.idle_s, run.broke, self.state.streams, self.state.pacer
        )

    def _stream_reply(
        self,
        admitted: AdmittedCall,
        run: FailoverRun,
        answer: UpstreamAnswer | None,
        frames: AsyncGenerator[bytes],
        content_type: str,
    ) -> StreamReply:
        call, meter, state = admitted.call, admitted.meter, self.state

        async def abandon() -> None:
            try:
                await run.stop()
            finally:  # also where the task that waits for it is cancelled
                meter.close("cancelled", 499)
                state.end(call)

        headers = response_headers.of(call, admitted.caller, state.limiter, answer, meter.record)
        if answer is not None and answer.length is not None:
            headers["Content-Length"] = str(answer.length)
        return StreamReply(headers, frames, content_type, abandon)

    async def _count_tokens(self, admitted: AdmittedCall) -> Exchange:
        """The count of a target that can count in the client's dialect; where none answers, an estimate, labelled so."""
        call, route = admitted.call, admitted.route
        able = tuple(target for target in route.all_targets if token_counts.can_count(target, call))
        if able:
            # `able` holds the targets of the fallbacks already, in their order.
            counting = replace(admitted, route=replace(route, targets=able, fallbacks=(), by_cause={}))
            try:
                return await self._reply(counting, self._run(counting))
            except GatewayError as error:
                if any(token_counts.is_final(error, target) for target in able):
                    raise
        reply = await self._whole(admitted, None, token_counts.estimated(call))
        reply.headers["x-conduit-token-count"] = "estimated"
        return reply

    @property
    def snapshot(self) -> Snapshot:
        """The configuration that requests are answered with now."""
        return self.state.snapshot

    @property
    def health(self) -> Health:
        """The health of targets and credentials."""
        return self.state.health

    @property
    def in_flight(self) -> int:
        """The number of calls being answered."""
        return self.state.in_flight

    def account(self, key_id: str) -> BudgetAccount:
        """What the key has spent and reserved in its running budget period."""
        return self.state.budgets.account(key_id)

    def budget_account(self, budget: Budget) -> BudgetAccount:
        """What has been spent and is reserved of a budget in its running period."""
        return self.state.budgets.budget_account(budget)

    async def start(self) -> None:
        """Load configuration, spend and health; from then on calls can be answered."""
        await self.state.start()

    async def stop(self, grace_s: float) -> None:
        """Give calls in flight `grace_s` seconds, then close the connections to providers."""
        await self.state.stop(grace_s)

    async def refresh(self) -> None:
        """Take a new snapshot of the store; the next call uses it."""
        await self.state.refresh()


def _trim_heavy(call: Call, targets: Sequence[BoundTarget], limit: int) -> None:
    call.tokens_at(targets)
    if trim(call, limit):
        call.look_through()


def _route(call: Call, caller: Caller, snapshot: Snapshot) -> Route:
    """The route of the requested model; raises ModelNotFound, Forbidden, Unauthorized and BadRequest."""
    try:
        route = resolve_model(call.model, snapshot, call.endpoint)
    except BadRequest:  # only those who may call a model learn that it lacks the endpoint
        access.check_model(caller.key, call.model, resolve_model(call.model, snapshot, endpoint=None))
        raise
    access.check_model(caller.key, call.model, route)
    if caller.own_key is None:
        return route
    # Where a virtual key came with it, the other targets are called with the operator's credentials.
    if caller.key is not None:
        return route
    accepting = tuple(target for target in route.targets if target.bound.provider.accept_client_keys)
    if not accepting:
        raise Unauthorized("No provider of this model accepts a client's own key; send a virtual key.")
    # The key belongs to one vendor: it is sent to the first provider that accepts clients' keys, and to no other.
    first = accepting[0].bound
    return replace(route, targets=tuple(target for target in accepting if target.bound is first))
