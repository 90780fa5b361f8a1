"""Time that a request waits for its record to be durable, alone and with 32 others: `python benchmarks/record_writes.py`."""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import tempfile
import time
from pathlib import Path

from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.store.sqlite.store import SqliteStore

ALONE = 3_000
IN_FLIGHT = 32
SECONDS = 6.0


def record() -> RequestRecord:
    """A record as a small call makes it."""
    now = int(time.time() * 1000)
    return RequestRecord(
        id=f"req_{now:011x}{secrets.token_hex(8)}", started_at=now, key_id="key_1234567890", key_name="app", model="gpt-fast",
        provider="openai", upstream_model="gpt-5-mini", dialect="openai_chat", duration_ms=812.25, first_token_ms=301.5,
        upstream_ms=811.0, input=812, output=204, cost_nano=611_000, cost_state="final", finish="stop",
        client="openai-python", client_ip="127.0.0.1",
        attempts=[AttemptRecord("openai", "gpt-5-mini", "default", "ok", 200, "", now, 811.0)],
    )  # fmt: skip


def percentiles(values: list[float]) -> str:
    """p50, p99 and the worst, in microseconds."""
    cuts = statistics.quantiles(values, n=100)
    return f"p50 {cuts[49] * 1e6:.0f} µs, p99 {cuts[98] * 1e6:.0f} µs, worst {max(values) * 1e6:.0f} µs"


async def alone(store: SqliteStore) -> None:
    """One record at a time."""
    waits: list[float] = []
    for _ in range(ALONE):
        made = record()
        start = time.perf_counter()
        await store.ledger.record(made)
        waits.append(time.perf_counter() - start)
    print(f"alone:           {percentiles(waits)}")


def burn(seconds: float) -> None:
    """Simulate the other work of a request: Python code that holds the GIL."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def busy(store: SqliteStore, work_s: float) -> None:
    """Requests back to back on `IN_FLIGHT` connections; each costs `work_s` of the loop and a system call or two."""
    waits: list[float] = []
    left, right = os.pipe()
    end = time.perf_counter() + SECONDS

    async def connection(recording: bool) -> int:
        done = 0
        while time.perf_counter() < end:
            burn(work_s / 2)
            os.write(right, b"x")
            if recording:
                made = record()
                start = time.perf_counter()
                await store.ledger.record(made)
                waits.append(time.perf_counter() - start)
            else:
                await asyncio.sleep(0)
            os.read(left, 1)
            burn(work_s / 2)
            done += 1
        return done

    start, cpu = time.perf_counter(), time.thread_time()
    done = sum(await asyncio.gather(*(connection(True) for _ in range(IN_FLIGHT))))
    took, used = time.perf_counter() - start, time.thread_time() - cpu
    share = (used / done - work_s) * 1e6
    print(f"{IN_FLIGHT} in flight, {work_s * 1e6:.0f} µs of other work each: {done / took:.0f}/s, {percentiles(waits)}, ", end="")
    print(f"loop thread CPU {used / took:.0%}, {share:.0f} µs a record beyond that work (with making it)")
    os.close(left)
    os.close(right)


async def main() -> None:
    """All measures on one fresh home."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore.open(Home(Path(folder)))
        await alone(store)
        for work_s in (0.0, 0.0001, 0.00025):
            await busy(store, work_s)
        start, cpu = time.perf_counter(), time.thread_time()
        for _ in range(20_000):
            record()
        print(f"(making a record: {(time.thread_time() - cpu) / 20_000 * 1e6:.1f} µs)")
        await store.close()
        print(f"closed after {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    asyncio.run(main())
