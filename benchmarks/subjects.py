"""The subjects of a benchmark: programs that answer at an address, and how to start and stop them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer as _Timer

import orjson

ROOT = Path(__file__).resolve().parent.parent
LISTENING = re.compile(r"listening on (http://\S+)")
QUESTION = [
    {"role": "system", "content": "You are brief and exact."},
    {"role": "user", "content": "What does a gateway between a program and a large language model do?"},
]


@dataclass(slots=True)
class Process:
    """A started program, its address, and the seconds until it listened."""

    popen: subprocess.Popen[str]
    address: str
    started_s: float

    def stop(self) -> None:
        """End the process group: SIGTERM, then SIGKILL."""
        for sign, wait_s in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            with suppress(ProcessLookupError):
                os.killpg(self.popen.pid, sign)
            try:
                self.popen.wait(wait_s)
                break
            except subprocess.TimeoutExpired:
                continue
        if self.popen.stdout is not None:
            self.popen.stdout.close()

    @property
    def memory_mb(self) -> float:
        """Resident memory of it and its children, in MB (10^6 bytes)."""
        return sum(map(_resident, family(self.popen.pid))) / 1e6

    @property
    def cpu_s(self) -> float:
        """Processor time of it and its children so far, in seconds (Linux: the scheduler's own nanoseconds)."""
        return sum(map(_cpu_ns, family(self.popen.pid))) / 1e9


@dataclass(slots=True)
class Subject:
    """Something that answers chat calls. `dialects` are those it takes: `chat`, `messages`."""

    name: str
    address: str
    process: Process | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = "bench-model"
    chat_path: str = "/v1/chat/completions"
    dialects: tuple[str, ...] = ("chat", "messages")
    version: str = ""

    def url(self, dialect: str = "chat") -> str:
        """The URL of the dialect's endpoint."""
        return self.address + (self.chat_path if dialect == "chat" else f"/v1/{dialect}")

    def body(self, dialect: str = "chat", stream: bool = False) -> bytes:
        """The request body: about 250 bytes."""
        body: dict[str, object] = {"model": self.model, "messages": QUESTION, "max_tokens": 256}
        if dialect == "messages":
            body |= {"system": QUESTION[0]["content"], "messages": QUESTION[1:]}
        return orjson.dumps({**body, "stream": True} if stream else body)

    def all_headers(self, dialect: str = "chat") -> dict[str, str]:
        """The headers of a call."""
        version = {"anthropic-version": "2023-06-01"} if dialect == "messages" else {}
        return {"content-type": "application/json", **self.headers, **version}


def start(
    command: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    within_s: float = 30,
    cwd: Path = ROOT,
) -> Process:
    """Start a program that prints `… listening on ADDRESS`; its standard error goes to `log`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONDUIT_")}
    begun = time.perf_counter()
    with log.open("ab") as errors:
        popen = subprocess.Popen(
            [*prefix, *command], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=cwd,
            env={**clean, **(env or {})}, start_new_session=True,
        )  # fmt: skip
    assert popen.stdout is not None
    watchdog = _kill_after(popen, within_s)
    try:
        for line in popen.stdout:
            if found := LISTENING.search(line):
                return Process(popen, found[1], time.perf_counter() - begun)
    except BaseException:
        # Ctrl-C does not reach the program: it runs in a session of its own.
        popen.kill()
        popen.wait()
        popen.stdout.close()
        raise
    finally:
        watchdog.cancel()
    popen.wait()
    popen.stdout.close()
    raise RuntimeError(f"{' '.join(command)} did not listen:\n{log.read_text(errors='replace')[-2000:]}")


def _kill_after(popen: subprocess.Popen[str], seconds: float) -> _Timer:
    timer = _Timer(seconds, popen.kill)
    timer.daemon = True
    timer.start()
    return timer


def module(name: str, *options: str) -> list[str]:
    """The command that runs one of our modules."""
    return [sys.executable, "-m", name, *options]


def family(pid: int) -> list[int]:
    """A process and all its descendants (Linux)."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def _cpu_ns(pid: int) -> int:
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):
            total += int(task.read_text().split()[0])
    return total
