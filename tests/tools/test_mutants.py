"""The mutation tester reports a survivor where no test covers a rule, and none where one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

SOURCE = '''"""A limit."""

def check(used: int, limit: int | None) -> None:
    """Raises ValueError over the limit."""
    if limit is None:
        return
    if used >= limit:
        raise ValueError(f"{used + 1} is over {limit}")
'''
COMPLETE = """
import pytest
from app.gateway.admission.limits import check

def test_no_limit():
    check(5, None)

def test_below():
    check(4, 5)

def test_at_the_limit():
    with pytest.raises(ValueError):
        check(5, 5)
"""
WITHOUT_THE_REFUSAL = """
from app.gateway.admission.limits import check

def test_no_limit():
    check(5, None)

def test_below():
    check(4, 5)
"""


def run(root: Path, tests: str, *options: str, source: str = SOURCE) -> tuple[int, list[str]]:
    """The exit code and the lines printed for one source file with these tests."""
    for name, text in {"app/gateway/admission/limits.py": source, "tests/gateway/admission/test_limits.py": tests}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "tools.mutants", "--root", str(root), "--only", "app/gateway/admission/limits.py", *options]
    # The plugins of pytest that are installed take seconds to import, and these tests need none.
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


def survivors(lines: list[str]) -> list[str]:
    return [line.strip() for line in lines if " survived, " in line or " not covered, " in line]


def test_no_mutant_survives_where_each_rule_has_a_test(tmp_path: Path) -> None:
    code, lines = run(tmp_path, COMPLETE)
    assert survivors(lines) == []
    assert lines[-1] == "killed 7 of 7 (100 %)"
    assert code == 0
    assert (tmp_path / "app/gateway/admission/limits.py").read_text(encoding="utf-8") == SOURCE


def test_mutants_of_a_rule_without_a_test_survive(tmp_path: Path) -> None:
    code, lines = run(tmp_path, WITHOUT_THE_REFUSAL)
    assert survivors(lines) == [
        "app/gateway/admission/limits.py:5 survived, if to True, in check",
        "app/gateway/admission/limits.py:7 survived, if to False, in check",
        "app/gateway/admission/limits.py:7 survived, >= to >, in check",
        "app/gateway/admission/limits.py:8 not covered, raise removed, in check",
    ]
    assert lines[lines.index("  app/gateway/admission/limits.py:7 survived, >= to >, in check") + 1 :][:2] == [
        "    - if used >= limit:",
        "    + if used > limit:",
    ]
    assert lines[-1] == "killed 3 of 7 (43 %)"
    assert code == 1


def test_an_equivalent_mutant_is_not_counted_and_a_stale_entry_is_named(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/mutants_equivalent.txt").write_text(
        "# a comment\n"
        "app/gateway/admission/limits.py:check:>= to >:if used >= limit: — never equal\n"
        "app/gateway/admission/limits.py:check:< to <=:if used < limit: — gone\n",
        encoding="utf-8",
    )
    code, lines = run(tmp_path, WITHOUT_THE_REFUSAL, "--at-least", "50")
    assert "  app/gateway/admission/limits.py:7 equivalent, >= to >: never equal" in lines
    assert lines[0].endswith("lists what is no mutant (any more): app/gateway/admission/limits.py:check:< to <=:if used < limit:")
    assert lines[-1] == "killed 3 of 6 (50 %)"
    assert code == 0


def test_a_mutant_that_ends_the_process_is_killed_and_a_failing_test_is_left_out(tmp_path: Path) -> None:
    source = "import os\n\ndef check(known: bool) -> bool:\n    if not known:\n        os._exit(9)\n    return True\n"
    tests = (
        "from app.gateway.admission.limits import check\n\ndef test_known():\n    assert check(True)\n\n"
        "def test_wrong():\n    assert 0\n"
    )
    code, lines = run(tmp_path, tests, source=source)
    assert lines[0] == "left out, fails without a mutant: tests/gateway/admission/test_limits.py::test_wrong"
    assert survivors(lines) == [
        "app/gateway/admission/limits.py:5 not covered, call removed, in check",
        "app/gateway/admission/limits.py:5 not covered, 9 to 10, in check",
        "app/gateway/admission/limits.py:5 not covered, 9 to 8, in check",
    ]
    assert lines[-1] == "killed 2 of 5 (40 %)"
    assert code == 1


def test_every_operator_changes_its_own_bytes_alone() -> None:
    from tools.mutation_operators import Source

    source = (
        "def f(a, b):  # not é in a\n"
        "    if (a) is not (b) or a in b:\n"
        "        return False\n"
        "    g(min(a, -b) + 1)\n"
        "    a -= 2\n"
        "    log.info('é', 3)\n"
        "    raise KeyError(f'{a + 1}')\n"
    )
    found = {(mutant.line, mutant.operator): mutant.after for mutant in Source("f.py", source.encode()).mutants()}
    assert found == {
        (2, "if to False"): "if False:",
        (2, "if to True"): "if True:",
        (2, "or to and"): "if (a) is not (b) and a in b:",
        (2, "is not to is"): "if (a) is (b) or a in b:",
        (2, "in to not in"): "if (a) is not (b) or a not in b:",
        (3, "return False to True"): "return True",
        (4, "call removed"): "pass",
        (4, "+ to -"): "g(min(a, -b) - 1)",
        (4, "min to max"): "g(max(a, -b) + 1)",
        (4, "1 to 2"): "g(min(a, -b) + 2)",
        (4, "1 to 0"): "g(min(a, -b) + 0)",
        (5, "-= to +="): "a += 2",
        (5, "2 to 3"): "a -= 3",
        (5, "2 to 1"): "a -= 1",
        (7, "raise removed"): "pass",
    }


def test_every_target_and_its_tests_exist() -> None:
    pytest.importorskip("resource")
    from tools import mutants

    missing = [name for target, tests in mutants.TARGETS.items() for name in (target, *tests) if not (ROOT / name).exists()]
    assert missing == []
    assert all(mutants.files(ROOT, ()).values()), "a target without any test"


@pytest.mark.parametrize("folder", ["conduit_desktop/gateway/admission", "conduit_desktop/gateway/health"])
def test_every_file_of_an_enforcing_folder_is_a_target_with_every_test_of_that_folder(folder: str) -> None:
    pytest.importorskip("resource")
    from tools import mutants

    targets = mutants.files(ROOT, ())
    sources = [path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")]
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder.replace("conduit_desktop", "tests")).rglob("test_*.py")}
    assert sources
    assert tests
    assert [path for path in sources if not tests <= set(targets.get(path, ()))] == []
