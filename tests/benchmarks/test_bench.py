"""The bench's own parts: what they count and how they read their clocks."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

import orjson
import pytest

from benchmarks import load as loading
from benchmarks.bench import Bench, Row
from benchmarks.report import cells, document
from benchmarks.streams import streams
from benchmarks.subjects import Process, Subject, module, start


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    log: Path = tmp_path_factory.mktemp("bench") / "log"
    process = start(module("benchmarks.upstream", "--frames", "8", "--every-ms", "5"), log)
    yield process
    process.stop()


@pytest.mark.parametrize(("dialect", "field"), [("chat", "choices"), ("messages", "content")])
def test_the_upstream_answers_in_both_dialects_with_usage(upstream: Process, dialect, field):
    subject = Subject("direct", upstream.address)
    request = urllib.request.Request(subject.url(dialect), subject.body(dialect), subject.all_headers(dialect))
    with urllib.request.urlopen(request, timeout=5) as answer:
        raw = answer.read()
    assert {field, "usage"} <= orjson.loads(raw).keys()
    assert 400 < len(raw) < 800


@pytest.mark.parametrize("dialect", ["chat", "messages"])
def test_every_frame_of_every_stream_is_timed(upstream: Process, dialect):
    subject = Subject("direct", upstream.address)
    seen = streams(subject.url(dialect), subject.body(dialect, stream=True), subject.all_headers(dialect), 3)
    assert (seen.streams, seen.frames, seen.broken) == (3, 24, 0)
    assert 0 <= seen.p50_ms <= seen.max_ms < 5000


def test_the_small_client_loads_where_there_is_no_wrk(upstream: Process, monkeypatch):
    monkeypatch.setattr(loading, "WRK", None)
    subject = Subject("direct", upstream.address)
    seen = loading.load(subject.url(), subject.body(), subject.all_headers(), connections=2, seconds=0.2)
    assert seen.requests > 2
    assert seen.errors == 0
    assert 0 < seen.p50_ms <= seen.p99_ms <= seen.max_ms


def test_a_subjects_memory_is_that_of_its_process(upstream: Process):
    assert 5 < upstream.memory_mb < 500


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="processor time is read from the scheduler of Linux")
def test_a_subjects_processor_time_grows_with_its_calls_and_stays_below_the_time_that_passes(upstream: Process, monkeypatch):
    monkeypatch.setattr(loading, "WRK", None)
    subject = Subject("direct", upstream.address, process=upstream)
    before, began = upstream.cpu_s, time.monotonic()
    seen = loading.load(subject.url(), subject.body(), subject.all_headers(), connections=1, seconds=0.2)
    used, passed = upstream.cpu_s - before, time.monotonic() - began
    assert 0 < used < passed, "the upstream has one thread"
    assert used / seen.requests > 1e-6, "no Python server answers a call in a microsecond"


def test_a_program_that_does_not_listen_is_an_error_with_its_output(tmp_path):
    with pytest.raises(RuntimeError, match="unrecognized arguments"):
        start(module("benchmarks.upstream", "--nonsense"), tmp_path / "log")


def test_a_row_says_its_median_and_whether_it_is_enough():
    row = Row("throughput", "Conduit", (3000.0, 5000.0, 4000.0), "/s", 0.5, "3,000/s", True)
    assert cells(row) == ("throughput", "Conduit", "4,000 /s", "3,000 – 5,000", "50%", "3,000/s", "yes")
    assert cells(Row("streams", "Portkey", (), "ms"))[2] == "fails"


def test_the_document_holds_every_row(tmp_path):
    page = document(
        [Row("start", "Conduit", (0.5,), "s", met=False, note="cold")], Bench(tmp_path, 1, 1, True), "python -m benchmarks"
    )
    assert "| start | Conduit | 0.50 s |" in page
    assert "**no**" in page
    assert "- start, Conduit: cold." in page
    assert str(tmp_path) not in page
