"""A sample of the recorded traffic through the running gateway: relayed as it is, and translated without a loss unnamed."""

from __future__ import annotations

import gzip
import importlib.util
import re
from pathlib import Path

import orjson
import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.replay import interactions
from tools.conformance import media as beside
from tools.conformance import passthrough as native
from tools.conformance import places
from tools.conformance import translated as crossed
from tools.conformance.gateway import opened
from tools.conformance.losses import UNKNOWN, name_of

EVERY = 12
"""One recorded chat in so many."""

pytestmark = pytest.mark.skipif(importlib.util.find_spec("google.genai") is None, reason="needs google-genai's types")


@pytest.fixture(scope="module")
def sampled(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the recordings', with a sample of them: streams first, they have more to go wrong, and all beside chat."""
    known = [recording for recording in places.recordings(interactions(recordings)) if recording.place is not None]
    chats = sorted((one for one in known if one.place and one.place.dialect), key=lambda one: not one.stream)[::EVERY]
    others = [one for one in known if one.place and not one.place.dialect]
    folder = tmp_path_factory.mktemp("recorded")
    with gzip.open(folder / "recordings.jsonl.gz", "wb", compresslevel=1) as lines:
        lines.writelines(orjson.dumps(one.line) + b"\n" for one in (*chats, *others))
    (folder / "replay.py").symlink_to(recordings / "replay.py")
    return folder


async def test_the_native_lane_changes_nothing(sampled: Path, home: Home) -> None:
    async with opened(sampled, home) as hall:
        found = await native.run(hall, [recording for recording in hall.known if recording.asked_natively])
    assert [(one.recording.name, fault) for one in found for fault in one.faults] == []
    assert len(found) > 100


async def test_embeddings_and_pictures_are_the_same_in_whatever_words(sampled: Path, home: Home) -> None:
    async with opened(sampled, home) as hall:
        found = await beside.run(hall, hall.known[::2])
    assert [(one.recording.name, one.caller, fault) for one in found for fault in one.faults] == []
    assert {one.caller for one in found} == {*beside.CALLERS}
    assert len(found) > 50


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
async def test_no_crossing_loses_what_has_no_name(sampled: Path, home: Home, caller: str) -> None:
    async with opened(sampled, home) as hall:
        found = await crossed.run(hall, caller, hall.known)
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
