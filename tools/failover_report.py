"""Runs the failover tests and writes `docs/failover.md`: the reaction to each fault, by client and upstream dialect.

python -m tools.failover_report [pytest options]
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "failover.md"
_FAULT = re.compile(r"_(s\d\d)(?=_)")
"""The number of a fault in the name of a test."""


def _tests() -> tuple[str, ...]:
    """The files with tests of a fault, wherever they are."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return tuple(
        str(file.relative_to(ROOT)) for file in files if re.search(r"def test\w*_s\d\d_", file.read_text(encoding="utf-8"))
    )


TESTS = _tests()
VARIANTS = ("openai-passthrough", "openai-translated", "anthropic-passthrough", "anthropic-translated")
MODES = ("stream", "whole")

FAULTS = {
    "S01": ("429 with `Retry-After`, then works", "A is retried after the wait, or B answers at once where the wait is too long"),
    "S02": ("429 for good", "B answers; A is in cooldown and gets no requests"),
    "S03": ("one 500, then works", "answered; A gets at most one retry"),
    "S04": ("503 for good", "B answers"),
    "S05": ("TCP reset before any byte", "B answers"),
    "S06": ("accepts and never answers", "B answers after one first-token time-out; alone: 504"),
    "S07": ("first token slower than the time-out", "B answers, A is stopped"),
    "S08": ("cut after three frames", "error event, no success marker; recorded as broken, cost estimated"),
    "S09": ("stalls after three frames", "error event after the idle time-out, A is stopped"),
    "S10": ("a malformed frame", "before content B answers, after it an error event"),
    "S11": ("ends without its terminal event", "error event; a whole answer without its end: B answers"),
    "S12": ("400, context length", "not retried; a fallback answers, else relayed"),
    "S13": ("400, content filter", "not retried; a fallback answers, else relayed"),
    "S14": ("503, and B refuses the request", "the client gets B's error, and A's cause"),
    "S15": ("alternates 500 and 200", "the circuit opens, lets one probe through, closes"),
    "S16": ("fails over to B", "B's usage at B's price, both in the record, limits counted once"),
    "S17": ("the client disconnects in a stream", "A is stopped within 1 s; the part is billed as an estimate"),
    "S18": ("the client disconnects before a whole answer", "the same"),
    "S19": ("401, 402 or 403", "other credentials first, then B; the credential is disabled until changed; a notification"),
    "S20": ("200 with an error in its body", "B answers"),
    "S21": ("DNS, TLS or connect failure", "B answers; the text names the cause"),
    "S22": ("every target down", "502, 503 or 504 within the total time, with the cause of each"),
    "S23": ("fails under 200 parallel calls", "all answered by B, no retry storm on A"),
    "S24": ("the process is killed with 50 calls in flight", "no record of a completed answer is lost, reservations are released"),
    "S25": ("the disk is full", "answered or refused by the policy, a notification, no record is lost"),
    "S26": ("the clock jumps by 8 h", "idle connections replaced; limits and budgets right"),
    "S27": ("thinks long before its first token", "the client's stream gets pings"),
}


def main() -> int:
    """Run, write, and give pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={results}", *TESTS, *sys.argv[1:]]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if not results.is_file():
            return code
        found = read(results)
    if missing := sorted(FAULTS.keys() - {number for number, _ in found}):
        print(f"no test of {', '.join(missing)} was run: {PAGE.relative_to(ROOT)} stays as it was")
        return code or 1
    PAGE.write_text(page(found), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return code


def read(results: Path) -> dict[tuple[str, str], list[str]]:
    """Outcomes (`passed`, `failed`, `skipped`) by fault and variant of the request; empty for a test without variants."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for case in ET.parse(results).iter("testcase"):
        name = case.get("name", "")
        outcome = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")
        variant = next((f"{variant}-{mode}" for variant in VARIANTS for mode in MODES if f"{variant}-{mode}" in name), "")
        for number in _FAULT.findall(name.partition("[")[0]):
            found[number.upper(), variant].append({"failure": "failed", "error": "failed"}.get(outcome, outcome))
    return found


def page(found: dict[tuple[str, str], list[str]]) -> str:
    """The page."""
    lines = [
        "# Faults of providers, and what the client gets", "",
        "Made by `make failover` from the tests; not to be edited. A model alias has two targets, A and then B. Each cell shows",
        "for streamed / whole answers whether every test of the fault passed; `–` where the fault does not apply. The columns:",
        "the client's dialect, and whether the targets have the same one (passthrough) or another (translated).", "",
        f"| # | A … | what happens | {' | '.join(variant.replace('-', ', ') for variant in VARIANTS)} |",
        "|---|---|---|" + "---|" * len(VARIANTS),
    ]  # fmt: skip
    for number, (fault, outcome) in FAULTS.items():
        if any((number, f"{variant}-{mode}") in found for variant in VARIANTS for mode in MODES):
            cells = [" / ".join(verdict(found.get((number, f"{variant}-{mode}"), [])) for mode in MODES) for variant in VARIANTS]
        else:
            cells = [f"{verdict(found.get((number, ''), []))} (all at once)", *[""] * (len(VARIANTS) - 1)]
        lines.append(f"| {number} | {fault} | {outcome} | {' | '.join(cells)} |")
    total = sum(map(len, found.values()))
    failed = sum(outcomes.count("failed") for outcomes in found.values())
    return "\n".join([*lines, "", f"{total - failed} of {total} checks passed.", ""])


def verdict(outcomes: list[str]) -> str:
    """One cell's half."""
    if not outcomes:
        return "–"
    if "failed" in outcomes:
        return f"**{outcomes.count('failed')} of {len(outcomes)} fail**"
    return "skipped" if set(outcomes) == {"skipped"} else "pass"


if __name__ == "__main__":
    sys.exit(main())
