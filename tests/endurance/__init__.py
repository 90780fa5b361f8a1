"""Programs that run the headless gateway for long under faults, attacks and kills: `python -m tests.endurance`, and others."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn


def run_command(main: Callable[[], int]) -> NoReturn:
    """Run a program of this package and exit with its code. SIGTERM ends it in order, with every process that it has started.

    CI ends so what takes too long, as `timeout` does; Python by itself would leave gateways and vendors running.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        sys.exit(main())
    finally:
        _kill_children()


def _end(*_: object) -> NoReturn:
    # Once: a second one would interrupt the end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signal.SIGTERM)


def _kill_children() -> None:
    """Kill what is left: a process that a worker thread was just starting belongs to no `with` yet. Linux only."""
    # Imported late: the modules that victims and attackers import should be few.
    from benchmarks.subjects import family

    for pid in family(os.getpid())[1:]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
