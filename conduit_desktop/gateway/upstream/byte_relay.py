"""Answers beside chat that come in pieces: sound and server-sent events, relayed as bytes and watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import orjson

from conduit_desktop.core.errors import MalformedStream, UpstreamError
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.gateway.upstream.media import UpstreamMediaAnswer
from conduit_desktop.gateway.upstream.relay import Broken, TimedReader, broke_off
from conduit_desktop.gateway.upstream.translation import PassthroughRelay
from conduit_desktop.wire import Dialect
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.media.usage import read_media_usage

_NEVER = 10**6.0
"""Seconds: bytes of sound have no pings."""


class ConnectionCut(Exception):  # no error of ours: it says to cut the connection
    """A relayed answer broke off where no words can say so: the caller must see its connection break, too."""


async def relayed(
    opened: UpstreamMediaAnswer, meter: Meter, idle_s: float, broken: Broken, pulses: set[TimedReader]
) -> AsyncGenerator[bytes]:
    """The answer's bytes as they come, events in whole frames. The record is durable before the last of them.

    Raises Cut where the upstream broke and no words can say so.
    """
    events = SseWatcher(opened.prepared.upstream) if opened.content_type.startswith("text/event-stream") else None
    response, pulse = opened.response, TimedReader(opened.response, _NEVER, idle_s)
    last, got = b"", 0
    pulses.add(pulse)
    try:
        data: bytes | None = opened.held
        while data:
            got += len(data)
            if events is not None:
                data = events.take(data, meter)
            if data:
                out, last = last + data[:-1], data[-1:]
                if out:
                    yield out
            if events is not None and events.failure is not None:
                raise events.failure
            data = await pulse.chunk(said=True)
        if (opened.length is not None and got != opened.length) or (events is not None and not events.whole):
            raise UpstreamError("the answer ended before its end", status=502, reason="broken")
        response.finish()
        await meter.settle("success")
        yield last + (events.relay.end() if events is not None else b"")
    except (asyncio.CancelledError, GeneratorExit):
        response.abort()
        meter.close("cancelled", 499)
        raise
    except Exception as error:  # whatever went wrong, the caller must not take it for success
        told = await broke_off(opened, meter, broken, error)
        if events is None:
            raise ConnectionCut from error
        own = sse.write(orjson.dumps(opened.prepared.call.dialect.write_error(told)[1]), "error")
        yield last + (events.relay.last_words(opened.sent) or own)
    finally:
        pulses.discard(pulse)


class SseWatcher:
    """Relays server-sent events frame by frame, and watches them for usage, errors, and the last one.

    `failure` is what stands behind the frames that were fit to be passed on.
    """

    def __init__(self, upstream: Dialect) -> None:
        self.relay = PassthroughRelay(upstream, hide_usage=False)
        self.failure: UpstreamError | None = None
        self._splitter = sse.SseSplitter()
        self._typed = False
        self._over = False

    @property
    def whole(self) -> bool:
        """The stream has said that it is complete; one whose events have no types cannot say so."""
        return self._over or not self._typed

    def take(self, data: bytes, meter: Meter) -> bytes:
        """Read on; the bytes to pass on."""
        try:
            self._watch(data, meter)
        except UpstreamError as failure:
            self.failure = failure
        whole = self.relay.pass_on(data, [], self.failure is not None)
        meter.keep(whole)
        return whole

    def _watch(self, data: bytes, meter: Meter) -> None:
        try:
            frames = self._splitter.feed(data)
        except MalformedStream as error:
            raise UpstreamError(f"the provider's answer cannot be read: {error}", status=502, reason="malformed") from error
        for frame in frames:
            # Pictures come as megabytes of base64: only a frame that may say something to us is read.
            if frame.data.strip() == b"[DONE]":
                self._over = True
            elif b'"usage"' in frame.data or b'"error"' in frame.data or b'"type"' in frame.data[:4096] or frame.event:
                self._read(frame, meter)

    def _read(self, frame: Frame, meter: Meter) -> None:
        try:
            value = orjson.loads(frame.data) if frame.data else {}
        except orjson.JSONDecodeError:
            return
        if not isinstance(value, dict):
            return
        kind = str(value.get("type") or frame.event or "")
        self._typed = self._typed or bool(kind)
        if kind == "error" or (value.get("error") and "." not in kind):
            detail = value.get("error")
            message = detail.get("message") if isinstance(detail, dict) else None
            raise UpstreamError(str(message or "the provider reported an error"), status=502, reason="server")
        self._over = self._over or kind.endswith((".completed", ".done"))
        usage = read_media_usage(meter.record.endpoint, value)
        if usage is not None:
            meter.usage = usage
