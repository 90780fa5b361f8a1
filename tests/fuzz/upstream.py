"""A gateway in a separate thread, and an upstream that answers every request with a valid response."""

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

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.entities import Price
from conduit_desktop.core.events import Event, Finished, Started, TextDelta, ThinkingDelta, Usage, UsageReported
from conduit_desktop.core.paths import Home
from conduit_desktop.wire import dialect
from tests.fakes.gateway import open_gateway
from tests.fakes.http_server import listening

_EVENTS: list[Event] = [
    Started("id", "model"), ThinkingDelta("hm"), TextDelta("good words"), Finished("stop"), UsageReported(Usage(input=7, output=5)),
]  # fmt: skip
_PATHS = {
    "/chat/completions": "openai_chat", "/responses": "openai_responses", "/messages": "anthropic_messages", "/v2/chat": "cohere",
    "/api/chat": "ollama", "/completions": "openai_completions",
}  # fmt: skip
TARGETS = {
    "to-openai": ("openai-compatible", "/v1", "model-x"), "to-responses": ("openai", "/v1", "o3-pro"),
    "to-anthropic": ("anthropic-compatible", "", "model-x"), "to-gemini": ("gemini", "/v1beta", "model-x"),
    "to-cohere": ("cohere", "", "model-x"), "to-bedrock": ("bedrock", "", "model-x"), "to-ollama": ("ollama", "", "model-x"),
}  # fmt: skip
"""Aliases, each with a provider's kind, the end of its address and a model: every upstream dialect."""


async def _answer(request: web.Request) -> web.StreamResponse:
    body: Any = orjson.loads(await request.read())
    if request.path.endswith("/count_tokens"):
        return web.Response(body=b'{"input_tokens": 7}', content_type="application/json")
    if "mbed" in request.path:
        return web.Response(body=orjson.dumps(_vectors(request.path, body)), content_type="application/json")
    if request.path.endswith("/rerank"):
        return web.Response(body=b'{"results": [{"index": 0, "relevance_score": 0.5}]}', content_type="application/json")
    if request.path.endswith("/invoke"):  # embeddings, images or rerank of Bedrock's models
        answer = {
            "embedding": [0.5],
            "inputTextTokenCount": 7,
            "images": ["AAAA"],
            "results": [{"index": 0, "relevance_score": 0.5}],
        }
        return web.Response(body=orjson.dumps(answer), content_type="application/json")
    name, stream = _dialect_and_stream(request.path, body)
    upstream_dialect = dialect(name)
    chat_request = ChatRequest(name, "model", stream=stream, include_usage=True)
    if not stream:
        return web.Response(
            body=orjson.dumps(upstream_dialect.write_response(collect(_EVENTS), chat_request)), content_type="application/json"
        )
    writer = upstream_dialect.writer(chat_request)
    data = b"".join([*map(writer.write, _EVENTS), writer.end()])
    return web.Response(body=data, headers={"content-type": upstream_dialect.content_type})


def _vectors(path: str, body: Any) -> Any:
    """One vector per text, in the format of the path."""
    inputs = body.get("requests") or body.get("texts") or body.get("inputs") or body.get("input") or ["x"]
    count = len(inputs) if isinstance(inputs, list) and not isinstance(inputs[0], int) else 1
    if path.endswith(":batchEmbedContents"):
        return {"embeddings": [{"values": [0.5]}] * count}
    if path.endswith("/v2/embed"):
        return {"id": "e", "embeddings": {"float": [[0.5]] * count}}
    return {"object": "list", "data": [{"object": "embedding", "index": n, "embedding": [0.5]} for n in range(count)]}


def _dialect_and_stream(path: str, body: Any) -> tuple[str, bool]:
    """The dialect of a path, and whether the request is for a stream."""
    if "generateContent" in path or "streamGenerateContent" in path:
        return "gemini", "streamGenerateContent" in path
    if "/converse" in path:
        return "bedrock", path.endswith("-stream")
    name = next(name for end, name in _PATHS.items() if path.endswith(end))
    return name, bool(body.get("stream", name == "ollama"))


async def _serve(folder: Path, ready: list[tuple[str, AppContext]], is_ready: threading.Event, stop: asyncio.Event) -> None:
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/{path:.*}", _answer)
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(TestServer(app))
        home = Home(folder)
        home.prepare()
        # The address is fixed: a change of the settings would move the server away from the callers.
        gateway = await stack.enter_async_context(open_gateway(home, host="", port=0, first_token_s=5.0))
        address = f"http://127.0.0.1:{upstream.port}"
        for alias, (kind, base, model) in TARGETS.items():
            await gateway.add_provider(f"p-{alias}", address + base, kind=kind)
            await gateway.add_alias(alias, f"p-{alias}/{model}", timeouts={"total_s": 10.0})
        await gateway.store.prices.insert(Price(pattern="*", input=1.0, output=2.0))
        await gateway.add_key()
        async with listening(home, gateway) as context:
            ready.append((context.server.address or "", context))
            is_ready.set()
            await stop.wait()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, AppContext]]:
    """The gateway's address and its AppContext, until the block ends."""
    ready: list[tuple[str, AppContext]] = []
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
