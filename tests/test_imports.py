"""Rules of imports that import-linter's contracts cannot express: dialects, import cycles, and the folders outside the package."""

from __future__ import annotations

import ast
from pathlib import Path

import grimp
import pytest

DIALECTS = ("anthropic", "bedrock", "cohere", "gemini", "ollama", "openai_chat", "openai_responses", "replicate")
OPENAI_FAMILY = "openai_chat"
"""Its schema is the one other vendors copy, so its parts may be used by every dialect."""
KNOWN = {("conduit_desktop.wire.openai_chat.sagemaker", "conduit_desktop.wire.bedrock.errors")}
"""Amazon SageMaker answers in OpenAI's schema and fails in Amazon's."""
WITHOUT_CYCLES = ("conduit_desktop.actions", "conduit_desktop.cli", "conduit_desktop.store", "conduit_desktop.server.admin")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("conduit_desktop", cache_dir=None, exclude_type_checking_imports=True)


def test_a_dialect_imports_no_other_dialect_but_the_openai_family(graph: grimp.ImportGraph) -> None:
    found = set()
    for dialect in DIALECTS:
        package = f"conduit_desktop.wire.{dialect}"
        for module in {package, *graph.find_descendants(package)}:
            for imported in graph.find_modules_directly_imported_by(module):
                other = next((one for one in DIALECTS if f"{imported}.".startswith(f"conduit_desktop.wire.{one}.")), dialect)
                if other not in (dialect, OPENAI_FAMILY):
                    found.add((module, imported))
    assert found <= KNOWN


@pytest.mark.parametrize("package", WITHOUT_CYCLES)
def test_no_modules_of_a_package_import_each_other_in_a_circle(graph: grimp.ImportGraph, package: str) -> None:
    modules = {package, *graph.find_descendants(package)}
    rest = {module: graph.find_modules_directly_imported_by(module) & modules - {module} for module in modules}
    while free := {module for module, imports in rest.items() if not imports}:
        rest = {module: imports - free for module, imports in rest.items() if module not in free}
    assert rest == {}


@pytest.mark.parametrize("folder", ["tools", "benchmarks"])
def test_tools_and_benchmarks_do_not_import_tests(folder: str) -> None:
    """They run without pytest and its plugins; tests may import them."""
    files = sorted((Path(__file__).parents[1] / folder).rglob("*.py"))
    assert files
    assert [(path.name, name) for path in files for name in imported_names(path) if name.partition(".")[0] == "tests"] == []


def imported_names(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names
