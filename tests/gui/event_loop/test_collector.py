"""Garbage is collected on the window's thread alone."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from conduit_desktop.gui.event_loop.collector import LoopCollector, collect_due


class Cycle:
    """An object that only the garbage collector can free."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture
def collector() -> Iterator[LoopCollector]:
    made = LoopCollector()
    yield made
    made.close()


def allocate(count: int) -> list[list[int]]:
    return [[number] for number in range(count)]


def test_a_thread_that_allocates_collects_nothing(collector: LoopCollector):
    gc.collect()
    cycle = weakref.ref(Cycle())
    thread = threading.Thread(target=allocate, args=(gc.get_threshold()[0] * 3,))
    thread.start()
    thread.join()
    assert cycle() is not None


def test_what_is_due_is_collected_on_the_thread_of_the_timer(collector: LoopCollector):
    gc.collect()
    cycle = weakref.ref(Cycle())
    held = allocate(gc.get_threshold()[0] + 100)
    collect_due()
    assert held
    assert cycle() is None


def test_nothing_is_collected_before_it_is_due(collector: LoopCollector, monkeypatch: pytest.MonkeyPatch):
    collected: list[int] = []
    gc.collect()
    monkeypatch.setattr(gc, "collect", collected.append)
    collect_due()
    assert collected == []


@pytest.mark.parametrize(
    ("counts", "generation"),
    [
        ((1, 0, 0), None),
        ((701, 0, 0), 0),
        ((701, 11, 0), 1),
        ((701, 11, 11), 2),
        ((1, 11, 11), None),
        ((701, 1, 11), 0),
    ],
)
def test_an_older_generation_is_collected_only_with_the_younger_ones(
    counts: tuple[int, int, int], generation: int | None, monkeypatch: pytest.MonkeyPatch
):
    collected: list[int] = []
    monkeypatch.setattr(gc, "get_count", lambda: counts)
    monkeypatch.setattr(gc, "get_threshold", lambda: (700, 10, 10))
    monkeypatch.setattr(gc, "collect", collected.append)
    collect_due()
    assert collected == ([] if generation is None else [generation])


def test_python_collects_again_once_it_is_closed():
    before = gc.isenabled()
    gc.enable()
    try:
        made = LoopCollector()
        assert not gc.isenabled()
        made.close()
        assert gc.isenabled()
    finally:
        gc.enable() if before else gc.disable()
