"""Conduit and the scripted vendor as processes of their own, and the admin API from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MASTER_KEY = "condm_" + "m" * 43
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class RunningGateway:
    """A running gateway."""

    address: str
    process: subprocess.Popen[str]
    home: Path

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call the admin API; the answer's JSON. Raises HTTPError for what it refuses."""
        request = urllib.request.Request(
            f"{self.address}/admin/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Master-Key": MASTER_KEY, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def add(self, what: str, /, **body: Any) -> Any:
        """Add a provider, model or key."""
        return self.admin("POST", f"/{what}", body)

    def stop(self) -> int:
        """End it as a user would; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


def environment(**more: str) -> dict[str, str]:
    """The test's own, with the vault for secrets and the checkout on the path."""
    return {**os.environ, "CONDUIT_SECRETS": "vault", "PYTHONPATH": str(ROOT), "CONDUIT_LOG_LEVEL": "warning", **more}


@contextmanager
def conduit(home: Path, *options: str, **env: str) -> Iterator[RunningGateway]:
    """`conduit-desktop serve` on a free port."""
    command = [sys.executable, "-m", "conduit_desktop", "serve", "--home", str(home), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(CONDUIT_MASTER_KEY=MASTER_KEY, **env))
    try:
        yield RunningGateway(_announced(process), process, home)
    finally:
        _end(process)


@contextmanager
def vendor(module: str = "tests.fakes.vendor") -> Iterator[str]:
    """The scripted vendor, or the strict ones of `tests.fakes.strict.vendor`; the address without a version."""
    with started([sys.executable, "-m", module, "--port", "0"]) as address:
        yield address


@contextmanager
def started(command: Sequence[str]) -> Iterator[str]:
    """A server that announces its address in its first line."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT)
    try:
        yield _announced(process)
    finally:
        _end(process)


def _announced(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http://" in line, f"it did not start: {line!r}, exit code {process.poll()}"
    return line.split()[-1].strip().removesuffix("/v1")


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert process.stdout is not None
    process.stdout.close()
