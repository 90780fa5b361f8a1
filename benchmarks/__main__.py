"""`make bench`: runs the measures, prints a table, writes docs/performance.md."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.bench import NAMES, Bench, Row, running
from benchmarks.measures import MEASURES
from benchmarks.report import document, show
from benchmarks.subjects import ROOT


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Conduit beside a bare proxy and its peers.")
    parser.add_argument("--quick", action="store_true", help="one short round of everything, and no document")
    parser.add_argument("--only", default=",".join(MEASURES), help=f"measures, of: {', '.join(MEASURES)}")
    parser.add_argument("--subjects", default=",".join(NAMES), help=f"of: {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=0, help="default 5, quick 1")
    parser.add_argument("--pin", action="store_true", help="gateways on core 0, load and upstream on core 1 (needs taskset)")
    parser.add_argument("--output", type=Path, help="where the document goes; a full run writes docs/performance.md")
    options = parser.parse_args()
    for given, known in ((options.only, MEASURES), (options.subjects, NAMES)):
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


def main() -> None:
    """Run what was asked for."""
    options = _options()
    console = Console(stderr=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="conduit-bench-") as folder:
        bench = Bench(Path(folder), options.rounds or (1 if options.quick else 5), 2 if options.quick else 5, options.quick)
        if options.pin:
            bench.gateway_prefix, bench.load_prefix = ("taskset", "-c", "0"), ("taskset", "-c", "1")
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
