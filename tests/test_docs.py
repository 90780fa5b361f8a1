"""The papers for developers name files and identifiers that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAPERS = ("docs/architecture.md", "docs/adding.md", "CONTRIBUTING.md", "README.md")
EXAMPLES = re.compile(r"acme|pages.teams|teams/|max_streams|vX\.Y\.Z|^_[a-z]{1,4}$", re.IGNORECASE)
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


TREE = (ROOT / "docs/architecture.md").read_text("utf-8").partition("\nconduit_desktop/\n")[2].partition("\nresources/")[0]
ONE_FOR_EACH = re.compile(r"one (file|package) for each|what one dialect alone has|a file of rules for each")
"""Packages of which the tree names the files that are read first, and what the others have in common."""


def test_the_tree_names_every_package_and_every_file_of_the_program() -> None:
    folder, files = "", {"": ""}
    for line in TREE.splitlines():
        if found := re.match(r" {2}(?: {2}(\w+)/ )?(?:(\w+)/ )?", line):
            inner, outer = found.groups()
            folder = f"{folder.partition('/')[0]}/{inner}" if inner else outer or folder
        files[folder] = files.get(folder, "") + line
    package = ROOT / "conduit_desktop"
    missing = []
    for module in sorted(package.rglob("*.py")):
        at = module.parent.relative_to(package).as_posix()
        listed = files.get("" if at == "." else at)
        if module.name == "__init__.py":
            missing += [at] if f"{module.parent.name}/" not in TREE and not at.startswith("gui/pages/") and at != "." else []
        elif listed is not None and not ONE_FOR_EACH.search(listed) and not re.search(rf"\b{module.stem}\b", listed):
            missing.append(module.relative_to(package).as_posix())
    assert missing == []


def test_the_tree_names_no_file_that_does_not_exist() -> None:
    text = re.sub(r"\([^()]*\)", "", TREE)
    named = [one.strip() for one in re.split(r"[,;:\n]|  +", text)]
    known = {path.stem for path in (ROOT / "conduit_desktop").rglob("*") if path.suffix in ("", ".py")}
    assert {one.strip("/").removesuffix(".py") for one in named if re.fullmatch(r"\w+(\.py|/)?", one)} - known == set()


IMPORT = re.compile(r"^ *from ((?:conduit_desktop|tests)[\w.]*) import (.+)$", re.MULTILINE)
IMPORTED = {
    (module, name)
    for paper in PAPERS
    for module, names in IMPORT.findall((ROOT / paper).read_text("utf-8"))
    for name in names.split(", ")
    if not EXAMPLES.search(f"{module}.{name}")
}


@pytest.mark.parametrize(("module", "name"), sorted(IMPORTED))
def test_what_the_code_of_a_recipe_imports_exists(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)
