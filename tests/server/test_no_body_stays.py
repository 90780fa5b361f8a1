"""No body survives its request: without the garbage collector, nothing of a request or an answer is left in memory."""

from __future__ import annotations

import asyncio
import gc
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.waiting import until

SIZE = 300_000
"""Bytes of each body: far more than anything else that a request makes."""
MARK = "of-a-body"


def _filling() -> str:
    return MARK + "x" * SIZE


def _whole() -> dict[str, Any]:
    message = {"role": "assistant", "content": _filling()}
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: %b\n\n" % orjson.dumps(
        {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    )


def _error(text: str) -> bytes:
    return orjson.dumps({"error": {"message": text, "type": "server_error", "code": "x"}})


async def _answer(  # noqa: C901 (a table of behaviours)
    mode: str, stream: bool, writer: asyncio.StreamWriter, reader: asyncio.StreamReader
) -> None:
    """What the upstream does in `mode`."""

    def head(status: int, kind: str, length: int | None) -> None:
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{size}\r\n\r\n".encode())

    def whole(status: int, body: bytes, kind: str = "application/json", missing: int = 0) -> None:
        head(status, kind, len(body) + missing)
        writer.write(body)

    def chunk(data: bytes) -> None:
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    if mode.startswith("status-"):
        whole(int(mode[7:]), _error(_filling()))
    elif mode == "plain-error":
        whole(500, _filling().encode(), "text/plain")
    elif mode == "web-page":
        whole(200, b"<html>" + _filling().encode(), "text/html")
    elif mode == "error-in-200":
        whole(200, _error(_filling()))
    elif mode == "no-answer":
        await reader.read()
    elif mode == "hang-up":
        pass
    elif not stream:
        body = orjson.dumps(_whole())
        if mode == "malformed":
            whole(200, b"{" + body)
        elif mode in ("broken", "stalled"):
            whole(200, body, missing=10)
            await writer.drain()
            if mode == "stalled":
                await reader.read()
        else:
            whole(200, body)
    else:
        head(200, "text/event-stream", None)
        chunk(_chunk({"role": "assistant", "content": _filling()}))
        await writer.drain()
        if mode == "malformed":
            chunk(b"data: {" + _filling().encode() + b"\n\n")
        elif mode == "error-event":
            chunk(b"data: " + _error(_filling()) + b"\n\n")
        elif mode == "stalled":
            await reader.read()
            return
        elif mode == "broken":
            return
        else:
            chunk(_chunk({}, "stop") + b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")


@asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    """A vendor that behaves as the model's name says; it closes each connection."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            body = orjson.loads(await reader.readexactly(length))
            mode, stream = body["model"], bool(body.get("stream"))
            del body
            await _answer(mode, stream, writer, reader)
            await writer.drain()
        writer.close()
        serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@dataclass
class Client:
    """Raw calls, so that nothing of the client is kept either."""

    host: str
    port: int

    async def call(
        self, model: str, stream: bool = False, *, key: str = KEY, path: str = "/v1/chat/completions",
        change: Callable[[bytes], bytes] = bytes, headers: str = "", read: int = -1, cut: int = 0,
    ) -> bytes:  # fmt: skip
        """The beginning of what came back. `read`: hang up after so many bytes; `cut`: hang up with so many not sent."""
        messages = [{"role": "user", "content": _filling()}]
        body = change(orjson.dumps({"model": model, "messages": messages, "stream": stream, "max_tokens": 100}))
        reader, writer = await asyncio.open_connection(self.host, self.port)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n{headers}"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        writer.write(body[: len(body) - cut])
        with suppress(ConnectionError):
            await writer.drain()
        del body
        answer = b""
        if not cut:
            answer = (await reader.read(read))[:200] if read >= 0 else (await reader.read())[:200]
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        return answer


def left() -> list[object]:
    """The texts and bytes of bodies that something still holds."""
    found: dict[int, object] = {}
    for one in gc.get_objects():
        for held in gc.get_referents(one):
            if isinstance(held, str | bytes | bytearray) and len(held) > SIZE // 2:
                text = held if isinstance(held, str) else held[: SIZE // 2].decode("utf-8", "replace")
                if MARK in text or text.count("x") > SIZE // 4:
                    found[id(held)] = one
    return list(found.values())


def chain(holder: object, depth: int = 16) -> str:
    """Who holds it, for the message of a failure."""
    names: list[str] = []
    for _ in range(depth):
        kind = type(holder)
        shows = kind.__name__ == "frame" or isinstance(holder, BaseException)
        names.append(f"{kind.__module__}.{kind.__qualname__} {str(holder)[:120] if shows else ''}")
        # Lists are mostly of this search itself.
        holders = [one for one in gc.get_referrers(holder) if type(one) is not list and not _is_of_this_file(one)]
        if not holders:
            break
        holder = holders[0]
    return "\n   <- ".join(names)


def _is_of_this_file(one: object) -> bool:
    return getattr(getattr(one, "f_code", None), "co_filename", "") == __file__


@pytest.fixture
async def served(home: Home) -> AsyncIterator[tuple[GatewayFixture, Client]]:
    async with upstream() as address, open_gateway(home, port=0) as gateway, listening(home, gateway) as context:
        await gateway.add_key()
        await gateway.add_provider("up", f"{address}/v1")
        await gateway.add_provider("anth", address, "anthropic-compatible")
        await gateway.add_provider("gone", "http://127.0.0.1:9/v1")
        timeouts = {"connect_s": 1, "first_token_s": 0.3, "idle_s": 0.3, "total_s": 2}
        for mode in MODES:
            await gateway.add_alias(mode, f"up/{mode}", timeouts=timeouts, retries=0)
        await gateway.add_alias("gone", "gone/m", timeouts=timeouts, retries=0)
        await gateway.add_alias("fallback", "gone/m", "up/status-500", "up/ok", timeouts=timeouts, retries=0)
        assert context.server.address is not None
        host, _, port = context.server.address.removeprefix("http://").partition(":")
        yield gateway, Client(host, int(port))


MODES = (
    "ok", "status-400", "status-401", "status-413", "status-429", "status-500", "status-302", "plain-error", "web-page",
    "error-in-200", "error-event", "no-answer", "hang-up", "malformed", "broken", "stalled",
)  # fmt: skip


async def _nothing_is_left(gateway: GatewayFixture, what: str) -> None:
    await until(lambda: gateway.in_flight == 0)
    # A call that was left may only begin now, and the loop has still to close its connections.
    for _ in range(200):
        await asyncio.sleep(0.01)
        if not (held := left()):
            break
    message = "\n".join(chain(one) for one in held)
    del held
    assert not message, f"{what}: a body is held by\n{message}"


@pytest.fixture
def no_collector() -> Any:
    gc.collect()
    gc.disable()
    # What was there before is not searched: the whole process has a million objects.
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def _as_responses(body: bytes) -> bytes:
    return body.replace(b'"messages"', b'"input"').replace(b"max_tokens", b"max_output_tokens")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("mode", [*MODES, "gone", "fallback"])
async def test_no_body_outlives_its_call(
    served: tuple[GatewayFixture, Client], no_collector: None, mode: str, stream: bool
) -> None:
    gateway, client = served
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        change = (
            bytes
            if path != "/v1/responses"
            else (lambda body: body.replace(b'"messages"', b'"input"').replace(b"max_tokens", b"max_output_tokens"))
        )
        answer = await client.call(mode, stream, path=path, change=change)
        assert answer.startswith(b"HTTP/1.1 ")
        await _nothing_is_left(gateway, f"{mode} {path}: {answer[:30]!r}")


@pytest.mark.parametrize(
    "options",
    [
        {"key": "condt_" + "w" * 43},
        {"model": "unknown"},
        {"change": lambda body: body[:-1]},
        {"change": lambda body: body.replace(b"messages", b"massages")},
        {"change": lambda body: b"[" * 5000 + body},
        {"change": lambda body: gzip.compress(body, 0)[:-20], "headers": "Content-Encoding: gzip\r\n"},
        {"change": lambda body: b"\x1f\x8b" + body, "headers": "Content-Encoding: gzip\r\n"},
        {"path": "/v1/nothing"},
        {"cut": 1000},
        {"model": "no-answer", "read": 0},
        {"model": "ok", "stream": True, "read": 100},
        {"model": "stalled", "stream": True, "read": 100},
    ],
    ids=["wrong key", "unknown model", "cut JSON", "no messages", "deep", "cut gzip", "bad gzip", "unknown path",
         "hang-up in the body", "hang-up while waiting", "hang-up in a stream", "hang-up in a stalled stream"],
)  # fmt: skip
async def test_no_body_outlives_a_call_that_is_refused_or_left(
    served: tuple[GatewayFixture, Client], no_collector: None, options: dict[str, Any]
) -> None:
    gateway, client = served
    await client.call(**{"model": "ok", **options})
    await _nothing_is_left(gateway, str(options))
