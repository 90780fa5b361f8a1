"""An upstream that answers as the model's name says, in the worst ways: endless lines, bombs, depth, a million fields.

A name may be followed by a point and a number, so that each call can have a name of its own.

python -m tests.endurance.hostile_vendor --port 0
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import re
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.event_loop import run
from benchmarks.upstream import Answering, serve

MB = 1024 * 1024
_MODEL = re.compile(rb'"model":\s*"([^"]+)"')
_PIECE = b"x" * MB
_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_FRAME = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"%b"},'
_FRAME += b'"finish_reason":null}]}\n\n'


def _answer(inner: bytes, after: bytes = b"") -> bytes:
    start = b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    return (
        start
        + b'"message":{"role":"assistant","content":"'
        + inner
        + b'"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,'
        + (b'"total_tokens":2}' + after + b"}")
    )


def _whole(body: bytes, headers: bytes = b"") -> Iterator[bytes]:
    yield _JSON + headers + b"content-length: %d\r\n\r\n" % len(body)
    for at in range(0, len(body), MB):
        yield body[at : at + MB]


def _large(size_mb: int) -> Iterator[bytes]:
    start, end = _answer(b"|").split(b"|")
    yield _JSON + b"content-length: %d\r\n\r\n" % (len(start) + size_mb * MB + len(end)) + start
    for _ in range(size_mb):
        yield _PIECE
    yield end


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _endless_line() -> Iterator[bytes]:
    yield _STREAM + _chunk(b'data: {"id":"')
    for _ in range(500):
        yield _chunk(_PIECE)


def _endless_frames() -> Iterator[bytes]:
    """500 MB of frames of 1 MB, as fast as they are taken."""
    yield _STREAM
    for _ in range(500):
        yield _chunk(_FRAME % _PIECE)


def _large_frames() -> Iterator[bytes]:
    """Pictures come in single frames; these are larger than any."""
    yield _STREAM
    start, end = (_FRAME % b"|").split(b"|")
    for _ in range(10):
        yield _chunk(start)
        for _ in range(20):
            yield _chunk(_PIECE)
        yield _chunk(end)


def _images() -> Iterator[bytes]:
    start, end = b'{"created":1,"data":[{"b64_json":"', b'"}]}'
    yield _JSON + b"content-length: %d\r\n\r\n" % (len(start) + 300 * MB + len(end)) + start
    for _ in range(300):
        yield _PIECE
    yield end


def _small_frames() -> Iterator[bytes]:
    """A million small frames."""
    yield _STREAM
    for _ in range(1000):
        yield _chunk(_FRAME % b"word " * 1000)


def _frame_of(fields: bytes) -> Iterator[bytes]:
    yield _STREAM + _chunk(_FRAME.replace(b'"%b"', fields) % ())


def _slow_head() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in range(10_000):
        yield b"x-%d: %b\r\n" % (number, b"v" * 1000)


_FIELDS = b"{" + b",".join(b'"k%d":1' % number for number in range(1_000_000)) + b"}"
_DEEP = b"[" * 20_000_000
_BOMB = gzip.compress(_answer(b" " * (500 * MB)), 6)
ANSWERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "large": partial(_large, 500),
    "allowed": partial(_large, 60),
    "line": _endless_line,
    "frames": _endless_frames,
    "large-frames": _large_frames,
    "images": _images,
    "small-frames": _small_frames,
    "bomb": partial(_whole, _BOMB, b"content-encoding: gzip\r\n"),
    "deep": partial(_whole, b'{"choices":' + _DEEP),
    "deep-frame": partial(_frame_of, _DEEP),
    "fields": partial(_whole, _answer(b"", b',"extra":' + _FIELDS)),
    "fields-frame": partial(_frame_of, _FIELDS),
    "head": _slow_head,
}


class Hostile(Answering):
    """One connection."""

    _task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As its base's."""
        super().connection_made(transport)
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the answer."""
        super().connection_lost(exc)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The gateway reads slower than this writes."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    def _reply(self, head: bytes, body: bytearray) -> None:
        found = _MODEL.search(body[:4096])
        name = found[1].decode().partition(".")[0] if found else ""
        if name in ANSWERS:
            self._task = asyncio.ensure_future(self._write(ANSWERS[name]()))
        else:
            super()._reply(head, body)

    async def _write(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            self._transport.write(piece)
            await asyncio.sleep(0)
            await self._writable.wait()
        self._transport.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    run(serve(parser.parse_args().port, lambda: Hostile(64, 0.02)))
