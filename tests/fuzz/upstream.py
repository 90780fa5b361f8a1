"""A gateway in a thread of its own, and an upstream behind it that answers whatever it is asked with something good."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from conduit_desktop.actions.house import House
from conduit_desktop.core.entities import Price
from conduit_desktop.core.paths import Home
from conduit_desktop.server.serving import Server
from tests.fakes import vendor_anthropic, vendor_openai
from tests.fakes.furnished import furnished
from tests.fakes.script import Step

_STEP = Step(text="good words", thinking="hm")


async def _answer(request: web.Request) -> web.StreamResponse:
    body: Any = orjson.loads(await request.read())
    plain = {"model": str(body.get("model")), "stream": body.get("stream")}
    if request.path.endswith("/count_tokens"):
        return web.Response(body=b'{"input_tokens": 7}', content_type="application/json")
    if request.path.endswith("/embeddings"):
        inputs = body["input"] if isinstance(body["input"], list) and not isinstance(body["input"][0], int) else [body["input"]]
        rows = [{"object": "embedding", "index": n, "embedding": [0.5]} for n in range(len(inputs))]
        return web.Response(body=orjson.dumps({"object": "list", "data": rows}), content_type="application/json")
    if request.path.endswith("/rerank"):
        return web.Response(body=b'{"results": [{"index": 0, "relevance_score": 0.5}]}', content_type="application/json")
    dialect = vendor_anthropic if request.path.endswith("/messages") else vendor_openai
    if not body.get("stream"):
        return web.Response(body=orjson.dumps(dialect.whole(plain, _STEP)), content_type="application/json")
    frames = dialect.stream({**plain, "stream_options": {"include_usage": True}}, _STEP)
    data = b"".join([*frames.before, *frames.content, *frames.end])
    return web.Response(body=data, headers={"content-type": "text/event-stream"})


async def _serve(folder: Path, ready: list[tuple[str, House]], is_ready: threading.Event, stop: asyncio.Event) -> None:
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/{path:.*}", _answer)
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(TestServer(app))
        home = Home(folder)
        home.prepare()
        gateway = await stack.enter_async_context(furnished(home, port=0, first_token_s=5.0))
        address = f"http://127.0.0.1:{upstream.port}"
        await gateway.add_provider("oa", f"{address}/v1")
        await gateway.add_provider("an", address, kind="anthropic-compatible")
        await gateway.add_alias("to-openai", "oa/gpt-x", timeouts={"total_s": 10.0})
        await gateway.add_alias("to-anthropic", "an/claude-x", timeouts={"total_s": 10.0})
        await gateway.store.prices.insert(Price(pattern="*", input=1.0, output=2.0))
        await gateway.add_key()
        server = Server()
        house = House(home, gateway.store, gateway.secrets, gateway, gateway.bus, server, gateway.overrides)
        server.serve(house)
        await server.start()
        ready.append((server.address or "", house))
        is_ready.set()
        await stop.wait()
        await server.stop()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, House]]:
    """The gateway's address and its house, until the block ends. Its own errors are its log's: none may be there."""
    ready: list[tuple[str, House]] = []
    is_ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    def run() -> None:
        try:
            loop.run_until_complete(_serve(folder, ready, is_ready, stop))
        finally:
            loop.close()
            is_ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert is_ready.wait(30)
    assert ready, "the gateway did not start"
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
