"""The command line, with the loop's holds written to a file: how long the loop could not run anything else.

python -m tests.endurance.watched_gateway HOLDS serve …

A timer of the loop is due every 5 ms. What it is late by, less the time for which the system gave the processor to other programs
(Linux: the second figure of schedstat), is the work of the loop, or of another thread that had the interpreter's lock. Such a
thread may have had to wait for a processor, too: a hold is never longer than the processor time that the process used meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

from conduit_desktop.cli import cli
from conduit_desktop.server.http_server import HttpServer

EVERY_S = 0.005
WRITTEN_MS = 3.0
"""Shorter holds are not written."""


async def _watch(self: HttpServer) -> None:
    loop = asyncio.get_running_loop()
    schedule = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)

    def waited() -> int:
        return int(os.pread(schedule, 64, 0).split()[1])

    with Path(HOLDS).open("a") as file:
        before, used = waited(), time.process_time()
        while True:
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            late, now, used_now = (loop.time() - due) * 1000, waited(), time.process_time()
            held = min(late - (now - before) / 1e6, (used_now - used) * 1000)
            before, used = now, used_now
            if held > WRITTEN_MS:
                file.write(f"{loop.time():.3f} {held:.1f} {late:.1f}\n")
                file.flush()


HOLDS = sys.argv[1]

if __name__ == "__main__":
    HttpServer._measure_lag = _watch  # type: ignore[method-assign]
    cli(sys.argv[2:], prog_name="conduit-desktop")
