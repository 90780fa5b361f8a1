"""The measures: each takes a running benchmark and returns rows, some with a target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from statistics import median

from benchmarks.bench import CONNECTIONS, DESKTOP, DIRECT, HEADLESS, PROXY, Bench, Row
from benchmarks.bodies import SIZES, body
from benchmarks.lifecycle import gui, memory, starting
from benchmarks.streams import Lateness

Values = dict[str, list[float]]


def throughput(bench: Bench) -> list[Row]:
    """Small whole answers a second over 32 connections."""
    rates: Values = defaultdict(list)
    for _, subject in bench.rounds_and_subjects():
        rates[subject.name].append(bench.load(subject, CONNECTIONS).rate)
    bare = median(rates[PROXY]) if PROXY in rates else None
    return [_rate_row(name, tuple(values), bare, rates) for name, values in rates.items()]


def _rate_row(name: str, values: tuple[float, ...], bare: float | None, rates: Values) -> Row:
    rate = median(values)
    ratio = rate / bare if bare else None
    target, met = "", None
    if name == HEADLESS:
        # Machines differ and are shared: only the ratio within a run counts.
        target, met = "50 % of the bare proxy", None if ratio is None else ratio >= 0.5
    elif name == DESKTOP and HEADLESS in rates:
        share = rate / median(rates[HEADLESS])
        target, met = f"80 % of headless (is {share:.0%})", share >= 0.8
    return Row("throughput, 32 connections", name, values, "/s", ratio, target, met)


def latency(bench: Bench) -> list[Row]:
    """Latency of a small whole answer at one connection, and its ratio to the bare proxy's of the same round."""
    p50: Values = defaultdict(list)
    p99: Values = defaultdict(list)
    for _, subject in bench.rounds_and_subjects():
        seen = bench.load(subject, 1)
        p50[subject.name].append(seen.p50_ms)
        p99[subject.name].append(seen.p99_ms)
    rows = []
    for measure, values, most in (("latency, one connection, p50", p50, 2.0), ("latency, one connection, p99", p99, 3.0)):
        rows += [_latency_row(measure, name, tuple(values[name]), values.get(PROXY), most) for name in values if name != DIRECT]
    return rows


def _latency_row(measure: str, name: str, values: tuple[float, ...], proxy: list[float] | None, most: float) -> Row:
    ratio = median(mine / bare for mine, bare in zip(values, proxy, strict=True)) if proxy else None
    # The desktop's share is that of throughput: 80 % of headless.
    allowed = {HEADLESS: most, DESKTOP: most / 0.8}.get(name)
    target = "" if allowed is None else f"{allowed:g} times the bare proxy"
    return Row(measure, name, values, "ms", ratio, target, None if allowed is None or ratio is None else ratio <= allowed)


ROUTES = {
    "chat": ("chat", "bench"),
    "messages": ("messages", "bench-messages"),
    "messages to chat": ("messages", "bench"),
    "chat to messages": ("chat", "bench-messages"),
    "responses to chat": ("responses", "bench"),
}
"""The client's dialect and Conduit's model, whose provider speaks chat or messages."""


def bodies(bench: Bench) -> list[Row]:
    """Latency of long agent histories at one connection, passed through and translated, and its ratio to the bare proxy's."""
    names = [name for name in (DIRECT, PROXY, HEADLESS) if name in bench.subjects]
    cases = [(route, size) for route in ROUTES for size in SIZES]
    seconds = max(1.0, bench.seconds / 5)
    seen: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for number in range(bench.rounds):
        for route, size in cases:
            dialect, model = ROUTES[route]
            # In every other round the other way round: a machine that becomes slower favours neither.
            for name in reversed(names) if number % 2 else names:
                sent = body(dialect, SIZES[size], model if name == HEADLESS else "bench-model")
                seen[route, size, name].append(bench.load_body(bench.subjects[name], dialect, sent, seconds).p50_ms)
    return [
        _body_row(route, size, name, {other: seen[route, size, other] for other in names})
        for route, size in cases
        for name in names
    ]


def _body_row(route: str, size: str, name: str, seen: Mapping[str, list[float]]) -> Row:
    measure, values, bare = f"body of {size}, {route}, p50", tuple(seen[name]), seen.get(PROXY)
    if name != HEADLESS or bare is None:
        return Row(measure, name, values, "ms")
    ratio = median(mine / other for mine, other in zip(values, bare, strict=True))
    # Small bodies have their own measure: throughput.
    most = None if size == "1 KB" else 2.5 if " to " in route else 2.0
    target = "" if most is None else f"{most:g} times the bare proxy"
    note = ""
    if direct := seen.get(DIRECT):
        added = [(mine - at) / (other - at) for mine, other, at in zip(values, bare, direct, strict=True) if other > at]
        note = f"adds {median(added):.1f} times what the bare proxy adds to a direct call" if added else ""
    return Row(measure, name, values, "ms", ratio, target, None if most is None else ratio <= most, note)


def streaming(bench: Bench) -> list[Row]:
    """How late frames are while many streams run: 64 frames, 20 ms apart, all opened at once."""
    rows = []
    for dialect, label, count in (("chat", "same dialect", 256), ("messages", "translated", 128)):
        # A proxy does not translate: only gateways are called in another dialect than the upstream's.
        names = [
            name
            for name, one in bench.subjects.items()
            if dialect in one.dialects and (dialect == "chat" or name not in (DIRECT, PROXY))
        ]
        seen: dict[str, list[Lateness]] = {name: [] for name in names}
        able = {name for name in names if not bench.streams(bench.subjects[name], dialect, 1).broken}
        for _, subject in bench.rounds_and_subjects():
            if subject.name in able:
                # The desktop's share is that of throughput: 80 % of headless.
                seen[subject.name].append(bench.streams(subject, dialect, -(-count * 4 // 5) if subject.name == DESKTOP else count))
        rows += [_streams_row(label, count, name, waves) for name, waves in seen.items()]
    return rows


def _streams_row(label: str, count: int, name: str, waves: list[Lateness]) -> Row:
    measure = f"latest frame, {waves[0].streams if waves else count} streams, {label}"
    if not waves:
        return Row(measure, name, (), "ms", note="cannot stream this (one try)")
    late, broken = sum(wave.late for wave in waves), sum(wave.broken for wave in waves)
    p50, p99 = median(wave.p50_ms for wave in waves), median(wave.p99_ms for wave in waves)
    note = f"frames late by p50 {p50:.1f}, p99 {p99:.1f} ms; {late} frames over 50 ms; {broken} streams broken"
    ours = name in (HEADLESS, DESKTOP)
    target, met = ("none over 50 ms", late + broken == 0) if ours else ("", None)
    return Row(measure, name, tuple(wave.max_ms for wave in waves), "ms", None, target, met, note)


MEASURES: dict[str, Callable[[Bench], list[Row]]] = {
    "throughput": throughput,
    "latency": latency,
    "bodies": bodies,
    "streams": streaming,
    "start": starting,
    "memory": memory,
    "gui": gui,
}
