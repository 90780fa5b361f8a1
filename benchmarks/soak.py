"""The desktop app under load with its window open: checks that it stays alive and responsive, and does not grow.

    python -m benchmarks.soak [--seconds 60] [--connections 32]

The admin API's event loop lag is sampled every half second; the load runs in a separate process. Prints a few lines and
exits with 1 where a bound is broken: lag p99 50 ms, memory growth in the second half 5 MB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

from benchmarks.conduit import Admin, Home, prepare
from benchmarks.display import open_display
from benchmarks.load import Load, load
from benchmarks.subjects import Process, module, start

LAG_MS = 50.0
GROWTH_MB = 5.0
CHECK_EVERY_S = 0.5


def watch(home: Home, process: Process, seconds: float, connections: int) -> tuple[list[Load], list[float], list[float]]:
    """Load for `seconds`; what it did, the lags in ms, and the memory in MB, sampled as it went."""
    subject = home.subject("desktop", process)
    done: list[Load] = []
    loading = threading.Thread(
        target=lambda: done.append(load(subject.url(), subject.body(), subject.all_headers(), connections, seconds))
    )
    admin = Admin(process.address, home.env["CONDUIT_MASTER_KEY"])
    lags: list[float] = []
    memory: list[float] = []
    loading.start()
    while loading.is_alive():
        time.sleep(CHECK_EVERY_S)
        lags.append(float(str(admin.send("GET", "/status")["loop_lag_ms"])))
        memory.append(process.memory_mb)
    loading.join()
    return done, lags, memory


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    with ExitStack() as ends:  # what was started is stopped, also where the next does not start
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="conduit-soak-")))
        upstream = start(module("benchmarks.upstream", "--port", "0"), folder / "upstream.log")
        ends.callback(upstream.stop)
        home = prepare(folder / "home", upstream.address)
        display = open_display(folder)
        ends.callback(display.stop)
        # `driven`: pages change, the window is resized and rows are selected the whole time.
        process = home.desktop(display.env, driven=True)
        ends.callback(process.stop)
        time.sleep(3)
        done, lags, memory = watch(home, process, options.seconds, options.connections)
        alive = process.popen.poll() is None
    half = len(memory) // 2
    growth = median(memory[-max(1, len(memory) // 5) :]) - median(memory[half : half + max(1, len(memory) // 5)])
    p99 = quantiles(lags, n=100, method="inclusive")[98]
    calls = done[0]
    life = "alive" if alive else "gone"
    lag = f"median {median(lags):.1f} ms, p99 {p99:.1f} ms, worst {max(lags):.1f} ms of {len(lags)}"
    size = f"{memory[0]:.0f} MB at first, {memory[-1]:.0f} MB at last; {growth:+.1f} MB in the second half"
    print(f"calls       {calls.requests:,} in {options.seconds:.0f} s, {calls.errors} errors; the app is {life}")
    print(f"loop lag    {lag} (at most {LAG_MS:.0f} at p99)")
    print(f"memory      {size} (at most {GROWTH_MB:.0f})")
    return 0 if alive and not calls.errors and p99 <= LAG_MS and growth <= GROWTH_MB else 1


if __name__ == "__main__":
    sys.exit(main())
