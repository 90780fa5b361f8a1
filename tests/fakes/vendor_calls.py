"""One call at the scripted vendor: the request as received, and the player of its step."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import orjson
from aiohttp import web

from tests.fakes import vendor_gemini
from tests.fakes.script import Step
from tests.fakes.vendor_answers import Frames, embeddings
from tests.fakes.vendor_media import form_of, is_media, play


@dataclass(slots=True)
class Call:
    """One request as received, and how it ended. Header names are in lower case; times are the loop's, in seconds."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes
    key: str
    at: float
    body: Any = None
    outcome: str = "open"
    """`open`, `answered`, `cut` (by the script) or `hung up` (by the client)."""
    frames_sent: int = 0
    peer: int = 0
    """The client's port: one for each connection."""
    ended_at: float | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def end(self, outcome: str) -> None:
        """Set the outcome; only the first one counts."""
        if self.outcome == "open":
            self.outcome, self.ended_at = outcome, asyncio.get_running_loop().time()
            self.ended.set()


async def read(request: web.Request) -> Call:
    """Read the whole request."""
    raw = await request.read()
    headers = {name.lower(): value for name, value in request.headers.items()}
    own = next((headers[name] for name in ("x-api-key", "xi-api-key", "x-goog-api-key", "api-key") if name in headers), "")
    key = own or headers.get("authorization", "").removeprefix("Bearer ")
    call = Call(request.method, request.path, dict(request.query), headers, raw, key, asyncio.get_running_loop().time())
    if request.transport is not None:
        call.peer = request.transport.get_extra_info("peername")[1]
    if headers.get("content-type", "").startswith("multipart/"):
        call.body = form_of(raw, headers["content-type"])
        return call
    try:
        call.body = orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        call.body = None
    return call


def as_json(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=orjson.dumps(body), headers={**(headers or {}), "content-type": "application/json"})


@dataclass(slots=True)
class StepPlayer:
    """Plays one step: writes its answer, failure or break-off."""

    request: web.Request
    call: Call
    step: Step
    dialect: ModuleType

    async def run(self) -> web.StreamResponse:
        """Answer, fail or break off as the step says."""
        step = self.step
        await asyncio.sleep(step.delay_s)
        if step.reset:
            return self._reset()
        if step.hang:
            await asyncio.Event().wait()
        if step.status != 200 or step.body is not None:
            return self._instead()
        headers = {"request-id": "req_1", "x-request-id": "req_1", **step.headers}
        if is_media(self.call.path):
            await asyncio.sleep(step.think_s)
            return await play(self.request, self.call.path, self.call.body, step)
        body = self.call.body | vendor_gemini.path_fields(self.call.path)
        if body.get("stream"):
            return await self._stream(headers, self.dialect.stream(body, step))
        return await self._whole(headers)

    def _instead(self) -> web.Response:
        body: Any = self.step.body
        if body is None:
            body = self.dialect.error(self.step.status, self.step.message, self.step.error_type)
        kind = self.step.content_type or ("text/html" if isinstance(body, str) and body.startswith("<") else "application/json")
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else orjson.dumps(body)
        return web.Response(status=self.step.status, body=raw, headers={**self.step.headers, "content-type": kind})

    async def _whole(self, headers: dict[str, str]) -> web.StreamResponse:
        step, path = self.step, self.call.path
        await asyncio.sleep(step.think_s)
        if path.endswith("/embeddings"):
            return as_json(200, embeddings(self.call.body), headers)
        if path.endswith("/count_tokens"):
            return as_json(200, {"input_tokens": step.tokens.input if step.tokens else 0}, headers)
        raw = orjson.dumps(self.dialect.whole(self.call.body | vendor_gemini.path_fields(path), step))
        if step.no_end:
            return await self._endless(headers, raw)
        if step.cut_after is None and step.stall_after is None:
            return web.Response(body=raw, headers={**headers, "content-type": "application/json"})
        response = web.StreamResponse(headers={**headers, "content-type": "application/json", "content-length": str(len(raw))})
        await response.prepare(self.request)
        await response.write(raw[: len(raw) // 2])
        return await self._break_off(response)

    async def _endless(self, headers: dict[str, str], raw: bytes) -> web.StreamResponse:
        """Write the whole body in chunks, and close the connection instead of the last, empty chunk."""
        response = web.StreamResponse(headers={**headers, "content-type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(self.request)
        await response.write(raw)
        self.call.end("cut")
        if self.request.transport is not None:
            self.request.transport.close()
        return response

    async def _stream(self, headers: dict[str, str], frames: Frames) -> web.StreamResponse:
        step = self.step
        response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream; charset=utf-8"})
        response.enable_chunked_encoding()
        await response.prepare(self.request)
        await asyncio.sleep(step.think_s)
        for frame in frames.before:
            await self._write(response, frame)
        for sent in range(len(frames.content) + 1):
            if sent in (step.cut_after, step.stall_after):
                return await self._break_off(response)
            if sent == step.error_after:
                await self._write(response, self.dialect.error_frame(step))
                return response
            if sent == step.malformed_after:
                await self._write(response, self.dialect.MALFORMED)
            if sent < len(frames.content):
                await self._write(response, frames.content[sent])
                self.call.frames_sent += 1
                await asyncio.sleep(step.frame_s)
        for frame in [] if step.no_end else frames.end:
            await self._write(response, frame)
        return response

    async def _write(self, response: web.StreamResponse, frame: bytes) -> None:
        size = self.step.split_bytes or len(frame)
        for at in range(0, len(frame), size):
            await response.write(frame[at : at + size])
            if size < len(frame):
                await asyncio.sleep(0)

    async def _break_off(self, response: web.StreamResponse) -> web.StreamResponse:
        """Stop in the middle of an answer: send nothing more, or drop the connection."""
        if self.step.cut_after is None:
            await asyncio.Event().wait()
        self.call.end("cut")
        if self.request.transport is not None:
            self.request.transport.abort()
        return response

    def _reset(self) -> web.Response:
        transport = self.request.transport
        if transport is not None:
            # Linger 0: closing sends RST, not FIN.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        self.call.end("cut")
        return web.Response()
