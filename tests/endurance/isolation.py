"""How late other callers' frames are while a stranger, a caller or an upstream does its worst.

    python -m tests.endurance.isolation [--seconds 6] [--only TEXT] [--json FILE]

A gateway, a good and a hostile upstream on loopback; 64 streams of good callers, with frames 20 ms apart, and calls of `/health`.
First without an attack (the noise of this computer), then with one attack at a time. For each: how late frames were (p99, max), how
long `/health` took at most, the longest hold of the loop, the processor time of the gateway, the peak of its memory, and its memory
10 s after the end. A hold is work of the loop, or of another thread with the interpreter's lock, without the time in which the
system ran other programs: it can be compared on a busy computer. Exits with 1 where one is longer than 50 ms, or memory over its
bound. Linux only.

Memory is bounded by MEMORY_OF_BODY times the bytes of the large bodies in flight (`server.large_bodies`: four times `max_body_mb`,
and the rest of one), and comes back to within BACK_MB.
"""

# ruff: noqa: T201 (a command that prints its result)

from __future__ import annotations

import argparse
import subprocess
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from benchmarks.conduit import Admin
from benchmarks.subjects import Process, module, start
from conduit_desktop.server.large_bodies import AT_ONCE
from tests.endurance import run_command
from tests.endurance.attacks import ATTACKS
from tests.endurance.victims import Delays

STREAMS = 64
LONGEST_MS = 50.0
LARGEST_MB = 100 * 1.048576
"""`max_body_mb`, in 10^6 bytes."""
MEMORY_OF_BODY = 3
"""Copies of a body: as it came, its text, and as it is sent."""
BACK_MB = 30.0
"""Growth that may be left after AFTER_S: what a large body leaves in the allocator, caches, and connections that are kept."""
AFTER_S = 10.0
MASTER = "isolation-master"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attack did; memory in MB."""

    name: str
    answers: str
    delays: Delays
    hold_ms: float
    cpu_s: float
    before_mb: float
    peak_mb: float
    after_mb: float

    def row(self) -> str:
        """A line of the table."""
        delays = self.delays
        return (
            f"{self.name:<38}{delays.p99_ms:>8.1f}{delays.max_ms:>8.0f}{delays.health_max_ms:>8.0f}{self.hold_ms:>8.0f}"
            f"{self.cpu_s:>7.1f}{self.before_mb:>7.0f}{self.peak_mb:>7.0f}{self.after_mb:>7.0f}  "
            + (f"{delays.broken} streams broken, " if delays.broken else "")
            + self.answers
        )

    def faults(self, idle_mb: float) -> list[str]:
        """The bounds that it broke."""
        peak = idle_mb + MEMORY_OF_BODY * (AT_ONCE + 1) * LARGEST_MB
        found = {
            f"the loop was held for {self.hold_ms:.0f} ms": self.hold_ms > LONGEST_MS,
            f"memory rose to {self.peak_mb:.0f} MB, over {peak:.0f}": self.peak_mb > peak,
            f"memory stayed at {self.after_mb:.0f} MB, from {self.before_mb:.0f}": self.after_mb > self.before_mb + BACK_MB,
            f"{self.delays.broken} streams broke": self.delays.broken > 0,
        }
        return [text for text, is_broken in found.items() if is_broken]


def configure(admin: Admin, good: str, hostile: str) -> str:
    """The providers and aliases that the attacks name; returns a virtual key."""
    for name, address in (("good", good), ("hostile", hostile)):
        admin.send(
            "POST", "/providers", {"name": name, "kind": "openai-compatible", "base_url": f"{address}/v1", "api_key": "sk-x"}
        )
    admin.send("POST", "/providers", {"name": "messages", "kind": "anthropic", "base_url": good, "api_key": "sk-x"})
    admin.send("POST", "/models", {"alias": "good", "targets": [{"provider": "good", "model": "bench-model"}]})
    # Of its own: the upstream makes no embeddings, and its failures would open the circuit of the good callers' target.
    admin.send("POST", "/models", {"alias": "embeddings", "targets": [{"provider": "good", "model": "embedding-model"}]})
    admin.send("POST", "/models", {"alias": "other-dialect", "targets": [{"provider": "messages", "model": "claude-sonnet-4-5"}]})
    admin.send("POST", "/models", {"alias": "*", "targets": [{"provider": "hostile", "model": "*"}], "retries": 0})
    for pattern in ("bench-model", "*"):
        admin.send("PUT", f"/prices/{pattern}", {"input": 1, "output": 2})
    # What the pages show.
    for number in range(100):
        admin.send("POST", "/keys", {"name": f"key-{number}", "rpm": 5})
        admin.send("POST", "/models", {"alias": f"alias-{number}", "targets": [{"provider": "good", "model": "bench-model"}]})
        admin.send("PUT", f"/prices/model-{number}", {"input": 1, "output": 2})
    limits = {"rpm": 10**6, "tpm": 10**11, "max_parallel": 1000}
    made = admin.send("POST", "/keys", {"name": "isolation", "budget_usd": 10**6, "budget_period": "monthly", **limits})
    return str(made["key"])


class PeakMemory(threading.Thread):
    """Samples a process's memory."""

    def __init__(self, process: Process) -> None:
        super().__init__(daemon=True)
        self._process, self._end = process, threading.Event()
        self.peak = process.memory_mb

    def run(self) -> None:
        """Until `end`."""
        while not self._end.wait(0.05):
            self.peak = max(self.peak, self._process.memory_mb)

    def end(self) -> float:
        """Stop; returns the peak in MB."""
        self._end.set()
        self.join()
        return self.peak


