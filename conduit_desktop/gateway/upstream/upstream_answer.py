"""The answer of one target so far: complete, or a stream that is read on."""

from __future__ import annotations

from dataclasses import dataclass, field

from conduit_desktop.core.errors import ConduitError, MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.core.heavy_work import in_thread
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import Credential
from conduit_desktop.gateway.upstream.prepared import PreparedRequest
from conduit_desktop.providers import Secrets, UpstreamResponse
from conduit_desktop.wire import StreamReader
from conduit_desktop.wire.media.endpoints import MediaAnswer

LARGE_FRAME = 512 * 1024
"""Bytes of a frame that is read in a thread."""


@dataclass(slots=True)
class UpstreamAnswer:
    """A target that has begun to answer.

    A whole answer is complete in `body` and `events` (chat) or in `media`. A streamed one goes on in `response` after `held`
    (bytes) and `events`, which came with the first content; `reader` reads its events, and is None for a stream of bytes.
    """

    target: BoundTarget
    credential: Credential
    prepared: PreparedRequest
    response: UpstreamResponse
    secrets: Secrets
    """What the target was sent, renewed where the provider renews it; not to be quoted to the client."""
    streamed: bool = False
    """Whether the client gets the answer as a stream."""
    events: list[Event] = field(default_factory=list)
    body: bytes = b""
    held: bytes = b""
    reader: StreamReader | None = None
    ended: bool = False
    failure: ConduitError | None = None
    """The fault that follows the events in the same bytes; raised once they have been passed on."""
    failed: bool = False
    """The failure is the answer's own: the model could not make it, though its stream is whole."""
    media: MediaAnswer | None = None
    content_type: str = "application/json"
    length: int | None = None
    """The size of a stream of bytes, where the target states it."""
    heavy: bool = False
    """A whole chat answer that takes so long to write that others would wait for it."""

    def take(self, data: bytes) -> list[Event]:
        """Read the next bytes of a stream (b"": its end); raises UpstreamError."""
        assert self.reader is not None
        with answer_errors():
            if not data:
                self.ended = True
                events = self.reader.close(self.response.self_delimited)
                if (failed := self.prepared.failed_answer(events)) is not None:
                    raise failed
                return events
            events = self.reader.feed(data)
        if not self.prepared.passthrough and (failed := self.prepared.failed_answer(events)) is not None:
            self.failure, self.failed = failed, True
            return events
        try:
            # A reader returns the events before a fault and raises at the next call: this is that call.
            self.reader.feed(b"")
        except ConduitError as failure:
            self.failure = failure
        return events

    def take_cut(self, error: UpstreamError) -> list[Event]:
        """The last events of a stream whose connection broke or stalled with `error`; raises it unless the terminal event came."""
        assert self.reader is not None
        try:
            # Bedrock's and Cohere's streams go on after their terminal event: what follows it is no part of the answer.
            events = self.reader.close()
        except ConduitError:
            raise error from None
        self.ended = True
        return events

    def check(self) -> None:
        """Raises UpstreamError for a pending fault; a fault after the end of a complete answer is ignored."""
        if self.failure is not None and (self.failed or not (self.reader is not None and self.reader.done)):
            with answer_errors():
                raise self.failure

    def whole_body(self, meter: Meter) -> bytes:
        """A whole answer as the client reads it; its usage is counted in `meter`."""
        if self.media is not None:
            meter.report(self.media.usage, self.media.units)
            meter.named(self.media.model)
            return self.media.body
        meter.count(self.events)
        return self.prepared.write_answer(self.events, self.body)

    async def heavy_body(self, meter: Meter) -> bytes:
        """As `whole_body`, for a heavy answer, which is written in a thread."""
        meter.count(self.events)
        prepared = self.prepared
        if prepared.watch is not None:
            prepared.watch.see(self.events)  # here, as the reasoning that is kept belongs to the event loop
        return await in_thread(prepared.heavy_answer, self.events, self.body)


# A class, not a generator with `contextmanager`: it is entered for every chunk of every stream.
class answer_errors:
    """Unreadable bytes and missing ends become UpstreamErrors."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, MalformedStream):
            raise UpstreamError(f"the provider's answer cannot be read: {error}", status=502, reason="malformed") from error
        if isinstance(error, StreamBroken):
            raise UpstreamError(f"the provider's answer broke off: {error}", status=502, reason="broken") from error
