"""Mutation tests of the enforcement code: makes one small change at a time and expects the tests of that file to fail.

python -m tools.mutants [--only PATH] [--list] [--sample N --seed S] [--workers N] [--at-least PERCENT]

A mutant changes bytes at one place of one file, in a private copy of the tree. It is killed when a test fails, the import
fails or the time is up. One traced run of the tests comes first: it shows which tests execute which line, so that a mutant
runs those tests only, and a mutant on a line that no test executes survives at once ("not covered"). Needs `os.fork`.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import importlib
import itertools
import os
import pickle
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tools.mutation_operators import Mutant, Source

# A source file or folder -> test files or folders that test it, besides those that mirror it: for a/b/name.py in the package
# these are tests/a/b/test_name.py, test_name_*.py, and the same names in tests/a. The entry of a folder holds for its files.
TARGETS: dict[str, tuple[str, ...]] = {
    "conduit_desktop/gateway/admission": (
        "tests/gateway/admission", "tests/gateway/test_gateway.py", "tests/gateway/test_budgets_in_flight.py",
    ),
    "conduit_desktop/gateway/admission/access.py": ("tests/server/test_client_api.py",),
    "conduit_desktop/gateway/admission/failed_logins.py": ("tests/server/test_client_api.py",),
    "conduit_desktop/gateway/health": (
        "tests/gateway/health", "tests/gateway/upstream/test_failover_credentials.py", "tests/actions/test_health.py",
    ),
    "conduit_desktop/server/middleware.py": ("tests/server/test_client_api.py", "tests/server/test_gemini.py"),
    "conduit_desktop/server/identity.py": ("tests/server/test_client_identity.py",),
    "conduit_desktop/server/large_bodies.py": (),
    "conduit_desktop/server/unpacking.py": ("tests/server/test_media.py", "tests/server/test_protocol.py"),
    "conduit_desktop/server/descriptors.py": ("tests/server/test_http_server.py",),
    "conduit_desktop/server/request_fields.py": ("tests/server/test_client_api.py", "tests/server/test_media.py"),
    "conduit_desktop/server/admin/access.py": ("tests/server/admin/test_admin.py", "tests/server/admin/test_failed_logins.py"),
    "conduit_desktop/actions": ("tests/actions", "tests/server/admin/test_admin.py", "tests/server/admin/test_clients.py"),
}  # fmt: skip
EQUIVALENT = "tools/mutants_equivalent.txt"
"""Mutants that change nothing a test could see, one a line: `path:qualified.function:operator:source line — reason`."""

ROOT = Path(__file__).resolve().parent.parent
NOT_COPIED = (".*", "__pycache__", "node_modules", "build", "dist")
START_S, SLOWER, MEMORY_BYTES = 20.0, 5.0, 4 << 30
"""A mutant may take START_S seconds and SLOWER times what its tests took before, and use MEMORY_BYTES."""
TESTS_S = 20.0
"""Of the tests that execute a line, the fastest run, up to this many seconds: a rule has its test at a low layer."""
NO_RUN = 70
"""Exit code of a child that did not come to run pytest."""
KILLED = ("killed", "time-out")


class Tracer:
    """The pytest plugin of the first run: which tests execute which line of the targets, and how long each test takes."""

    def __init__(self, tree: Path, paths: Sequence[str]) -> None:
        self._paths = {str(tree / path): path for path in paths}
        self._test = ""  # while modules are imported
        self.lines: dict[str, dict[int, set[str]]] = {path: defaultdict(set) for path in paths}
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()
        self.left_out: set[str] = set()  # failed or skipped

    def trace(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any] | None:
        """For `sys.settrace`."""
        path = self._paths.get(frame.f_code.co_filename)
        if path is None:
            return None
        lines = self.lines[path]

        def local(frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
            if event == "line":
                lines[frame.f_lineno].add(self._test)
            return local

        return local

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        # A result that an earlier test left in a cache would hide the lines that make it.
        for module in [one for one in sys.modules.values() if getattr(one, "__file__", None) in self._paths]:
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()
        self._test = item.nodeid
        result = yield
        self._test = ""
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.outcome != "passed":
            self.left_out.add(report.nodeid)
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)

    def result(self) -> dict[str, Any]:
        """What the parent process needs; `modules` are those of other projects, to import before the next fork."""
        ours = {"tests", "tools", "benchmarks", "conftest", "__main__", *(path.partition("/")[0] for path in self.lines)}
        return {
            "lines": {path: dict(lines) for path, lines in self.lines.items()},
            "seconds": {test: seconds for test, seconds in self.seconds.items() if test not in self.left_out},
            "failed": sorted(self.failed),
            "modules": [name for name in sys.modules if name.partition(".")[0] not in ours],
        }


class Chosen:
    """The pytest plugin of a mutant's run: only these tests, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._order = {test: number for number, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((one for one in items if one.nodeid in self._order), key=lambda one: self._order[one.nodeid])


