"""The live feed: every change on the bus as a server-sent event, for fast and slow clients."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from typing import Any

import orjson
from aiohttp import web

from conduit_desktop.core.bus import Bus, Change
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.wire.framing import sse

# Well below the minute without a byte after which our own command line takes the server for gone.
PING_S = 10.0
QUEUE = 1000
"""Changes kept for a client that does not read; of more, the oldest are dropped, and the client gets their number."""


class Listener:
    """One client's queue."""

    def __init__(self, size: int = QUEUE) -> None:
        self._changes: deque[Change] = deque(maxlen=size)
        self._news = asyncio.Event()
        self._lost = 0
        self._closed = False

    def put(self, change: Change) -> None:
        """Keep a change for the client."""
        if len(self._changes) == self._changes.maxlen:
            self._lost += 1
        self._changes.append(change)
        self._news.set()

    def put_unless_audit(self, change: Change) -> None:
        """The same for a client that does not show the audit log."""
        if change.topic != "audit":
            self.put(change)

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._news.set()

    async def frames(self, ping_s: float) -> bytes | None:
        """What is due now, a ping after `ping_s` seconds of silence, None at the end."""
        try:
            async with asyncio.timeout(ping_s):
                await self._news.wait()
        except TimeoutError:
            return sse.comment("ping")
        if self._closed:
            return None
        self._news.clear()
        lost, self._lost = self._lost, 0
        out = [sse.write(orjson.dumps({"count": lost}), "lost")] if lost else []
        while self._changes:
            out.append(frame(self._changes.popleft()))
        return b"".join(out)


def frame(change: Change) -> bytes:
    """`event: <topic>` with `{"topic", "payload"}`; a request's payload is its record as `/requests/{id}` shows it."""
    return sse.write(orjson.dumps({"topic": change.topic, "payload": _shown(change.payload)}), change.topic)


def _shown(payload: Any) -> Any:
    if isinstance(payload, RequestRecord):
        from conduit_desktop.actions import requests  # as the table of operations, loaded when first needed

        return requests.view(payload).model_dump(mode="json")
    if dataclasses.is_dataclass(payload) and not isinstance(payload, type):
        return dataclasses.asdict(payload)
    return payload if isinstance(payload, (str, int, float, bool, type(None))) else str(payload)


class Feeds:
    """All clients of the feed."""

    def __init__(self, bus: Bus, ping_s: float = PING_S) -> None:
        self._bus = bus
        self._ping_s = ping_s
        self._listeners: set[Listener] = set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send changes until the client goes or the server stops; with `?audit=true`, also that the audit log has a new entry."""
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        listener = Listener()
        # Each change has its own topic besides: a script that counts events must not see it twice.
        put = listener.put if request.query.get("audit") == "true" else listener.put_unless_audit
        # Before the first byte is sent: a client that reads `connected` misses nothing after it.
        forget = self._bus.subscribe(put)
        self._listeners.add(listener)
        try:
            await response.prepare(request)
            await response.write(sse.comment("connected"))
            while (data := await listener.frames(self._ping_s)) is not None:
                # Waits for a slow client while its queue fills: the bus itself never waits.
                await response.write(data)
        finally:
            forget()
            self._listeners.discard(listener)
        return response

    async def close(self, app: web.Application) -> None:
        """The server stops: end every feed."""
        for listener in tuple(self._listeners):
            listener.close()
