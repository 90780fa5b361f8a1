"""The accounting of one request, settled exactly once: record, cost, reservation.

A hang-up, a broken stream and a complete answer take the same path.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from conduit_desktop.core.chat import Json, Opaque
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import GatewayError, RecordsUnavailable, UpstreamError
from conduit_desktop.core.events import (
    Event,
    Finished,
    OpaqueBlock,
    Refused,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
)
from conduit_desktop.core.media import Units
from conduit_desktop.core.records import AttemptRecord, RequestRecord, RequestStatus
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.core.tokens import CLASS_NAMES, CLASSES, total_input, total_output
from conduit_desktop.gateway.accounting.attribution import attribute, model_name
from conduit_desktop.gateway.accounting.compiled_price import NO_UNITS, CompiledPrice
from conduit_desktop.gateway.accounting.cost import UNKNOWN, Cost, CostLine, price_answer
from conduit_desktop.gateway.accounting.pricing import CompiledPrices
from conduit_desktop.gateway.admission.access import Caller
from conduit_desktop.gateway.admission.budgets import DAY_MS
from conduit_desktop.gateway.admission.estimate import BYTES_PER_TOKEN, MEDIA_TOKENS, learn_input, output_tokens, text_tokens
from conduit_desktop.gateway.admission.learned_factors import LEARNED
from conduit_desktop.gateway.admission.limits import Reservation
from conduit_desktop.gateway.admission.media_units import expected_units, media_usage
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget, Route
from conduit_desktop.gateway.snapshot import Snapshot
from conduit_desktop.wire.media.usage import READ_ONLY, requested_units

Pieces = list[tuple[float, int]]
"""When each piece of an answer was sent, in ms from the request's arrival, and its bytes."""
Recorder = Callable[[RequestRecord, Json, bytes | None, Pieces], "asyncio.Future[None]"]
"""Writes a finished record to the ledger, with request and answer where payloads are kept; done once it is durable."""

# Of one answer: media answers have up to hundreds of megabytes, and payloads are kept for prompts and texts.
MAX_PAYLOAD = 1024 * 1024
MOST_PIECES = 4_000
"""Of one answer; what comes later is part of the last one."""
_NOTHING = Cost(0, "final")
_SAMPLE = 4096
"""Bytes of an answer by which the tokens of all of it are estimated."""
_class_counts = attrgetter(*CLASS_NAMES)
_SPOKEN = frozenset({TextDelta, ThinkingDelta, Refused})


