"""Watches one request from its arrival to its end, and settles it exactly once: record, cost, reservation.

A hang-up, a broken stream and a good end are accounted by the same few lines.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from conduit_desktop.core.chat import Json
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
from conduit_desktop.core.records import Attempt, RequestRecord, RequestStatus
from conduit_desktop.gateway.accounting.cost import CompiledPrice, cost_of, cost_of_units
from conduit_desktop.gateway.admission.access import Caller
from conduit_desktop.gateway.admission.estimate import BYTES_PER_TOKEN
from conduit_desktop.gateway.admission.limits import Reservation
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.resolve import BoundTarget, Route
from conduit_desktop.wire.media.usage import READ_ONLY, requested_units

Recorder = Callable[[RequestRecord, Json, bytes | None], "asyncio.Future[None]"]
"""Hands a finished record to the ledger, with the payload where it is to be kept; the future is done once it is durable."""

MAX_PAYLOAD = 1024 * 1024
_NO_UNITS = Units()


class Meter:
    """The accounts of one request."""

    def __init__(self, call: Call, recorder: Recorder) -> None:
        self._call = call
        self._recorder = recorder
        self._closed = False
        self._reservation: Reservation | None = None
        self._compiled_prices: Mapping[str, CompiledPrice | None] = {}
        self._target: BoundTarget | None = None
        self._asked = self._answered = False
        self.output_bytes = 0
        """UTF-8 bytes of what the answer has said so far."""
        self.usage: Usage | None = None
        self.units = requested_units(call.endpoint, call.body) if call.media_request is not None else _NO_UNITS
        """What is used beside tokens: as asked for, until the answer says it better."""
        self.at_end: Callable[[], None] | None = None
        """Called once when the request is settled."""
        self._payload: bytearray | None = None
        self.upstream_ms = 0.0
        self.streamed_ms = 0.0
        """Of the time after the first content, what was spent waiting for more of it."""
        self.record = RequestRecord(
            id=call.id, started_at=call.started_at, model=call.model, endpoint=call.endpoint, dialect=call.dialect.name,
            streamed=call.stream, client=call.client, client_ip=call.client_ip,
        )  # fmt: skip

    def called_by(self, caller: Caller) -> None:
        """The caller is known."""
        if caller.key is not None:
            self.record.key_id, self.record.key_name = caller.key.id, caller.key.name

    def routed(self, route: Route) -> None:
        """The name leads somewhere."""
        self.record.model = route.name

    def keeps_payload(self, wanted: bool) -> None:
        """Whether the request and its answer are to be stored."""
        self._payload = bytearray() if wanted else None

    def admitted(self, reservation: Reservation, compiled_prices: Mapping[str, CompiledPrice | None]) -> None:
        """The request may go on; `compiled_prices` are its targets', by `provider/model`."""
        self._reservation, self._compiled_prices = reservation, compiled_prices

    def asking(self, target: BoundTarget) -> None:
        """A target is being asked: what was counted of an earlier one is void."""
        self._target, self._asked, self._answered = target, True, False
        self.output_bytes, self.usage = 0, None
        self.record.provider, self.record.upstream_model = target.bound.name, target.model

    def attempted(self, attempt: Attempt) -> None:
        """An attempt is over, or has been answered."""
        self.record.attempts.append(attempt)
        self.upstream_ms += attempt.duration_ms
        self._asked = self._answered = attempt.outcome == "ok"

    def broke(self, error: UpstreamError) -> None:
        """The answer that had begun broke off: its attempt was none that succeeded."""
        attempt = self.record.attempts[-1]
        attempt.outcome, attempt.status, attempt.detail = error.reason, error.status, error.message[:500]

    def first_token(self) -> None:
        """The first content has come."""
        self.record.first_token_ms = self._call.elapsed_ms()

    def watch(self, events: Iterable[Event]) -> None:
        """Count what goes by."""
        for event in events:
            if isinstance(event, (TextDelta, ThinkingDelta, Refused)):
                self.output_bytes += _size(event.text)
            elif isinstance(event, ToolCallDelta):
                self.output_bytes += _size(event.arguments)
            elif isinstance(event, UsageReported):
                self.usage = event.usage
            elif isinstance(event, Finished):
                self.record.finish = event.reason
            elif isinstance(event, OpaqueBlock):
                self.output_bytes += len(str(event.block.value))
            elif isinstance(event, Started):
                # A dialect that dates and names its answers gets both for those of one that does not.
                event.created = event.created or self.record.started_at // 1000
                event.id = event.id or self.record.id

    @property
    def output_tokens(self) -> int:
        """Output counted so far, as an estimate."""
        return -(-self.output_bytes // BYTES_PER_TOKEN)

    def covered(self) -> bool:
        """Whether the reservation, grown where needed, still bears what has been made."""
        return self._reservation is None or self._reservation.covers(self.output_tokens)

    def keep(self, data: bytes) -> None:
        """Collect the answer's bytes, where they are to be kept."""
        if self._payload is not None and len(self._payload) < MAX_PAYLOAD:
            self._payload += data[: MAX_PAYLOAD - len(self._payload)]

    async def settle(self, status: RequestStatus, http_status: int = 200, error: GatewayError | None = None) -> None:
        """`close`, and wait until the record is durable. A hang-up in the meantime changes nothing of it."""
        durable = self.close(status, http_status, error)
        if durable is not None:
            # A record that has to wait for disk space is reported by the store; the answer is not held back for it.
            with suppress(RecordsUnavailable):
                await durable

    def close(
        self, status: RequestStatus, http_status: int = 200, error: GatewayError | None = None
    ) -> asyncio.Future[None] | None:
        """Settle, once. The future is done when the record is durable; None where it was settled before."""
        if self._closed:
            return None
        self._closed = True
        record = self.record
        record.status, record.http_status = status, http_status
        if error is not None:
            record.error_code, record.error_text = error.code, error.message[:2000]
        record.duration_ms = self._call.elapsed_ms()
        record.upstream_ms = self.upstream_ms or None
        self._count(status)
        # Let go of: it holds the answer, and, through the search, this meter; a circle would wait for the collector.
        at_end, self.at_end = self.at_end, None
        if at_end is not None:
            at_end()
        if self._reservation is not None:
            used = record.input + record.cache_read + record.cache_write + record.audio_in + record.output + record.audio_out
            self._reservation.settle(record.cost_nano or 0, used)
        payload = bytes(self._payload) if self._payload is not None else None
        return self._recorder(record, self._call.body if payload is not None else None, payload)

    def _count(self, status: RequestStatus) -> None:
        record = self.record
        # What failed in the house after a target had answered was paid for all the same.
        if status == "refused" or not (self._answered if status == "error" else self._asked):
            record.cost_nano, record.cost_state = 0, "final"
            return
        if self._call.media_request is not None:
            self._count_beside(status)
            return
        usage = self._told
        if usage is None or (status != "success" and not record.finish):
            usage = self._estimate(usage)
        self._take(usage)
        record.cost_nano = cost_of(self._compiled_price, usage)
        if record.cost_nano is not None:
            record.cost_state = "final" if usage.source == "reported" else "estimated"

    def _count_beside(self, status: RequestStatus) -> None:
        """What was asked beside chat: in the tokens reported, or else in units; counting tokens costs nothing."""
        record, usage = self.record, self._told
        if record.endpoint == "count_tokens":
            record.cost_nano, record.cost_state = 0, "final"
            return
        if usage is None and record.endpoint in READ_ONLY:
            usage = self._estimate(None)
        if usage is not None:
            self._take(usage)
        record.cost_nano = cost_of_units(self._compiled_price, usage, self.units)
        if record.cost_nano is not None:
            sure = status == "success" and (usage is None or usage.source == "reported")
            record.cost_state = "final" if sure else "estimated"

    @property
    def _told(self) -> Usage | None:
        """The usage that was reported; servers that do not count report nothing but zeros, and that is none."""
        usage = self.usage
        if usage is None or not (usage.total_input or usage.total_output or usage.cost_nano is not None):
            return None
        return usage

    @property
    def _compiled_price(self) -> CompiledPrice | None:
        return self._compiled_prices.get(self._target.name) if self._target else None

    def _take(self, usage: Usage) -> None:
        record = self.record
        record.input, record.cache_read = usage.input, usage.cache_read
        record.cache_write = usage.cache_write_5m + usage.cache_write_1h
        record.output, record.reasoning = usage.output, usage.reasoning
        record.audio_in, record.audio_out = usage.audio_in, usage.audio_out

    def _estimate(self, reported: Usage | None) -> Usage:
        """The usage of an answer that broke off: what was reported so far, and the output as counted."""
        inputs = self._reservation.expected.input_tokens if self._reservation else 0
        if reported is None:
            return Usage(input=inputs, output=self.output_tokens, source="estimated")
        return Usage(
            input=reported.input, cache_read=reported.cache_read, cache_write_5m=reported.cache_write_5m,
            cache_write_1h=reported.cache_write_1h, output=max(reported.output, self.output_tokens), reasoning=reported.reasoning,
            audio_in=reported.audio_in, audio_out=reported.audio_out, source="estimated",
        )  # fmt: skip


def attempt_of(target: BoundTarget, label: str, began: float, error: GatewayError | None = None) -> Attempt:
    """The attempt's line in the record. `began` is monotonic seconds."""
    taken = time.monotonic() - began
    outcome = "ok" if error is None else (error.reason if isinstance(error, UpstreamError) else error.code)
    return Attempt(
        provider=target.bound.name, model=target.model, credential=label, outcome=outcome, status=error.status if error else 200,
        detail=error.message[:500] if error else "", started_at=int((time.time() - taken) * 1000), duration_ms=taken * 1000,
    )  # fmt: skip


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
