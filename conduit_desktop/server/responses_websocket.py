"""The Responses API over a WebSocket: `response.create` events in, the events of the stream out as text messages.

https://developers.openai.com/api/docs/guides/websocket-mode
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
from aiohttp import WSMsgType, web

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, GatewayError, Internal, MethodNotAllowed, release
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.call import Call, Exchange, StreamReply
from conduit_desktop.gateway.routing.resolve import resolve_model
from conduit_desktop.server import request_fields
from conduit_desktop.server.chat import make_call
from conduit_desktop.server.identity import caller_of
from conduit_desktop.server.middleware import Handler, error_response
from conduit_desktop.wire import json_limits, sliced_json
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.sse import SseSplitter

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway
    from conduit_desktop.server.response_storage import StoringResponses

log = logging.getLogger(__name__)

_MB = 1024 * 1024
WAITING = 16
"""Messages of a client that wait for the response in progress; further ones close the connection."""
_TERMINAL = (b'"response.completed"', b'"response.incomplete"')
_ERROR = re.compile(rb'\{\s*"type"\s*:\s*"error"')
_TRY_AGAIN_LATER = 1013
Answered = Callable[["Gateway", Call, "StoringResponses"], Awaitable[Exchange]]


def connect_handler(gateway: Gateway, answered: Answered) -> Handler:
    """Upgrades the connection and serves it. `answered` answers one call as `POST /v1/responses` does."""

    async def connect(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=gateway.snapshot.settings.max_body_mb * _MB, compress=False)
        if not socket.can_prepare(request).ok:
            raise MethodNotAllowed("GET /v1/responses takes a WebSocket. To create a response, use POST.")
        # Before the upgrade: a client without a key gets an HTTP error.
        caller_of(request, gateway)
        await socket.prepare(request)
        connection = _Connection(gateway, request, socket, answered)
        await connection.serve()
        return socket

    return connect


class _Connection:
    """One open WebSocket. Its responses are made one after the other."""

    def __init__(self, gateway: Gateway, request: web.Request, socket: web.WebSocketResponse, answered: Answered) -> None:
        self._gateway = gateway
        self._request = request
        self._socket = socket
        self._answered = answered
        self._messages: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self._waiting = 0
        """Characters of the messages that wait."""
        self._most_waiting = gateway.snapshot.settings.max_body_mb * _MB
        self._last_id = ""
        self._sent = 0
        """Events of the response in progress that have been sent."""
        self._stream_id: bytes = b""
        """The field `stream_id` that its client gave it, which all of its events have."""
        self._conversation: list[Json] = []
        """The conversation up to the response `_last_id`, which is continued here though no one stores it."""

    async def serve(self) -> None:
        """Read until the client closes; then the response in progress is stopped."""
        working = asyncio.ensure_future(self._work())
        # A callback: this task is cancelled itself where the connection is lost.
        working.add_done_callback(_let_go)
        try:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT:
                    await self._fail(BadRequest("Events are text messages with JSON.", code="invalid_json"))
                elif (steer := _steer(message.data)) is not None:
                    await self._refuse_to_steer(steer)
                elif self._messages.full() or self._waiting + len(message.data) > self._most_waiting:
                    await self._socket.close(code=_TRY_AGAIN_LATER, message=b"too many events are waiting")
                else:
                    self._waiting += len(message.data)
                    self._messages.put_nowait(message.data)
        finally:
            working.cancel()
            await asyncio.wait({working})

    async def _work(self) -> None:
        while not self._socket.closed:
            text = await self._messages.get()
            self._waiting -= len(text)
            try:
                await self._create(await _event(text), len(text))
            except GatewayError as error:
                await self._fail(error)
            except ConnectionError:
                return
            except Exception:
                log.exception("a response over a WebSocket failed")
                await self._fail(Internal("Internal error of the gateway; see its log."))

    async def _create(self, event: dict[str, Any], size: int) -> None:
        # Imported late: a dialect is loaded at its first request.
        from conduit_desktop.server.response_storage import StoringResponses
        from conduit_desktop.wire.openai_responses.compaction import is_triggered

        given = event.get("stream_id")
        self._stream_id = b'"stream_id":' + orjson.dumps(given) + b"," if isinstance(given, str) else b""
        self._sent = 0
        generate = event.pop("generate", True)
        body = {name: value for name, value in event.items() if name not in ("type", "stream", "stream_id")} | {"stream": True}
        dialect = StoringResponses(compacting=is_triggered(body))
        call = make_call(self._request, self._gateway, dialect, body, stream=True)
        if size > sliced_json.LARGE:
            call.count_as_heavy()
        if self._last_id and call.body.get("previous_response_id") == self._last_id:
            self._continue(call)
            dialect.previous = self._last_id
        if generate is False:
            await self._warm_up(call)
            return
        exchange = await self._answered(self._gateway, call, dialect)
        if not isinstance(exchange, StreamReply):
            raise Internal("The response is not a stream.")
        await self._relay(exchange, call)

    def _continue(self, call: Call) -> None:
        """Put the conversation of the last response into the call."""
        given = call.body.get("input")
        new = [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())
        body = {name: value for name, value in call.body.items() if name != "previous_response_id"}
        call.replace_body({**body, "input": [*self._conversation, *new]})

    async def _relay(self, reply: StreamReply, call: Call) -> None:
        splitter = SseSplitter()
        self._last_id = ""  # a response that fails cannot be continued
        failure = b""
        try:
            async for data in reply.frames:
                for frame in splitter.feed(data):
                    if frame.data.startswith(b"{"):
                        # A client reads up to the first event that ends a response: a second one would be taken for the next's.
                        if _is_error(frame):
                            failure = frame.data
                            continue
                        if failure and b'"response.failed"' not in frame.data:
                            await self._send_bytes(failure)
                        failure = b""
                        if any(name in frame.data for name in _TERMINAL):
                            self._keep(call, orjson.loads(frame.data))
                        await self._send_bytes(frame.data)
                    elif not frame.data:
                        await self._socket.ping()  # as the comment of the stream does, this keeps the connection alive
            if failure:
                await self._send_bytes(failure)
        finally:
            await reply.close()

    def _keep(self, call: Call, event: dict[str, Any]) -> None:
        response = event.get("response")
        if event.get("type") not in ("response.completed", "response.incomplete") or not isinstance(response, dict):
            return
        given = call.body.get("input")
        asked = [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())
        answered = [item for one in response.get("output") or () if (item := _repeatable(one)) is not None]
        # What is stored is continued from there: by the provider, or by the gateway for providers that cannot.
        body = call.body
        if body.get("store") is False and body.get("previous_response_id") is None and isinstance(response.get("id"), str):
            self._last_id, self._conversation = response["id"], [*asked, *answered]

    async def _warm_up(self, call: Call) -> None:
        """A request that generates nothing: its input is kept, and its id can be continued."""
        snapshot = self._gateway.snapshot
        caller = access.identify(call, snapshot)
        access.check_model(caller.key, call.model, resolve_model(call.model, snapshot))
        given = call.body.get("input")
        self._conversation = [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())
        self._last_id = f"resp_{uuid4().hex}"
        usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "input_tokens_details": {"cached_tokens": 0},
                 "output_tokens_details": {"reasoning_tokens": 0}}  # fmt: skip
        response = {
            "id": self._last_id, "object": "response", "created_at": call.started_at // 1000, "model": call.model, "output": [],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None,
            "instructions": None, "metadata": {}, "temperature": None, "top_p": None,
        }  # fmt: skip
        begun = {**response, "status": "in_progress", "usage": None}
        done = {**response, "status": "completed", "usage": usage}
        for number, (kind, one) in enumerate((("response.created", begun), ("response.completed", done))):
            await self._send({"type": kind, "sequence_number": number, "response": one})

    async def _fail(self, error: GatewayError) -> None:
        """Send an error event: what an HTTP response would hold, with its status and headers."""
        response = error_response(self._request, error)
        assert isinstance(response.body, bytes)
        fields = orjson.loads(response.body)
        event = {"type": "error", "status": response.status, "error": fields.get("error", fields)}
        headers = {name.lower(): value for name, value in response.headers.items() if name.lower() != "content-type"}
        with suppress(ConnectionError):
            await self._send({**event, "headers": headers})

    async def _refuse_to_steer(self, event: dict[str, Any]) -> None:
        """Give the input back at once: no vendor but OpenAI can be steered, and the client sends it with its next response."""
        error = {
            "type": "invalid_request_error", "code": "steering_not_supported",
            "message": "The gateway does not steer responses. Send the input with the next response.create.",
        }  # fmt: skip
        steer = {name: event.get(name) for name in ("previous_response_id", "input")}
        with suppress(ConnectionError):
            await self._send({"type": "response.steer.failed", "sequence_number": self._sent, "error": error, "steer": steer})

    async def _send(self, event: dict[str, Json]) -> None:
        await self._send_bytes(orjson.dumps(event))

    async def _send_bytes(self, event: bytes) -> None:
        """Send one JSON object, with the `stream_id` that its client gave to the response."""
        self._sent += 1
        await self._socket.send_str((b"{" + self._stream_id + event[1:] if self._stream_id else event).decode())


def _is_error(frame: Frame) -> bool:
    """Whether it is the event `error`, which `response.failed` repeats where it follows."""
    return frame.event == "error" or (not frame.event and _ERROR.match(frame.data) is not None)


def _steer(text: str) -> dict[str, Any] | None:
    """The event where it is one that steers the response in progress, which it must not wait for."""
    if "response.steer" not in text[:4096] or len(text) > json_limits.LARGE:
        return None
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) and event.get("type") == "response.steer" else None


def _let_go(working: asyncio.Task[None]) -> None:
    """Cut the error of a task that was cancelled from its frames, which hold the event and the answer."""
    try:
        working.result()
    except asyncio.CancelledError as error:
        release(error)


async def _event(text: str) -> dict[str, Any]:
    """The client's event; raises BadRequest."""
    raw = text.encode("utf-8", "surrogatepass")
    event = await request_fields.parse_spread(raw, "event")
    if not isinstance(event, dict) or event.get("type") != "response.create":
        raise BadRequest("The only event that is taken is response.create.", code="invalid_event", param="type")
    if event.get("background"):
        raise BadRequest("Responses over a WebSocket do not run in the background.", param="background")
    request_fields.model_of(event)
    return event


def _repeatable(item: Json) -> Json | None:
    """An item of an answer as input: without its id, which names nothing where nothing is stored. None: it cannot be sent back."""
    if not isinstance(item, dict):
        return None
    if item.get("type") == "reasoning":
        return item if item.get("encrypted_content") else None
    return {name: value for name, value in item.items() if name not in ("id", "status")}