class Meter:
    """Counts what one request uses, from its arrival until it is settled."""

    # The beginnings are of the class: most requests leave most of them as they are.
    _closed = False
    _reservation: Reservation | None = None
    _compiled_prices: Mapping[str, CompiledPrice | None] = MappingProxyType({})
    _prices_in_use: tuple[CompiledPrices, Snapshot] | None = None
    _target: BoundTarget | None = None
    answered_model = ""
    """The model that the answer names, by whose price it is billed; empty where it names none but the one that was asked."""
    _tried = _answered = False
    _failed: Sequence[Cost] = ()
    """The costs of failed attempts that reported usage, or may have been billed without."""
    _unanswered = 0
    _tokens_per_byte = 0.0
    _weighed_at = 0
    """`output_bytes` when the sample was last weighed."""
    _reported_at = 0
    """`output_bytes` when usage was last reported."""
    _is_whole_report = False
    output_bytes = 0
    """UTF-8 bytes of the answer's text and tool calls so far."""
    usage: Usage | None = None
    units = NO_UNITS
    """Images, seconds and characters: as requested, until the answer reports them."""
    at_end: Callable[[], None] | None = None
    """Called once when the request is settled."""
    _payload: bytearray | None = None
    upstream_ms = 0.0
    streamed_ms = 0.0
    """Of the time after the first content, what was spent waiting for the upstream."""

    def __init__(self, call: Call, recorder: Recorder) -> None:
        self._call = call
        self._recorder = recorder
        self._sample: list[str] = []
        """The texts with which the answer begins, about _SAMPLE bytes."""
        if call.media_request is not None:
            self.units = requested_units(call.endpoint, call.body)
        self.record = RequestRecord(
            id=call.id, started_at=call.started_at, model=call.model, endpoint=call.endpoint, dialect=call.dialect.name,
            streamed=call.stream, client=call.client, client_ip=call.client_ip,
        )  # fmt: skip

    def called_by(self, caller: Caller) -> None:
        """The caller is known."""
        attribute(self.record, self._call, caller.key)

    def routed(self, route: Route) -> None:
        """The model name has a route: usage is recorded under the route's name."""
        self.record.model = route.name

    def keeps_payload(self, wanted: bool) -> None:
        """Whether the request and its answer are to be stored."""
        self._payload = bytearray() if wanted else None
        self._pieces: Pieces = []

    def admitted_at(self, now_ms: int) -> int:
        """The moment (epoch ms) in whose period the request belongs, as in its record: its arrival, or now on another UTC day."""
        record = self.record
        if now_ms // DAY_MS != record.started_at // DAY_MS:
            record.started_at = now_ms
        return record.started_at

    def admitted(
        self,
        reservation: Reservation,
        compiled_prices: Mapping[str, CompiledPrice | None],
        in_use: tuple[CompiledPrices, Snapshot] | None = None,
    ) -> None:
        """The request is admitted; `compiled_prices` are its targets', by `provider/model`.

        In `in_use` the price of another model is found, where the answer names one.
        """
        self._reservation, self._compiled_prices, self._prices_in_use = reservation, compiled_prices, in_use

    def trying(self, target: BoundTarget) -> None:
        """An attempt at a target begins: what was counted of an earlier one is void."""
        if self._target is not None:
            self.output_bytes, self.usage, self.answered_model = 0, None, ""
            self._sample, self._tokens_per_byte, self._weighed_at = [], 0.0, 0
            self._reported_at, self._is_whole_report = 0, False
        self._target, self._tried, self._answered = target, True, False
        self.record.provider, self.record.upstream_model = target.bound.name, target.model

    def attempted(
        self, attempt: AttemptRecord, usage: Usage | None = None, cut_off: bool = False, unanswered: bool = False
    ) -> None:
        """An attempt has failed, with the `usage` that its target reported, or its answer has begun.

        `cut_off`: the answer had begun before the attempt failed, and is paid for as one that the caller left. `unanswered`: the
        target had the whole request and no answer came, so that its cost is unknown: nothing is charged, and nothing is final.
        """
        self.record.attempts.append(attempt)
        self.upstream_ms += attempt.duration_ms
        # A failed attempt that reported nothing is taken as free; one that is cut off earlier counts as paid, as its provider may
        # have begun to work.
        self._tried = self._answered = attempt.outcome == "ok"
        if (usage is not None or cut_off) and not self._answered:
            units = NO_UNITS
            if usage is None:
                usage, units = self._guess()
            cost = price_answer(self._compiled_price, usage, units)
            if cut_off and cost.nano is not None:
                cost = cost._replace(state="estimated")
            attempt.tokens, attempt.cost_nano = _tokens(usage) if usage is not None else {}, cost.nano
            self._failed = [*self._failed, cost]
        elif unanswered and self.record.endpoint != "count_tokens":
            price = self._compiled_price
            if price is None or not price.is_free:
                self._failed = [*self._failed, UNKNOWN]
                self._unanswered += 1
        if self._reservation is not None:
            if self._answered:
                self._reservation.served_by(attempt.provider)
            elif attempt.cost_nano:
                self._reservation.attempt_failed(attempt.cost_nano)

    def broke(self, error: UpstreamError) -> None:
        """The answer that had begun broke off: its attempt is recorded as failed."""
        attempt = self.record.attempts[-1]
        attempt.outcome, attempt.status, attempt.detail = error.reason, error.status, error.message[:500]
        if error.usage is not None:
            # A failed response of the Responses API reports all that it used, hidden reasoning as well.
            self.usage, self._reported_at, self._is_whole_report = error.usage, self.output_bytes, True

    def named(self, model: str) -> None:
        """The answer names the model that made it; empty where it names none."""
        # Mostly the name by which it was asked.
        if model and model != self.record.upstream_model:
            self.answered_model = self.record.upstream_model = model_name(model)

    def first_token(self) -> None:
        """The first content has come."""
        self.record.first_token_ms = self._call.elapsed_ms()

    def report(self, usage: Usage | None, units: Units | None = None) -> None:
        """Take what a media endpoint reported in place of events; None: nothing was reported."""
        self.usage = usage
        if units is not None:
            self.units = units

    def count(self, events: Iterable[Event]) -> None:
        """Count the events of a chat answer."""
        counted: Iterable[Any] = events
        for event in counted:
            # By the type itself, and the first first, because nearly every event of a stream is one of these.
            kind = type(event)
            if kind in _SPOKEN:
                self._counted(event.text)
            elif kind is ToolCallDelta:
                self._counted(event.arguments)
            elif kind is UsageReported:
                self.usage, self._reported_at = event.usage, self.output_bytes
            elif kind is Finished:
                self.record.finish = event.reason
            elif kind is OpaqueBlock:
                self.output_bytes += _block_size(event.block)
            elif kind is Started:
                # Not every dialect has an id and a creation time; a translated answer needs both.
                event.created = event.created or self.record.started_at // 1000
                event.id = event.id or self.record.id
                self.named(event.model)

    def _counted(self, text: str) -> None:
        if self.output_bytes < _SAMPLE:
            self._sample.append(text[:_SAMPLE])
        # Nearly every piece of an answer is ASCII, whose size needs no encoding.
        self.output_bytes += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))

    @property
    def output_tokens(self) -> int:
        """Output counted so far, as an estimate by how the answer begins."""
        size = self.output_bytes
        if not size or not self._sample:
            return output_tokens(size)
        # The beginning is weighed once it is there, not for each piece of a long stream.
        if not self._tokens_per_byte or self._weighed_at < min(size, _SAMPLE):
            sample = "".join(self._sample).encode("utf-8", "replace")[:_SAMPLE]
            self._tokens_per_byte = text_tokens(sample) / len(sample) if sample else 0.25
            self._weighed_at = size
        return math.ceil(size * self._tokens_per_byte)

    def covered(self) -> bool:
        """Whether the reservation, grown where needed, covers the output so far."""
        reservation = self._reservation
        # No text has more tokens than bytes: most answers need no estimate.
        if reservation is None or self.output_bytes <= reservation.output_tokens:
            return True
        # Only where what came since the last estimate may not fit, all is estimated anew: for each piece, that would take a fifth
        # of a stream's time.
        estimated = self._weighed_at
        if math.ceil(estimated * self._tokens_per_byte) + self.output_bytes - estimated <= reservation.output_tokens:
            return True
        return reservation.covers(self.output_tokens if reservation.is_limited else output_tokens(self.output_bytes))

    def keep(self, data: bytes) -> None:
        """Collect the answer's bytes where payloads are kept, up to MAX_PAYLOAD."""
        if self._payload is not None and len(self._payload) < MAX_PAYLOAD:
            kept = data[: MAX_PAYLOAD - len(self._payload)]
            self._payload += kept
            if len(self._pieces) < MOST_PIECES:
                self._pieces.append((self._call.elapsed_ms(), len(kept)))
            else:
                at, size = self._pieces[-1]
                self._pieces[-1] = (at, size + len(kept))

    async def settle(self, status: RequestStatus, http_status: int = 200, error: GatewayError | None = None) -> None:
        """`close`, and wait until the record is durable. A hang-up in the meantime changes nothing of it."""
        try:
            if self.answered_model and not self._answer_price()[1]:
                await self._find_answer_price()
        finally:
            durable = self.close(status, http_status, error)
        if durable is not None:
            # A record that has to wait for disk space is reported by the store; the answer is not held back for it.
            with suppress(RecordsUnavailable):
                await durable

    def close(
        self, status: RequestStatus, http_status: int = 200, error: GatewayError | None = None
    ) -> asyncio.Future[None] | None:
        """Settle, once. The future is done when the record is durable; None where it was settled before, or is not recorded."""
        if self._closed:
            return None
        self._closed = True
        record = self.record
        record.status, record.http_status = status, http_status
        if error is not None:
            # An error may quote the request, and clients do put keys where they do not belong.
            record.error_code, record.error_text = SECRETS.redact(error.code), SECRETS.redact(error.message)[:2000]
        if status == "refused":
            record.model, record.client = model_name(record.model), model_name(record.client)
        record.duration_ms = self._call.elapsed_ms()
        record.upstream_ms = self.upstream_ms or None
        self._set_cost(status)
        # Cleared: it refers to the answer and, through FailoverRun, to this meter; a reference cycle would wait for the collector.
        at_end, self.at_end = self.at_end, None
        if at_end is not None:
            at_end()
        # Before the record is handed over: the budget is exact even while the ledger waits for disk space.
        if self._reservation is not None:
            if self._reservation.is_limited and "estimated" not in record.units:
                self._check_cap(self._reservation)
            self._reservation.settle(record.cost_nano or 0, total_input(record) + total_output(record), record)
        if not self._call.recorded:
            return None
        if self._payload is None:
            return self._recorder(record, None, None, [])
        return self._recorder(record, self._call.body, bytes(self._payload), self._pieces if record.streamed else [])

    def _check_cap(self, reservation: Reservation) -> None:
        """Remember a target that gives more output than the request allows, as some do with reasoning."""
        if self._target is not None and total_output(self.record) > self._call.output_cap:
            reservation.cap_passed(self._target.name)

    def _set_cost(self, status: RequestStatus) -> None:
        """Usage and cost in the record: of the answer, and of the attempts that failed before it."""
        record = self.record
        # What failed in the gateway after a target had answered was paid for all the same.
        paid = status != "refused" and (self._answered if status == "error" else self._tried)
        if not paid or record.endpoint == "count_tokens":
            answer = _NOTHING
        else:
            answer = self._answer_cost(status)
            if record.attempts:
                attempt = record.attempts[-1]
                attempt.cost_nano = answer.nano
                counts = _class_counts(record)
                attempt.tokens = dict(compress(zip(CLASS_NAMES, counts, strict=True), counts))
        record.price_source, record.price_date = answer.source, answer.date
        record.cost_nano, record.cost_state = answer.nano, answer.state
        record.cost_breakdown = [*map(CostLine.as_dict, answer.breakdown)]
        if self._failed:
            self._add_failed(paid)

    def _add_failed(self, paid: bool) -> None:
        """Add the costs of failed attempts. What is known counts, as an estimate where another part is not known."""
        record = self.record
        if self._unanswered:
            record.units = {**record.units, "unanswered": self._unanswered}
        known = [cost.nano for cost in self._failed if cost.nano is not None]
        if not known and not paid:
            record.cost_nano, record.cost_state = None, "unknown"
            return
        if len(known) < len(self._failed) or any(cost.state != "final" for cost in self._failed):
            record.cost_state = "estimated" if record.cost_nano is not None else "unknown"
        if not known:
            return
        record.attempts_nano = sum(known)
        if record.cost_nano is None:
            record.cost_state = "estimated"
        record.cost_nano = (record.cost_nano or 0) + record.attempts_nano
        line = CostLine("failed_attempts", len(known), len(known), record.attempts_nano, record.attempts_nano)
        record.cost_breakdown.append(line.as_dict())
        if not paid:
            first = next(cost for cost in self._failed if cost.nano is not None)
            record.price_source, record.price_date = first.source, first.date

    def _answer_cost(self, status: RequestStatus) -> Cost:
        """The cost of the answer: tokens as reported or else estimated; at media endpoints tokens or units."""
        usage, units = self._reported_usage, self.units
        if self._call.media_request is None:
            # Anthropic reports usage at the start as well: a stream cut before its finish reason has reported only a part.
            whole = status == "success" or bool(self.record.finish) or self._is_whole_report
            if usage is None or not whole or self._is_contradicted(usage):
                self._inputs()
                usage = self._estimate(usage)
            elif self._call.estimated_tokens or LEARNED.wants(usage.total_input):
                self._inputs()
                learn_input(self._call, usage.total_input)
            self._take(usage, units)
            return price_answer(self._compiled_price, usage, units)
        final = status == "success"
        if usage is None:
            final = final and units.seconds is not None
            usage, units = self._guess()
        self._take(usage, units)
        cost = price_answer(self._compiled_price, usage, units)
        return cost if final or cost.nano is None else cost._replace(state="estimated")

    def _guess(self) -> tuple[Usage | None, Units]:
        """What an answer without any report used: tokens as estimated, or at media endpoints what was requested."""
        units, media_request = self.units, self._call.media_request
        if media_request is None or (self.record.endpoint in READ_ONLY and not units.known):
            return self._estimate(None), units
        if units.seconds is None:
            units = expected_units(media_request)
        price = self._compiled_price
        # A price by tokens alone: the answer reported none, and what it cost is not nothing.
        by_tokens = price is not None and price.covers(False, units) and not price.covers(False, units, reports_tokens=False)
        return media_usage(self.record.endpoint, units, self._call.input_tokens) if by_tokens else None, units

    def _inputs(self) -> int:
        """The estimate of the input, as the target counts it that answered."""
        return self._call.input_tokens if self._target is None else self._call.tokens_at((self._target,))

    def _is_contradicted(self, usage: Usage) -> bool:
        """Whether the answer itself shows that the reported usage is not the whole of it."""
        # A report that came before the end of the content knows nothing of the rest: the last delta may lack its usage.
        if self.output_bytes > self._reported_at:
            return True
        if usage.cost_nano is not None:
            return False
        # No request is without input, and no text without a token.
        return usage.total_input == 0 or (self.output_bytes > 0 and usage.total_output == 0)

    @property
    def _reported_usage(self) -> Usage | None:
        """The usage that was reported; some local servers do not count and report nothing but zeros: that is none."""
        usage = self.usage
        if usage is None or not (usage.total_input or usage.total_output or usage.cost_nano is not None):
            return None
        return usage

    @property
    def _compiled_price(self) -> CompiledPrice | None:
        return self._answer_price()[0]

    def _answer_price(self) -> tuple[CompiledPrice | None, bool]:
        """The price of the answer, and whether it is known: where not, `_find_answer_price` looks it up."""
        target, model = self._target, self.answered_model
        if target is None:
            return None, True
        price = self._compiled_prices.get(target.name)
        if self._prices_in_use is None or not model or model == target.model:
            return price, True
        return self._prices_in_use[0].of_answer(target, model, price)

    async def _find_answer_price(self) -> None:
        if self._prices_in_use is not None and self._target is not None:
            prices, snapshot = self._prices_in_use
            await prices.find_answered(self._target, self.answered_model, snapshot)

    def _take(self, usage: Usage | None, units: Units) -> None:
        record = self.record
        if usage is not None:
            record.input, record.cache_read = usage.input, usage.cache_read
            record.cache_write = usage.cache_write_5m + usage.cache_write_1h
            record.output, record.reasoning = usage.output, usage.reasoning
            record.audio_in, record.audio_out = usage.audio_in, usage.audio_out
            record.image_in, record.image_out = usage.image_in, usage.image_out
            record.service_tier = usage.service_tier
        record.units = _units(usage, units)

    def _estimate(self, reported: Usage | None) -> Usage:
        """The usage of an answer without a final report: what was reported so far, and the output as counted."""
        inputs = self._call.input_tokens
        if reported is None:
            return Usage(input=inputs, output=self.output_tokens, source="estimated")
        # A report from the start of a stream knows of one output token or so; what came since is more.
        output = max(reported.output, self.output_tokens)
        fresh = reported.input if reported.total_input else inputs
        return replace(reported, input=fresh, output=output, source="estimated", cost_nano=None, extra={})


