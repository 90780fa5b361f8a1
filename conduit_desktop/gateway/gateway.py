"""One question's way through the house: identify, admit, route, ask, meter, settle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import orjson

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import BadRequest, GatewayError, Internal, RateLimited, RecordsRefused, Unauthorized, UpstreamError
from conduit_desktop.core.media import Units
from conduit_desktop.core.money import decimal_usd
from conduit_desktop.gateway import response_headers as headers
from conduit_desktop.gateway.accounting.cost import CompiledPrice
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.admission.access import Caller
from conduit_desktop.gateway.admission.estimate import expected_units, max_output_tokens
from conduit_desktop.gateway.admission.limits import CostEstimate
from conduit_desktop.gateway.call import Call, Exchange, StreamReply, WholeReply
from conduit_desktop.gateway.routing import affinity as sticky
from conduit_desktop.gateway.routing import resolve as routing
from conduit_desktop.gateway.routing.resolve import BoundTarget, Route, Timeouts
from conduit_desktop.gateway.routing.trimming import trim
from conduit_desktop.gateway.snapshot import Credential, Snapshot
from conduit_desktop.gateway.state import GatewayState
from conduit_desktop.gateway.upstream import byte_relay as pieces
from conduit_desktop.gateway.upstream import media
from conduit_desktop.gateway.upstream import token_counts as counting
from conduit_desktop.gateway.upstream import translation as prepared
from conduit_desktop.gateway.upstream.attempt import UpstreamAnswer, attempt
from conduit_desktop.gateway.upstream.failover import FailoverRun
from conduit_desktop.gateway.upstream.relay import dropped, kept_alive, relayed
from conduit_desktop.providers import Secrets
from conduit_desktop.wire import StreamWriter
from conduit_desktop.wire.media.usage import READ_ONLY

log = logging.getLogger(__name__)


@dataclass(slots=True)
class AdmittedCall:
    """A call that was let in: everything its further way needs."""

    call: Call
    caller: Caller
    route: Route
    snapshot: Snapshot
    meter: Meter


class Gateway(GatewayState):
    """Answers calls."""

    async def answer(self, call: Call) -> Exchange:
        """Answer `call`; raises GatewayError, with the record already settled. A StreamReply must be closed by its reader."""
        meter = Meter(call, self.record)
        try:
            asked = await self._admit(call, meter)
        except GatewayError as error:
            meter.close("refused", error.status, error)
            raise
        except asyncio.CancelledError:
            meter.close("cancelled", 499)
            raise
        self.begin()
        exchange: Exchange | None = None
        try:
            if call.media_request is not None:
                exchange = await (self._counted(asked) if call.endpoint == "count_tokens" else self._beside(asked))
            else:
                exchange = await (self._stream(asked) if call.stream else self._whole(asked))
            return exchange
        except GatewayError as error:
            await meter.settle("error", error.status, error)
            error.response_headers = headers.of_failure(call, asked.caller, self.limiter, meter.record)
            raise
        except asyncio.CancelledError:
            meter.close("cancelled", 499)
            raise
        except Exception as error:
            log.exception("request %s failed", call.id)
            internal = Internal("An error of the gateway's own; its log says more.")
            await meter.settle("error", internal.status, internal)
            raise internal from error
        finally:
            if not isinstance(exchange, StreamReply):
                self.end()

    async def _admit(self, call: Call, meter: Meter) -> AdmittedCall:
        """Identify the caller, find the route, and reserve what the call may cost; raises GatewayError."""
        snapshot = self.snapshot
        caller = access.identify(call, snapshot)
        meter.called_by(caller)
        route = self._route(call, caller, snapshot)
        meter.routed(route)
        if snapshot.settings.record_policy == "refuse" and not self.store.healthy:
            raise RecordsRefused("Requests cannot be recorded now, so none are answered. Is the disk full?")
        compiled_prices = self.compiled_prices.known(route.within_reach)
        if compiled_prices is None:
            compiled_prices = await self.compiled_prices.find(route.within_reach, snapshot)
        alias = route.alias
        if alias is not None and alias.trim and alias.max_context_tokens and call.media_request is None:
            trim(call, alias.max_context_tokens)
        expected = _expected(call, snapshot, compiled_prices.values())
        meter.keeps_payload(snapshot.settings.log_payloads or (caller.key is not None and caller.key.log_payloads))
        # No await from here to the reservation: that makes admission atomic.
        key = None if call.endpoint == "count_tokens" else caller.key  # counting is free of every limit
        try:
            meter.admitted(self.limiter.admit(key, expected), compiled_prices)
        except RateLimited as error:
            error.response_headers = headers.limits_of(call, caller, self.limiter)
            raise
        return AdmittedCall(call, caller, route, snapshot, meter)

    def _route(self, call: Call, caller: Caller, snapshot: Snapshot) -> Route:
        try:
            route = routing.find(call.model, snapshot, call.endpoint)
        except BadRequest:  # what a model cannot do is told only to those who may call it
            access.check_model(caller.key, call.model, routing.find(call.model, snapshot, endpoint=None).name)
            raise
        access.check_model(caller.key, call.model, route.name)
        if caller.own_key is not None:
            open_to_it = tuple(target for target in route.targets if target.bound.provider.accept_client_keys)
            if not open_to_it:
                raise Unauthorized("No provider of this model accepts a client's own key; send a virtual key.")
            # The key is some one vendor's: it is shown to the first that takes clients' keys, and to no other.
            first = open_to_it[0].bound
            route = replace(route, targets=tuple(target for target in open_to_it if target.bound is first))
        return route

    async def _open(self, asked: AdmittedCall) -> UpstreamAnswer:
        """The first target that answers, of the route or else of its fallbacks; raises what the caller shall be told."""
        route, limits = asked.route, asked.route.limits
        deadline = asyncio.get_running_loop().time() + limits.total_s
        own_key = Credential("client", Secrets(asked.caller.own_key)) if asked.caller.own_key else None
        search = FailoverRun(
            partial(self._ask_target, asked, limits, deadline), self.health, self.holds, asked.meter, limits, deadline, own_key,
            route.missing,
        )  # fmt: skip
        refusal: UpstreamError | None = None
        fallbacks = () if own_key else route.fallbacks
        by_cause = {} if own_key else dict(route.by_cause)
        routes = [route, *fallbacks]
        chat = asked.call.media_request is None
        together = sticky.key_of(route.alias, asked.call) if chat and route.alias is not None and route.alias.sticky else None
        while routes:
            one = routes.pop(0)
            search.another_route = bool(routes)
            targets = routing.order(one, self.turns, self.health, self.compiled_prices)
            if together is not None:
                targets = self.sticky.first(together, targets, self.health)
            if chat and (unfit := self.capabilities.unfit(asked.call, one)):
                targets = search.without(targets, unfit)
                if not targets and all(why.code == "context_length_exceeded" for why in unfit.values()):
                    routes = list(by_cause.pop("context_length", routes))
            try:
                opened = await search.first_that_answers(targets)
            except UpstreamError as error:
                # A larger window or a laxer filter may take what this one refused; anything else is the caller's to mend.
                if error.reason not in ("context_length", "content_filter"):
                    raise
                refusal = refusal or error
                routes = list(by_cause.pop(error.reason, routes))
                continue
            if opened is not None:
                asked.meter.record.dropped = tuple(dict.fromkeys(opened.prepared.dropped))
                if together is not None:
                    self.sticky.answered(together, opened.target.name)
                return opened
        raise refusal or search.verdict(len(route.targets) == 1 and not fallbacks, asked.call.dialect.name)

    async def _ask_target(
        self, asked: AdmittedCall, limits: Timeouts, deadline: float, target: BoundTarget, credential: Credential
    ) -> UpstreamAnswer:
        overrides = asked.route.alias.overrides if asked.route.alias else {}
        if asked.call.media_request is not None:
            return await media.attempt(self.upstream, asked.call, target, credential, limits, deadline, overrides)
        way = prepared.prepare(asked.call, target, overrides, self.signatures)
        opened = await attempt(self.upstream, asked.call, way, target, credential, limits, deadline)
        if asked.call.stream:
            asked.meter.first_token()
        return opened

    async def _whole(self, asked: AdmittedCall) -> WholeReply:
        meter = asked.meter
        opened = await self._open(asked)
        meter.watch(opened.events)
        body = opened.prepared.write_answer(opened.events, opened.body)
        meter.keep(body)
        await meter.settle("success")
        return self._reply(asked, opened, body)

    def _reply(self, asked: AdmittedCall, opened: UpstreamAnswer | None, body: bytes) -> WholeReply:
        call, meter = asked.call, asked.meter
        cost = meter.record.cost_nano
        return WholeReply(200, {
            **headers.of(call, asked.caller, self.limiter, opened, meter.record),
            "x-conduit-cost-usd": "unknown" if cost is None else decimal_usd(cost),
            "x-conduit-overhead-ms": f"{max(0.0, call.elapsed_ms() - meter.upstream_ms):.2f}",
        }, body)  # fmt: skip

    async def _beside(self, asked: AdmittedCall) -> Exchange:
        """What is asked beside chat: JSON is answered whole, everything else as it comes."""
        call, meter = asked.call, asked.meter
        opened = await self._open(asked)
        assert isinstance(opened, media.UpstreamMediaAnswer)
        if opened.told is not None:
            meter.usage, meter.units = opened.told.usage, opened.told.units
            meter.keep(opened.told.body)
            await meter.settle("success")
            return self._reply(asked, opened, opened.told.body)
        meter.first_token()
        told = headers.of(call, asked.caller, self.limiter, opened, meter.record)
        if opened.length is not None:
            told["Content-Length"] = str(opened.length)
        open_still = True

        async def abandon() -> None:
            nonlocal open_still
            if open_still:
                open_still = False
                opened.response.abort()
                meter.close("cancelled", 499)
                self.end()

        frames = pieces.relayed(opened, meter, asked.route.limits.idle_s, self._stream_broke, self.pulses)
        return StreamReply(told, frames, opened.content_type, abandon)

    async def _counted(self, asked: AdmittedCall) -> Exchange:
        """A request's tokens, counted by a target that can, or else estimated and labelled so."""
        able = tuple(target for target in asked.route.within_reach if _counts(target, asked.call))
        if able:
            try:
                return await self._beside(replace(asked, route=replace(asked.route, targets=able, fallbacks=())))
            except GatewayError as error:
                if isinstance(error, UpstreamError) and any(counting.final(error, target.model) for target in able):
                    raise
        await asked.meter.settle("success")
        reply = self._reply(asked, None, orjson.dumps({"input_tokens": asked.call.input_tokens}))
        reply.headers["x-conduit-token-count"] = "estimated"
        return reply

    async def _stream(self, asked: AdmittedCall) -> StreamReply:
        """The stream of the first target that answers; where that takes longer than the keepalive, pings until it does."""
        call, settings = asked.call, asked.snapshot.settings
        opening = asyncio.ensure_future(self._open(asked))
        try:
            await asyncio.wait({opening}, timeout=settings.keepalive_s)
        except asyncio.CancelledError:
            await dropped(opening)
            raise
        opened = opening.result() if opening.done() else None
        writer = _writer(call, native=opened is not None and opened.prepared.native)
        frames = self._frames(asked, opening, writer)
        told = headers.of(call, asked.caller, self.limiter, opened, asked.meter.record)
        open_still = True

        async def abandon() -> None:
            nonlocal open_still
            try:
                await dropped(opening)
            finally:  # who waits for that may be called off, too
                asked.meter.close("cancelled", 499)
                if open_still:
                    open_still = False
                    self.end()

        return StreamReply(told, frames, call.dialect.content_type, abandon)

    def _frames(self, asked: AdmittedCall, opening: asyncio.Task[UpstreamAnswer], writer: StreamWriter) -> AsyncGenerator[bytes]:
        keepalive_s, idle_s = asked.snapshot.settings.keepalive_s, asked.route.limits.idle_s
        if opening.done():
            return relayed(opening.result(), asked.meter, writer, keepalive_s, idle_s, self._stream_broke, self.pulses)
        return kept_alive(opening, asked.meter, writer, keepalive_s, idle_s, self._stream_broke, self.pulses)

    def _stream_broke(self, opened: UpstreamAnswer, error: UpstreamError) -> None:
        opened.target.bound.kind.judge(error)
        bound = opened.target.bound
        label = opened.credential.label if opened.credential in bound.credentials and self.holds(bound) else None
        self.health.failed(opened.target.name, bound.provider.id, label, error)


def _expected(call: Call, snapshot: Snapshot, compiled_prices: Collection[CompiledPrice | None]) -> CostEstimate:
    inputs = call.input_tokens
    if call.endpoint in READ_ONLY:
        return CostEstimate.of(inputs, 0, compiled_prices, Units())
    output = min(max_output_tokens(call.body), snapshot.settings.reserve_output_tokens)
    return CostEstimate.of(
        inputs, output, compiled_prices, expected_units(call.media_request) if call.media_request is not None else None
    )


def _counts(target: BoundTarget, call: Call) -> bool:
    kind = target.bound.kind
    return "count_tokens" in kind.endpoints and kind.supports(call.dialect.name)


def _writer(call: Call, native: bool) -> StreamWriter:
    """A native stream needs its writer for pings and errors alone: the request need not be read for that."""
    request = ChatRequest(call.dialect.name, call.model, stream=True)
    if not native:
        with suppress(GatewayError):  # where it cannot be read, no target will be asked that needs a translation
            request = call.neutral
    return call.dialect.writer(request)
