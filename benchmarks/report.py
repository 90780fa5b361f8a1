"""The report of a run: a table for the terminal, and docs/performance.md."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.bench import Bench, Row

PACKAGES = ("aiohttp", "uvloop", "orjson", "PySide6-Essentials", "qasync")
HEADINGS = ("measure", "subject", "median", "rounds", "of bare proxy", "target", "met")


def cells(row: Row) -> tuple[str, ...]:
    """The cells of a row as text."""
    if not row.values:
        return row.measure, row.subject, "fails", "", "", row.target, ""
    spread = "" if len(row.values) == 1 else f"{number(min(row.values))} – {number(max(row.values))}"
    ratio = "" if row.ratio is None else f"{row.ratio:.0%}"
    met = "" if row.met is None else "yes" if row.met else "**no**"
    return row.measure, row.subject, f"{number(row.value)} {row.unit}", spread, ratio, row.target, met


def number(value: float) -> str:
    """A value with about three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def show(rows: Sequence[Row], console: Console) -> None:
    """The table, on the terminal."""
    table = Table(*HEADINGS)
    for row in rows:
        colour = {None: "", True: "green", False: "red"}[row.met]
        table.add_row(*(cell.replace("**", "") for cell in cells(row)), style=colour)
    console.print(table)
    for row in rows:
        if row.note:
            console.print(f"{row.measure}, {row.subject}: {row.note}", style="dim", highlight=False)


def document(rows: Sequence[Row], bench: Bench, command: str) -> str:
    """The page for docs/."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    notes = [f"- {row.measure}, {row.subject}: {row.note}." for row in rows if row.note]
    facts = "\n".join(f"| {name} | {value} |" for name, value in machine(bench).items())
    return PAGE.format(
        command=command,
        facts=facts,
        rounds=bench.rounds,
        seconds=f"{bench.seconds:g}",
        table="\n".join(lines),
        notes="\n".join(notes),
    )


def machine(bench: Bench) -> dict[str, str]:
    """Where and with what the run was made; nothing that names the machine."""
    found = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_cpu()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
        "load": _wrk() if shutil.which("wrk") else "the bench's own client (no wrk here)",
        "window": "X11 (Xvfb)" if bench.display and bench.display.picture else "Qt's offscreen platform",
        "pinned": "gateway on core 0, load and upstream on core 1" if bench.gateway_prefix else "no",
    }
    return found | {subject.name: subject.version for subject in bench.subjects.values() if subject.version}


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.is_file() else None
    return found[1] if found else platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _wrk() -> str:
    output = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return " ".join((output.stdout + output.stderr).split()[:2])


PAGE = """\
# Performance

Written by `{command}`. Figures of different machines or runs cannot be compared; ratios within this run can.

| | |
|---|---|
{facts}

## Results

Medians of {rounds} rounds; each load run lasts {seconds} s. Every round measures all subjects one after the other.

{table}

{notes}

## Comparing two revisions

`make bench BENCH="--compare BASE"` measures the git revision BASE and the working tree; `--compare BASE HEAD` measures two
revisions. It answers one question: does the change cost speed?

- Each side runs from its own folder (a temporary git worktree, or a copy of the working tree), with the same installed
  packages. The worktrees are removed at the end, also after Ctrl-C.
- Both gateways are started anew for each of 7 pairs and warmed up. A pair measures base, bare proxy, head; the next pair
  measures in reverse order. A machine that becomes slower during the run affects both sides, and the bare proxy shows it.
- Measured are small calls at 32 connections and the p50 of one connection; `--only throughput,latency,streams` adds streams.
- *Head's speed* is the median of the pairs' ratios; below 1 is slower, for rates and for times. *Pairs* is their range. *Of
  bare proxy* is base, then head: a higher share is better for rates, a lower one for times.
- *Slower* means a median below 0.97, with at least all pairs but one below 1; *faster* is the reverse. The command exits with
  1 if any measure is slower; `--allow-slower` makes that 0. A difference of less than 3 % stays "no difference seen".
- Measure on an idle machine. If the bare proxy varied by more than 25 % between the pairs, a warning is printed: then *slower*
  can be a false alarm, and `--pairs 15` or a second run decides.
- The load and the proxy are those of the working tree. Both sides are used only through the command line and HTTP.

## Method

- Every part is a separate process: an upstream that answers with a canned chat completion of about 600 bytes, or with 64
  frames 20 ms apart (`benchmarks/upstream.py`); the subject; the load (wrk, `benchmarks/streams.py`). Where the machine has
  two cores they share them with the gateway, which makes every gateway look slower than alone; `--pin` gives the gateway a
  core of its own.
- *Direct* calls the upstream itself. The *bare proxy* is a minimal reverse proxy on aiohttp
  (`benchmarks/proxy.py`), on the same loop as `serve`; it checks and records nothing.
- Conduit runs with everything on: a virtual key with a monthly budget and every limit, reservations, prices, and a durable
  record of each call before its answer's last byte.
- Peers (`make bench-peers`) run in their default configuration, one worker, without a database: they check less and record
  nothing durable.
- Added latency is a subject's p50 or p99 at one connection less the upstream's own in the same round.
- Long bodies: `python -m benchmarks --only bodies` sends the history of a coding agent in 1 KB, 200 KB and 1 MB at one
  connection, passed through (chat, messages) and translated, and gives the ratio of Conduit's p50 to that of the bare proxy in
  the same round. Targets: 2 times the bare proxy passed through, 2.5 times translated; none for 1 KB.
- A frame's lateness is the time it reached the client less the time the upstream wrote into it; all streams of a wave are
  opened at the same moment. A stream is broken if it ends without its terminal event or lacks a frame.
- The desktop app runs with its window open. Its start ends when the window's pixels are on the screen (seen in Xvfb's frame
  buffer). While "the window is used" pages change, the window is resized and rows are selected, four times a second.
- Memory is resident memory of the process and its children, in MB of 10^6 bytes.
"""
