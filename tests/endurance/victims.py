"""Good callers, in a process of their own: how late their frames come, and how long `/health` takes.

python -m tests.endurance.victims ADDRESS KEY STREAMS      (until standard input ends; prints one line of JSON)
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import orjson

from benchmarks.event_loop import run
from benchmarks.streams import _Reading as Reading

HEALTH_EVERY_S = 0.05
BODY = b'{"model":"good","stream":true,"messages":[{"role":"user","content":"Count."}]}'


@dataclass(frozen=True, slots=True)
class Delays:
    """In ms: how late frames came after they were sent, and the answers of `/health`."""

    frames: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    over_50: int
    health_p99_ms: float
    health_max_ms: float
    broken: int


async def _health(host: str, port: int, end: asyncio.Future[bytes]) -> list[float]:
    """Milliseconds of each answer, on a new connection each as a monitor makes them."""
    took = []
    while not end.done():
        begun = time.monotonic()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /health HTTP/1.1\r\nhost: %b:%d\r\nconnection: close\r\n\r\n" % (host.encode(), port))
        answer = await reader.read()
        writer.close()
        took.append((time.monotonic() - begun) * 1000 if b" 200 " in answer[:20] else 60_000.0)
        await asyncio.sleep(max(0.0, begun + HEALTH_EVERY_S - time.monotonic()))
    return took


async def _run(address: str, key: str, count: int) -> None:
    parts = urlsplit(address)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer {key}\r\n"
    request = head.encode() + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
    loop = asyncio.get_running_loop()
    gc.disable()
    lost: list[asyncio.Future[None]] = [loop.create_future() for _ in range(count)]
    opened = await asyncio.gather(*(loop.create_connection(partial(Reading, request, one), host, port) for one in lost))
    health = sorted(await _health(host, port, loop.run_in_executor(None, sys.stdin.buffer.read)))
    broken = sum(one.done() for one in lost)
    for transport, _ in opened:
        transport.abort()
    frames = [reader.lateness() for _, reader in opened]
    late = sorted(one * 1000 for each in frames for one in each) or [60_000.0]
    delays = Delays(
        frames=len(late), p50_ms=late[len(late) // 2], p99_ms=late[int(len(late) * 0.99)], max_ms=late[-1],
        over_50=sum(one > 50 for one in late), health_p99_ms=health[int(len(health) * 0.99)], health_max_ms=health[-1],
        broken=broken + sum(not one for one in frames),
    )  # fmt: skip
    print(orjson.dumps(delays).decode(), flush=True)  # noqa: T201


if __name__ == "__main__":
    run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
