"""The headless gateway for a long time under mixed faults: checks for leaks, and that every request is recorded.

    python -m tests.endurance [--seconds 3600] [--rate 200]

Calls come at a steady rate, in five dialects, streamed and not, to aliases of every strategy with targets in three dialects:
passthrough and translated. Some clients disconnect in mid-stream or before any answer. Checked at the end: memory flat over the
second half, file descriptors, threads and tasks as before, nothing in flight, nothing reserved, as many records as requests, and
every stream ended either in success or in an error. Exits with 1 where one of these does not hold. Linux only.
"""

# ruff: noqa: T201 (a command that prints its result)

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import aiohttp

from benchmarks.conduit import Admin
from benchmarks.subjects import Process, module, start
from tests.endurance import run_command
from tests.endurance.mixed_calls import MODELS, one_call
from tests.fakes.client_dialects import CLIENT_DIALECTS
from tests.fakes.vendor import API_KEY

GROWTH_MB = 6.0
"""Allowed growth of the median memory from the third quarter to the last."""
SPARE_DESCRIPTORS = 12
SPARE_TASKS = 12
"""Allowed additional tasks: an idle connection has a task until it is closed."""
REST_S = 35.0
"""Pause after the last call, until idle connections to providers are closed."""
CHECK_EVERY_S = 1.0
WARM_UP_S = 5.0
KINDS = {"openai": "openai-compatible", "anthropic": "anthropic-compatible", "google": "gemini"}
STRATEGIES = ("priority", "round_robin", "weighted", "random", "least_busy", "fastest", "cheapest")


@dataclass
class Observations:
    """Outcomes of the calls, and samples of the process while they ran."""

    outcomes: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """The number of calls."""
        return sum(self.outcomes.values())

    def counted(self, word: str) -> int:
        """How many outcomes have the word."""
        return sum(count for what, count in self.outcomes.items() if word in what)


def configure(admin: Admin, vendor: str) -> dict[str, Any]:
    """A provider for each dialect, an alias for each model, prices, and a key with a budget; the key."""
    for name, kind in KINDS.items():
        url = vendor + ("/v1" if name == "openai" else "")
        admin.send("POST", "/providers", {"name": name, "kind": kind, "base_url": url, "api_key": API_KEY})
    names = list(KINDS)
    for number in range(MODELS):
        targets = [
            {"provider": names[(number + place) % len(names)], "model": f"{word}-{number}"}
            for place, word in enumerate(("first", "second"))
        ]
        timeouts = {"first_token_s": 1, "idle_s": 1, "total_s": 10}
        strategy = STRATEGIES[number % len(STRATEGIES)]
        admin.send("POST", "/models", {"alias": f"mixed-{number}", "targets": targets, "timeouts": timeouts, "strategy": strategy})
    for pattern in ("first-*", "second-*"):
        admin.send("PUT", f"/prices/{pattern}", {"input": 1, "output": 2})
    return admin.send("POST", "/keys", {"name": "endurance", "budget_usd": 1_000_000, "budget_period": "monthly"})


async def drive(address: str, key: str, process: Process, seconds: float, rate: float) -> Observations:
    """Calls at a steady rate for `seconds`, then wait for the last."""
    seen = Observations()
    running: set[asyncio.Task[None]] = set()
    timeout = aiohttp.ClientTimeout(total=None)  # every call has its own
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        began, looked, made = time.monotonic(), 0.0, 0
        while (now := time.monotonic() - began) < seconds:
            while made < now * rate:
                task = asyncio.ensure_future(one_call(session, address, key, seen.outcomes))
                running.add(task)
                task.add_done_callback(running.discard)
                made += 1
            if now - looked >= CHECK_EVERY_S:
                looked = now
                seen.memory.append(process.memory_mb)
                seen.descriptors.append(descriptors(process))
            await asyncio.sleep(0.01)
        if running:
            await asyncio.wait(running)
    return seen


@dataclass(frozen=True)
class ProcessResources:
    """Resources of the idle process."""

    descriptors: int
    threads: int
    tasks: int

    @classmethod
    def of(cls, process: Process) -> ProcessResources:
        """Read from /proc and /metrics."""
        with urllib.request.urlopen(f"{process.address}/metrics", timeout=10) as answer:
            found = re.search(r"^conduit_tasks (\d+)", answer.read().decode(), re.MULTILINE)
        assert found is not None
        return cls(descriptors(process), threads(process), int(found[1]))


