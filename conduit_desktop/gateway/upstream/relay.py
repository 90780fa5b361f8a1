"""A promised stream on its way to the caller: relayed, watched, kept alive, and ended truthfully."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from conduit_desktop.core.errors import (
    BudgetExceeded,
    Closing,
    GatewayError,
    Internal,
    ProviderFailed,
    ProviderTimeout,
    UpstreamError,
)
from conduit_desktop.core.events import Event
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.gateway.redaction import redact
from conduit_desktop.gateway.upstream.attempt import UpstreamAnswer
from conduit_desktop.gateway.upstream.client import Response
from conduit_desktop.gateway.upstream.translation import Relay, TranslatedRelay
from conduit_desktop.wire import StreamWriter

log = logging.getLogger(__name__)


_CLOSING = "The gateway is closing; the answer was cut off."
_EARLY_S = 0.005
"""A timer may fire this much too soon."""


class TimedReader:
    """Reads an upstream's chunks, waking up in between for pings, and tells when the silence has lasted too long.

    A ping is due when the *caller* has heard nothing for `keepalive_s`, whatever the upstream says meanwhile. Silence is
    time spent waiting for the upstream: a caller that reads slowly does not make it look stalled.
    """

    __slots__ = ("_idle_s", "_keepalive_s", "_loop", "_over", "_response", "_said_at", "_silent_s", "_timer", "waited_s")

    def __init__(self, response: Response, keepalive_s: float, idle_s: float) -> None:
        self._response = response
        self._keepalive_s = keepalive_s
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._said_at = self._loop.time()
        self._silent_s = 0.0
        self.waited_s = 0.0
        """Seconds spent waiting for the upstream."""
        self._over = False
        self._timer: asyncio.Timeout | None = None

    def cut(self) -> None:
        """The gateway closes: the stream ends now, and says so."""
        self._over = True
        if self._timer is not None:
            with suppress(RuntimeError):  # nobody waits just now
                self._timer.reschedule(self._loop.time())

    async def chunk(self, said: bool) -> bytes | None:
        """The next bytes (b"" at the end), or None when a ping is due; raises UpstreamError after `idle_s` of silence.

        `said`: the caller has been sent something since the last time. Raises Closing once it was `cut`.
        """
        if self._over:
            raise Closing(_CLOSING)
        now = self._loop.time()
        if said:
            self._said_at = now
        ping_at = self._said_at + self._keepalive_s
        if ping_at <= now:
            return None
        try:
            async with asyncio.timeout_at(min(ping_at, now + self._idle_s - self._silent_s)) as self._timer:
                data = await self._response.chunk()
        except TimeoutError as error:
            if self._over:
                raise Closing(_CLOSING) from error
            self._waited(now)
            if self._silent_s >= self._idle_s - _EARLY_S:
                raise UpstreamError(f"the answer stalled for {self._idle_s:g} s", status=504, reason="timeout") from error
            return None
        self._waited(now)
        self._silent_s = 0.0
        return data

    def _waited(self, since: float) -> None:
        waited = self._loop.time() - since
        self._silent_s += waited
        self.waited_s += waited


Broken = Callable[[UpstreamAnswer, UpstreamError], None]
"""Told of a stream that its upstream broke."""


async def relayed(
    opened: UpstreamAnswer,
    meter: Meter,
    writer: StreamWriter,
    keepalive_s: float,
    idle_s: float,
    broken: Broken,
    pulses: set[TimedReader],
) -> AsyncGenerator[bytes]:
    """The caller's bytes. The record is durable before the last of them; a break ends in the dialect's error event.

    While it runs, it can be cut off by its pulse among `pulses`.
    """
    pulse = TimedReader(opened.response, keepalive_s, idle_s)
    pulses.add(pulse)
    whole = opened.ended and bool(opened.body)
    relay: Relay = TranslatedRelay(writer, opened.prepared.watch) if whole else opened.prepared.relay(writer)
    try:
        _count(meter, opened.events)
        out = relay.pass_on(opened.held, opened.events, opened.failure is not None)
        while not (opened.ended or (opened.reader is not None and opened.reader.done)):
            if out:
                meter.keep(out)
                yield out
            opened.check()
            data = await pulse.chunk(said=bool(out))
            out = writer.ping() if data is None else _take(opened, meter, relay, data)
        opened.check()
        tail = out + relay.end()
        meter.keep(tail)
        opened.response.finish()
        meter.streamed_ms = pulse.waited_s * 1000
        await meter.settle("success")
        if tail:
            yield tail
    except (asyncio.CancelledError, GeneratorExit):
        opened.response.abort()
        meter.close("cancelled", 499)
        raise
    except Exception as error:  # whatever went wrong, the caller must not take it for success
        told = await broke_off(opened, meter, broken, error)
        yield relay.last_words(opened.sent) or writer.fail(told)
    finally:
        pulses.discard(pulse)


def _take(opened: UpstreamAnswer, meter: Meter, relay: Relay, data: bytes) -> bytes:
    """Read `data` (b"": the end), count it, and give the caller's bytes for it; a fault waits behind them."""
    try:
        events = opened.take(data)
    except UpstreamError as failure:
        events, opened.failure = [], failure
    _count(meter, events)
    return relay.pass_on(data, events, opened.failure is not None)


