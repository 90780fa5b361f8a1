"""Relays of a target's stream to the client: whole frames as bytes, in another framing, or written anew from their events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from conduit_desktop.core.events import Event, TextDelta, UsageReported
from conduit_desktop.gateway.redaction import SHORT, contains_credential
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningRecorder
from conduit_desktop.providers import Secrets
from conduit_desktop.wire import Dialect, ReframingWriter, StreamWriter
from conduit_desktop.wire.custom_tools import CustomCalls
from conduit_desktop.wire.errors.in_stream import holds_error, is_json, is_recognised
from conduit_desktop.wire.framing import splitter_of, sse
from conduit_desktop.wire.framing.base import Frame, joined, part_of
from conduit_desktop.wire.tool_names import Names, with_own_names

_LONGEST_TEXT = 64 * 1024
"""Characters of a text of a large frame that are written at once."""


class Relay(Protocol):
    """Turns the target's stream into the client's."""

    def feed(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        """The client's bytes for the upstream's `data` and its `events`; `faulty`: an error or an unreadable frame follows.

        `unread`: as many frames at the end of `data` the reader refused or never read, and the client gets none of them.
        """
        ...

    def feed_large(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        """As `feed`, for a thread: what keeps the reasoning has seen the events."""
        ...

    def end(self, missing: bytes = b"") -> bytes:
        """The last bytes of a complete answer; `missing` is the terminal frame that the target left out."""
        ...

    def raw_error(self, secrets: Secrets) -> bytes:
        """The target's own error frame, unchanged, where the client's SDK reads it as an error; else nothing.

        A frame that quotes a credential is not relayed.
        """
        ...


class WatchedRelay:
    """A relay whose events something sees that keeps their reasoning, where there is one."""

    __slots__ = ("_watch",)

    def __init__(self, watch: ReasoningRecorder | None) -> None:
        self._watch = watch

    def feed(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        """See `Relay`."""
        raise NotImplementedError

    def feed_large(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        """See `Relay`."""
        watch, self._watch = self._watch, None
        try:
            return self.feed(data, events, faulty, unread)
        finally:
            self._watch = watch


class PassthroughRelay(WatchedRelay):
    """Relays whole frames unchanged; an incomplete frame waits for its rest, so a broken one never reaches the client.

    With `hide_usage`, frames that hold only usage are left out: the gateway requested them, the client did not. `watch` keeps
    the reasoning that the vendor wants returned.
    """

    __slots__ = ("_buffer", "_held", "_hide_usage", "_splitter", "_unfit", "_upstream")

    def __init__(self, upstream: Dialect, hide_usage: bool, watch: ReasoningRecorder | None = None) -> None:
        super().__init__(watch)
        self._upstream = upstream
        self._splitter = splitter_of(upstream.content_type)
        self._hide_usage = hide_usage
        self._buffer = b""
        self._held: list[bytes] = []
        """What follows `_buffer` and ends no frame."""
        self._unfit: Frame | None = None

    def feed(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        if self._watch is not None:
            self._watch.see(events)
        if self._buffer or self._held:
            # A frame of many megabytes comes in many pieces: joining them at each would take seconds.
            if data and not faulty and not self._splitter.may_end(self._held[-1] if self._held else self._buffer, data):
                self._held.append(data)
                return b""
            buffer = joined([self._buffer, *self._held, data])
            self._held = []
            # What was held ends no frame; the end of one may begin in its last three bytes.
            end = self._splitter.last_end(buffer, max(0, len(buffer) - len(data) - 3))
        else:
            buffer = data
            end = self._splitter.last_end(buffer)
        whole, self._buffer = part_of(buffer, 0, end), part_of(buffer, end, len(buffer))
        if faulty:
            # At the end of the stream, only the frame end of an error may be missing.
            fit, self._unfit = _until_unfit(self._splitter.split(whole if data else buffer + self._splitter.end), unread)
            return b"".join(fit) if data else b""
        # Frames are split only where usage has come: all other bytes are passed on without being parsed a second time.
        if self._hide_usage and UsageReported in map(type, events):
            is_usage_only = self._upstream.is_usage_only
            return b"".join(frame.raw for frame in self._splitter.split(whole) if not is_usage_only(frame.data))
        return whole

    def end(self, missing: bytes = b"") -> bytes:
        rest, self._buffer, self._held = joined([self._buffer, *self._held]), b"", []
        if rest.strip() and (missing or self._hide_usage):
            # The last frame lacks its end, without which a frame after it would become a part of it.
            rest += self._splitter.end
            if self._hide_usage and any(self._upstream.is_usage_only(frame.data) for frame in self._splitter.split(rest)):
                rest = b""
        return rest + missing

    def raw_error(self, secrets: Secrets) -> bytes:
        frame = self._unfit
        # A long one is replaced by an error of our own: it would be searched for credentials on the event loop.
        if frame is None or len(frame.raw) > SHORT or not is_recognised(frame, self._upstream.name):
            return b""
        return b"" if contains_credential(frame.raw, secrets) else frame.raw


class TranslatedRelay(WatchedRelay):
    """Writes the events in the client's dialect; `watch` keeps the reasoning that it cannot express.

    `names`: the client's own names of the tools that the target was sent other names of; `customs`: those of its custom tools,
    in place of which the target was sent functions.
    """

    __slots__ = ("_customs", "_names", "_writer")

    def __init__(
        self, writer: StreamWriter, watch: ReasoningRecorder | None = None, names: Names | None = None,
        customs: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        super().__init__(watch)
        self._writer = writer
        self._names = names
        self._customs = CustomCalls(customs) if customs else None

    def feed(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        if self._watch is not None:
            self._watch.see(events)
        if self._names:
            events = with_own_names(events, self._names)
        if self._customs is not None:
            events = self._customs.restored(events)
        write = self._writer.write
        return joined([write(event) for event in events])

    def feed_large(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        """See `Relay`. A long text is written as several: one of megabytes would be written with the interpreter's lock."""
        return super().feed_large(data, [part for event in events for part in _parts_of(event)], faulty, unread)

    def end(self, missing: bytes = b"") -> bytes:
        return self._writer.end()

    def raw_error(self, secrets: Secrets) -> bytes:
        return b""