def descriptors(process: Process) -> int:
    """Open file descriptors of the process."""
    return len(list(Path(f"/proc/{process.popen.pid}/fd").iterdir()))


def threads(process: Process) -> int:
    """Threads of the process."""
    return len(list(Path(f"/proc/{process.popen.pid}/task").iterdir()))


def idle(admin: Admin, within_s: float = 15) -> int:
    """Wait until nothing is in flight; returns the calls still in flight after `within_s` seconds."""
    until = time.monotonic() + within_s
    while (left := int(str(admin.send("GET", "/status")["in_flight"]))) and time.monotonic() < until:
        time.sleep(0.2)
    return left


def slope(memory: list[float]) -> float:
    """MB an hour over the second half, as a straight line through it."""
    half = memory[len(memory) // 2 :]
    return linear_regression([at * CHECK_EVERY_S / 3600 for at in range(len(half))], half).slope if len(half) > 1 else 0.0


def judge(
    seen: Observations,
    admin: Admin,
    key: dict[str, Any],
    warm: Observations,
    before: ProcessResources,
    after: ProcessResources,
    left: int,
) -> int:
    """Print the results; returns the number of broken bounds."""
    rows: Any = admin.send("GET", "/usage")["data"]
    records, calls = sum(row["requests"] for row in rows), seen.calls + warm.calls
    early = seen.counted("early") + warm.counted("early")
    reserved = str(admin.send("GET", f"/keys/{key['id']}")["reserved_usd"])
    quarter = max(1, len(seen.memory) // 4)
    growth = median(seen.memory[-quarter:]) - median(seen.memory[-2 * quarter : -quarter] or seen.memory)
    lost = seen.counted("LOST")
    memory = f"{seen.memory[0]:.0f} MB at first, {max(seen.memory):.0f} at most, {growth:+.1f} MB in the last quarter"
    opened = f"{before.descriptors} before, {max(seen.descriptors)} at most, {after.descriptors} after"
    checks = {
        f"memory       {memory}, {slope(seen.memory):+.1f} MB an hour in the second half": growth <= GROWTH_MB,
        f"descriptors  {opened}": after.descriptors <= before.descriptors + SPARE_DESCRIPTORS,
        f"threads      {before.threads} before, {after.threads} after": after.threads <= before.threads + 2,
        f"tasks        {before.tasks} before, {after.tasks} after": after.tasks <= before.tasks + SPARE_TASKS,
        f"in flight    {left} at the end": left == 0,
        f"reserved     {reserved} USD at the end": float(reserved) == 0,
        # A client that disconnects before its request has arrived leaves no record.
        f"records      {records:,} of {calls:,} requests, {early:,} of them hung up early": calls - early <= records <= calls,
        f"lost         {lost} callers without an answer": lost == 0,
    }
    for name in CLIENT_DIALECTS:
        mine = [(what, count) for what, count in seen.outcomes.most_common() if what.startswith(name)]
        print(f"{name:<12} " + ", ".join(f"{count:,} {what.removeprefix(name).strip()}" for what, count in mine))
    transitions = [len(target["transitions"]) for target in admin.send("GET", "/health")["data"]]
    print(f"circuits     {sum(transitions)} transitions, at {sum(map(bool, transitions))} of {len(transitions)} targets")
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
        vendor = start(module("tests.endurance.faulty_vendor", "--port", "0"), folder / "vendor.log")
        conduit: Process | None = None
        try:
            conduit = start(
                module("conduit_desktop", "serve", "--home", str(folder / "home"), "--port", "0"), folder / "conduit.log", env
            )
            admin = Admin(conduit.address, env["CONDUIT_MASTER_KEY"])
            key = configure(admin, vendor.address)
            warm = asyncio.run(drive(conduit.address, str(key["key"]), conduit, min(WARM_UP_S, options.seconds), options.rate))
            idle(admin)
            time.sleep(REST_S)
            before = ProcessResources.of(conduit)
            seen = asyncio.run(drive(conduit.address, str(key["key"]), conduit, options.seconds, options.rate))
            left = idle(admin)
            time.sleep(REST_S)
            after = ProcessResources.of(conduit)
            print(f"calls        {seen.calls:,} in {options.seconds:.0f} s, {seen.calls / options.seconds:.0f} a second")
            return 1 if judge(seen, admin, key, warm, before, after, left) else 0
        finally:
            if conduit is not None:
                conduit.stop()
            vendor.stop()


if __name__ == "__main__":
    run_command(main)
