"""Many streams at once, in a process of its own: how late each frame came after the upstream had sent it.

python -m benchmarks.streams URL BODY COUNT [HEADER …]      (prints one line of JSON)
"""

from __future__ import annotations

import asyncio
import gc
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import orjson

from benchmarks.event_loop import run

MARK = re.compile(rb"t=(\d{10}\.\d{6}) ")
NEVER_MS = 60_000.0
TERMINAL = (b"[DONE]", b"message_stop")


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late frames were, in ms. `late` counts those over 50 ms, `broken` streams without their end or a frame."""

    streams: int
    frames: int
    broken: int
    late: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    seconds: float


def streams(url: str, body: bytes, headers: Mapping[str, str], count: int, prefix: Sequence[str] = ()) -> Lateness:
    """Open `count` streams at once and read them to their ends. `prefix` goes before the command (taskset)."""
    command = [sys.executable, "-m", "benchmarks.streams", url, body.decode(), str(count)]
    command += [f"{name}: {value}" for name, value in headers.items()]
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=True, timeout=120)
    return Lateness(**orjson.loads(done.stdout.strip().splitlines()[-1]))


class _Reading(asyncio.Protocol):
    """One stream. While it runs only bytes and times are kept; they are understood afterwards."""

    def __init__(self, request: bytes, lost: asyncio.Future[None]) -> None:
        self._request, self._lost = request, lost
        self.came: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.came.append((time.monotonic(), data))
        if data.endswith(b"0\r\n\r\n"):
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._lost.done():
            self._lost.set_result(None)

    def lateness(self) -> list[float]:
        """Seconds, one for each frame in order."""
        whole = b"".join(data for _, data in self.came)
        ends: list[tuple[int, float]] = []
        at = 0
        for when, data in self.came:
            at += len(data)
            ends.append((at, when))
        late, piece = [], 0
        for mark in MARK.finditer(whole):
            while ends[piece][0] < mark.end():
                piece += 1
            late.append(ends[piece][1] - float(mark[1]))
        return late

    @property
    def ended(self) -> bool:
        """Whether the stream was a success to its end."""
        whole = b"".join(data for _, data in self.came)
        return whole.startswith(b"HTTP/1.1 200") and any(mark in whole for mark in TERMINAL)


async def _run(url: str, body: bytes, count: int, headers: Sequence[str]) -> None:
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}", *headers]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    loop = asyncio.get_running_loop()
    gc.disable()
    begun = time.monotonic()
    lost: list[asyncio.Future[None]] = [loop.create_future() for _ in range(count)]
    makers = [partial(_Reading, request, future) for future in lost]
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    opened = await asyncio.gather(*(loop.create_connection(make, host, port) for make in makers))
    await asyncio.wait_for(asyncio.gather(*lost), 60)
    took = time.monotonic() - begun
    readers = [protocol for _, protocol in opened]
    frames = [reader.lateness() for reader in readers]
    usual = max(map(len, frames))
    every = sorted(late * 1000 for one in frames for late in one) or [NEVER_MS]
    result = Lateness(
        streams=count,
        frames=len(every),
        broken=sum(not reader.ended or len(one) != usual or not one for reader, one in zip(readers, frames, strict=True)),
        late=sum(late > 50 for late in every),
        p50_ms=every[len(every) // 2],
        p99_ms=every[int(len(every) * 0.99)],
        max_ms=every[-1],
        seconds=took,
    )
    print(orjson.dumps(result).decode())


if __name__ == "__main__":
    run(_run(sys.argv[1], sys.argv[2].encode(), int(sys.argv[3]), sys.argv[4:]))
