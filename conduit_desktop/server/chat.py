"""The chat endpoints: one handler for every dialect whose model and stream flag are in the body."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from conduit_desktop.core.heavy_work import in_thread
from conduit_desktop.gateway.call import Call, Exchange, StreamReply, WholeReply, held_at_provider
from conduit_desktop.server import request_fields, threads
from conduit_desktop.server.answers import StreamedAnswer, WholeAnswer
from conduit_desktop.server.identity import IDENTIFIED, head_of, identified
from conduit_desktop.server.middleware import REQUEST_ID, Handler, cors_headers
from conduit_desktop.wire import Dialect, dialect

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

LARGE = 512 * 1024
"""Bytes of a whole answer that is written in pieces: at once, all of it would be copied into the buffer of the transport."""
_PIECE = 128 * 1024


def chat_handler(gateway: Gateway, name: str) -> Handler:
    """Handles chat requests in the dialect `name`, which is loaded at the first request."""

    async def chat(request: web.Request) -> web.StreamResponse:
        language = dialect(name)
        call = identified(request, gateway, language)
        body = await request_fields.read_json(request, gateway.state.snapshot.settings.max_body_mb, call)
        # Before the messages are checked: a refusal, too, names the id of its request.
        make_call(request, gateway, language, body, call=call)
        if "thread" in body and name == "anthropic_messages":
            return await send(request, gateway, await threads.answer(gateway, call))
        if call.is_heavy:
            await in_thread(request_fields.need_messages, body)
        else:
            request_fields.need_messages(body)
        return await answer(request, gateway, call)

    return chat


def make_call(
    request: web.Request,
    gateway: Gateway,
    language: Dialect,
    body: dict[str, Any],
    model: str | None = None,
    stream: bool | None = None,
    call: Call | None = None,
) -> Call:
    """The call of an identified request, with its body; raises BadRequest.

    `model` and `stream` are read from the body where they are not given.
    """
    # Over a WebSocket each event is a call of its own.
    if call is None:
        call = request.get(IDENTIFIED) or head_of(request, gateway)
        if (received := request.get(request_fields.RECEIVED)) is not None:
            call.receive(*received)
    call.dialect, call.body = language, body
    call.model = request_fields.model_of(body) if model is None else model
    call.stream = request_fields.flag(body, "stream") if stream is None else stream
    call.untranslatable = held_at_provider(language.name, body)
    request[REQUEST_ID] = call.id
    return call


async def answer(request: web.Request, gateway: Gateway, call: Call) -> web.StreamResponse:
    """Send the gateway's answer."""
    return await send(request, gateway, await gateway.answer(call))


async def send(request: web.Request, gateway: Gateway, exchange: Exchange) -> web.StreamResponse:
    """Send an answer, whole or as a stream."""
    if isinstance(exchange, WholeReply):
        if len(exchange.body) > LARGE:
            return await in_pieces(request, gateway, exchange)
        exchange.headers["Content-Type"] = exchange.content_type
        return WholeAnswer(exchange.status, exchange.headers, exchange.body)
    return await stream(request, gateway, exchange)


async def in_pieces(request: web.Request, gateway: Gateway, reply: WholeReply) -> web.StreamResponse:
    """A large answer in pieces, as fast as the client reads it."""
    headers = {**reply.headers, "Content-Length": str(len(reply.body)), **cors_headers(request, gateway)}
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_type = reply.content_type
    await response.prepare(request)
    view = memoryview(reply.body)
    for start in range(0, len(view), _PIECE):
        await response.write(view[start : start + _PIECE])
        # A client that reads as fast as this writes never makes it wait.
        await asyncio.sleep(0)
    await response.write_eof()
    return response


async def stream(request: web.Request, gateway: Gateway, reply: StreamReply) -> web.StreamResponse:
    """Send a streamed answer; when the client hangs up, the upstream is stopped."""
    response = StreamedAnswer(headers=reply.headers)
    response.headers["Content-Type"] = reply.content_type
    response.headers["Cache-Control"] = "no-cache"
    # nginx would hold events back until its buffer is full (its directive proxy_buffering names this header).
    response.headers["X-Accel-Buffering"] = "no"
    # Here, because the middleware sees the response only after its headers have been sent.
    response.headers.update(cors_headers(request, gateway))
    try:
        await response.prepare(request)
        async for data in reply.frames:
            if len(data) <= LARGE:
                await response.write(data)
                continue
            view = memoryview(data)
            for start in range(0, len(view), _PIECE):
                await response.write(view[start : start + _PIECE])
                await asyncio.sleep(0)
        await response.write_eof()
    finally:
        # Also where the client hung up before the headers: the frames have not begun then, and would settle nothing.
        await reply.close()
    return response
