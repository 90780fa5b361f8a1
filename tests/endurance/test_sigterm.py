"""The programs of this package end what they have started when SIGTERM ends them, as CI's time limit does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 60.0
PROGRAMS = ("", ".failing_calls", ".isolation", ".money", ".killed")
MARK = "ENDURANCE_STARTED_BY"
"""The environment variable that all processes of one program inherit."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")


@pytest.fixture
def mark() -> Iterator[str]:
    made = uuid4().hex
    yield made
    for pid in started(made):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def started(mark: str) -> dict[int, str]:
    """The running processes that have the mark, each with its command."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            # Processes of others cannot be read, and some have just ended.
            with suppress(OSError):
                if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


@pytest.mark.timeout(3 * WITHIN_S)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_sigterm_ends_leaves_no_process(program: str, mark: str, tmp_path: Path) -> None:
    environment = {**os.environ, MARK: mark, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", f"tests.endurance{program}"]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)
    try:
        until = time.monotonic() + WITHIN_S
        while not any(" serve " in command for command in started(mark).values()):
            assert process.poll() is None, (tmp_path / "output").read_text()
            assert time.monotonic() < until, "it has started no gateway"
            time.sleep(0.05)
        process.terminate()
        assert process.wait(WITHIN_S) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert started(mark) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["output"], "its folder is removed"
