"""Two revisions measured in alternating pairs, with the bare proxy in every pair: `make bench BENCH="--compare BASE"`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from rich.console import Console
from rich.table import Table

from benchmarks.bench import CONNECTIONS, PROXY, Bench
from benchmarks.conduit import Home, prepare
from benchmarks.report import number
from benchmarks.streams import Lateness
from benchmarks.subjects import ROOT, Subject, module, start

PAIRS = 7
THRESHOLD = 0.97
"""A median speed below this share of the base's is a slowdown, if the pairs agree."""
WARM_UP_S = 2
STEADY = 1.25
"""How many times its smallest value the bare proxy's largest may be; more means that other work disturbed the run."""
DEFAULT = ("throughput", "latency", "cpu")

Verdict = Literal["slower", "no difference seen", "faster"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What one measure is, and how one value of it is taken. `translated`: a bare proxy cannot do it."""

    label: str
    unit: str
    more_is_better: bool
    take: Callable[[Bench, Subject], float]
    translated: bool = False


def _lateness(bench: Bench, subject: Subject, dialect: str, count: int) -> float:
    seen: Lateness = bench.streams(subject, dialect, count)
    if seen.broken:
        raise RuntimeError(f"{seen.broken} of {count} streams of {subject.name} broke")
    return seen.p50_ms


def _cpu_per_call(bench: Bench, subject: Subject) -> float:
    assert subject.process is not None
    before = subject.process.cpu_s
    seen = bench.load(subject, CONNECTIONS)
    return (subject.process.cpu_s - before) / seen.requests * 1000


KINDS: dict[str, tuple[Kind, ...]] = {
    "throughput": (Kind("throughput, 32 connections", "/s", True, lambda b, s: b.load(s, CONNECTIONS).rate),),
    "latency": (Kind("one connection, p50", "ms", False, lambda b, s: b.load(s, 1).p50_ms),),
    "cpu": (Kind("processor time of a call, 32 connections", "ms", False, _cpu_per_call),),
    "streams": (
        Kind("frame lateness p50, 256 streams, same dialect", "ms", False, lambda b, s: _lateness(b, s, "chat", 256)),
        Kind("frame lateness p50, 128 streams, translated", "ms", False, lambda b, s: _lateness(b, s, "messages", 128), True),
    ),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of two revisions: one value of each pair, in `unit`. `proxy` is empty where a proxy cannot be measured."""

    measure: str
    unit: str
    more_is_better: bool
    base: tuple[float, ...]
    head: tuple[float, ...]
    proxy: tuple[float, ...] = ()

    @property
    def ratios(self) -> tuple[float, ...]:
        """The head's speed as a share of the base's, pair by pair: below 1 is slower, for rates and for times."""
        pairs = zip(self.base, self.head, strict=True)
        return tuple(head / base if self.more_is_better else base / head for base, head in pairs)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return median(self.ratios)

    @property
    def verdict(self) -> Verdict:
        """A difference counts if the median passes the threshold and all pairs but one at most have its direction."""
        ratios = self.ratios
        if self.ratio < THRESHOLD and sum(ratio < 1 for ratio in ratios) >= len(ratios) - 1:
            return "slower"
        if self.ratio > 1 / THRESHOLD and sum(ratio > 1 for ratio in ratios) >= len(ratios) - 1:
            return "faster"
        return "no difference seen"

    @property
    def is_steady(self) -> bool:
        """Whether the bare proxy, which is the same in every pair, measured about the same in every pair."""
        return not self.proxy or max(self.proxy) <= STEADY * min(self.proxy)

    def of_proxy(self, values: Sequence[float]) -> float | None:
        """The median over the pairs of a side's value by the bare proxy's: of rates and of times alike."""
        return median(value / bare for value, bare in zip(values, self.proxy, strict=True)) if self.proxy else None


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def checkout(revision: str, folder: Path, repository: Path = ROOT) -> Iterator[Path]:
    """A temporary git worktree of `revision` at `folder`, removed at the end. Raises RuntimeError for an unknown revision."""
    commit = _git(repository, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").strip()
    try:
        _git(repository, "worktree", "add", "--quiet", "--detach", str(folder), commit)
        yield folder
    finally:
        # A failed `add` leaves no folder. Twice --force: a worktree whose creation was interrupted is still locked.
        if folder.exists():
            _git(repository, "worktree", "remove", "--force", "--force", str(folder))


def snapshot(folder: Path, repository: Path = ROOT) -> Path:
    """Copy the working tree to `folder`, ignored files left out: an edit during the run changes nothing that is measured."""
    for name in _git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        # A file that git still lists may be deleted, and an untracked repository is listed as a folder.
        if name and (repository / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, folder / name)
    return folder


def imported_from(tree: Path) -> Path:
    """The file of `conduit_desktop` that `python -m` imports in `tree`. Raises RuntimeError if it is not the tree's own."""
    command = [sys.executable, "-c", "import conduit_desktop; print(conduit_desktop.__file__)"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    found = done.stdout.strip() or done.stderr.strip()
    if done.returncode or not Path(found).resolve().is_relative_to(tree.resolve()):
        raise RuntimeError(f"conduit_desktop is not imported from {tree}: {found}")
    return Path(found)


def compare(bench: Bench, base: str, head: str | None, names: Sequence[str], progress: Console) -> list[Comparison]:
    """Measure `bench.rounds` pairs of the revisions `base` and `head`; without `head`, of `base` and the working tree."""
    with ExitStack() as stack:
        trees = [stack.enter_context(checkout(base, bench.folder / "base"))]
        if head is None:
            trees.append(snapshot(bench.folder / "head"))
        else:
            trees.append(stack.enter_context(checkout(head, bench.folder / "head")))
        for tree, revision in zip(trees, (base, head), strict=True):
            commit = _git(ROOT, "log", "-1", "--format=%h %s", revision or "HEAD").strip()
            progress.print(f"{tree.name}: {'' if revision else 'working tree on '}{commit}", highlight=False)
            progress.print(f"  {imported_from(tree)}", style="dim", highlight=False)
        upstream = start(module("benchmarks.upstream"), bench.folder / "upstream.log", prefix=bench.load_prefix)
        stack.callback(upstream.stop)
        command = module("benchmarks.proxy", "--upstream", upstream.address)
        bare = start(command, bench.folder / "proxy.log", prefix=bench.gateway_prefix)
        stack.callback(bare.stop)
        proxy = Subject(PROXY, bare.address, bare)
        _warm_up(bench, proxy)
        homes = [prepare(bench.folder / f"home-{tree.name}", upstream.address, tree) for tree in trees]
        kinds = [kind for name in names for kind in KINDS[name]]
        values: dict[tuple[str, str], list[float]] = defaultdict(list)
        for index in range(bench.rounds):
            with _started(bench, homes) as (first, second):
                order = (second, proxy, first) if index % 2 else (first, proxy, second)
                for kind in kinds:
                    for subject in order:
                        if not (kind.translated and subject is proxy):
                            values[kind.label, subject.name].append(kind.take(bench, subject))
            progress.print(f"pair {index + 1} of {bench.rounds}", highlight=False)
    return [_comparison(kind, *(values[kind.label, name] for name in ("base", "head", PROXY))) for kind in kinds]


def _comparison(kind: Kind, base: Sequence[float], head: Sequence[float], proxy: Sequence[float]) -> Comparison:
    return Comparison(kind.label, kind.unit, kind.more_is_better, tuple(base), tuple(head), tuple(proxy))


@contextmanager
def _started(bench: Bench, homes: Sequence[Home]) -> Iterator[list[Subject]]:
    """Both gateways, started for one pair.

    One process may be some percent faster than another of the same code for as long as it lives; a start for each pair
    keeps that from looking like a difference in which all pairs agree.
    """
    with ExitStack() as stack:
        subjects = []
        for name, home in zip(("base", "head"), homes, strict=True):
            process = home.serve(bench.gateway_prefix)
            stack.callback(process.stop)
            subjects.append(home.subject(name, process))
        for subject in subjects:
            _warm_up(bench, subject)
        yield subjects


def _warm_up(bench: Bench, subject: Subject) -> None:
    bench.load(subject, CONNECTIONS, WARM_UP_S)


HEADINGS = ("measure", "base", "head", "head's speed", "pairs", "of bare proxy", "bare proxy", "verdict")
COLOURS: dict[Verdict, str] = {"slower": "red", "no difference seen": "", "faster": "green"}


def cells(row: Comparison) -> tuple[str, ...]:
    """A row of the table, as text."""
    bare = f"{number(median(row.proxy))} ({number(min(row.proxy))} – {number(max(row.proxy))})" if row.proxy else ""
    shares = [f"{share:.0%}" for side in (row.base, row.head) if (share := row.of_proxy(side)) is not None]
    return (
        row.measure,
        f"{number(median(row.base))} {row.unit}",
        f"{number(median(row.head))} {row.unit}",
        f"{row.ratio:.3f}",
        f"{min(row.ratios):.3f} – {max(row.ratios):.3f}",
        ", ".join(shares),
        bare,
        row.verdict,
    )


def show_comparison(rows: Sequence[Comparison], console: Console) -> None:
    """The table, on the terminal."""
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*cells(row), style=COLOURS[row.verdict])
    console.print(table)
    if busy := [row.measure for row in rows if not row.is_steady]:
        disturbed = f"The bare proxy itself varied by more than {STEADY - 1:.0%} ({'; '.join(busy)})"
        console.print(
            f"{disturbed}: other work disturbed the run. Repeat it on an idle machine or with more --pairs.", style="yellow"
        )