class ReframedRelay:
    """Relays the same frames in another framing of the dialect: Gemini streams as one JSON array without `alt=sse`."""

    __slots__ = ("_passthrough", "_writer")

    def __init__(self, passthrough: PassthroughRelay, writer: ReframingWriter) -> None:
        self._passthrough = passthrough
        self._writer = writer

    def feed(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        return self._reframed(self._passthrough.feed(data, events, faulty, unread))

    def feed_large(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        return self._reframed(self._passthrough.feed_large(data, events, faulty, unread))

    def _reframed(self, data: bytes) -> bytes:
        return b"".join([self._writer.frame(frame.data) for frame in sse.SseSplitter.split(data) if frame.data])

    def end(self, missing: bytes = b"") -> bytes:
        rest = self._passthrough.end()
        # The last frame may lack its end, without which the splitter would not return it.
        return (self._reframed(rest + b"\n\n") if rest.strip() else b"") + self._writer.close()

    def raw_error(self, secrets: Secrets) -> bytes:
        framed = self._reframed(self._passthrough.raw_error(secrets))
        return framed + self._writer.close() if framed else b""


def _parts_of(event: Event) -> Iterator[Event]:
    """The event, or several where its text is long."""
    if isinstance(event, TextDelta) and len(event.text) > _LONGEST_TEXT:
        text = event.text
        for at in range(0, len(text), _LONGEST_TEXT):
            yield replace(event, text=text[at : at + _LONGEST_TEXT])
    else:
        yield event


def _until_unfit(frames: Sequence[Frame], unread: int) -> tuple[list[bytes], Frame | None]:
    """The frames before the first that the reader refused, that is an error, or that is not JSON, and that one.

    Only the reader knows some faults (OpenRouter's finish reason `error`); the success marker may stand right behind one.
    """
    fit: list[bytes] = []
    for at, frame in enumerate(frames):
        if len(frames) - at <= unread or holds_error(frame) or not is_json(frame):
            return fit, frame
        fit.append(frame.raw)
    return fit, None
