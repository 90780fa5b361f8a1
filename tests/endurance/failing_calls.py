"""Failing calls with bodies of one megabyte, in every way a call can fail: memory ends where it began.

    python -m tests.endurance.failing_calls [--calls 100000] [--seconds 1500]

Whole and streamed, at the vendor and before it: refused, malformed, broken, stalled, hung up. The process's memory after the
last call may be 10 MB above that after the first hundreds. Exits with 1 where it is more. Linux only.
"""

# ruff: noqa: T201 (a command that prints its result)

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.conduit import Admin
from benchmarks.subjects import Process, module, start
from conduit_desktop.actions.background.memory import EVERY_S
from tests.endurance import run_command
from tests.fakes.failing_upstream import MODES, RawCaller, failing_upstream
from tests.fakes.vendor import API_KEY

GROWTH_MB = 10.0
SIZE = 1_000_000
"""Bytes of each body."""
AT_ONCE = 32
"""Calls at a time: so many that those which wait for a time-out leave the gateway no pause."""
WARM = 500
"""Calls before memory is first looked at."""
FAILING = tuple(mode for mode in MODES if mode != "ok")
CYCLES = 2
"""Times that every kind of call is made before the health of targets is forgotten: a failing one would be asked no more."""
PROVIDERS = ("up", "refusing", "limiting")
"""The second refuses its credential, and the third limits its rate: it is then not used any more, or not for a while."""
MASTER = "endurance-master"


@dataclass
class Outcome:
    """What a soak has shown."""

    before_mb: float
    after_mb: float
    seconds: float
    calls: int
    answers: Counter[str] = field(default_factory=Counter)
    """Answers by their status line; an empty one where the caller hung up."""

    @property
    def growth_mb(self) -> float:
        """Megabytes that the process has more than before."""
        return self.after_mb - self.before_mb


def configure(admin: Admin, vendor: str) -> str:
    """A provider, an alias for each way to fail, and a key."""
    for name in PROVIDERS:
        provider = {"name": name, "kind": "openai-compatible", "base_url": f"{vendor}/v1", "api_key": API_KEY}
        admin.send("POST", "/providers", provider)
    timeouts = {"first_token_s": 1, "idle_s": 0.5, "total_s": 5}
    for mode in FAILING:
        provider = {"status-401": "refusing", "status-429": "limiting"}.get(mode, "up")
        target = {"provider": provider, "model": mode}
        admin.send("POST", "/models", {"alias": mode, "targets": [target], "timeouts": timeouts, "retries": 0})
    return str(admin.send("POST", "/keys", {"name": "soak"})["key"])


def ways(key: str) -> list[dict[str, Any]]:
    """The calls, one of each kind."""
    made: list[dict[str, Any]] = [{"model": mode, "stream": stream, "key": key} for mode, stream in product(FAILING, (False, True))]
    made += [
        {"model": "ok", "key": "condt_" + "w" * 43},
        {"model": "unknown", "key": key},
        {"model": "ok", "key": key, "change": lambda body: body[:-1]},
        {"model": "ok", "key": key, "change": lambda body: body.replace(b"messages", b"massages")},
        {"model": "broken", "key": key, "cut": 1000},
        {"model": "no-answer", "key": key, "read": 0},
        {"model": "stalled", "stream": True, "key": key, "read": 100},
    ]
    return made


async def drive(
    admin: Admin, caller: RawCaller, kinds: list[dict[str, Any]], calls: int, answers: Counter[str], within_s: float = math.inf
) -> None:
    """`calls` calls, or those that begin within a time, of each kind in turn, `AT_ONCE` at a time."""
    step, numbers, end = CYCLES * len(kinds), iter(range(calls)), time.monotonic() + within_s

    async def work() -> None:
        for number in numbers:
            if time.monotonic() > end:
                return
            # The other calls go on meanwhile: waiting for the slowest of each round took two thirds of the time.
            if number % step == 0:
                await asyncio.to_thread(_forget_health, admin, number)
            answer = await caller.call(**kinds[number % len(kinds)])
            answers[answer[9:12].decode("ascii", "replace")] += 1

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def _forget_health(admin: Admin, number: int, tries: int = 6) -> None:
    for name in PROVIDERS:  # of a provider that was changed, nothing is known
        for left in range(tries - 1, -1, -1):
            try:
                admin.send("PATCH", f"/providers/{name}", {"headers": {"x-round": f"round {number}"}})
                break
            except TimeoutError:  # a run of hours meets moments in which the machine does something else
                if not left:
                    raise


async def _soak(admin: Admin, process: Process, calls: int, warm: int, within_s: float) -> Outcome:
    async with failing_upstream(SIZE) as vendor:
        kinds = ways(await asyncio.to_thread(configure, admin, vendor))
        caller = RawCaller.of(process.address, SIZE)
        await drive(admin, caller, kinds, warm, Counter())
        await _idle(admin)
        before, began, answers = process.memory_mb, time.monotonic(), Counter[str]()
        await drive(admin, caller, kinds, calls, answers, within_s)
        seconds = time.monotonic() - began
        await _idle(admin)
        return Outcome(before, process.memory_mb, seconds, answers.total(), answers)


async def _idle(admin: Admin) -> None:
    for _ in range(100):
        if (await asyncio.to_thread(admin.send, "GET", "/status"))["in_flight"] == 0:
            break
        await asyncio.sleep(0.1)
    # Connections are closed a moment after their calls, and free memory is given back every five seconds: after two of them.
    await asyncio.sleep(2 * EVERY_S + 1)


def soak(folder: Path, calls: int, warm: int = WARM, within_s: float = math.inf) -> Outcome:
    """Run the gateway in a process of its own, and `calls` failing calls, or those that fit into a time."""
    env = {"CONDUIT_MASTER_KEY": MASTER, "CONDUIT_SECRETS": "vault", "CONDUIT_VAULT_KEY": "endurance"}
    command = module("conduit_desktop", "serve", "--home", str(folder / "home"), "--port", "0")
    process = start(command, folder / "conduit.log", env)
    try:
        return asyncio.run(_soak(Admin(process.address, MASTER), process, calls, warm, within_s))
    finally:
        process.stop()


def main() -> int:
    """Run, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after this time, with fewer calls")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="conduit-failing-") as name:
        found = soak(Path(name), options.calls, within_s=options.seconds)
    holds = found.growth_mb <= GROWTH_MB
    print(f"calls        {found.calls:,} in {found.seconds:.0f} s, {found.calls / found.seconds:.0f} a second")
    print("answers      " + ", ".join(f"{count:,} {line or 'hung up'}" for line, count in found.answers.most_common()))
    print(f"memory       {found.before_mb:.1f} MB before, {found.after_mb:.1f} MB after{'' if holds else '   BROKEN'}")
    return not holds


if __name__ == "__main__":
    run_command(main)
