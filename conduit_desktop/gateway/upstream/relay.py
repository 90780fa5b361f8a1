"""Relays a streamed answer to the client: one loop for events and for bytes, kept alive by pings and ended truthfully.

What differs between the two is an `AnswerStream`: `ChatAnswerStream` for events, `ByteStream` for sound and server-sent
events of the media endpoints.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Protocol

import orjson

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import (
    BudgetExceeded,
    Closing,
    GatewayError,
    Internal,
    MalformedStream,
    ProviderFailed,
    ProviderTimeout,
    UpstreamError,
    release,
)
from conduit_desktop.core.events import Event
from conduit_desktop.core.heavy_work import for_frame
from conduit_desktop.core.pacing import Pacer
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.redaction import redact
from conduit_desktop.gateway.upstream.attempt import LARGE_FRAME, UpstreamAnswer
from conduit_desktop.gateway.upstream.frame_relays import PassthroughRelay, Relay
from conduit_desktop.providers import UpstreamResponse
from conduit_desktop.wire import Dialect, StreamWriter
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_json import SMALL, read_large
from conduit_desktop.wire.media.usage import read_media_usage, read_units

log = logging.getLogger(__name__)

_CLOSING = "The gateway is closing; the answer was cut off."
_EARLY_S = 0.005
"""An event loop's timer may fire this much too soon."""
NO_PINGS = 10**6.0
"""Seconds: a stream of bytes has no pings."""

OnBreak = Callable[[UpstreamAnswer, UpstreamError], None]
"""Called with a stream that its upstream broke, for health."""


class ConnectionCut(Exception):  # not a ConduitError: it asks the server to drop the connection
    """A stream of bytes broke off after its headers: only a broken connection tells the client that it is incomplete."""


class TimedReader:
    """Reads an upstream's chunks, returns in between for pings, and raises when the upstream is silent for too long.

    A ping is due when the *client* has been sent nothing for `keepalive_s`, whatever the upstream sends meanwhile. Silence is
    time spent waiting for the upstream: a client that reads slowly does not make it look stalled.

    One timer serves the whole stream: it is set anew only when it fires, not for every chunk, which would cost more than
    reading the chunk does.
    """

    __slots__ = (
        "_closing", "_deadline", "_expired", "_idle_s", "_keepalive_s", "_loop", "_response", "_sent_at", "_silent_s", "_task",
        "_timer", "waited_s",
    )  # fmt: skip

    def __init__(self, response: UpstreamResponse, keepalive_s: float, idle_s: float) -> None:
        self._response = response
        self._keepalive_s = keepalive_s
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._sent_at = self._loop.time()
        self._silent_s = 0.0
        self.waited_s = 0.0
        """Seconds spent waiting for the upstream."""
        self._closing = False
        self._task: asyncio.Task[object] | None = None
        """The task that waits for a chunk now."""
        self._deadline = 0.0
        """When it has waited long enough, in the loop's time."""
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """The gateway closes: the stream ends now, with the dialect's error event."""
        self._closing = True
        self._expire()

    def stop(self) -> None:
        """Nothing more is read: cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def chunk(self, sent: bool) -> bytes | None:
        """The next bytes (b"" at the end), or None when a ping is due; raises UpstreamError after `idle_s` of silence.

        `sent`: the client has been sent something since the last call. Raises Closing after `close`.
        """
        if self._closing:
            raise Closing(_CLOSING)
        now = self._loop.time()
        if sent:
            self._sent_at = now
        # Claude Code takes a stream for stalled after 20 s without a byte (BerriAI/litellm#36024).
        ping_at = self._sent_at + self._keepalive_s
        if ping_at <= now:
            return None
        self._wait_until(min(ping_at, now + self._idle_s - self._silent_s))
        task = self._task = asyncio.current_task()
        assert task is not None
        cancelling = task.cancelling()
        try:
            data = await self._response.chunk()
        except asyncio.CancelledError:
            # As in asyncio.timeout: a cancellation from outside wins over the timer's.
            expired, self._expired = self._expired, False
            if not expired or task.uncancel() > cancelling:
                raise
            if self._closing:
                raise Closing(_CLOSING) from None
            self._waited(now)
            if self._silent_s >= self._idle_s - _EARLY_S:
                raise UpstreamError(f"the answer stalled for {self._idle_s:g} s", status=504, reason="timeout") from None
            return None
        finally:
            self._task = None
            if self._expired:  # the chunk or another error came first
                self._expired = False
                task.uncancel()
        self._waited(now)
        self._silent_s = 0.0
        return data

    def _wait_until(self, deadline: float) -> None:
        self._deadline = deadline
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._task is None:
            return  # the client is being written to; the next chunk sets the timer
        if self._loop.time() < self._deadline - _EARLY_S:
            self._timer = self._loop.call_at(self._deadline, self._on_timer)
        else:
            self._expire()

    def _expire(self) -> None:
        # Once: `cancel` adds up, and the single `uncancel` in `chunk` would leave a second one behind.
        if self._task is not None and not self._expired:
            self._expired = True
            self._task.cancel()

    def _waited(self, since: float) -> None:
        waited = self._loop.time() - since
        self._silent_s += waited
        self.waited_s += waited


class AnswerStream(Protocol):
    """One answer on its way: turns the upstream's bytes into the client's, and counts what goes by."""

    answer: UpstreamAnswer
    ended: bool
    """Nothing more is to be read."""

    def begin(self) -> bytes:
        """The client's bytes for what came with the first content; raises BudgetExceeded."""
        ...

    def take(self, data: bytes) -> bytes:
        """The client's bytes for the upstream's next ones (b"": the end); raises BudgetExceeded."""
        ...

    async def take_large(self, data: bytes) -> bytes:
        """As `take`, for the bytes of a large frame, which is read in a thread."""
        ...

    def check(self) -> None:
        """Raises UpstreamError for a fault that follows what has been passed on."""
        ...

    def ping(self) -> bytes:
        """What keeps the client's connection alive."""
        ...

    def cut(self, error: UpstreamError) -> bytes:
        """The client's bytes where the upstream's connection broke after the dialect's terminal event; else raises `error`."""
        ...

    def end(self) -> bytes:
        """The last bytes of a complete answer; raises UpstreamError where it is not complete."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The last bytes of a broken answer; raises ConnectionCut where the protocol has none for that."""
        ...


