"""The comparison of two revisions: its arithmetic, its worktrees, and which source a side runs."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import __main__ as program
from benchmarks import compare as comparing
from benchmarks import load as loading
from benchmarks.bench import PROXY, Bench
from benchmarks.compare import Comparison, cells, checkout, compare, imported_from, show_comparison, snapshot
from benchmarks.load import Load
from benchmarks.subjects import ROOT, Subject

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def rates(base, head, proxy=()) -> Comparison:
    return Comparison("throughput", "/s", True, tuple(base), tuple(head), tuple(proxy))


def times(base, head, proxy=()) -> Comparison:
    return Comparison("p50", "ms", False, tuple(base), tuple(head), tuple(proxy))


def test_a_ratio_is_taken_within_each_pair_and_their_median_is_reported():
    # The machine halves its speed in the second pair: within every pair the head has the same 90 %.
    row = rates((4000, 2000, 3000), (3600, 1800, 2700))
    assert row.ratios == pytest.approx((0.9, 0.9, 0.9))
    # The median of the heads by that of the bases would be 1.0 here; the pairs show a slowdown.
    uneven = rates((1000, 2000, 3000), (900, 2700, 2000))
    assert uneven.ratio == pytest.approx(0.9)


def test_a_longer_time_and_a_lower_rate_are_both_ratios_below_one():
    assert times((1.0,), (1.25,)).ratios == pytest.approx((0.8,))
    assert rates((1.0,), (0.8,)).ratios == pytest.approx((0.8,))


@pytest.mark.parametrize(
    ("heads", "verdict"),
    [
        ((95, 95, 95, 95, 95, 95, 95), "slower"),
        ((95, 95, 95, 110, 95, 95, 95), "slower"),
        ((95, 95, 95, 110, 101, 95, 95), "no difference seen"),
        ((98, 98, 98, 98, 98, 98, 98), "no difference seen"),
        ((97, 97, 97, 97, 97, 97, 97), "no difference seen"),
        ((96.9, 96.9, 96.9, 96.9, 99, 99, 99), "slower"),
        ((100, 100, 100, 100, 100, 100, 100), "no difference seen"),
        ((102, 102, 102, 102, 102, 102, 102), "no difference seen"),
        ((105, 105, 105, 90, 105, 105, 105), "faster"),
        ((105, 105, 105, 90, 99, 105, 105), "no difference seen"),
        ((90,), "slower"),
        ((110,), "faster"),
    ],
)
def test_a_verdict_needs_the_threshold_and_all_pairs_but_one_in_its_direction(heads, verdict):
    bases = (100,) * len(heads)
    assert rates(bases, heads).verdict == verdict
    assert times(heads, bases).verdict == verdict


def test_a_share_of_the_bare_proxy_is_the_median_of_the_pairs_shares():
    row = rates((500, 200, 450), (400, 160, 360), proxy=(1000, 400, 1000))
    assert row.of_proxy(row.base) == 0.5
    assert row.of_proxy(row.head) == 0.4
    assert rates((1,), (1,)).of_proxy((1,)) is None


def test_a_row_shows_both_sides_the_spread_of_the_pairs_and_the_drift_of_the_proxy():
    row = rates((500, 200, 450), (400, 160, 405), proxy=(1000, 400, 1000))
    shown = ("450 /s", "400 /s", "0.800", "0.800 – 0.900", "50%, 40%", "1,000 (400 – 1,000)", "slower")
    assert cells(row) == ("throughput", *shown)


@pytest.mark.parametrize(("proxy", "warned"), [((1000, 1250), False), ((1000, 1251), True), ((1251, 1000), True), ((), False)])
def test_a_run_in_which_the_bare_proxy_varies_is_shown_with_a_warning(proxy, warned):
    printed = io.StringIO()
    show_comparison([rates((100, 100), (100, 100), proxy)], Console(file=printed, width=200))
    assert ("The bare proxy itself varied by more than 25% (throughput)" in printed.getvalue()) is warned


@pytest.fixture
def repository(tmp_path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for text in ("old", "new"):
        (folder / "file").write_text(text)
        git(folder, "add", "file")
        git(folder, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", text)
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True).stdout


@needs_git
@pytest.mark.parametrize("error", [None, KeyboardInterrupt, RuntimeError])
def test_the_worktree_is_removed_after_the_run_after_an_error_and_after_ctrl_c(repository, tmp_path, error):
    before = git(repository, "worktree", "list")

    def run() -> None:
        with checkout("HEAD~1", tmp_path / "base", repository) as tree:
            assert (tree / "file").read_text() == "old"
            assert str(tree) in git(repository, "worktree", "list")
            (tree / "bytecode.pyc").write_text("made by the run")
            if error:
                raise error

    if error:
        with pytest.raises(error):
            run()
    else:
        run()
    assert not (tmp_path / "base").exists()
    assert git(repository, "worktree", "list") == before
    assert (repository / "file").read_text() == "new"


@needs_git
def test_an_unknown_revision_is_an_error_that_names_it(repository, tmp_path):
    with pytest.raises(RuntimeError, match="rev-parse"), checkout("nonsense", tmp_path / "base", repository):
        pass
    assert not (tmp_path / "base").exists()


@needs_git
def test_a_snapshot_holds_the_edits_of_the_working_tree_and_no_ignored_file(repository, tmp_path):
    (repository / ".gitignore").write_text("ignored\n")
    (repository / "ignored").write_text("")
    (repository / "folder").mkdir()
    (repository / "folder" / "untracked").write_text("added")
    (repository / "file").write_text("edited")
    tree = snapshot(tmp_path / "head", repository)
    (repository / "file").write_text("edited later")
    assert (tree / "file").read_text() == "edited"
    assert (tree / "folder" / "untracked").read_text() == "added"
    assert not (tree / "ignored").exists()
    (repository / "file").unlink()
    assert not (snapshot(tmp_path / "without", repository) / "file").exists()


def test_a_side_imports_the_source_of_its_own_tree_and_not_the_installed_one(tmp_path):
    package = tmp_path / "conduit_desktop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert imported_from(tmp_path) == package / "__init__.py"
    assert imported_from(ROOT).is_relative_to(ROOT)


def test_a_tree_without_the_package_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="is not imported from"):
        imported_from(tmp_path)


class RecordedBench(Bench):
    """Sends the load of the real bench, for a short time, and notes the order."""

    order: list[tuple[str, int]]

    def load(self, subject: Subject, connections: int, seconds: float | None = None) -> Load:
        if seconds is None:
            self.order.append((subject.name, connections))
        return Bench.load(self, subject, connections, 0.05)


@needs_git
def test_real_gateways_are_measured_in_pairs_of_alternating_order(repository, tmp_path, monkeypatch):
    for name in ("conduit_desktop", "resources"):
        shutil.copytree(ROOT / name, repository / name, ignore=shutil.ignore_patterns("__pycache__"))
    git(repository, "add", ".")
    git(repository, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "the source")
    monkeypatch.setattr(comparing, "checkout", partial(checkout, repository=repository))
    monkeypatch.setattr(comparing, "snapshot", partial(snapshot, repository=repository))
    monkeypatch.setattr(loading, "WRK", None)  # wrk measures for whole seconds
    bench = RecordedBench(tmp_path, rounds=2, seconds=0.05, quick=True)
    bench.order = []
    printed = io.StringIO()
    rate, p50 = compare(bench, "HEAD", None, ["throughput", "latency"], Console(file=printed, width=500))
    forth = [("base", 32), (PROXY, 32), ("head", 32), ("base", 1), (PROXY, 1), ("head", 1)]
    back = [("head", 32), (PROXY, 32), ("base", 32), ("head", 1), (PROXY, 1), ("base", 1)]
    assert bench.order == forth + back
    assert (rate.more_is_better, p50.more_is_better) == (True, False)
    for row in (rate, p50):
        assert [len(side) for side in (row.base, row.head, row.proxy)] == [2, 2, 2]
        assert min(row.base + row.head + row.proxy) > 0
    for side in ("base", "head"):
        assert str(tmp_path / side / "conduit_desktop" / "__init__.py") in printed.getvalue()
    assert not (tmp_path / "base").exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize(
    ("head", "options", "code"), [(100, [], 0), (90, [], 1), (90, ["--allow-slower"], 0), (110, [], 0), (90, ["--quick"], 1)]
)
def test_the_exit_code_is_one_for_a_slower_head_unless_that_is_allowed(monkeypatch, head, options, code):
    seen = []

    def measured(bench, base, revision, names, progress):
        seen.append((bench.rounds, base, revision, tuple(names)))
        return [rates((100,), (100,)), rates((100,), (head,))]

    monkeypatch.setattr(program, "compare", measured)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--compare", "v1", *options])
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as end:
            program.main()
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert end.value.code == code
    assert seen == [(3 if "--quick" in options else 7, "v1", None, ("throughput", "latency", "cpu"))]
