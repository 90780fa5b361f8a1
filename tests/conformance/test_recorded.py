"""A sample of the recorded traffic through the running gateway: relayed unchanged, and translated with known losses only."""

from __future__ import annotations

import gzip
import importlib.util
import re
from pathlib import Path

import orjson
import pytest

from conduit_desktop.core.paths import Home
from tests.conformance import media, passthrough, translated
from tests.conformance import recordings as recorded_traffic
from tests.conformance.gateway import open_setup
from tests.conformance.known_losses import UNKNOWN, name_of
from tests.fakes.replay import interactions

EVERY = 12
"""One recorded chat in so many."""

pytestmark = pytest.mark.skipif(importlib.util.find_spec("google.genai") is None, reason="needs google-genai's types")


@pytest.fixture(scope="module")
def sampled(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sample of the recordings: chats with streams first (more can go wrong in them), and all media calls."""
    known = [recording for recording in recorded_traffic.recordings(interactions(recordings)) if recording.endpoint is not None]
    chats = sorted((one for one in known if one.endpoint and one.endpoint.dialect), key=lambda one: not one.stream)[::EVERY]
    others = [one for one in known if one.endpoint and not one.endpoint.dialect]
    folder = tmp_path_factory.mktemp("recorded")
    with gzip.open(folder / "recordings.jsonl.gz", "wb", compresslevel=1) as lines:
        lines.writelines(orjson.dumps(one.line) + b"\n" for one in (*chats, *others))
    (folder / "replay.py").symlink_to(recordings / "replay.py")
    return folder


async def test_passthrough_changes_nothing(sampled: Path, home: Home) -> None:
    async with open_setup(sampled, home) as setup:
        found = await passthrough.run(setup, [recording for recording in setup.recordings if recording.can_pass_through])
    assert [(one.recording.name, fault) for one in found for fault in one.faults] == []
    assert len(found) > 100


async def test_embeddings_and_images_are_the_same_in_every_client_dialect(sampled: Path, home: Home) -> None:
    async with open_setup(sampled, home) as setup:
        found = await media.run(setup, setup.recordings[::2])
    assert [(one.recording.name, one.caller, fault) for one in found for fault in one.faults] == []
    assert {one.caller for one in found} == {*media.CALLERS}
    assert len(found) > 50


HAS = re.compile(
    r"(/chat/completions|/responses|/v1/messages|/embeddings|/images/(generations|edits)|/audio/speech|/moderations|/rerank"
    r"|:(generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)|/api/chat|/converse(-stream)?)$"
)
"""Paths for which the client API has a path, or the gateway a dialect."""


def test_recordings_that_are_left_out_have_no_path_in_the_client_api(recordings: Path) -> None:
    known = recorded_traffic.recordings(interactions(recordings))
    left = [recording for recording in known if recording.endpoint is None and isinstance(recording.line["req"], dict)]
    assert [recording.name for recording in left if HAS.search(recording.path)] == []


@pytest.mark.parametrize("caller", translated.CALLERS)
async def test_translation_has_known_losses_only(sampled: Path, home: Home, caller: str) -> None:
    async with open_setup(sampled, home) as setup:
        found = await translated.run(setup, caller, setup.recordings)
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