class ChatAnswerStream:
    """A chat answer as events, passed through or translated."""

    __slots__ = ("_meter", "_relay", "_writer", "answer", "ended")

    def __init__(self, answer: UpstreamAnswer, meter: Meter, writer: StreamWriter) -> None:
        self.answer = answer
        self.ended = False
        self._meter = meter
        self._writer = writer
        whole = answer.ended and bool(answer.body)  # the target answered whole: its events are written as a stream
        self._relay: Relay = answer.prepared.translated(writer) if whole else answer.prepared.relay(writer)

    def begin(self) -> bytes:
        return self._feed(self.answer.held, self.answer.events)

    def take(self, data: bytes) -> bytes:
        return self._feed(data, self._read(data))

    async def take_large(self, data: bytes) -> bytes:
        events = await for_frame(self._read, data)
        # Meter, budgets and the reasoning that is kept belong to the event loop.
        self._count(events)
        answer, reader = self.answer, self.answer.reader
        if (watch := answer.prepared.watch) is not None:
            watch.see(events)
        unread = reader.unread if reader is not None else 0
        out = await for_frame(self._relay.feed_large, data, events, answer.failure is not None, unread)
        self._meter.keep(out)
        self.ended = answer.ended or (reader is not None and reader.done)
        return out

    def _read(self, data: bytes) -> list[Event]:
        try:
            return self.answer.take(data)
        except UpstreamError as failure:
            # Not raised here: sound frames before the fault in the same bytes are still passed on; `check` raises it then.
            self.answer.failure = failure
            return []

    def _feed(self, data: bytes, events: list[Event]) -> bytes:
        answer = self.answer
        self._count(events)
        reader = answer.reader
        unread = reader.unread if reader is not None else 0
        out = self._relay.feed(data, events, answer.failure is not None, unread)
        self._meter.keep(out)
        self.ended = answer.ended or (reader is not None and reader.done)
        return out

    def _count(self, events: list[Event]) -> None:
        meter = self._meter
        # Counted before anything is passed on: output that the budget does not cover is not given away.
        before = meter.output_bytes
        meter.count(events)
        if not meter.covered():
            meter.output_bytes = before  # the client does not get these events
            raise BudgetExceeded("The key's budget does not cover the rest of this answer.")

    def check(self) -> None:
        self.answer.check()

    def ping(self) -> bytes:
        out = self._writer.ping()
        self._meter.keep(out)
        return out

    def cut(self, error: UpstreamError) -> bytes:
        return self._feed(b"", self.answer.take_cut(error))

    def end(self) -> bytes:
        reader = self.answer.reader
        out = self._relay.end(reader.missing_end if reader is not None else b"")
        self._meter.keep(out)
        return out

    def fail(self, error: GatewayError) -> bytes:
        # SDKs raise nothing where a stream just ends. The vendor's own error comes first: its SDK knows those codes best.
        return self._relay.raw_error(self.answer.secrets) or self._writer.fail(error)