def fork(tree: Path, run: Callable[[list[str]], int]) -> int:
    """Starts `run` with pytest's options in a child process that sees only `tree`; gives the process's id."""
    child = os.fork()
    if child:
        return child
    code = NO_RUN
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        os.chdir(tree)
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        sys.path[:] = [str(tree), *(one for one in sys.path if one and Path(one).resolve() != ROOT)]
        folder = tree.with_name(f"{tree.name}-tmp")
        folder.mkdir(exist_ok=True)
        os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}
        tempfile.tempdir = None
        code = 1  # also where the mutant ends pytest itself
        code = run(["-q", "-p", "no:randomly", "--assert=plain", f"--rootdir={tree}", f"--basetemp={folder / 'pytest'}"])
    finally:
        os._exit(code)


def traced_run(tree: Path, paths: Sequence[str], tests: Sequence[str]) -> dict[str, Any]:
    """The result of the Tracer in a run of `tests` on the unchanged tree; also leaves the compiled modules in it."""
    report = tree.with_name("traced")

    def run(options: list[str]) -> int:
        tracer = Tracer(tree, paths)
        threading.settrace(tracer.trace)
        sys.settrace(tracer.trace)
        code = pytest.main([*options, *tests], plugins=[tracer])
        sys.settrace(None)
        report.write_bytes(pickle.dumps(tracer.result()))
        return code

    child = fork(tree, run)
    try:
        _, status = os.waitpid(child, 0)
    finally:
        _kill(child)
    if not report.is_file():
        raise SystemExit(f"the tests cannot be run: {os.waitstatus_to_exitcode(status)}")
    found: dict[str, Any] = pickle.loads(report.read_bytes())
    if not found["seconds"]:
        raise SystemExit(f"no test passes without a mutant: {', '.join(tests) or 'there are none'}")
    return found


def judge(mutants: Sequence[Mutant], tests: Sequence[list[str]], seconds: Mapping[str, float], trees: list[Path]) -> list[str]:
    """For each mutant `killed`, `time-out`, `survived` or `not covered`; one runs in each of the trees at a time."""
    verdicts, running = [""] * len(mutants), dict[int, tuple[int, Path, float]]()
    waiting, free = list(range(len(mutants)))[::-1], list(trees)
    try:
        while waiting or running:
            while waiting and free:
                number = waiting.pop()
                chosen = _fastest(tests[number], seconds)
                if not chosen:
                    verdicts[number] = "not covered"
                    continue
                tree = free.pop()
                (tree / mutants[number].path).write_bytes(mutants[number].data)
                deadline = time.monotonic() + START_S + SLOWER * sum(seconds[test] for test in chosen)
                running[fork(tree, functools.partial(_run_chosen, chosen))] = number, tree, deadline
            for child, (number, tree, deadline) in list(running.items()):
                late = time.monotonic() > deadline
                if late:
                    _kill(child)
                done, status = os.waitpid(child, 0 if late else os.WNOHANG)
                if done:
                    del running[child]
                    _kill(child)  # what its tests may have started
                    code = os.waitstatus_to_exitcode(status)
                    if code == NO_RUN:
                        raise SystemExit("a worker could not start")
                    # 5: no test was collected, so none has failed.
                    verdicts[number] = "time-out" if late else "survived" if code in (0, 5) else "killed"
                    shutil.copy2(trees[0].with_name("tree") / mutants[number].path, tree / mutants[number].path)
                    free.append(tree)
            time.sleep(0.01)
    finally:
        for child in running:
            _kill(child)
    return verdicts


def _run_chosen(tests: list[str], options: list[str]) -> int:
    sys.dont_write_bytecode = True
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    return pytest.main([*options, "-x", *files], plugins=[Chosen(tests)])


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def files(root: Path, only: Sequence[str]) -> dict[str, list[str]]:
    """The source files, with the files of their tests. `only`: paths of files or folders, also of some that are no targets."""
    found: dict[str, list[str]] = {}
    for name in only or TARGETS:
        place = root / name
        if not place.exists():
            raise SystemExit(f"{name} does not exist")
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            source = path.relative_to(root)
            tests = mirrors(root, source)
            for target, extra in TARGETS.items():
                if source.is_relative_to(target):
                    tests += [test for one in extra for test in _test_files(root / one)]
            found[source.as_posix()] = list(dict.fromkeys(test.relative_to(root).as_posix() for test in tests))
    return found


def mirrors(root: Path, source: Path) -> list[Path]:
    """tests/a/b/test_name.py and test_name_*.py for a/b/name.py of the package, and the same in the folders above."""
    folders = [root.joinpath("tests", *source.parts[1:end]) for end in range(len(source.parts) - 1, 1, -1)]
    names = (f"test_{source.stem}.py", f"test_{source.stem}_*.py")
    return [test for folder in folders for name in names for test in sorted(folder.glob(name))]


def _test_files(place: Path) -> list[Path]:
    return sorted(place.rglob("test_*.py")) if place.is_dir() else [place] if place.is_file() else []


