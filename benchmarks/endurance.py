"""The headless gateway for a long time under mixed faults: does anything leak, and is every request accounted for?

    python -m benchmarks.endurance [--seconds 3600] [--rate 200]

Calls come at a steady rate, streamed and whole, in the target's dialect and translated; some callers hang up in mid-stream.
Judged at the end: memory flat over the second half, file descriptors and threads as before, nothing in flight, nothing
reserved, and as many records as requests. Exits with 1 where one of these is broken. Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import orjson

from benchmarks.conduit import Admin
from benchmarks.subjects import Process, module, start
from tests.fakes.vendor import API_KEY

GROWTH_MB = 6.0
"""What the memory's median may grow from the third quarter to the last."""
SPARE_DESCRIPTORS = 12
HANG_UPS = 0.02
MODELS = 8
LOOK_EVERY_S = 1.0
WARM_UP_S = 5.0


@dataclass
class Seen:
    """What came of the calls, and the process as it was seen while they ran."""

    outcomes: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many were made."""
        return sum(self.outcomes.values())


def furnish(admin: Admin, vendor: str) -> dict[str, Any]:
    """Two providers for each dialect, an alias for each model, prices, and a key with a budget; the key."""
    for kind in ("openai", "anthropic"):
        url = vendor + ("/v1" if kind == "openai" else "")
        admin.send("POST", "/providers", {"name": kind, "kind": f"{kind}-compatible", "base_url": url, "api_key": API_KEY})
    for number in range(MODELS):
        targets = [
            {"provider": name, "model": f"{place}-{number}"} for place, name in (("first", "openai"), ("second", "anthropic"))
        ]
        timeouts = {"first_token_s": 1, "idle_s": 1, "total_s": 10}
        admin.send("POST", "/models", {"alias": f"mixed-{number}", "targets": targets, "timeouts": timeouts})
    for pattern in ("first-*", "second-*"):
        admin.send("PUT", f"/prices/{pattern}", {"input": 1, "output": 2})
    return admin.send("POST", "/keys", {"name": "endurance", "budget_usd": 1_000_000, "budget_period": "monthly"})


async def one_call(session: aiohttp.ClientSession, address: str, key: str, seen: Seen) -> None:
    """One call of a random kind; what came of it is counted."""
    stream, messages = random.random() < 0.5, random.random() < 0.5
    body = {
        "model": f"mixed-{random.randrange(MODELS)}", "stream": stream, "max_tokens": 100,
        "messages": [{"role": "user", "content": "one two three four five six seven eight nine ten " * random.randrange(1, 30)}],
    }  # fmt: skip
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    try:
        async with session.post(
            f"{address}/v1/{'messages' if messages else 'chat/completions'}", data=orjson.dumps(body), headers=headers
        ) as answer:
            if stream and answer.status == 200 and random.random() < HANG_UPS:
                await answer.content.readany()
                seen.outcomes["hung up"] += 1
                answer.close()
                return
            raw = await answer.read()
            broken = stream and answer.status == 200 and b'"error"' in raw
            seen.outcomes["broken, said so" if broken else str(answer.status)] += 1
    except (aiohttp.ClientError, TimeoutError) as error:
        seen.outcomes[f"LOST ({type(error).__name__})"] += 1


async def drive(address: str, key: str, process: Process, seconds: float, rate: float) -> Seen:
    """Calls at a steady rate for `seconds`, then wait for the last."""
    seen = Seen()
    running: set[asyncio.Task[None]] = set()
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        began, looked, made = time.monotonic(), 0.0, 0
        while (now := time.monotonic() - began) < seconds:
            while made < now * rate:
                task = asyncio.ensure_future(one_call(session, address, key, seen))
                running.add(task)
                task.add_done_callback(running.discard)
                made += 1
            if now - looked >= LOOK_EVERY_S:
                looked = now
                seen.memory.append(process.memory_mb)
                seen.descriptors.append(descriptors(process))
            await asyncio.sleep(0.01)
        if running:
            await asyncio.wait(running)
    return seen


def descriptors(process: Process) -> int:
    """Open file descriptors of the process."""
    return len(list(Path(f"/proc/{process.popen.pid}/fd").iterdir()))


def threads(process: Process) -> int:
    """Threads of the process."""
    return len(list(Path(f"/proc/{process.popen.pid}/task").iterdir()))


def idle(admin: Admin, within_s: float = 15) -> int:
    """Wait until nothing is in flight; what is left after `within_s`."""
    until = time.monotonic() + within_s
    while (left := int(str(admin.send("GET", "/status")["in_flight"]))) and time.monotonic() < until:
        time.sleep(0.2)
    return left


def judge(
    seen: Seen, admin: Admin, key: dict[str, Any], warmed: int, before: tuple[int, int], after: tuple[int, int], left: int
) -> int:
    """Print what was seen; how many bounds are broken."""
    rows: Any = admin.send("GET", "/usage")["data"]
    records = sum(row["requests"] for row in rows)
    reserved = str(admin.send("GET", f"/keys/{key['id']}")["reserved_usd"])
    quarter = max(1, len(seen.memory) // 4)
    growth = median(seen.memory[-quarter:]) - median(seen.memory[-2 * quarter : -quarter] or seen.memory)
    lost = sum(count for name, count in seen.outcomes.items() if name.startswith("LOST"))
    memory = f"{seen.memory[0]:.0f} MB at first, {max(seen.memory):.0f} at most, {growth:+.1f} MB in the last quarter"
    opened = f"{before[0]} before, {max(seen.descriptors)} at most, {after[0]} after"
    checks = {
        f"memory       {memory}": growth <= GROWTH_MB,
        f"descriptors  {opened}": after[0] <= before[0] + SPARE_DESCRIPTORS,
        f"threads      {before[1]} before, {after[1]} after": after[1] <= before[1] + 2,
        f"in flight    {left} at the end": left == 0,
        f"reserved     {reserved} USD at the end": float(reserved) == 0,
        f"records      {records:,} of {seen.calls + warmed:,} requests": records == seen.calls + warmed,
        f"lost         {lost} callers without an answer": lost == 0,
    }
    print("outcomes     " + ", ".join(f"{count:,} {name}" for name, count in seen.outcomes.most_common()))
    for line, holds in checks.items():
        print(f"{line}{'' if holds else '   BROKEN'}")
    return sum(not holds for holds in checks.values())


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--rate", type=float, default=200)
    options = parser.parse_args()
    env = {"CONDUIT_MASTER_KEY": "endurance-master", "CONDUIT_SECRETS": "vault", "CONDUIT_VAULT_KEY": "endurance"}
    with tempfile.TemporaryDirectory(prefix="conduit-endurance-") as name:
        folder = Path(name)
        vendor = start(module("benchmarks.faulty", "--port", "0"), folder / "vendor.log")
        conduit: Process | None = None
        try:
            conduit = start(
                module("conduit_desktop", "serve", "--home", str(folder / "home"), "--port", "0"), folder / "conduit.log", env
            )
            admin = Admin(conduit.address, env["CONDUIT_MASTER_KEY"])
            key = furnish(admin, vendor.address)
            warm = asyncio.run(drive(conduit.address, str(key["key"]), conduit, min(WARM_UP_S, options.seconds), options.rate))
            idle(admin)
            time.sleep(1)
            before = descriptors(conduit), threads(conduit)
            seen = asyncio.run(drive(conduit.address, str(key["key"]), conduit, options.seconds, options.rate))
            left = idle(admin)
            time.sleep(1)
            after = descriptors(conduit), threads(conduit)
            print(f"calls        {seen.calls:,} in {options.seconds:.0f} s, {seen.calls / options.seconds:.0f} a second")
            return 1 if judge(seen, admin, key, warm.calls, before, after, left) else 0
        finally:
            if conduit is not None:
                conduit.stop()
            vendor.stop()


if __name__ == "__main__":
    sys.exit(main())