class ByteStream:
    """An answer of a media endpoint as bytes. Its last byte is held back until the answer is known to be complete."""

    __slots__ = ("_events", "_last", "_received", "answer", "ended")

    def __init__(self, answer: UpstreamAnswer, meter: Meter) -> None:
        self.answer = answer
        self.ended = False
        is_sse = answer.content_type.startswith("text/event-stream")
        self._events = SseWatcher(answer.prepared.upstream, meter) if is_sse else None
        self._last = b""
        self._received = 0

    def begin(self) -> bytes:
        return self.take(self.answer.held)

    def take(self, data: bytes) -> bytes:
        if not data:
            self.ended = True
            return b""
        self._received += len(data)
        if self._events is not None:
            data = self._events.take(data)
        if not data:
            return b""
        out, self._last = self._last + data[:-1], data[-1:]
        return out

    async def take_large(self, data: bytes) -> bytes:
        return self.take(data) if self._events is None else await for_frame(self.take, data)

    def check(self) -> None:
        if self._events is not None and self._events.failure is not None:
            raise self._events.failure

    def ping(self) -> bytes:
        return b""

    def cut(self, error: UpstreamError) -> bytes:
        raise error

    def end(self) -> bytes:
        length, events = self.answer.length, self._events
        if (length is not None and self._received != length) or (events is not None and not events.complete):
            raise UpstreamError("the answer ended before its end", status=502, reason="broken")
        return self._last + (events.relay.end() if events is not None else b"")

    def fail(self, error: GatewayError) -> bytes:
        if self._events is None:
            raise ConnectionCut from error
        own = sse.write(orjson.dumps(self.answer.prepared.call.dialect.write_error(error)[1]), "error")
        return self._last + (self._events.relay.raw_error(self.answer.secrets) or own)


class SseWatcher:
    """Relays server-sent events frame by frame, and reads usage, errors and the last frame.

    `failure` is the fault that follows the frames which were passed on.
    """

    def __init__(self, upstream: Dialect, meter: Meter) -> None:
        self.relay = PassthroughRelay(upstream, hide_usage=False)
        self.failure: UpstreamError | None = None
        self._meter = meter
        self._splitter = sse.SseSplitter()
        self._typed = False
        self._over = False

    @property
    def complete(self) -> bool:
        """Whether the last event has come; a stream whose events have no types has no last event."""
        return self._over or not self._typed

    def take(self, data: bytes) -> bytes:
        """The bytes to pass on: whole frames, without the one that holds an error."""
        try:
            self._watch(data)
        except UpstreamError as failure:
            self.failure = failure
        out = self.relay.feed(data, [], self.failure is not None)
        self._meter.keep(out)
        return out

    def _watch(self, data: bytes) -> None:
        try:
            for frame in self._splitter.feed(data):
                # Images come as megabytes of base64: only a frame that may hold something of interest is parsed.
                if frame.data.strip() == b"[DONE]":
                    self._over = True
                elif b'"usage"' in frame.data or b'"error"' in frame.data or b'"type"' in frame.data[:4096] or frame.event:
                    self._read(frame)
        except MalformedStream as error:
            raise UpstreamError(f"the provider's answer cannot be read: {error}", status=502, reason="malformed") from error

    def _read(self, frame: Frame) -> None:
        data = frame.data or b"{}"
        try:
            value = orjson.loads(data) if len(data) <= SMALL else read_large(data, orjson.loads)
        except orjson.JSONDecodeError:
            return
        if not isinstance(value, dict):
            return
        kind = str(value.get("type") or frame.event or "")
        self._typed = self._typed or bool(kind)
        # In an event with a dotted type (`image_generation.completed`) the field is a detail; elsewhere it replaces the answer.
        if kind == "error" or (value.get("error") and "." not in kind):
            detail = value.get("error")
            message = detail.get("message") if isinstance(detail, dict) else None
            raise UpstreamError(str(message or "the provider reported an error"), status=502, reason="server")
        # OpenAI's image and speech streams end with such an event, without `[DONE]`.
        self._over = self._over or kind.endswith((".completed", ".done"))
        endpoint = self._meter.record.endpoint
        usage = read_media_usage(endpoint, value)
        if usage is not None:
            self._meter.report(usage, read_units(endpoint, value, self._meter.units))


