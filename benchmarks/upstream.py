"""A minimal fast upstream: canned answers of about 600 bytes, and streams whose frames contain their time of sending.

    python -m benchmarks.upstream --port 0 [--frames 64] [--every-ms 20]

Each frame's text holds `t=` and CLOCK_MONOTONIC in seconds, which every process of a machine shares.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from typing import cast

import orjson

from benchmarks.event_loop import run

USAGE = {"prompt_tokens": 24, "completion_tokens": 40, "total_tokens": 64, "prompt_tokens_details": {"cached_tokens": 0}}
TEXT = "A gateway stands between the many that ask and the few that answer, and it should cost neither of them any time. " * 2
CHAT = {
    "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_790_000_000, "model": "bench-model",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "logprobs": None, "finish_reason": "stop"}],
    "usage": USAGE,
}  # fmt: skip
MESSAGE_USAGE = {"input_tokens": 24, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 40}
MESSAGE = {
    "id": "msg_bench", "type": "message", "role": "assistant", "model": "bench-model", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": TEXT}], "usage": MESSAGE_USAGE,
}  # fmt: skip
MODELS = {"object": "list", "data": [{"id": "bench-model", "object": "model", "created": 1_790_000_000, "owned_by": "bench"}]}


def _answer(body: object) -> bytes:
    raw = orjson.dumps(body)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(raw), raw)


def _event(kind: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))


def _chunk(delta: object, finish: str | None = None) -> bytes:
    head = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "bench-model"}
    return b"data: %b\n\n" % orjson.dumps({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


MARK = b"t=0000000000.000000 word "
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
CHAT_STREAM = (
    _chunk({"role": "assistant", "content": ""}),
    _chunk({"content": MARK.decode()}),
    _chunk({}, "stop") + b"data: %b\n\n" % orjson.dumps({"id": "chatcmpl-bench", "object": "chat.completion.chunk",
    "created": 1_790_000_000, "model": "bench-model", "choices": [], "usage": USAGE}) + b"data: [DONE]\n\n",
)  # fmt: skip
MESSAGE_STREAM = (
    _event("message_start", message={**MESSAGE, "content": [], "stop_reason": None})
    + _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    _event("content_block_delta", index=0, delta={"type": "text_delta", "text": MARK.decode()}),
    _event("content_block_stop", index=0)
    + _event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=MESSAGE_USAGE)
    + _event("message_stop"),
)
ANSWERS = {"chat": _answer(CHAT), "messages": _answer(MESSAGE), "models": _answer(MODELS)}
STREAMS = {"chat": CHAT_STREAM, "messages": MESSAGE_STREAM}


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Answering(asyncio.Protocol):
    """One connection: keep-alive, one request at a time, bodies with a content-length."""

    def __init__(self, frames: int, every_s: float) -> None:
        self._frames, self._every_s = frames, every_s
        self._buffer = bytearray()
        self._needed = 0
        """Bytes of the request that is being received; known once its head is there."""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) < self._needed:
            return
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).lower()
            size = end + 4 + _content_length(head)
            if len(self._buffer) < size:
                self._needed = size
                return
            body = self._buffer[end + 4 : size]
            del self._buffer[:size]
            self._needed = 0
            self._reply(head, body)

    def _reply(self, head: bytes, body: bytearray) -> None:
        path = head[: head.find(b"\r\n")]
        kind = "messages" if b"/messages" in path else "models" if path.startswith(b"get") else "chat"
        if b'"stream":true' in body or b'"stream": true' in body:
            first, self._frame, self._last = STREAMS[kind]
            self._transport.write(STREAM_HEAD + _chunked(first))
            self._begun = asyncio.get_running_loop().time()
            self._next(0)
        else:
            self._transport.write(ANSWERS[kind])

    def _next(self, sent: int) -> None:
        if sent == self._frames:
            self._transport.write(_chunked(self._last) + b"0\r\n\r\n")
            self._timer = None
            return
        mark = b"t=%017.6f word " % time.monotonic()
        self._transport.write(_chunked(self._frame.replace(MARK, mark)))
        due = self._begun + (sent + 1) * self._every_s
        self._timer = asyncio.get_running_loop().call_at(due, self._next, sent + 1)


def _content_length(head: bytes) -> int:
    at = head.find(b"content-length:")
    if at < 0:
        if b"transfer-encoding:" in head:
            raise ValueError("this upstream reads bodies with a content-length alone")
        return 0
    end = head.find(b"\r\n", at)
    return int(head[at + 15 : end if end >= 0 else None])


async def serve(port: int, make: Callable[[], asyncio.Protocol]) -> None:
    """Listen on loopback and print the address."""
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", port, backlog=1024)
    print(f"Upstream listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--every-ms", type=float, default=20)
    options = parser.parse_args()
    run(serve(options.port, lambda: Answering(options.frames, options.every_ms / 1000)))
