"""One benchmark run: starts the upstream and the subjects, and iterates over the rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks.conduit import Home, prepare
from benchmarks.display import Display, open_display
from benchmarks.load import Load, load
from benchmarks.streams import Lateness, streams
from benchmarks.subjects import Subject, module, start

DIRECT, PROXY, HEADLESS, DESKTOP = "direct", "bare proxy", "Conduit", "Conduit desktop"
NAMES = (DIRECT, PROXY, HEADLESS, DESKTOP, "LiteLLM", "Portkey")
CONNECTIONS = 32
"""Of the throughput measure."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the report: one value per round, and whether their median meets the target (None: no target)."""

    measure: str
    subject: str
    values: tuple[float, ...]
    unit: str
    ratio: float | None = None
    """To the bare proxy."""
    target: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)


@dataclass(slots=True)
class Bench:
    """State of a run. `gateway_prefix` and `load_prefix` are put before commands (taskset, with `--pin`)."""

    folder: Path
    rounds: int
    seconds: float
    quick: bool
    gateway_prefix: Sequence[str] = ()
    load_prefix: Sequence[str] = ()
    upstream: str = ""
    subjects: dict[str, Subject] = field(default_factory=dict)
    homes: dict[str, Home] = field(default_factory=dict)
    display: Display | None = None

    def rounds_and_subjects(self) -> Iterator[tuple[int, Subject]]:
        """Every subject in every round: what changes on the machine meanwhile hits all of them."""
        for number in range(self.rounds):
            for subject in self.subjects.values():
                yield number, subject

    def load(self, subject: Subject, connections: int, seconds: float | None = None) -> Load:
        """Send small whole calls for `seconds`, by default the bench's own."""
        lasting = self.seconds if seconds is None else seconds
        return load(subject.url(), subject.body(), subject.all_headers(), connections, lasting, self.load_prefix)

    def load_body(self, subject: Subject, dialect: str, body: bytes, seconds: float) -> Load:
        """Send `body` to the endpoint of `dialect` over one connection for `seconds`."""
        return load(subject.url(dialect), body, subject.all_headers(dialect), 1, seconds, self.load_prefix)

    def streams(self, subject: Subject, dialect: str, count: int) -> Lateness:
        """One wave of streams."""
        body = subject.body(dialect, stream=True)
        return streams(subject.url(dialect), body, subject.all_headers(dialect), count, self.load_prefix)

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Stop a Conduit, so that its home is free; start it anew at the end."""
        process = self.subjects[name].process
        assert process is not None
        process.stop()
        try:
            yield
        finally:
            self.subjects[name] = self.begin(name)

    def begin(self, name: str) -> Subject:
        """Start a Conduit on its home."""
        home = self.homes[name]
        if name == HEADLESS:
            return home.subject(name, home.serve(self.gateway_prefix))
        assert self.display is not None
        return home.subject(name, home.desktop(self.display.env, self.gateway_prefix))

    def stop_subjects(self) -> None:
        """Stop whatever runs."""
        for subject in self.subjects.values():
            if subject.process is not None:
                subject.process.stop()


@contextmanager
def running(bench: Bench, names: Sequence[str]) -> Iterator[Bench]:
    """Start the upstream and the subjects called `names`; stop everything at the end."""
    with ExitStack() as stack:
        upstream = start(module("benchmarks.upstream"), bench.folder / "upstream.log", prefix=bench.load_prefix)
        stack.callback(upstream.stop)
        bench.upstream = upstream.address
        bench.display = open_display(bench.folder)
        stack.callback(bench.display.stop)
        stack.callback(bench.stop_subjects)
        for name in names:
            if subject := _start(bench, name):
                bench.subjects[name] = subject
                # What a program loads at its first calls is part of no measure.
                load(subject.url(), subject.body(), subject.all_headers(), CONNECTIONS, 2, bench.load_prefix)
        yield bench


def _start(bench: Bench, name: str) -> Subject | None:
    prefix = bench.gateway_prefix
    match name:
        case "direct":
            return Subject(DIRECT, bench.upstream)
        case "bare proxy":
            command = module("benchmarks.proxy", "--upstream", bench.upstream)
            process = start(command, bench.folder / "proxy.log", prefix=prefix)
            return Subject(PROXY, process.address, process)
        case "Conduit" | "Conduit desktop":
            bench.homes[name] = prepare(bench.folder / name.replace(" ", "-"), bench.upstream)
            return bench.begin(name)
        case "LiteLLM":
            return peers.litellm(bench.upstream, bench.folder, prefix)
        case "Portkey":
            return peers.portkey(bench.upstream, bench.folder, prefix)
    raise ValueError(f"no subject is called {name!r}; there are {', '.join(NAMES)}")