def _tokens(usage: Usage) -> dict[str, int]:
    """The tokens by class, as an attempt's record holds them."""
    counts = {one.name: sum(getattr(usage, rate.usage_field) for rate in one.rates) for one in CLASSES}
    return {name: count for name, count in counts.items() if count}


def _units(usage: Usage | None, units: Units) -> dict[str, Any]:
    """What was used besides tokens, as a record holds it; without what was not used."""
    searches = units.searches
    used: dict[str, Any] = {}
    if usage is not None:
        searches = max(searches, usage.searches)
        if usage.cache_write_1h:
            used["cache_write_1h"] = usage.cache_write_1h
        if usage.surcharges:
            used["surcharges"] = list(usage.surcharges)
        if usage.unclear:
            used["unclear"] = list(usage.unclear)
        if usage.source == "estimated":
            used["estimated"] = True
    if units is not NO_UNITS:
        for name in ("images", "image_size", "image_quality", "seconds", "characters"):
            if value := getattr(units, name):
                used[name] = value
    if searches:
        used["searches"] = searches
    return used


def _block_size(block: Opaque) -> int:
    """The bytes by which a block's tokens are estimated: a picture in base64 has a million, and about a thousand tokens."""
    if block.media is not None:
        return MEDIA_TOKENS * BYTES_PER_TOKEN
    return len(str(block.value))


def attempt_of(target: BoundTarget, label: str, began: float, error: GatewayError | None = None) -> AttemptRecord:
    """The attempt as the record holds it. `began` is monotonic seconds."""
    taken = time.monotonic() - began
    outcome = "ok" if error is None else (error.reason if isinstance(error, UpstreamError) else error.code)
    return AttemptRecord(
        provider=target.bound.name, model=target.model, credential=label, outcome=outcome, status=error.status if error else 200,
        detail=error.message[:500] if error else "", started_at=now_ms() - round(taken * 1000), duration_ms=taken * 1000,
    )  # fmt: skip
