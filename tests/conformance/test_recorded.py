"""A sample of the recorded traffic through the running gateway: relayed as it is, and translated without a loss unnamed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.replay import interactions
from tools.conformance import beside, crossed, native, places
from tools.conformance.hall import Hall, opened
from tools.conformance.losses import UNKNOWN, name_of
from tools.conformance.places import Recording

EVERY = 13
"""One recording in so many."""

pytestmark = pytest.mark.skipif(importlib.util.find_spec("google.genai") is None, reason="needs google-genai's types")


def sample(hall: Hall) -> list[Recording]:
    """One in so many, the streams first: they have more to go wrong."""
    asked = [recording for recording in hall.known if recording.asked_natively]
    return sorted(asked, key=lambda recording: not recording.stream)[::EVERY]


async def test_the_native_lane_changes_nothing(recordings: Path, home: Home) -> None:
    """The streams and answers of a sample, and of everything beside chat."""
    async with opened(recordings, home) as hall:
        rest = [
            recording for recording in hall.known if recording.asked_natively and recording.place and not recording.place.dialect
        ]
        wanted = {recording.name: recording for recording in (*sample(hall), *rest)}
        found = await native.run(hall, wanted.values())
    assert [(one.recording.name, fault) for one in found for fault in one.faults] == []
    assert len(found) > 100


async def test_embeddings_and_pictures_are_the_same_in_whatever_words(recordings: Path, home: Home) -> None:
    async with opened(recordings, home) as hall:
        found = await beside.run(hall, hall.known[::3])
    assert [(one.recording.name, one.caller, fault) for one in found for fault in one.faults] == []
    assert {one.caller for one in found} == {*beside.CALLERS}
    assert len(found) > 30


HAS = re.compile(
    r"(/chat/completions|/responses|/v1/messages|/embeddings|/images/(generations|edits)|/audio/speech|/moderations|/rerank"
    r"|:(generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)|/api/chat|/converse(-stream)?)$"
)
"""What the client API has a path for, or the gateway a dialect."""


def test_what_is_left_out_has_no_place_in_the_client_api(recordings: Path) -> None:
    known = places.recordings(interactions(recordings))
    left = [recording for recording in known if recording.place is None and isinstance(recording.line["req"], dict)]
    assert [recording.name for recording in left if HAS.search(recording.path)] == []


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
    assert [(one.recording.name, one.invalid) for one in found if one.invalid] == []
    assert len(found) > 30
    assert sum(not one.differences for one in found) >= 0.9 * len(found)
