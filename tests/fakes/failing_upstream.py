"""A vendor whose calls end in every way a call can end, with large bodies, and a caller that keeps nothing of what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson

from tests.fakes.gateway import KEY

MARK = "of-a-body"
"""In every body, in front of its filling."""
MODES = (
    "ok", "status-400", "status-401", "status-413", "status-429", "status-500", "status-302", "plain-error", "web-page",
    "error-in-200", "error-event", "no-answer", "hang-up", "malformed", "broken", "stalled",
)  # fmt: skip
"""What the vendor does, by the name of the model."""


def filling(size: int) -> str:
    """`size` characters that `MARK` begins."""
    return MARK + "x" * size


def _whole(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
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
    mode: str, stream: bool, size: int, writer: asyncio.StreamWriter, reader: asyncio.StreamReader
) -> None:
    """What the vendor does in `mode`."""
    text = filling(size)

    def head(status: int, kind: str, length: int | None) -> None:
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{size}\r\n\r\n".encode())

    def whole(status: int, body: bytes, kind: str = "application/json", missing: int = 0) -> None:
        head(status, kind, len(body) + missing)
        writer.write(body)

    def chunk(data: bytes) -> None:
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    if mode.startswith("status-"):
        whole(int(mode[7:]), _error(text))
    elif mode == "plain-error":
        whole(500, text.encode(), "text/plain")
    elif mode == "web-page":
        whole(200, b"<html>" + text.encode(), "text/html")
    elif mode == "error-in-200":
        whole(200, _error(text))
    elif mode == "no-answer":
        await reader.read()
    elif mode == "hang-up":
        pass
    elif not stream:
        body = orjson.dumps(_whole(text))
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
        chunk(_chunk({"role": "assistant", "content": text}))
        await writer.drain()
        if mode == "malformed":
            chunk(b"data: {" + text.encode() + b"\n\n")
        elif mode == "error-event":
            chunk(b"data: " + _error(text) + b"\n\n")
        elif mode == "stalled":
            await reader.read()
            return
        elif mode == "broken":
            return
        else:
            chunk(_chunk({}, "stop") + b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")


@asynccontextmanager
async def failing_upstream(size: int) -> AsyncIterator[str]:
    """The address of a vendor that does what the model's name says, with `size` bytes; it closes each connection."""
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
            await _answer(mode, stream, size, writer, reader)
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
class RawCaller:
    """Calls over plain sockets, so that nothing is kept on this side either."""

    host: str
    port: int
    size: int

    @classmethod
    def of(cls, address: str, size: int) -> RawCaller:
        """A caller of `http://host:port`."""
        host, _, port = address.removeprefix("http://").partition(":")
        return cls(host, int(port), size)

    async def call(
        self, model: str, stream: bool = False, *, key: str = KEY, path: str = "/v1/chat/completions",
        change: Callable[[bytes], bytes] = bytes, headers: str = "", read: int = -1, cut: int = 0,
    ) -> bytes:  # fmt: skip
        """The beginning of what came back. `read`: hang up after so many bytes; `cut`: hang up with so many not sent."""
        messages = [{"role": "user", "content": filling(self.size)}]
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
