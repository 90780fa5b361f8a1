"""Load on one address: wrk where installed, else a small client of our own in its own process.

python -m benchmarks.load URL BODY_FILE SECONDS CONNECTIONS [HEADER …]      (the small client; prints one line of JSON)
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import orjson

from benchmarks.event_loop import run

WRK = shutil.which("wrk")


@dataclass(frozen=True, slots=True)
class Load:
    """The result of a load run. `errors` counts responses without success, and broken connections."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def load(url: str, body: bytes, headers: Mapping[str, str], connections: int, seconds: float, prefix: Sequence[str] = ()) -> Load:
    """POST `body` over and over. `prefix` goes before the command (taskset). Raises RuntimeError if any answer failed."""
    pairs = [f"{name}: {value}" for name, value in headers.items()]
    # In a file: Linux takes no argument of more than 128 KiB.
    with tempfile.NamedTemporaryFile(prefix="conduit-bench-") as file:
        file.write(body)
        file.flush()
        if WRK:
            script = str(Path(__file__).with_name("post.lua"))
            command = [WRK, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", script, url, "--"]
            command += [file.name, *pairs]
        else:
            command = [sys.executable, "-m", "benchmarks.load", url, file.name, str(seconds), str(connections), *pairs]
        done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=True, timeout=seconds + 60)
    result = Load(**orjson.loads(done.stdout.strip().splitlines()[-1]))
    if result.errors or not result.requests:
        raise RuntimeError(f"{result.errors} of {result.requests} calls to {url} failed")
    return result


class _Connection(asyncio.Protocol):
    """One connection that sends the next request as soon as the last one is answered."""

    def __init__(self, request: bytes, until: float, latencies: list[float], lost: asyncio.Future[int]) -> None:
        self._request, self._until, self._latencies, self._lost = request, until, latencies, lost
        self._buffer = b""
        self._errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + size:
            return
        self._buffer = self._buffer[end + 4 + size :]
        now = time.perf_counter()
        self._latencies.append(now - self._sent_at)
        self._errors += not head.startswith(b"http/1.1 2")
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._lost.done():
            self._lost.set_result(self._errors + (exc is not None))


async def _run(url: str, body: bytes, seconds: float, connections: int, headers: Sequence[str]) -> None:
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}", *headers]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    begun = time.perf_counter()
    lost: list[asyncio.Future[int]] = [loop.create_future() for _ in range(connections)]
    for future in lost:
        ask = partial(_Connection, request, begun + seconds, latencies, future)
        await loop.create_connection(ask, parts.hostname or "127.0.0.1", parts.port or 80)
    errors = sum(await asyncio.gather(*lost))
    took = time.perf_counter() - begun
    latencies.sort()
    at = {name: latencies[int(len(latencies) * share)] * 1000 for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))}
    result = {"requests": len(latencies), "seconds": took, "errors": errors, **at, "max_ms": latencies[-1] * 1000}
    print(orjson.dumps(result).decode())


if __name__ == "__main__":
    run(_run(sys.argv[1], Path(sys.argv[2]).read_bytes(), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]))
