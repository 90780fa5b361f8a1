"""Relays a streamed answer to the client: one loop for events and for bytes, kept alive by pings and ended truthfully.

What differs between the two is an `AnswerStream`: `ChatAnswerStream` for events, `ByteStream` for sound and server-sent
events of the media endpoints.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import GatewayError, Internal, ProviderFailed, ProviderTimeout, UpstreamError, release
from conduit_desktop.core.pacing import Pacer
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.redaction import redact_off_loop
from conduit_desktop.gateway.upstream.answer_streams import AnswerStream
from conduit_desktop.gateway.upstream.timed_reader import TimedReader
from conduit_desktop.gateway.upstream.upstream_answer import LARGE_FRAME, UpstreamAnswer
from conduit_desktop.wire import StreamWriter

log = logging.getLogger(__name__)

NO_PINGS = 10**6.0
"""Seconds: a stream of bytes has no pings."""

OnBreak = Callable[[UpstreamAnswer, UpstreamError], None]
"""Called with a stream that its upstream broke, for health."""


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
                out = stream.cut(error) if coming <= LARGE_FRAME else await stream.cut_large(error)
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
        yield await _fail(stream, meter, on_break, error)
    finally:
        reader.stop()
        running.discard(reader)


async def _fail(stream: AnswerStream, meter: Meter, on_break: OnBreak, error: Exception) -> bytes:
    """Settle a stream that could not be relayed to its end; its last bytes. Raises ConnectionCut."""
    shown = await _broken(stream.answer, meter, on_break, error)
    # The error holds the frames that it came through, and `relay` holds the error: a cycle with all that is in them.
    release(error)
    await meter.settle("broken", shown.status, shown)
    return stream.fail(shown)


async def _broken(answer: UpstreamAnswer, meter: Meter, on_break: OnBreak, error: Exception) -> GatewayError:
    """What the client is sent for a stream that could not be relayed to its end: our code, the target's name, the cause."""
    if not isinstance(error, UpstreamError):
        return own_error(error)
    # Before the message is recorded and quoted: a provider may repeat the credential in it.
    await redact_off_loop(error, answer.secrets)
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