def equivalents(root: Path) -> dict[str, str]:
    """Key and reason of the mutants listed in EQUIVALENT; `#` begins a comment line."""
    if not (root / EQUIVALENT).is_file():
        return {}
    lines = (root / EQUIVALENT).read_text(encoding="utf-8").splitlines()
    pairs = [line.rpartition(" — ") for line in lines if line.strip() and not line.startswith("#")]
    if bad := [reason for key, _, reason in pairs if not key]:
        raise SystemExit(f"{EQUIVALENT}: no reason in: {bad[0]}")
    return {key.strip(): reason for key, _, reason in pairs}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and report; 1 where too many survive or a test fails without any mutant."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", default=[], metavar="PATH", help="a file or folder; may be given again")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--at-least", type=float, default=85.0, metavar="PERCENT")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree with the sources and tests")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the children, too
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        # Everything is read from the copy: the working tree may change meanwhile.
        tree = Path(folder).resolve() / "tree"
        shutil.copytree(given.root, tree, ignore=shutil.ignore_patterns(*NOT_COPIED))
        sources, same = files(tree, given.only), equivalents(tree)
        every = [mutant for path in sources for mutant in Source(path, (tree / path).read_bytes()).mutants()]
        keys = {mutant.key for mutant in every}
        for key in same:
            if key.partition(":")[0] in sources and key not in keys:
                print(f"{EQUIVALENT} lists what is no mutant (any more): {key}")
        if given.sample is not None:
            every = random.Random(given.seed).sample(every, min(given.sample, len(every)))
        if given.list:
            print("\n".join(mutant.key for mutant in every))
            return 0
        return report(tree, sources, every, same, given.workers, given.at_least)


def report(
    tree: Path, sources: Mapping[str, list[str]], every: list[Mutant], same: Mapping[str, str], workers: int, at_least: float
) -> int:
    """Judge the mutants and print the outcome of each file; gives the exit code."""
    traced = traced_run(tree, list(sources), sorted({test for tests in sources.values() for test in tests}))
    for test in traced["failed"]:
        print(f"left out, fails without a mutant: {test}")
    trees = worker_trees(tree, list(sources), workers)
    for name in traced["modules"]:  # once, not in every child
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.freeze()
    seconds: dict[str, float] = traced["seconds"]
    killed = total = 0
    passed: set[tuple[str, ...]] = set()
    """The tests that passed in a worker without a mutant."""
    for path, test_files in sources.items():
        began = time.monotonic()
        mapped = [test for test in sorted(seconds, key=seconds.__getitem__) if test.partition("::")[0] in test_files]
        ours = [mutant for mutant in every if mutant.path == path]
        counted = [mutant for mutant in ours if mutant.key not in same]
        if counted and mapped and (first := tuple(_fastest(mapped, seconds))) not in passed:
            passed.add(first)  # files of a folder mostly share their tests
            unchanged = replace(counted[0], data=(tree / path).read_bytes())
            if judge([unchanged], [mapped], seconds, trees[:1]) != ["survived"]:
                raise SystemExit(f"{path}: its tests fail in a worker without a mutant")
        verdicts = judge(counted, [_tests_of(mutant, traced["lines"][path], mapped) for mutant in counted], seconds, trees)
        dead = sum(verdict in KILLED for verdict in verdicts)
        killed, total = killed + dead, total + len(counted)
        late, equal = verdicts.count("time-out"), len(ours) - len(counted)
        print(f"{path}: killed {dead} of {len(counted)} ({late} by time-out, {equal} equivalent), {time.monotonic() - began:.0f} s")
        for mutant, verdict in zip(counted, verdicts, strict=True):
            if verdict not in KILLED:
                print(f"  {path}:{mutant.line} {verdict}, {mutant.operator}, in {mutant.function}")
                print(f"    - {mutant.before}\n    + {mutant.after}")
        for mutant in ours:
            if mutant.key in same:
                print(f"  {path}:{mutant.line} equivalent, {mutant.operator}: {same[mutant.key]}")
        sys.stdout.flush()
    percent = 100 * killed / total if total else 100.0
    print(f"killed {killed} of {total} ({percent:.0f} %)")
    return int(percent < at_least or bool(traced["failed"]))


def worker_trees(tree: Path, paths: Sequence[str], workers: int) -> list[Path]:
    """A copy of `tree` for each worker."""
    trees = [tree.with_name(str(number)) for number in range(workers)]
    for copy in trees:
        shutil.copytree(tree, copy)
        for path in paths:  # Python takes a compiled file for current by its source's time and size: a mutant's may be the same
            for compiled in (copy / path).parent.glob(f"__pycache__/{Path(path).stem}.*.pyc"):
                compiled.unlink()
    return trees


def _tests_of(mutant: Mutant, executed: Mapping[int, set[str]], mapped: list[str]) -> list[str]:
    tests = set[str]().union(*(executed.get(line, set()) for line in mutant.lines))
    # What runs at import may matter to every test.
    return mapped if "" in tests else [test for test in mapped if test in tests]


def _fastest(tests: list[str], seconds: Mapping[str, float]) -> list[str]:
    """The first of `tests`, which are in the order of their time, up to TESTS_S in all; at least one."""
    sums = itertools.accumulate(seconds[test] for test in tests)
    return [test for number, (test, total) in enumerate(zip(tests, sums, strict=True)) if number == 0 or total <= TESTS_S]


if __name__ == "__main__":
    sys.exit(main())
