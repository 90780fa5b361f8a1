"""Install the clients people use under build/clients, run their journeys, and write `docs/clients.md`: `make clients`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

from tools.client_list import CLIENTS, Client

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "clients"
PAGE = ROOT / "docs" / "clients.md"
TESTS = ("tests/journeys/test_coding_agents.py", "tests/journeys/test_python_clients.py", "tests/journeys/test_node.py")
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
    install()
    report = FOLDER / "results.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-rs", f"--junitxml={report}", "-o", "junit_family=xunit1", *TESTS]
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, "CONDUIT_CLIENTS": str(FOLDER)}, check=False).returncode
    table = rows(read(report))
    PAGE.write_text(page(table), encoding="utf-8")
    sys.stdout.write("\n".join(table) + "\n")
    return code


def install() -> None:
    """Node's clients side by side, Python's in their environments; without npm, only Python's."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, list[str]] = defaultdict(list)
    for client in CLIENTS:
        wanted[client.home] += client.requirements
    packages = wanted.pop("npm")
    if npm := shutil.which("npm"):
        (FOLDER / "package.json").write_text('{"name": "clients", "private": true}\n')
        subprocess.run([npm, "install", "--no-audit", "--no-fund", "--loglevel=error", *packages], cwd=FOLDER, check=True)
    else:
        sys.stderr.write("npm is not installed; Node's clients need Node 20 or newer, and are skipped.\n")
    for name, requirements in wanted.items():
        if not (FOLDER / name / "bin" / "python").exists():
            venv.create(FOLDER / name, with_pip=True)
        subprocess.run([_python(name), "-m", "pip", "install", "--quiet", *requirements], check=True)


def read(report: Path) -> Results:
    """What became of each client's journeys, to each vendor."""
    found: Results = defaultdict(set)
    for case in ET.parse(report).getroot().iter("testcase"):
        client = next((each.get("value") for each in case.iter("property") if each.get("name") == "client"), None)
        alias = next((each for each in VENDORS if each in (case.get("name") or "")), None)
        if client and alias:
            outcome = next((tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None), "pass")
            found[client, alias].add(outcome)
    return found


def rows(results: Results) -> list[str]:
    """The table, in Markdown."""
    lines = [f"| client | version | calls | {' | '.join(VENDORS.values())} |", "|---" * (3 + len(VENDORS)) + "|"]
    for client in CLIENTS:
        cells = [_verdict(results.get((client.name, alias), set())) for alias in VENDORS]
        lines.append(f"| {client.name} | {version(client)} | {client.calls} | {' | '.join(cells)} |")
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
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([_python(client.home), "-c", code], capture_output=True, text=True, check=False).stdout.strip() or "–"


def _python(home: str) -> str:
    return str(FOLDER / home / "bin" / "python")


def page(table: list[str]) -> str:
    """The page of the docs."""
    recipes = [f"| {client.name} | {client.recipe} |" for client in CLIENTS]
    return "\n".join([
        "# Clients, and what to set",
        "",
        "Made by `make clients`, which installs each client, runs it headless, and gives it a task for one of its own tools:",
        "it sends the request, gets a tool call, runs the tool, sends the result and prints the answer. The upstream is a scripted",
        "vendor in OpenAI's, Anthropic's or Gemini's format: one column each. Nothing leaves the machine.",
        "",
        *table,
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
