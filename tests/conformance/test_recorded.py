"""A sample of the recorded traffic through the running gateway: relayed as it is, and translated without a loss unnamed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from conduit_desktop.core.paths import Home
from tools.conformance import crossed, native
from tools.conformance.hall import Hall, opened
from tools.conformance.losses import UNKNOWN, name_of
from tools.conformance.page import NATIVE
from tools.conformance.places import Recording

EVERY = 9
"""One recording in so many."""

pytestmark = pytest.mark.skipif(importlib.util.find_spec("google.genai") is None, reason="needs google-genai's types")


def sample(hall: Hall) -> list[Recording]:
    """Every ninth, the streams first: they have more to go wrong."""
    asked = [recording for recording in hall.known if recording.place is not None]
    return sorted(asked, key=lambda recording: not recording.stream)[::EVERY]


async def test_the_native_lane_changes_nothing_but_what_it_says(recordings: Path, home: Home) -> None:
    async with opened(recordings, home) as hall:
        found = await native.run(hall, sample(hall))
    faults = [(one.recording.name, fault) for one in found for fault in one.faults if not any(mark in fault for mark, _ in NATIVE)]
    assert faults == []
    assert len(found) > 50


@pytest.mark.parametrize("caller", crossed.CALLERS)
async def test_no_crossing_loses_what_has_no_name(recordings: Path, home: Home, caller: str) -> None:
    async with opened(recordings, home) as hall:
        found = await crossed.run(hall, caller, sample(hall))
    lost = [
        (one.recording.name, field, values)
        for one in found
        for field, values in one.differences.items()
        if name_of(one, field, *values) == UNKNOWN
    ]
    assert lost == []
    assert len(found) > 40
    assert sum(not one.differences for one in found) >= 0.9 * len(found)
