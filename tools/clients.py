"""Install the clients people use under build/clients, run their journeys, and write `docs/clients.md`: `make clients`.

`--only python` or `--only node` runs one side; the rows of the other stay on the page as they
are. `--no-install` takes what is there.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import venv
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tools.client_list import CLIENTS, LLAMA_CPP, Client

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "clients"
PAGE = ROOT / "docs" / "clients.md"
TESTS = {
    "python": (
        "tests/journeys/test_python_clients.py",
        "tests/journeys/test_coding_agents.py::test_aider_writes_a_file",
        "tests/journeys/test_llama_cpp.py",
        "tests/journeys/test_client_setup.py",
    ),
    "node": ("tests/journeys/test_node.py", "tests/journeys/test_coding_agents.py", "tests/journeys/test_client_setup.py"),
}
VENDORS = {
    "to-openai": "OpenAI format",
    "to-anthropic": "Anthropic format",
    "to-gemini": "Gemini format",
    "to-deepseek": "DeepSeek format",
    "to-llamacpp": "llama.cpp format",
}
"""Alias -> the head of its column."""
Results = dict[tuple[str, str], set[str]]
"""(client, alias) -> the outcomes of its journeys."""


def main() -> int:
    """The exit code of the journeys."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=TESTS, help="one side")
    parser.add_argument("--no-install", action="store_true", help="take what is installed")
    given = parser.parse_args()
    sides = (given.only,) if given.only else tuple(TESTS)
    if not given.no_install:
        install(sides)
    report = FOLDER / "results.xml"
    tests = list(dict.fromkeys(test for side in sides for test in TESTS[side]))
    command = [sys.executable, "-m", "pytest", "-q", "-rs", f"--junitxml={report}", "-o", "junit_family=xunit1", *tests]
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, "CONDUIT_CLIENTS": str(FOLDER)}, check=False).returncode
    before = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    table = rows(read(report), sides, before)
    PAGE.write_text(page(table, llama_cpp(report, sides, before)), encoding="utf-8")
    sys.stdout.write("\n".join(table) + "\n")
    return code


def install(sides: Sequence[str]) -> None:
    """Node's clients side by side, Python's in their environments; without npm, only Python's."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, list[str]] = defaultdict(list)
    for client in CLIENTS:
        if client.side in sides:
            wanted[client.home] += client.requirements
    if "python" in sides:
        wanted.update(LLAMA_CPP)
    packages = wanted.pop("npm", [])
    if not packages:
        pass
    elif npm := shutil.which("npm"):
        (FOLDER / "package.json").write_text('{"name": "clients", "private": true}\n')
        subprocess.run([npm, "install", "--no-audit", "--no-fund", "--loglevel=error", *packages], cwd=FOLDER, check=True)
    else:
        sys.stderr.write("npm is not installed; Node's clients need Node 20 or newer, and are skipped.\n")
    for name, requirements in wanted.items():
        if not (FOLDER / name / "bin" / "python").exists():
            venv.create(FOLDER / name, with_pip=True)
        subprocess.run(
            [_python(name), "-m", "pip", "install", "--quiet", "--upgrade", "--prefer-binary", *requirements], check=True
        )


def read(report: Path) -> Results:
    """What became of each client's journeys, to each vendor."""
    found: Results = defaultdict(set)
    for case in ET.parse(report).getroot().iter("testcase"):
        client = next((each.get("value") for each in case.iter("property") if each.get("name") == "client"), None)
        alias = next((each for each in VENDORS if each in (case.get("name") or "")), None)
        if client and alias:
            found[client, alias].add(_outcome(case))
    return found


def _outcome(case: ET.Element) -> str:
    return next((tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None), "pass")


def llama_cpp(report: Path, sides: Sequence[str], before: str) -> str:
    """The line on llama.cpp itself; that of the page `before` where Python's side did not run."""
    begin = "llama.cpp itself"
    if "python" not in sides:
        return next((line for line in before.splitlines() if line.startswith(begin)), "")
    cases = ET.parse(report).getroot().iter("testcase")
    outcomes = {_outcome(case) for case in cases if (case.get("classname") or "").endswith("test_llama_cpp")}
    about = f"xllamacpp {_python_version('llama-cpp', 'xllamacpp')}, a tiny model made on the spot"
    return f"{begin} ({about}), asked through the gateway in all five dialects: {_verdict(outcomes)}, run on {_today()}."


def rows(results: Results, sides: Sequence[str], before: str) -> list[str]:
    """The table, in Markdown. The clients of a side that did not run keep their rows of the page `before`."""
    heads = ("client", "version", "calls", *VENDORS.values(), "run on")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    kept = {line.split(" | ")[0].removeprefix("| "): line for line in before.splitlines() if line.count(" | ") == len(heads) - 1}
    for client in CLIENTS:
        if client.side in sides:
            cells = [_verdict(results.get((client.name, alias), set())) for alias in VENDORS]
            lines.append(f"| {' | '.join((client.name, version(client), client.calls, *cells, _today()))} |")
        else:
            cells = ["not run"] * len(VENDORS)
            lines.append(kept.get(client.name) or f"| {' | '.join((client.name, '–', client.calls, *cells, '–'))} |")
    return lines


def _verdict(outcomes: set[str]) -> str:
    if outcomes & {"failure", "error"}:
        return "FAIL"
    return "pass" if outcomes == {"pass"} else "not run"


def version(client: Client) -> str:
    """The installed one, or `–`."""
    package = client.package.split("[")[0]
    if client.home == "npm":
        about = FOLDER / "node_modules" / package / "package.json"
        return str(json.loads(about.read_text())["version"]) if about.is_file() else "–"
    return _python_version(client.home, package)


def _python_version(home: str, package: str) -> str:
    if not Path(_python(home)).exists():
        return "–"
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([_python(home), "-c", code], capture_output=True, text=True, check=False).stdout.strip() or "–"


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _python(home: str) -> str:
    return str(FOLDER / home / "bin" / "python")


def page(table: list[str], llama: str) -> str:
    """The page of the docs."""
    recipes = [f"| {client.name} | {client.recipe} |" for client in CLIENTS]
    return "\n".join([
        "# Clients, and what to set",
        "",
        "Made by `make clients`, which installs each client, runs it headless, and gives it a task for one of its own tools:",
        "a library makes a loop of three turns with two calls, then the answer; a coding agent reads a file, and writes one.",
        "instructor, mem0 and aider have no tools of that kind: an object, a memory and an edited file are asked of them.",
        "The upstream is a vendor that refuses what the real one",
        "refuses, one column each: OpenAI's (gpt-5.4), Anthropic's (claude-opus-4-8), Gemini's (gemini-3-pro-preview), DeepSeek's",
        "(deepseek-v4-pro, which wants its reasoning returned), and llama.cpp's (qwen3.5-9b). One refused request is a",
        "FAIL; `not run` is a client that was not installed. Nothing leaves the machine.",
        "",
        *table,
        "",
        llama,
        "",
        "## What to set",
        "",
        "The address is the one the app shows; the model is an alias of yours. Where a proxy is configured, also set",
        "`NO_PROXY=localhost,127.0.0.1,::1`. Cursor calls models from its own servers and cannot reach an address on this machine.",
        "",
        "| client | setting |",
        "|---|---|",
        *recipes,
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
