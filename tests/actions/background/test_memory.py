"""Free memory goes back to the system whenever there may be some."""

from __future__ import annotations

import asyncio
import ctypes
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from conduit_desktop.actions.background import memory

MB = 2**20
Trims = Callable[..., Awaitable[list[int]]]


class System:
    """Memory and processor time of a process, as readings that a test gives."""

    def __init__(self, readings: list[tuple[int, float]]) -> None:
        self._readings: Iterator[tuple[int, float]] = iter(readings)
        self._used_s = 0.0
        self.trimmed_at_mb: list[int] = []
        self.read_up = asyncio.Event()
        self._now_mb = 0

    def resident(self) -> int:
        """The next reading, in bytes; none after the last."""
        try:
            self._now_mb, self._used_s = next(self._readings)
        except StopIteration:
            self._now_mb = 0
            self.read_up.set()
        return self._now_mb * MB

    def process_time(self) -> float:
        """Processor seconds at the last reading."""
        return self._used_s

    def trim(self, pad: int) -> int:
        """Notes at what size it was called; all that is free is given back, without a rest."""
        assert pad == 0
        self.trimmed_at_mb.append(self._now_mb)
        return 1


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> Trims:
    async def run(*readings: tuple[int, float]) -> list[int]:
        system = System(list(readings))
        monkeypatch.setattr(memory, "_resident", system.resident)
        monkeypatch.setattr(time, "process_time", system.process_time)
        monkeypatch.setattr(memory, "_trim_function", lambda: system.trim)
        monkeypatch.setattr(memory, "EVERY_S", 0)
        trimmer = memory.MemoryTrimmer()
        trimmer.begin()
        await system.read_up.wait()
        await trimmer.end()
        return system.trimmed_at_mb

    return run


async def test_memory_that_was_in_use_at_the_last_trim_is_given_back_after_it_was_freed(trims: Trims) -> None:
    assert await trims((80, 1.0), (140, 2.0), (140, 3.0), (82, 4.0)) == [140, 140]


async def test_an_idle_process_is_not_trimmed_again(trims: Trims) -> None:
    assert await trims((80, 1.0), (140, 2.0), (140, 2.0), (140, 2.001)) == [140]


async def test_a_process_that_did_not_grow_is_not_trimmed(trims: Trims) -> None:
    assert await trims((80, 1.0), (84, 2.0), (87, 3.0)) == []


async def test_growth_counts_from_the_smallest_that_the_process_has_been(trims: Trims) -> None:
    assert await trims((80, 1.0), (70, 2.0), (79, 3.0)) == [79]


async def test_the_first_eight_megabytes_of_growth_are_given_back(trims: Trims) -> None:
    assert await trims((80, 0.0), (88, 0.0), (88, 0.0)) == [88]


async def test_processor_time_since_the_last_trim_counts_from_ten_milliseconds_on(trims: Trims) -> None:
    assert await trims((80, 0.0), (90, 0.0), (91, 0.005), (92, 0.01)) == [90, 92]


def test_the_memory_of_the_process_is_its_resident_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "statm").write_text("900 300 20 1 0 70 0\n")
    monkeypatch.setattr(memory, "_STATM", tmp_path / "statm")
    assert memory._resident() == 300 * 4096


class Libc:
    """A C library: keeps what it was set to."""

    def __init__(self) -> None:
        self.set: list[tuple[int, int]] = []

    def malloc_trim(self, pad: int) -> int:
        """As glibc's."""
        return pad

    def mallopt(self, option: int, value: int) -> int:
        """As glibc's."""
        self.set.append((option, value))
        return 1


def test_the_heap_of_glibc_keeps_sixteen_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc()
    (tmp_path / "statm").touch()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(memory, "_STATM", tmp_path / "statm")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: libc)
    assert memory._trim_function() == libc.malloc_trim
    assert libc.set == [(-2, 16 * 1024 * 1024)]


@pytest.mark.parametrize(("platform", "statm"), [("darwin", True), ("linux", False)])
async def test_a_system_that_shows_no_size_of_the_process_is_not_trimmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, statm: bool
) -> None:
    if statm:
        (tmp_path / "statm").touch()
    monkeypatch.setattr(memory, "_STATM", tmp_path / "statm")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Libc())
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", platform)
        trimmer = memory.MemoryTrimmer()
    trimmer.begin()
    assert len(asyncio.all_tasks()) == 1
    await trimmer.end()
