"""The papers for developers name files and identifiers that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAPERS = ("docs/architecture.md", "docs/adding.md", "CONTRIBUTING.md", "README.md")
EXAMPLES = re.compile(r"acme|ip_rules|max_streams|vX\.Y\.Z|^_[a-z]{1,4}$", re.IGNORECASE)
"""Names that a recipe makes up for its reader to create, and endings of names (`_s`)."""
NOT_OURS = {"openapi.json", "conduit.toml"}
SOURCES = [
    path
    for folder in ("conduit_desktop", "tests", "tools", "benchmarks", "resources", "docs")
    for path in (ROOT / folder).rglob("*")
]
PATHS = [*(path.relative_to(ROOT).as_posix() for path in SOURCES), *(path.name for path in ROOT.iterdir())]
NAMES = {name for path in SOURCES if path.suffix == ".py" for name in re.findall(r"[A-Za-z_]\w*", path.read_text("utf-8"))}


def quoted(paper: str) -> list[str]:
    """What stands in backticks outside code blocks, without the examples."""
    text = re.sub(r"```.*?```", "", (ROOT / paper).read_text("utf-8"), flags=re.DOTALL)
    return [one for one in re.findall(r"`([^`\n]+)`", text) if not EXAMPLES.search(one)]


@pytest.mark.parametrize("paper", PAPERS)
def test_a_file_that_a_paper_names_exists(paper: str) -> None:
    named = {one for one in quoted(paper) if re.fullmatch(r"[\w./-]+\.(py|md|toml|json|jsonl|txt|sh|spec|html)", one)}
    missing = {one for one in named if one.strip("/") not in NOT_OURS and not any(f"/{path}".endswith(f"/{one}") for path in PATHS)}
    assert not {one for one in missing if not (ROOT / one).exists()}


@pytest.mark.parametrize("paper", PAPERS)
def test_an_identifier_that_a_paper_names_is_in_the_code(paper: str) -> None:
    named = {one for one in quoted(paper) if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(\))?", one)}
    unknown = {one for one in named for part in re.findall(r"[A-Za-z_]\w+", one) if part not in NAMES}
    assert not {one for one in unknown if not re.search(r"\.(py|md|toml|json|jsonl|txt|sh|spec|html)$", one)}
