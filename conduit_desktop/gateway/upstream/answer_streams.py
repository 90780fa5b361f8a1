"""Streamed answers as the relay loop sees them: events of a chat, bytes of sound, server-sent events of the media endpoints."""

from __future__ import annotations

from typing import Protocol

import orjson

from conduit_desktop.core.errors import BudgetExceeded, GatewayError, MalformedStream, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.core.heavy_work import for_frame
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.gateway.upstream.frame_relays import PassthroughRelay, Relay
from conduit_desktop.gateway.upstream.upstream_answer import UpstreamAnswer
from conduit_desktop.wire import Dialect, StreamWriter
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_json import SMALL, read_large
from conduit_desktop.wire.media.usage import read_media_usage, read_units


class ConnectionCut(Exception):  # not a ConduitError: it asks the server to drop the connection
    """A stream of bytes broke off after its headers: only a broken connection tells the client that it is incomplete."""


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

    async def cut_large(self, error: UpstreamError) -> bytes:
        """As `cut`, where it broke within a large frame, which is read in a thread."""
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
        return await self._feed_large(data, await for_frame(self._read, data))

    async def _feed_large(self, data: bytes, events: list[Event]) -> bytes:
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

    async def cut_large(self, error: UpstreamError) -> bytes:
        return await self._feed_large(b"", await for_frame(self.answer.take_cut, error))

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

    async def cut_large(self, error: UpstreamError) -> bytes:
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