def _count(meter: Meter, events: list[Event]) -> None:
    """Take the events into the accounts; raises BudgetExceeded for those the budget does not bear, which nobody will see."""
    before = meter.output_bytes
    meter.watch(events)
    if not meter.covered():
        meter.output_bytes = before
        raise BudgetExceeded("The key's budget does not bear the rest of this answer.")


async def broke_off(opened: UpstreamAnswer, meter: Meter, broken: Broken, error: Exception) -> GatewayError:
    """What the caller is told of a stream that could not be relayed to its end; it is settled, and its target judged."""
    opened.response.abort()
    if isinstance(error, UpstreamError):
        redact(error, opened.sent)
        meter.broke(error)
        broken(opened, error)
    told = _told(error, opened)
    await meter.settle("broken", told.status, told)
    return told


def _told(error: Exception, opened: UpstreamAnswer) -> GatewayError:
    """What the caller is told of a stream that broke: our code, the target's name, the cause."""
    if isinstance(error, UpstreamError):
        text = f"The answer of {opened.target.name} broke off: {error.message}"
        return ProviderTimeout(text) if error.reason == "timeout" else ProviderFailed(text, code="provider_stream_broken")
    return own_fault(error)


def own_fault(error: Exception) -> GatewayError:
    """What a caller is told of an error that no upstream made."""
    if isinstance(error, GatewayError):
        return error
    log.error("a stream could not be relayed", exc_info=error)
    return Internal("The answer could not be relayed: an error of the gateway's own.")


async def kept_alive(
    opening: asyncio.Task[UpstreamAnswer],
    meter: Meter,
    writer: StreamWriter,
    keepalive_s: float,
    idle_s: float,
    broken: Broken,
    pulses: set[TimedReader],
) -> AsyncGenerator[bytes]:
    """Pings until a target answers, then its stream; where none does, the dialect's error event."""
    while not opening.done():
        yield writer.ping()
        await asyncio.wait({opening}, timeout=keepalive_s)
    try:
        opened = opening.result()
    except Exception as error:  # the answer has begun: the caller must be told in it, whatever went wrong
        told = own_fault(error)
        await meter.settle("error", told.status, told)
        yield writer.fail(told)
        return
    stream = relayed(opened, meter, writer, keepalive_s, idle_s, broken, pulses)
    try:
        async for data in stream:
            yield data
    finally:
        await stream.aclose()


async def dropped(opening: asyncio.Task[UpstreamAnswer]) -> None:
    """Stop looking for a target, or listening to the one that was found; returns when nothing is left of it."""
    if opening.done():
        _let_go(opening)
        return
    opening.cancel()
    opening.add_done_callback(_let_go)  # also where nobody waits for it any more
    await asyncio.wait({opening})


def _let_go(opening: asyncio.Task[UpstreamAnswer]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().response.abort()