async def relay(
    stream: AnswerStream,
    meter: Meter,
    keepalive_s: float,
    idle_s: float,
    on_break: OnBreak,
    running: set[TimedReader],
    pacer: Pacer,
) -> AsyncGenerator[bytes]:
    """The client's bytes. The record is durable before the last of them; a break ends in the dialect's error event.

    `running` holds the readers of all streams, so that the gateway can close them; `pacer` spreads those that end together. Raises
    ConnectionCut, see `AnswerStream.fail`.
    """
    response = stream.answer.response
    reader = TimedReader(response, keepalive_s, idle_s)
    running.add(reader)
    try:
        out = stream.begin()
        coming = 0
        """Bytes that have come since bytes gave the client something: those of a frame that is not whole, mostly."""
        while not stream.ended:
            if out:
                yield out
            stream.check()
            try:
                data = await reader.chunk(sent=bool(out))
            except UpstreamError as error:
                out = stream.cut(error)
            else:
                if data is None:
                    out = stream.ping()
                else:
                    coming += len(data)
                    out = stream.take(data) if coming <= LARGE_FRAME else await stream.take_large(data)
                    if out:
                        coming = 0
        stream.check()
        out += stream.end()
        # Before the record is written: the connection need not wait for the disk.
        response.finish()
        meter.streamed_ms = reader.waited_s * 1000
        if (turn := pacer.turn()) is not None:
            await turn
        await meter.settle("success")
        if out:
            yield out
    except (asyncio.CancelledError, GeneratorExit):
        response.abort()
        # Without waiting for the record: there is no client left whose last bytes it would have to precede.
        meter.close("cancelled", 499)
        raise
    except Exception as error:  # whatever failed, the client must not take the answer for complete
        response.abort()
        shown = _broken(stream.answer, meter, on_break, error)
        # Before the client is written to, which may be slow: this frame holds the error, and the error would hold this frame.
        release(error)
        await meter.settle("broken", shown.status, shown)
        yield stream.fail(shown)
    finally:
        reader.stop()
        running.discard(reader)


def _broken(answer: UpstreamAnswer, meter: Meter, on_break: OnBreak, error: Exception) -> GatewayError:
    """What the client is sent for a stream that could not be relayed to its end: our code, the target's name, the cause."""
    if not isinstance(error, UpstreamError):
        return own_error(error)
    # Before the message is recorded and quoted: a provider may repeat the credential in it.
    redact(error, answer.secrets)
    meter.broke(error)
    on_break(answer, error)
    text = f"The answer of {answer.target.name} broke off: {error.message}"
    if error.reason == "timeout":
        return ProviderTimeout(text)
    if error.reason == "context_length":
        # Without the provider's body: clients shorten the conversation at their own vendor's words alone.
        return UpstreamError(error.message, status=400, reason="context_length", dialect=error.dialect)
    shown = ProviderFailed(text, code="provider_stream_broken")
    shown.cause = error.reason
    return shown


def own_error(error: Exception) -> GatewayError:
    """What a client is sent for an error that no upstream caused."""
    if isinstance(error, GatewayError):
        return error
    log.error("a stream could not be relayed", exc_info=error)
    return Internal("The answer could not be relayed: an error of the gateway's own.")


def client_writer(call: Call, passthrough: bool) -> StreamWriter:
    """The client's stream writer. In passthrough it only writes pings and errors, so the request need not be read for it."""
    request = ChatRequest(call.dialect.name, call.model, stream=True)
    if not passthrough:
        with suppress(GatewayError):  # an unreadable request goes to no target that needs a translation
            request = call.neutral
    return call.dialect.writer(request)


async def ping_until(
    searching: asyncio.Task[UpstreamAnswer],
    then: Callable[[UpstreamAnswer], AsyncGenerator[bytes]],
    meter: Meter,
    writer: StreamWriter,
    keepalive_s: float,
) -> AsyncGenerator[bytes]:
    """Pings until a target answers, then its stream; where none does, the dialect's error event."""
    while not searching.done():
        yield writer.ping()
        # `wait` leaves the search running at its time-out, where `wait_for` would cancel it.
        await asyncio.wait({searching}, timeout=keepalive_s)
    try:
        answer = searching.result()
    except Exception as error:  # the headers have been sent: the error has to follow in the stream, whatever it is
        shown = own_error(error)
        release(error)
        await meter.settle("error", shown.status, shown)
        yield writer.fail(shown)
        return
    frames = then(answer)
    try:
        async for data in frames:
            yield data
    finally:
        # Closing this generator does not close the inner one: it would go on holding its connection until it is collected.
        await frames.aclose()
