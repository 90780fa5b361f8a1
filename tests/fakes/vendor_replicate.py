"""A fake of Replicate on loopback: predictions that are created, streamed, polled and cancelled.

async with ReplicateVendor(pieces=["Hello", " there"]) as vendor:
    ...  vendor.url, vendor.calls (method and path), vendor.inputs, vendor.cancelled
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web

from tests.fakes.vendor import API_KEY

ID = "pred0000"


class ReplicateVendor:
    """One prediction at a time. `runs`: how many polls report it as running; `hang`: its stream stops after one piece."""

    def __init__(
        self, pieces: list[str], *, runs: int = 0, streams: bool = True, hang: bool = False, fails: str = "", refuses: int = 0
    ) -> None:
        self.pieces, self.runs, self.streams, self.hang, self.fails, self.refuses = pieces, runs, streams, hang, fails, refuses
        self.calls: list[str] = []
        self.inputs: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.cancelled = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> ReplicateVendor:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return _json(
                401, {"title": "Unauthenticated", "detail": "You did not pass a valid authentication token", "status": 401}
            )
        if request.path.endswith("/cancel"):
            self.cancelled.set()
            return _json(200, self._prediction("canceled"))
        if request.method == "POST":
            return await self._make(request)
        if request.path.startswith("/stream/"):
            return await self._stream(request)
        self.runs -= 1
        return _json(200, self._prediction("processing" if self.runs >= 0 else self._end))

    @property
    def _end(self) -> str:
        return "failed" if self.fails else "succeeded"

    async def _make(self, request: web.Request) -> web.Response:
        if self.refuses:
            detail = "Request was throttled. Your rate limit resets in ~7s."
            return _json(self.refuses, {"title": "Too many requests", "detail": detail, "status": self.refuses})
        body = orjson.loads(await request.read())
        self.inputs.append(body)
        quick = "prefer" in request.headers and not self.runs
        return _json(201, self._prediction(self._end if quick else "starting", stream=bool(body.get("stream"))))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for number, piece in enumerate(self.pieces):
            lines = b"".join(b"data: " + line.encode() + b"\n" for line in piece.split("\n"))
            await response.write(b"event: output\nid: %d:0\n" % number + lines + b"\n")
            if self.hang:
                await asyncio.Event().wait()
        if self.fails:
            await response.write(b"event: error\ndata: " + orjson.dumps({"detail": self.fails}) + b"\n\n")
        else:
            await response.write(b"event: done\ndata: {}\n\n")
        return response

    def _prediction(self, status: str, stream: bool = False) -> dict[str, Any]:
        over = status == "succeeded"
        streamed = {"stream": f"{self.url.removesuffix('/v1')}/stream/{ID}"} if stream and self.streams else {}
        return {
            "id": ID, "model": "meta/llama", "status": status, "created_at": "2026-11-22T00:00:00.5Z",
            "error": self.fails if status == "failed" else None, "output": self.pieces if over else None,
            "metrics": {"input_token_count": 11, "output_token_count": 5, "predict_time": 0.4} if over else {},
            "urls": {"get": "https://elsewhere.example/x", **streamed},
        }  # fmt: skip


def _json(status: int, body: Any) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