def longest_hold(holds: Path, since: float, until: float) -> float:
    """Milliseconds, of those that the watched gateway wrote between two times."""
    lines = holds.read_text().split("\n") if holds.exists() else []
    found = [float(held) for when, held, _ in (line.split() for line in lines if line) if since <= float(when) <= until]
    return max(found, default=0.0)


def observe(gateway: Process, key: str, holds: Path, name: str | None, seconds: float) -> Outcome:
    """One attack (None: none), while good callers stream."""
    before, cpu, memory = gateway.memory_mb, gateway.cpu_s, PeakMemory(gateway)
    memory.start()
    command = module("tests.endurance.victims", gateway.address, key, str(STREAMS))
    # They end with their standard input, also where an error closes it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as victims:
        time.sleep(1.5)  # 64 streams begin at once; what that costs is no attack
        since = time.monotonic()
        answers = ""
        if name is None:
            time.sleep(seconds)
        else:
            attack = module("tests.endurance.attacks", gateway.address, key, MASTER, name, str(seconds))
            answers = subprocess.run(attack, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
        delays = Delays(**orjson.loads(victims.communicate(timeout=120)[0]))
    until = time.monotonic()
    peak, cpu = memory.end(), gateway.cpu_s - cpu
    time.sleep(AFTER_S if name is not None else 0)
    return Outcome(name or "no attack", answers, delays, longest_hold(holds, since, until), cpu, before, peak, gateway.memory_mb)


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--only", default="", help="attacks whose names have this text; several with |")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    env = {"CONDUIT_MASTER_KEY": MASTER, "CONDUIT_SECRETS": "vault", "CONDUIT_VAULT_KEY": "isolation"}
    names = [name for name in ATTACKS if any(text in name for text in options.only.split("|"))]
    outcomes: list[Outcome] = []
    started: list[Process] = []
    with tempfile.TemporaryDirectory(prefix="conduit-isolation-") as folder_name:
        folder = Path(folder_name)
        holds = folder / "holds"
        try:
            good = start(module("benchmarks.upstream", "--frames", "1000000"), folder / "good.log")
            started.append(good)
            hostile = start(["nice", *module("tests.endurance.hostile_vendor")], folder / "hostile.log", within_s=60)
            started.append(hostile)
            command = module("tests.endurance.watched_gateway", str(holds), "serve", "--home", str(folder / "home"), "--port", "0")
            gateway = start(command, folder / "gateway.log", env)
            started.append(gateway)
            key = configure(Admin(gateway.address, MASTER), good.address, hostile.address)
            print(f"{'':<38}{'frames, late by':>16}{'/health':>8}{'loop':>8}{'CPU':>7}{'memory':>21}")
            print(
                f"{'':<38}{'p99':>8}{'max ms':>8}{'max ms':>8}{'held ms':>8}{'s':>7}{'before':>7}{'peak':>7}{'after':>7}",
                flush=True,
            )
            for name in (None, *names):
                outcome = observe(gateway, key, holds, name, options.seconds)
                outcomes.append(outcome)
                print(outcome.row(), flush=True)
                if gateway.popen.poll() is not None:
                    print("the gateway ended:\n" + (folder / "gateway.log").read_text()[-2000:])
                    return 1
        finally:
            for process in reversed(started):
                process.stop()
    if options.json is not None:
        options.json.write_bytes(orjson.dumps([asdict(one) for one in outcomes], option=orjson.OPT_INDENT_2))
    idle_mb = outcomes[0].before_mb
    faults = [f"{one.name}: {fault}" for one in outcomes for fault in one.faults(idle_mb)]
    print("\n".join(faults) if faults else "Every bound holds.")
    return 1 if faults else 0


if __name__ == "__main__":
    run_command(main)
