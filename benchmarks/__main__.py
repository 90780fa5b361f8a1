"""`make bench`: runs the measures, prints a table, writes docs/performance.md; with --compare, measures two revisions instead."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.bench import NAMES, Bench, Row, running
from benchmarks.compare import DEFAULT, KINDS, PAIRS, compare, show_comparison
from benchmarks.ledger import ledger
from benchmarks.measures import MEASURES
from benchmarks.report import document, show
from benchmarks.subjects import ROOT

LEDGER = "ledger"
"""A measure of its own, which needs no gateway and gigabytes of disk."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures Conduit, a bare proxy and other gateways.")
    parser.add_argument("--quick", action="store_true", help="one short round of everything, and no document")
    parser.add_argument("--only", help=f"measures, of: {', '.join(MEASURES)}, or {LEDGER}; with --compare of: {', '.join(KINDS)}")
    parser.add_argument("--subjects", default=",".join(NAMES), help=f"of: {', '.join(NAMES)}")
    parser.add_argument("--rounds", "--pairs", type=int, default=0, help=f"default 5, quick 1; with --compare {PAIRS}, quick 3")
    parser.add_argument("--pin", action="store_true", help="gateways on core 0, load and upstream on core 1 (needs taskset)")
    parser.add_argument("--output", type=Path, help="where the document goes; a full run writes docs/performance.md")
    parser.add_argument(
        "--compare", nargs="+", metavar="REVISION", help="measure BASE and the working tree, or BASE and HEAD, in alternating pairs"
    )
    parser.add_argument(
        "--records", type=int, default=1_000_000, help="requests in the log of `--only ledger`, which runs by itself"
    )
    parser.add_argument("--log", type=Path, help="a folder for the log of `--only ledger`, where it is kept and used again")
    parser.add_argument("--allow-slower", action="store_true", help="with --compare: exit with 0 even if a measure is slower")
    options = parser.parse_args()
    if options.compare and (len(options.compare) > 2 or options.output or options.subjects != ",".join(NAMES)):
        parser.error("--compare takes one or two revisions, and neither --output nor --subjects")
    measures = tuple(KINDS if options.compare else MEASURES)
    options.only = options.only or ",".join(DEFAULT if options.compare else MEASURES)
    if options.only == LEDGER and not options.compare:
        return options
    for given, known in ((options.only, measures), (options.subjects, NAMES)):
        if unknown := set(given.split(",")) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    if options.pin and not shutil.which("taskset"):
        parser.error("--pin needs taskset")
    return options


def _output(options: argparse.Namespace) -> Path | None:
    if options.output:
        return Path(options.output)
    is_full = not options.quick and options.only == ",".join(MEASURES) and options.subjects == ",".join(NAMES)
    return ROOT / "docs" / "performance.md" if is_full else None


def _pin(bench: Bench, options: argparse.Namespace) -> None:
    if options.pin:
        bench.gateway_prefix, bench.load_prefix = ("taskset", "-c", "0"), ("taskset", "-c", "1")


def _compare(options: argparse.Namespace, console: Console) -> int:
    """The exit code: 1 if a measure is slower, unless that is allowed."""
    # Like Ctrl-C, so that a run that a CI job cancels also removes its worktrees.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    base, head = (*options.compare, None)[:2]
    with tempfile.TemporaryDirectory(prefix="conduit-bench-") as folder:
        bench = Bench(Path(folder), options.rounds or (3 if options.quick else PAIRS), 1 if options.quick else 3, options.quick)
        _pin(bench, options)
        rows = compare(bench, base, head, options.only.split(","), console)
    show_comparison(rows, Console(width=None if sys.stdout.isatty() else 160))
    slower = any(row.verdict == "slower" for row in rows)
    return int(slower and not options.allow_slower)


def main() -> None:
    """Run the chosen measures, or the comparison of two revisions."""
    options = _options()
    console = Console(stderr=True)
    if options.compare:
        sys.exit(_compare(options, console))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="conduit-bench-") as folder:
        bench = Bench(Path(folder), options.rounds or (1 if options.quick else 5), 2 if options.quick else 5, options.quick)
        _pin(bench, options)
        if options.only == LEDGER:
            show(ledger(options.log or bench.folder, options.records), Console(width=None if sys.stdout.isatty() else 160))
            return
        with running(bench, options.subjects.split(",")):
            console.print(f"Measuring {', '.join(bench.subjects)}")
            for name in options.only.split(","):
                console.print(f"{name} …")
                rows += MEASURES[name](bench)
            show(rows, Console(width=None if sys.stdout.isatty() else 160))
            if output := _output(options):
                shown = " ".join(argument if " " not in argument else f"'{argument}'" for argument in sys.argv[1:])
                output.write_text(document(rows, bench, f"python -m benchmarks {shown}".strip()))
                console.print(f"Written to {output}")


if __name__ == "__main__":
    main()
