"""Measures of the process: start time, memory, and how late streams are while the window is used."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.bench import CONNECTIONS, DESKTOP, HEADLESS, Bench, Row
from benchmarks.conduit import Home
from benchmarks.subjects import Subject

MEMORY_MB = {HEADLESS: (70.0, 90.0), DESKTOP: (160.0, 190.0)}


def starting(bench: Bench) -> list[Row]:
    """Seconds from the command until the gateway listens, and until the window shows."""
    rows = []
    times = 3 if bench.quick else 5
    if HEADLESS in bench.homes:
        home = bench.homes[HEADLESS]
        with bench.stopped(HEADLESS):
            seen = tuple(_start_seconds(home) for _ in range(times))
        rows.append(Row("start until listening", HEADLESS, seen, "s", None, "0.8 s", median(seen) <= 0.8))
    if DESKTOP in bench.homes and bench.display is not None and bench.display.picture is not None:
        with bench.stopped(DESKTOP):
            seen = tuple(_window_seconds(bench, bench.homes[DESKTOP]) for _ in range(times))
        rows.append(Row("start until the window shows", DESKTOP, seen, "s", None, "1.5 s", median(seen) <= 1.5))
    return rows


def _start_seconds(home: Home) -> float:
    process = home.serve()
    process.stop()
    return process.started_s


def _window_seconds(bench: Bench, home: Home) -> float:
    assert bench.display is not None
    time.sleep(0.5)  # let the last window's place be cleared
    before = bench.display.capture() or b""
    begun = time.perf_counter()
    process = home.desktop(bench.display.env)
    try:
        return bench.display.seconds_until_changed(before, begun)
    finally:
        process.stop()


def memory(bench: Bench) -> list[Row]:
    """Resident memory: three seconds after a fresh start, and after 100,000 calls over 32 connections."""
    rows = []
    calls = 10_000 if bench.quick else 100_000
    for name, subject in list(bench.subjects.items()):
        if subject.process is None:
            continue
        idle_limit, loaded_limit = MEMORY_MB.get(name, (None, None))
        if name in bench.homes:  # the others' memory is shown after load alone: they are not started anew
            with bench.stopped(name):
                pass
            subject = bench.subjects[name]
            time.sleep(3)
            rows.append(_memory_row("memory, idle", subject, idle_limit))
        sent = 0
        until = time.monotonic() + PATIENCE_S
        # The full number of calls is for Conduit; other gateways get as many as they answer in PATIENCE_S.
        while sent < calls and (name in bench.homes or time.monotonic() < until):
            sent += bench.load(subject, CONNECTIONS).requests
        shown = calls if sent >= calls else sent
        rows.append(_memory_row(f"memory, after {shown:,} calls", subject, loaded_limit))
    return rows


PATIENCE_S = 20.0


def _memory_row(measure: str, subject: Subject, limit: float | None) -> Row:
    assert subject.process is not None
    value = subject.process.memory_mb
    met = None if limit is None else value <= limit
    return Row(measure, subject.name, (value,), "MB", None, "" if limit is None else f"{limit:.0f} MB", met)


def gui(bench: Bench) -> list[Row]:
    """How late frames of 32 streams are while pages change, the window is resized and rows are selected four times a second."""
    if DESKTOP not in bench.homes or bench.display is None:
        return []
    home = bench.homes[DESKTOP]
    waves = []
    with bench.stopped(DESKTOP):
        process = home.desktop(bench.display.env, bench.gateway_prefix, driven=True)
        try:
            time.sleep(3)
            driven = home.subject(DESKTOP, process)
            waves = [bench.streams(driven, "chat", 32) for _ in range(4 if bench.quick else 10)]
        finally:
            process.stop()
    pages = home.log.read_text().rpartition("pages shown: ")[2].split("\n")[0]
    if not pages or int(pages) < len(waves):
        raise RuntimeError(f"the window was not used: {pages or 'no'} pages were shown")
    worst = tuple(wave.max_ms for wave in waves)
    note = f"{pages} pages shown; p99 {median(wave.p99_ms for wave in waves):.1f} ms; the worst frame of all {max(worst):.1f} ms"
    return [Row("latest frame while the window is used", DESKTOP, worst, "ms", None, "none over 30 ms", max(worst) <= 30, note)]
